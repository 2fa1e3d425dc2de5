"""What is true of Shopify whoever uses it, as data. Sources: shopify.dev, and the published schema of the version named."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from invbi_pipeline.channels.protocol import Facts, Limit
from invbi_pipeline.domain.words import Basis, CorrectionKind, Dataset, ListingStatus

__all__ = [
    "API_VERSION",
    "BULK_LONGEST_S",
    "BULK_POLL_S",
    "FACTS",
    "KEY_LIFE",
    "MAX_COST",
    "MUTATION_COST",
    "ORDERS_BULK_ABOVE",
    "SCOPES",
    "STATUS",
]

API_VERSION: Final = "2026-07"  # quarterly; supported for a year: https://shopify.dev/docs/api/usage/versioning
MAX_COST: Final = 1000  # points of one query: https://shopify.dev/docs/api/usage/limits
MUTATION_COST: Final = 10  # the same page
KEY_LIFE: Final = timedelta(hours=24)  # https://shopify.dev/docs/api/usage/implementing-idempotency
ORDERS_BULK_ABOVE: Final = 100  # orders beyond which a bulk operation is cheaper than pages of ten
BULK_POLL_S: Final = (1.0, 10.0)  # shortest and longest wait between two looks at a bulk operation
BULK_LONGEST_S: Final = 3600.0  # a bulk operation that takes longer is given up (Shopify itself gives up after ten days)

SCOPES: Final[Mapping[str, str]] = {  # permission -> what is impossible without it
    "read_products": "read the catalogue",
    "read_inventory": "read stock",
    "write_inventory": "send corrections",
    "read_locations": "name locations",
    "read_orders": "see sales of the last 60 days",
    "read_merchant_managed_fulfillment_orders": "know which location must ship an order",
}

STATUS: Final[Mapping[str, ListingStatus]] = {
    "ACTIVE": ListingStatus.ACTIVE,
    "UNLISTED": ListingStatus.ACTIVE,  # hidden from search and collections, but whoever has the address can buy it
    "DRAFT": ListingStatus.INACTIVE,
    "ARCHIVED": ListingStatus.INACTIVE,
}

FACTS: Final = Facts(
    platform="shopify",
    # MOVEMENTS is not among them: what Shopify tells of movements comes with the orders; there is no ledger to ask for.
    datasets=frozenset({Dataset.LOCATIONS, Dataset.LISTINGS, Dataset.STOCK, Dataset.ORDERS}),
    basis=Basis.NET,  # `available` already lacks what open orders hold (`committed`)
    per_location=True,
    writes=frozenset({CorrectionKind.SET, CorrectionKind.POST}),
    write_batch=250,  # any input array: https://shopify.dev/docs/api/usage/limits
    compare_and_set=True,  # changeFromQuantity, since 2026-01; required since 2026-04
    version_is_ordered=True,  # InventoryQuantity.updatedAt
    bulk_above=1000,  # beyond it pages of stock cost minutes of the point budget, a bulk operation none of it
    limits=(
        # Standard plan; every answer says what really holds (extensions.cost.throttleStatus), and that is believed
        Limit("graphql", rate=100.0, burst=2000.0, source="https://shopify.dev/docs/api/usage/limits", kept_back=0.25),
    ),
    overlap=timedelta(minutes=15),  # the search index behind `updated_at` is eventually consistent; nobody publishes a bound
    order_lag=timedelta(seconds=60),  # not published: a careful floor; the measured lag replaces it
    read_lag=timedelta(seconds=10),
    visibility_lag=timedelta(seconds=30),
    post_again=KEY_LIFE - timedelta(hours=1),  # a margin for slow answers and clocks
    secrets={"token": "Admin API access token", "webhook_secret": "client secret that signs webhooks"},
)
