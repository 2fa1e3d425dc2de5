"""A small emulated Amazon account for the tests of this folder: two merchant listings, one in Amazon's warehouses, a caller."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from invbi_pipeline.sandbox.amazon import AmazonAccount
from invbi_pipeline.sandbox.contract import ItemSpec, Line
from invbi_pipeline_tests.openapi import OpenApi
from invbi_pipeline_tests.sandbox.asking import Asking
from invbi_pipeline_tests.sandbox.serving import HandClock
from invbi_pipeline_tests.shared import shared

__all__ = ["PLACE", "Seller", "made_seller"]

PLACE = "A1F83G8C2ARO7P"
SECRETS = {"client_id": "app", "client_secret": "hush", "refresh_token": "Atzr|1"}
_ITEMS = "/listings/2021-08-01/items/A2SELLER"
_models: dict[str, OpenApi] = {}


def _model() -> OpenApi | None:
    try:
        path = shared("specs/amazon-sp-api/models")
    except pytest.skip.Exception:  # without the published models the behaviour is tested all the same
        return None
    if not _models:
        _models["amazon"] = OpenApi(path)
    return _models["amazon"]


@dataclass
class Seller:
    account: AmazonAccount
    clock: HandClock
    asking: Asking
    mug: str = "MUG/1 blue"
    cup: str = "CUP-2"
    lamp: str = "LAMP-FBA"

    def log_in(self, **changed: str) -> httpx.Response:
        form = {"grant_type": "refresh_token", **SECRETS, **changed}
        answer = self.asking.ask("POST", "/auth/o2/token", data=form, judge_request=False)
        if answer.status_code == 200:
            self.asking.headers["x-amz-access-token"] = answer.json()["access_token"]
        return answer

    def get(self, path: str, **params: str) -> httpx.Response:
        return self.asking.ask("GET", path, params=params)

    def get_wrongly(self, path: str, **params: str) -> httpx.Response:
        return self.asking.ask("GET", path, params=params, judge_request=False)

    def post(self, path: str, body: Any, *, judge_request: bool = True) -> httpx.Response:
        return self.asking.ask("POST", path, json=body, judge_request=judge_request)

    def listing(self, sku: str, included: str = "summaries,attributes,fulfillmentAvailability") -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"{_ITEMS}/{quote(sku, safe='')}", marketplaceIds=PLACE, includedData=included).json()
        return found

    def quantity(self, sku: str) -> int | None:
        (stock,) = self.listing(sku, "fulfillmentAvailability")["fulfillmentAvailability"]
        found: int | None = stock.get("quantity")
        return found

    def search(self, **params: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get(_ITEMS, marketplaceIds=PLACE, **params).json()
        return found

    def patch(self, sku: str, quantity: object, *, op: str = "merge", mode: str = "") -> dict[str, Any]:
        value = {"fulfillment_channel_code": "DEFAULT", "quantity": quantity}
        body = {
            "productType": "PRODUCT",
            "patches": [{"op": op, "path": "/attributes/fulfillment_availability", "value": [value]}],
        }
        params = {"marketplaceIds": PLACE, **({"mode": mode} if mode else {})}
        answer = self.asking.ask("PATCH", f"{_ITEMS}/{quote(sku, safe='')}", json=body, params=params)
        found: dict[str, Any] = answer.json()
        return found

    def stock(self, **params: str) -> dict[str, Any]:
        asked = {"granularityType": "Marketplace", "granularityId": PLACE, "marketplaceIds": PLACE, "details": "true", **params}
        found: dict[str, Any] = self.get("/fba/inventory/v1/summaries", **asked).json()
        return found

    def orders(self, *, after: datetime | None = None, **params: str) -> dict[str, Any]:
        start = (after or self.clock.now() - timedelta(days=1)).isoformat()
        window = {} if "paginationToken" in params else {"lastUpdatedAfter": start}
        found: dict[str, Any] = self.get("/orders/2026-01-01/orders", **window, **params).json()
        return found

    def buy(self, sku: str, units: int = 1, *, paid: bool = True) -> str:
        return self.account.order([Line(sku, units)], paid=paid)


def made_seller() -> Seller:
    """Return a logged-in seller with 10 mugs and 4 cups of its own and 7 lamps in Amazon's warehouses."""
    clock = HandClock()
    account = AmazonAccount("amazon_uk", clock, Random(11), "http://amazon.test", SECRETS)
    seller = Seller(account, clock, Asking(account.app, "http://amazon.test", {}, _model()))
    for sku, units, by_amazon in ((seller.mug, 10, False), (seller.cup, 4, False), (seller.lamp, 7, True)):
        spec = ItemSpec(sku, "5012345678900", sku.title(), sku, {}, 9.5, "GBP", platform_fulfilled=by_amazon)
        account.stock(account.add_item(spec), "", units)
    clock.pass_s(60)
    seller.log_in()
    return seller
