"""A retailer for measuring pushes: an ERP that counts one warehouse, and a shop on each of three platforms that sells from it."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from os import environ
from pathlib import Path
from typing import Any, Final

import httpx

from invbi_pipeline.cli.bench.leap import LeapClock
from invbi_pipeline.config import Config
from invbi_pipeline.sandbox.world.configuration import ERP_FILES

__all__ = ["CHANNELS", "HIDDEN_RATE", "PushShops", "push_shops"]

CHANNELS: Final = ("shopify", "square", "amazon")
HIDDEN_RATE: Final = 12.5  # requests a second that this Square takes; nothing of ours is told
OPENING: Final = 40  # units of each sku
CHANGE: Final = 5  # units that every other sku gains, and the others lose
_SECRETS: Final = {
    "shopify": {"token": "bench-token", "webhook_secret": "bench-hooks"},
    "square": {"token": "bench-till", "webhook_key": "bench-key"},
    "amazon": {"client_id": "bench-client", "client_secret": "bench-client-secret", "refresh_token": "bench-refresh"},
}


class PushShops:
    """The accounts, all alike at first, and the configuration that connects them. `skus` is how many each of them lists."""

    def __init__(self, folder: Path, clock: LeapClock, skus: int) -> None:
        from invbi_pipeline.sandbox.amazon import AmazonAccount
        from invbi_pipeline.sandbox.contract import ItemSpec
        from invbi_pipeline.sandbox.erp import ErpAccount
        from invbi_pipeline.sandbox.shopify import ShopifyAccount
        from invbi_pipeline.sandbox.square import SquareAccount

        self.folder = folder
        self.erp = ErpAccount("erp", clock, random.Random(1), folder / "erp")
        self.accounts: dict[str, Any] = {
            "shopify": ShopifyAccount("shopify", clock, random.Random(2), "http://shopify.test", _SECRETS["shopify"]),
            "square": SquareAccount("square", clock, random.Random(3), "http://square.test", _SECRETS["square"]),
            "amazon": AmazonAccount("amazon", clock, random.Random(4), "http://amazon.test", _SECRETS["amazon"]),
        }
        self.accounts["square"].wire.hidden_rate = HIDDEN_RATE
        self.erp.add_location("warehouse", "Warehouse")
        self.places = {name: self.accounts[name].add_location("warehouse", "Warehouse") for name in CHANNELS}
        self.skus = [f"SKU-{n:06d}" for n in range(skus)]
        self.keys: dict[str, dict[str, str]] = {name: {} for name in CHANNELS}
        for n, sku in enumerate(self.skus):
            spec = ItemSpec(sku, "", f"Thing {n}", f"style-{n // 8}", {"Size": str(n % 8)}, 9.5, "GBP")
            self.erp.stock(self.erp.add_item(spec), "warehouse", OPENING)
            for name, account in self.accounts.items():
                self.keys[name][sku] = account.add_item(spec)
                account.stock(self.keys[name][sku], self.places[name], OPENING)
        clock.moved = self._tick
        self.erp.exporting = True
        self.erp.export()
        self.config = self._configured()

    def change(self) -> None:
        """Let every sku's count in the ERP rise or fall, turn by turn: each channel then shows a wrong number of each."""
        for n, sku in enumerate(self.skus):
            self.erp.adjust(sku, "warehouse", CHANGE if n % 2 else -CHANGE, "adjustment")
        self.erp.export()

    def wrong(self, name: str) -> int:
        """Return how many numbers of a channel are not what the ERP says, as they stand in the platform's own store."""
        account, place, keys = self.accounts[name], self.places[name], self.keys[name]
        return sum(
            account.number(keys[sku], place) != OPENING + (CHANGE if n % 2 else -CHANGE) for n, sku in enumerate(self.skus)
        )

    def app(self, name: str) -> httpx.ASGITransport:
        """Return the way to a channel's account."""
        return httpx.ASGITransport(self.accounts[name].app)

    def _tick(self) -> None:
        for account in self.accounts.values():
            account.tick()

    def _configured(self) -> Config:
        systems: dict[str, Any] = {
            name: {
                "platform": name,
                "roles": ["sells"],
                "mode": "auto",
                "base_url": f"http://{name}.test",
                "sells_from": ["warehouse"],
                "secrets": {purpose: {"env": _variable(name, purpose)} for purpose in _SECRETS[name]},
                **({"locations": {self.places[name]: "warehouse"}} if self.places[name] else {"default_location": "warehouse"}),
            }
            for name in CHANNELS
        }
        systems["amazon"] |= {"account": "A2SELLER", "marketplace": "A1F83G8C2ARO7P"}
        files = {
            name: {"path": f"erp/{file}", "format": "csv", "columns": columns} for name, (file, columns) in ERP_FILES.items()
        }
        erp = {"platform": "files", "roles": ["counts"], "locations": {"warehouse": "warehouse"}, "files": files}
        raw = {
            "business": {"name": "Bench"},
            "systems": {"erp": erp, **systems},
            "locations": {"warehouse": {"kind": "warehouse", "counted_by": "erp"}},
            # All is meant to change at once, which a careful merchant would rather see first.
            "guards": {"max_changed_share_bp": 10_000},
            "path": self.folder / "invbi.toml",
        }
        return Config.model_validate(raw)


def _variable(name: str, purpose: str) -> str:
    return f"INVBI_BENCH_{name}_{purpose}".upper()


@contextmanager
def push_shops(folder: Path, clock: LeapClock, skus: int) -> Iterator[PushShops]:
    """Open the retailer; its secrets are in the environment for as long as it is."""
    secrets = {_variable(name, purpose): value for name, said in _SECRETS.items() for purpose, value in said.items()}
    kept = {name: environ.get(name) for name in secrets}
    environ.update(secrets)
    try:
        yield PushShops(folder, clock, skus)
    finally:
        for name, value in kept.items():
            if value is None:
                environ.pop(name, None)
            else:
                environ[name] = value
