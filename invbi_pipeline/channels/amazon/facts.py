"""What is true of the Selling Partner API whoever uses it.

Rates are the "Usage Plan" tables of the published models (amzn/selling-partner-api-models). What Amazon nowhere publishes is
marked as assumed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import httpx

from invbi_pipeline.channels.limits import Budget
from invbi_pipeline.channels.protocol import Facts, Limit
from invbi_pipeline.domain.words import Basis, CorrectionKind, Dataset

__all__ = [
    "FACTS",
    "FEED_ABOVE",
    "FEED_MESSAGES",
    "GET_UP_TO",
    "HISTORY",
    "IDENTIFIERS",
    "LISTINGS_PAGE",
    "ORDERS_PAGE",
    "Place",
    "learn_rate",
    "place_of",
]

_MODELS: Final = "usage plan in the published model"
_FEEDS: Final = "model: 0.0083/s; JSON_LISTINGS_FEED: 5 submissions in 5 minutes (developer-docs.amazon.com/sp-api/changelog)"

FACTS: Final = Facts(
    platform="amazon",
    datasets=frozenset({Dataset.LISTINGS, Dataset.STOCK, Dataset.ORDERS}),
    basis=Basis.NET,  # a merchant's quantity falls when an order is placed, also a pending one
    per_location=False,
    writes=frozenset({CorrectionKind.SET}),
    write_batch=25_000,  # messages of one JSON_LISTINGS_FEED
    urgent_batch=20,  # what one search reads; each is then sent by a PATCH
    compare_and_set=False,
    version_is_ordered=True,  # lastUpdatedDate of the listing; assumed to move with its quantity
    bulk_above=1000,  # searchListingsItems answers no more results than that (assumed); beyond it, the report
    limits=(
        Limit("searchListingsItems", 5, 5, _MODELS),
        Limit("getListingsItem", 5, 10, _MODELS),
        Limit("patchListingsItem", 5, 5, _MODELS),
        Limit("getInventorySummaries", 2, 2, _MODELS),
        Limit("searchOrders", 0.0056, 20, _MODELS),
        Limit("getOrder", 0.5, 30, _MODELS),
        Limit("createReport", 0.0167, 15, _MODELS),
        Limit("getReport", 2, 15, _MODELS),
        Limit("getReportDocument", 0.0167, 15, _MODELS),
        Limit("createFeedDocument", 0.5, 15, _MODELS),
        Limit("createFeed", 0.0083, 5, _FEEDS),
        Limit("getFeed", 2, 15, _MODELS),
        Limit("getFeedDocument", 0.0222, 10, _MODELS),
        Limit("getDestinations", 1, 5, _MODELS),
        Limit("createDestination", 1, 5, _MODELS),
        Limit("getSubscription", 1, 5, _MODELS),
        Limit("createSubscription", 1, 5, _MODELS),
        Limit("deleteSubscriptionById", 1, 5, _MODELS),
    ),
    # Orders appear minutes late (selling-partner-api-docs issue 2131). An hour of them is mostly one page, and one page a look is
    # what the rate of searchOrders allows.
    overlap=timedelta(hours=1),
    order_lag=timedelta(minutes=3),  # a search reaches no closer to now than two minutes
    read_lag=timedelta(seconds=10),
    visibility_lag=timedelta(minutes=15),  # ACCEPTED is not applied
    secrets={
        "client_id": "LWA client id of the application",
        "client_secret": "LWA client secret of the application",
        "refresh_token": "refresh token of the seller's authorisation",
    },
)

LISTINGS_PAGE: Final = 20  # most items of a page of searchListingsItems
IDENTIFIERS: Final = 20  # most SKUs in one search by identifiers
ORDERS_PAGE: Final = 100
HISTORY: Final = timedelta(days=30)  # how far a first read of orders goes back: 20 pages are free, the 21st waits three minutes
GET_UP_TO: Final = 5  # points that are read back one by one; more go by search, 20 a call
FEED_ABOVE: Final = 100  # corrections in one push that go as a feed (at 5 a second, PATCH would take longer than 20 s)
FEED_MESSAGES: Final = 25_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where a marketplace is served, what its platform-fulfilled stock is called in listings, and its currency."""

    host: str
    fulfilment_code: str
    currency: str


_NA: Final = ("https://sellingpartnerapi-na.amazon.com", "AMAZON_NA")
_EU: Final = ("https://sellingpartnerapi-eu.amazon.com", "AMAZON_EU")
_FE: Final = "https://sellingpartnerapi-fe.amazon.com"
# developer-docs.amazon.com/sp-api/docs/marketplace-ids; fulfilment codes as the report of all listings spells them.
_PLACES: Final[Mapping[str, Place]] = {
    "ATVPDKIKX0DER": Place(*_NA, "USD"),
    "A2EUQ1WTGCTBG2": Place(*_NA, "CAD"),
    "A1AM78C64UM0Y8": Place(*_NA, "MXN"),
    "A2Q3Y263D00KWC": Place(*_NA, "BRL"),
    "A1F83G8C2ARO7P": Place(*_EU, "GBP"),
    **dict.fromkeys(
        (
            *("A1PA6795UKMFR9", "A13V1IB3VIYZZH", "APJ6JRA9NG5V4", "A1RKKUPIHCS9HS", "A1805IZSGTT6HS", "AMEN7PMS3EDWL"),
            "A28R8C7NBKEWEA",
        ),
        Place(*_EU, "EUR"),
    ),
    "A2NODRKZP88ZB9": Place(*_EU, "SEK"),
    "A1C3SOZRARQ6R3": Place(*_EU, "PLN"),
    "A33AVAJ2PDY3EV": Place(*_EU, "TRY"),
    "A2VIGQ35RCS4UG": Place(*_EU, "AED"),
    "A17E79C6D8DWNP": Place(*_EU, "SAR"),
    "ARBP9OOSHTCHU": Place(*_EU, "EGP"),
    "AE08WJ6YKNBMC": Place(*_EU, "ZAR"),
    "A21TJRUUN4KGV": Place(_EU[0], "AMAZON_IN", "INR"),
    "A1VC38T7YXB528": Place(_FE, "AMAZON_JP", "JPY"),
    "A39IBJ37TRP1C6": Place(_FE, "AMAZON_AU", "AUD"),
    "A19VAU5U5O7RUS": Place(_FE, "AMAZON_SG", "SGD"),
}


def place_of(marketplace: str) -> Place:
    """Return where a marketplace is served; one that is not listed here is taken for European, its currency unknown."""
    return _PLACES.get(marketplace, Place(*_EU, ""))


def learn_rate(response: httpx.Response, budget: Budget) -> None:
    """Believe the rate that Amazon states in an answer (`x-amzn-RateLimit-Limit`); it states no burst."""
    try:
        stated = float(response.headers.get("x-amzn-RateLimit-Limit", ""))
    except ValueError:
        return
    if 0 < stated != budget.rate:
        budget.observe(restore=stated)
