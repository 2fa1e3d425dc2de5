"""Plants faults: hand edits, second writers, odd listings, outages. Only by what a person, a program or a wire could do."""

import random
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial

from invbi_pipeline.sandbox.world.business import Business
from invbi_pipeline.sandbox.world.faults.barcodes import BarcodeFaults
from invbi_pipeline.sandbox.world.faults.causes import CauseFaults
from invbi_pipeline.sandbox.world.faults.declared import DeclaredFaults
from invbi_pipeline.sandbox.world.faults.identity import IdentityFaults
from invbi_pipeline.sandbox.world.faults.kit import FaultKit, NoVictimError
from invbi_pipeline.sandbox.world.faults.numbers import NumberFaults
from invbi_pipeline.sandbox.world.faults.phantom import PhantomFaults
from invbi_pipeline.sandbox.world.faults.planted import Planted
from invbi_pipeline.sandbox.world.faults.shelf import AGES, ShelfFaults
from invbi_pipeline.sandbox.world.faults.wire import WireFaults
from invbi_pipeline.sandbox.world.goods import Goods
from invbi_pipeline.sandbox.world.shoppers import Shoppers
from invbi_pipeline.sandbox.world.truth import Truth

__all__ = ["Planter"]

# The demo's plan: (label, how many in a world of 600 skus and more, minutes after go-live: earliest, latest). What people
# typed in before anybody looked is there from the first minute; the rest comes while somebody looks.
_PLAN: tuple[tuple[str, int, float, float], ...] = (
    ("unmapped_listing", 3, 0, 0),
    ("near_miss_sku", 3, 0, 0),
    ("duplicate_sku", 2, 0, 0),
    ("ambiguous_mapping", 2, 0, 0),
    ("oversell_risk", 4, 6, 20),
    ("undersell", 4, 6, 20),
    ("channel_stockout", 2, 6, 20),
    ("duplicate_event", 2, 6, 18),
    ("second_writer", 1, 1, 4),
    ("frozen_listing", 1, 1, 4),
    ("push_failed", 1, 6, 12),
    ("push_unverified", 1, 6, 12),
    ("listing_inactive", 1, 8, 14),
    ("relisted", 1, 8, 14),
    ("ledger_untied", 2, 6, 18),
    ("oversold", 1, 12, 16),
    ("bad_rows", 1, 6, 10),
    ("feed_truncated", 1, 18, 20),
)
# Where it can be seen within the demo: a writer, where our pushes show before it writes again; a listing that applies nothing,
# not even its own sales, on a marketplace.
_PLATFORMS: Mapping[str, str] = {"second_writer": "shopify", "frozen_listing": "amazon"}
_WIRE_SUBJECT = "files"  # whose export breaks in the demo's plan


class Planter:
    """Keeps the labels. `planted` is what has been planted so far; what is only scheduled is not in it."""

    def __init__(self, business: Business, goods: Goods, shoppers: Shoppers, truth: Truth) -> None:
        self._business = business
        kit = FaultKit(business, goods, shoppers, truth, business.rng("faults"))
        self.kit = kit
        self.planted = kit.planted
        self.skipped: list[str] = []  # labels of the plan for which nothing suitable was found
        self.plan_ends: datetime | None = None
        self._rng: random.Random = kit.rng
        self._makers: dict[str, Callable[[Mapping[str, str]], Planted]] = {
            **NumberFaults(kit).makers,
            **CauseFaults(kit).makers,
            **IdentityFaults(kit).makers,
            **BarcodeFaults(kit).makers,
            **DeclaredFaults(kit).makers,
            **WireFaults(kit).makers,
            **ShelfFaults(kit).makers,
            **PhantomFaults(kit).makers,
        }

    @property
    def labels(self) -> list[str]:
        """Return every label that can be planted."""
        return sorted(self._makers)

    def plant(self, label: str, **options: str) -> Planted:
        """Plant one fault now and return it.

        Options narrow it: `system`, `platform`, `listing_key`, `sku`, `units`, `minutes` (how long it lasts), `share`. Raises
        KeyError for an unknown label and `NoVictimError` where nothing in this world suits it.
        """
        planted = self._makers[label](options)
        self._business.note("planted", label, planted.system, planted.listing_key, planted.location)
        return planted

    def schedule_history(self, plan: Mapping[str, int], ends: datetime) -> None:
        """Write down what went wrong before anybody looked: label -> how many, each so old at `ends` that it is a fact."""
        for label, count in plan.items():
            for _ in range(count):
                earlier = timedelta(hours=self._rng.uniform(0, 6))
                self._business.agenda.people(ends - AGES.get(label, timedelta(0)) - earlier, partial(self._try, label, {}))

    def schedule(self) -> None:
        """Write the demo's plan down: some now, the rest in the next 20 minutes."""
        now = self._business.now
        scale = min(1.0, len(self._business.catalogue.products) / 570)
        ends = now
        for label, most, earliest, latest in _PLAN:
            for _ in range(max(1, round(most * scale))):
                at = now + timedelta(minutes=self._rng.uniform(earliest, latest))
                ends = max(ends, at)
                options = {"system": self._exporter()} if label == "feed_truncated" else {"platform": _PLATFORMS.get(label, "")}
                if label == "feed_truncated" and not options["system"]:
                    continue
                if at == now:
                    self._try(label, options)
                else:
                    self._business.agenda.people(at, partial(self._try, label, options))
        self.plan_ends = ends

    def _try(self, label: str, options: Mapping[str, str]) -> None:
        try:
            self.plant(label, **options)
        except NoVictimError:
            self.skipped.append(label)

    def _exporter(self) -> str:
        return next((name for name, system in self._business.systems.items() if system.platform == _WIRE_SUBJECT), "")
