"""Staff, suppliers and thieves: what happens to goods when nobody is buying."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from invbi_pipeline.domain.words import LocationKind, MovementKind
from invbi_pipeline.sandbox.world.business import Business
from invbi_pipeline.sandbox.world.demand import poisson
from invbi_pipeline.sandbox.world.goods import Goods
from invbi_pipeline.sandbox.world.losses import Losses

__all__ = ["Staff", "Target"]

_A_DAY = {"damage": 1.5, "theft": 1.2, "found": 0.2, "count": 12.0, "hand_edit": 0.4}  # a place, for 2,000 skus
_SHORT_DELIVERY = 0.04  # of the receipts hold one unit less than the paper says


class Target:
    """How much of each sku a place should hold: order again below `low`, up to `full`."""

    def __init__(self, low: int, full: int) -> None:
        self.low = low
        self.full = full


class Staff:
    """Fills shelves, breaks things, counts. Hand edits of owners' numbers end with history: later ones are planted faults."""

    def __init__(self, business: Business, goods: Goods, targets: dict[tuple[str, str], Target]) -> None:
        self._business = business
        self._goods = goods
        self._targets = targets
        self._rng = business.rng("staff")
        self._papers = 0  # transfers so far
        self._on_the_way: dict[tuple[str, str], int] = {}
        self._scale = len(business.catalogue.products) / 1900
        self._kept: dict[str, list[str]] = {}
        for place, sku in business.shelves.book:
            if business.places[place].kind is not LocationKind.PLATFORM:
                self._kept.setdefault(place, []).append(sku)
        self._store = next(name for name, place in business.places.items() if place.kind is LocationKind.WAREHOUSE)
        self._losses = Losses(business, goods, self._kept)

    def plan_day(self, day: datetime) -> None:
        """Write the day's work down. `day` is its midnight."""
        self._losses.plan_day(day)
        agenda = self._business.agenda
        agenda.people(day + timedelta(hours=6), self._order_from_suppliers)
        agenda.people(day + timedelta(hours=18), self._fill_shops)
        doings = {
            "damage": self._damage,
            "theft": self._theft,
            "found": self._found,
            "count": self._count,
            "hand_edit": self._hand_edit,
        }
        for place in self._kept:
            for what, doing in doings.items():
                for _ in range(poisson(_A_DAY[what] * self._scale, self._rng)):
                    agenda.people(day + timedelta(hours=8, seconds=round(self._rng.uniform(0, 36_000), 3)), partial(doing, place))

    # suppliers and lorries

    def _order_from_suppliers(self) -> None:
        for (place, sku), target in self._targets.items():
            if place == self._store or self._business.places[place].kind is LocationKind.PLATFORM:
                missing = self._missing(place, sku, target)
                if missing:
                    at = self._business.after(days=self._rng.randint(1, 3), hours=self._rng.uniform(2, 10))
                    self._send(place, sku, missing, at, MovementKind.RECEIPT)

    def _fill_shops(self) -> None:
        shelves = self._business.shelves
        for (place, sku), target in self._targets.items():
            if place == self._store or self._business.places[place].kind is LocationKind.PLATFORM:
                continue
            missing = self._missing(place, sku, target)
            spare = min(shelves.units[self._store, sku], shelves.book.get((self._store, sku), 0))
            units = min(missing, spare - shelves.reserved[self._store, sku] - self._targets[self._store, sku].low)
            if units > 0:
                self._papers += 1
                document = f"TO-{self._papers:05d}"
                self._goods.book(self._store, sku, -units, MovementKind.TRANSFER_OUT, reference=document)
                at = self._business.after(hours=self._rng.uniform(13, 20))
                self._send(place, sku, units, at, MovementKind.TRANSFER_IN, document)

    def _missing(self, place: str, sku: str, target: Target) -> int:
        if self._on_the_way.get((place, sku)):
            return 0
        units = self._business.shelves.book.get((place, sku), 0) - self._business.shelves.reserved[place, sku]
        return target.full - units if units < target.low else 0

    def _send(self, place: str, sku: str, units: int, at: datetime, kind: MovementKind, document: str = "") -> None:
        self._on_the_way[place, sku] = units
        self._business.agenda.people(at, partial(self._receive, place, sku, units, kind, document))

    def _receive(self, place: str, sku: str, units: int, kind: MovementKind, document: str) -> None:
        self._on_the_way.pop((place, sku), None)
        short = kind is MovementKind.RECEIPT and units > 3 and self._rng.random() < _SHORT_DELIVERY
        self._goods.book(place, sku, units, kind, physical=units - short, reference=document)

    # mishaps

    def _some(self, place: str) -> str | None:
        """Return a sku of which the shelf holds something."""
        for _ in range(8):
            sku = self._rng.choice(self._kept[place])
            if self._business.shelves.units[place, sku] > 0:
                return sku
        return None

    def _damage(self, place: str) -> None:
        sku = self._some(place)
        if sku is not None:
            self._goods.book(place, sku, -1, MovementKind.DAMAGE)

    def _theft(self, place: str) -> None:
        sku = self._some(place)
        if sku is not None:
            self._goods.vanish(place, sku, -1)

    def _found(self, place: str) -> None:
        sku = self._some(place)
        if sku is not None:
            self._goods.book(place, sku, 1, MovementKind.ADJUSTMENT, physical=0)

    def _count(self, place: str) -> None:
        wrong = self._wrong(self._rng.sample(self._kept[place], min(4, len(self._kept[place]))), place)
        self._goods.count(place, wrong or self._rng.choice(self._kept[place]))

    def _wrong(self, skus: Sequence[str], place: str) -> str | None:
        """Return the sku that looks wrong to somebody who walks past: the record and the shelf differ."""
        shelves = self._business.shelves
        return next((sku for sku in skus if shelves.book[place, sku] != shelves.units[place, sku]), None)

    def _hand_edit(self, place: str) -> None:
        sku = self._some(place)
        if sku is not None and self._business.went_live_at is None and self._goods.settled(place, sku):
            units = self._business.shelves.units[place, sku] - self._business.shelves.own[place, sku]
            self._goods.type_over(place, sku, max(0, units))
