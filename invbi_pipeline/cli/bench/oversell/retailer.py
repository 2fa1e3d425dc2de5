"""A retailer on its flash day: the sandbox's world and emulators on virtual time, its hot items once for each arm.

Every arm sells the same items under SKUs of its own, so that one worker serves them all and each shopper wants the same of each.
"""

import os
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import httpx
from starlette.applications import Starlette
from starlette.routing import Mount

from invbi_pipeline.config import Config, load_config
from invbi_pipeline.sandbox import presets
from invbi_pipeline.sandbox.erp import ErpAccount
from invbi_pipeline.sandbox.world import VirtualClock, World
from invbi_pipeline.sandbox.world.clock import GO_LIVE
from invbi_pipeline.sandbox.world.flash import CHANNELS, FLASH_SALE, PLACE, FlashDay, put_on_sale
from invbi_pipeline.sandbox.world.legacy import Legacy
from invbi_pipeline.sandbox.world.places import Listing
from invbi_pipeline.sandbox.world.policy import Policies, Policy

__all__ = ["BEGINS", "Arm", "Retailer", "dice", "open_retailer"]

BEGINS: Final = GO_LIVE
_SKUS: Final = 60
_HISTORY_DAYS: Final = 1
_DOOR: Final = "https://hooks.example"  # where the platforms are told to deliver; the measurement carries what they send
_SANDBOX: Final = "http://sandbox.test"


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of keeping numbers by our events; `risk_bp`: the buffer as a risk, basis points, 0: none."""

    name: str
    risk_bp: int = 0


@dataclass(slots=True)
class Retailer:
    """The retailer and where its hot items stand: `hot[arm name, item, channel]`."""

    world: World
    config: Config
    hot: Mapping[tuple[str, int, str], Listing]

    def app(self) -> Starlette:
        """Return the platforms' HTTP faces."""
        systems = self.world.business.systems.items()
        return Starlette(routes=[Mount(f"/{name}", system.account.app) for name, system in systems])

    def transport(self) -> httpx.ASGITransport:
        """Return the way to them."""
        return httpx.ASGITransport(self.app())

    def number(self, arm: str, item: int, channel: str) -> int:
        """Return what a channel shows of an item now."""
        return self.world.business.systems[channel].number(self.hot[arm, item, channel], PLACE)

    def arrive(self, now: datetime) -> None:
        """Let the world's time come to `now`."""
        self.world.advance_to(now)


@contextmanager
def open_retailer(day: FlashDay, arms: Sequence[Arm], folder: Path) -> Iterator[Retailer]:
    """Bring the retailer to life in `folder`: the goods lie in the warehouse, and every channel shows the right number of them.

    Nobody but the day's shoppers buys. Its secrets are in the environment for as long as it is open.
    """
    world = presets.build(
        FLASH_SALE.name,
        day.seed,
        max(_SKUS, 12 * len(arms) * len(day.items)),
        _SANDBOX,
        folder,
        VirtualClock(BEGINS),
        faults=False,
        history_days=_HISTORY_DAYS,
    )
    world.freeze()
    business = world.business
    skus = iter(sorted(business.catalogue.products))
    hot: dict[tuple[str, int, str], Listing] = {}
    policies: list[Policy] = []
    for arm in arms:
        for n, item in enumerate(day.items):
            sku = next(skus)
            put_on_sale(world, item, sku)
            policies += [Policy("buffer_risk_bp", arm.risk_bp, sku=sku)] if arm.risk_bp else []
            for channel in CHANNELS:
                listing = business.systems[channel].single(sku)
                assert listing is not None, f"{channel} lists everything"
                hot[arm.name, n, channel] = listing
    business.policies = Policies(policies)  # of this day alone
    Legacy(business, world.truth).sync_all()
    erp = business.systems["erp"].account
    assert isinstance(erp, ErpAccount)
    erp.export()
    path = presets.write_config(world, folder)
    path.write_text(f'{path.read_text(encoding="utf-8")}\n[serve]\npublic_url = "{_DOOR}"\n', encoding="utf-8")
    kept = dict(os.environ)
    os.environ.update(presets.secrets(world))
    try:
        yield Retailer(world, load_config(path), hot)
    finally:
        os.environ.clear()
        os.environ.update(kept)


def dice(day: FlashDay, *what: object) -> random.Random:
    """Return the dice of one thing of a day: they fall alike for every arm."""
    return random.Random("/".join(map(str, (day.seed, *what))))
