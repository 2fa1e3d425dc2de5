"""FBA Inventory API v1: summaries of the stock in Amazon's warehouses."""

from datetime import timedelta
from typing import Any

from invbi_pipeline.sandbox.amazon.listings import Listing
from invbi_pipeline.sandbox.amazon.pages import Pages
from invbi_pipeline.sandbox.amazon.params import Params
from invbi_pipeline.sandbox.amazon.refusals import bad_input
from invbi_pipeline.sandbox.amazon.store import Store

__all__ = ["InventoryApi"]

MOST_SKUS = 50
_ON_A_PAGE = 50
_TOKEN_LIFETIME = timedelta(seconds=30)  # of the model's text on nextToken
_OLDEST = timedelta(days=548)  # 18 months


class InventoryApi:
    """The handler of getInventorySummaries."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pages: Pages[Listing] = Pages(store.clock, store.rng, _TOKEN_LIFETIME)

    def summaries(self, params: Params) -> dict[str, Any]:
        """GET /fba/inventory/v1/summaries; details only where they are asked for."""
        names = (
            "details",
            "granularityType",
            "granularityId",
            "startDateTime",
            "sellerSkus",
            "sellerSku",
            "nextToken",
            "marketplaceIds",
        )
        params.only(*names)
        marketplace = self._store.marketplace.id
        if params.text("granularityType") != "Marketplace" or params.text("granularityId") != marketplace:
            raise bad_input("granularityType must be Marketplace and granularityId its id.")
        if params.list("marketplaceIds") != [marketplace]:
            raise bad_input("marketplaceIds must name one marketplace of this seller.")
        if params.text("nextToken"):
            page = self._pages.after(params.text("nextToken"), _ON_A_PAGE, "nextToken")
        else:
            page = self._pages.first(self._found(params), _ON_A_PAGE)
        details = params.flag("details")
        payload = {
            "granularity": {"granularityType": "Marketplace", "granularityId": marketplace},
            "inventorySummaries": [self._summary(listing, details=details) for listing in page.rows],
        }
        return {"payload": payload, **({"pagination": {"nextToken": page.token}} if page.token else {})}

    def _found(self, params: Params) -> list[Listing]:
        skus = set(params.list("sellerSkus") + ([params.text("sellerSku")] if params.text("sellerSku") else []))
        if len(skus) > MOST_SKUS:
            raise bad_input(f"sellerSkus takes at most {MOST_SKUS}.")
        start = None
        if params.text("startDateTime"):
            start = self._store.times.heard(params.text("startDateTime"), "startDateTime")
            if start < self._store.times.now() - _OLDEST:
                raise bad_input("startDateTime must not be more than 18 months ago.")
        return [
            each
            for each in self._store.alive()
            if each.fulfillable is not None
            and (not skus or each.sku in skus)
            and (start is None or self._store.updated(each) >= start)
            and self._store.shown(each).fulfillable is not None
        ]

    def _summary(self, listing: Listing, *, details: bool) -> dict[str, Any]:
        shown = self._store.shown(listing)
        fulfillable = shown.fulfillable or 0
        made: dict[str, Any] = {
            "asin": listing.asin,
            "fnSku": listing.fnsku,
            "sellerSku": listing.sku,
            "condition": "NewItem",
            "lastUpdatedTime": self._store.times.state(self._store.updated(listing)),
            "productName": listing.title,
            "totalQuantity": fulfillable + shown.reserved + listing.unfulfillable,
        }
        if details:
            made["inventoryDetails"] = {
                "fulfillableQuantity": fulfillable,
                "inboundWorkingQuantity": 0,
                "inboundShippedQuantity": 0,
                "inboundReceivingQuantity": 0,
                "reservedQuantity": {
                    "totalReservedQuantity": shown.reserved,
                    "pendingCustomerOrderQuantity": shown.reserved,
                    "pendingTransshipmentQuantity": 0,
                    "fcProcessingQuantity": 0,
                },
                "researchingQuantity": {"totalResearchingQuantity": 0, "researchingQuantityBreakdown": []},
                "unfulfillableQuantity": {
                    "totalUnfulfillableQuantity": listing.unfulfillable,
                    "customerDamagedQuantity": 0,
                    "warehouseDamagedQuantity": listing.unfulfillable,
                    "distributorDamagedQuantity": 0,
                    "carrierDamagedQuantity": 0,
                    "defectiveQuantity": 0,
                    "expiredQuantity": 0,
                },
            }
        return made
