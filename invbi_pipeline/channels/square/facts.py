"""What is true of Square whoever uses it.

Sources: Square's published OpenAPI model (version 2026-05-20) and developer.squareup.com/docs.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import httpx

from invbi_pipeline.channels.limits import Budget
from invbi_pipeline.channels.protocol import Facts, Limit
from invbi_pipeline.domain.words import Basis, CorrectionKind, Dataset, MovementKind, ReturnState

__all__ = ["BASE_URL", "FACTS", "KINDS", "LOCATIONS_A_SEARCH", "PAGE", "RETURN_STEPS", "SQUARE_VERSION", "learn_rate"]

BASE_URL: Final = "https://connect.squareup.com"
SQUARE_VERSION: Final = "2026-05-20"
PAGE: Final = 1000  # most rows of a page of counts, changes, orders and catalog objects (model: `limit`)
LOCATIONS_A_SEARCH: Final = 10  # most locations of one orders search (docs: orders-api/manage-orders/search-orders)

FACTS: Final = Facts(
    platform="square",
    datasets=frozenset(Dataset),
    basis=Basis.NET,  # IN_STOCK falls when an order completes: its effect then says so, and an open order has none
    per_location=True,
    writes=frozenset({CorrectionKind.SET, CorrectionKind.POST}),
    write_batch=100,  # older SDK documentation of BatchChangeInventory; no longer in the model, so the careful number
    compare_and_set=False,  # changes are ordered by occurred_at instead
    version_is_ordered=True,  # calculated_at
    bulk_above=10**9,  # pages of 1,000 are the bulk route
    # Square publishes no numbers. A modest start, corrected by its answers: see `learn_rate`. Evenly: nothing is known of bursts.
    limits=(Limit("*", rate=8.0, burst=1, source="unpublished", published=False),),
    # Late answers of an order feed reach back further than a clock's error; a page of an hour costs nothing.
    overlap=timedelta(hours=1),
    order_lag=timedelta(seconds=60),
    read_lag=timedelta(seconds=5),
    visibility_lag=timedelta(seconds=60),
    secrets={"token": "access token of the seller's account", "webhook_key": "signature key of the webhook subscription"},
)

# (from state, to state) of an adjustment -> what it is to a shelf. A pair without IN_STOCK does not move sellable stock.
KINDS: Final[Mapping[tuple[str, str], MovementKind]] = {
    ("IN_STOCK", "SOLD"): MovementKind.SALE,
    ("IN_STOCK", "SOLD_ONLINE"): MovementKind.SALE,
    ("IN_STOCK", "WASTE"): MovementKind.DAMAGE,
    ("IN_STOCK", "IN_TRANSIT"): MovementKind.TRANSFER_OUT,
    ("IN_STOCK", "IN_TRANSIT_TO"): MovementKind.TRANSFER_OUT,
    ("SOLD", "IN_STOCK"): MovementKind.RETURN,
    ("UNLINKED_RETURN", "IN_STOCK"): MovementKind.RETURN,
    ("RETURNED_BY_CUSTOMER", "IN_STOCK"): MovementKind.RETURN,
    ("NONE", "IN_STOCK"): MovementKind.RECEIPT,
    ("RECEIVED_FROM_VENDOR", "IN_STOCK"): MovementKind.RECEIPT,
    ("ORDERED_FROM_VENDOR", "IN_STOCK"): MovementKind.RECEIPT,
    ("IN_TRANSIT", "IN_STOCK"): MovementKind.TRANSFER_IN,
    ("IN_TRANSIT_TO", "IN_STOCK"): MovementKind.TRANSFER_IN,
}


# What an adjustment that carries a refund says of goods that came back.
RETURN_STEPS: Final[Mapping[tuple[str, str], ReturnState]] = {
    ("SOLD", "RETURNED_BY_CUSTOMER"): ReturnState.RECEIVED,
    ("UNLINKED_RETURN", "RETURNED_BY_CUSTOMER"): ReturnState.RECEIVED,
    ("RETURNED_BY_CUSTOMER", "IN_STOCK"): ReturnState.RESTOCKED,
    ("SOLD", "IN_STOCK"): ReturnState.RESTOCKED,
    ("UNLINKED_RETURN", "IN_STOCK"): ReturnState.RESTOCKED,
    ("RETURNED_BY_CUSTOMER", "WASTE"): ReturnState.WRITTEN_OFF,
    ("SOLD", "WASTE"): ReturnState.WRITTEN_OFF,
}


def learn_rate(response: httpx.Response, budget: Budget) -> None:
    """Find the unpublished limit by what is accepted and refused (`channels.pace`)."""
    if response.status_code == 429:
        budget.refused()
    elif response.is_success:
        budget.accepted()
