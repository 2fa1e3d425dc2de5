"""A small emulated till for the tests of this folder: two locations, a shirt in two sizes, and a caller."""

from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any

import httpx
import pytest

from invbi_pipeline.sandbox.contract import ItemSpec, Line
from invbi_pipeline.sandbox.square import SquareAccount
from invbi_pipeline_tests.openapi import OpenApi
from invbi_pipeline_tests.sandbox.asking import Asking
from invbi_pipeline_tests.sandbox.serving import HandClock
from invbi_pipeline_tests.shared import shared

__all__ = ["Till", "made_till"]

_models: dict[str, OpenApi] = {}


def _model() -> OpenApi | None:
    try:
        path = shared("specs/square/api.json")
    except pytest.skip.Exception:  # without the published model the behaviour is tested all the same
        return None
    if not _models:
        _models["square"] = OpenApi(path)
    return _models["square"]


@dataclass
class Till:
    account: SquareAccount
    clock: HandClock
    asking: Asking
    soho: str
    leeds: str
    small: str
    large: str

    def post(self, path: str, body: Any, *, judge_request: bool = True) -> httpx.Response:
        return self.asking.ask("POST", f"/v2{path}", json=body, judge_request=judge_request)

    def counts(self, **query: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.post("/inventory/counts/batch-retrieve", query).json()["counts"]
        return found

    def count(self, variation: str, location: str) -> str | None:
        found = self.counts(catalog_object_ids=[variation], location_ids=[location], states=["IN_STOCK"])
        return found[0]["quantity"] if found else None

    def changes(self, **query: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.post("/inventory/changes/batch-retrieve", query).json()["changes"]
        return found

    def orders(self, *, field: str = "UPDATED_AT", **window: str) -> list[dict[str, Any]]:
        name = field.lower()
        query = {
            "filter": {"date_time_filter": {name: window}} if window else {},
            "sort": {"sort_field": field, "sort_order": "ASC"},
        }
        body = {"location_ids": [self.soho, self.leeds], "query": query}
        found: list[dict[str, Any]] = self.post("/orders/search", body).json()["orders"]
        return found

    def set_count(self, quantity: int, at: datetime | None = None, key: str = "k1", **more: Any) -> httpx.Response:
        count = {
            "catalog_object_id": self.small,
            "location_id": self.soho,
            "state": "IN_STOCK",
            "quantity": str(quantity),
            "occurred_at": (at or self.clock.now()).isoformat(),
        }
        body = {"idempotency_key": key, "changes": [{"type": "PHYSICAL_COUNT", "physical_count": count}], **more}
        return self.post("/inventory/changes/batch-create", body)

    def sell(self, quantity: int = 1) -> str:
        return self.account.order([Line(self.small, quantity, 20.0)], self.soho, pos=True)


def made_till() -> Till:
    """Return a till with 10 small shirts in soho and 5 in leeds; large ones were never counted."""
    clock = HandClock()
    account = SquareAccount("till", clock, Random(7), "http://till.test", {"token": "T", "webhook_key": "hook"})
    soho, leeds = account.add_location("soho", "Soho"), account.add_location("leeds", "Leeds")
    small, large = (
        account.add_item(ItemSpec(f"TS-{size}", code, "T-shirt", "TS", {"Size": size}, 20.0, "GBP"))
        for size, code in (("S", "5012345678900"), ("L", "5012345678917"))
    )
    account.stock(small, soho, 10)
    account.stock(small, leeds, 5)
    headers = {"authorization": "Bearer T", "square-version": "2026-05-20"}
    clock.pass_s(60)
    return Till(account, clock, Asking(account.app, "http://till.test", headers, _model()), soho, leeds, small, large)
