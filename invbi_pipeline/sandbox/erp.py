"""The legacy ERP: it keeps a ledger, imports the channels' shipments in its own time, and only ever exports CSV files.

Its exports lie in one folder: `stock.csv` (code, location, on_hand, as_of: a full snapshot), `movements.csv` (id, code,
location, kind, units, counted, occurred_at, order_id, source, reference) and `items.csv` (code, barcode, title, status). Each
is replaced atomically, and its modification time is the world's.
"""

import csv
import io
import os
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from starlette.applications import Starlette

from invbi_pipeline.domain.words import ListingStatus, MovementKind
from invbi_pipeline.sandbox.contract import ItemSpec, Line, Moved, Wire, WorldClock

__all__ = ["ErpAccount", "NoShopError"]

EXPORT_EVERY = timedelta(minutes=15)
_STOCK = ("code", "location", "on_hand", "as_of")
_MOVEMENTS = ("id", "code", "location", "kind", "units", "counted", "occurred_at", "order_id", "source", "reference")
_ITEMS = ("code", "barcode", "title", "status")
_BROKEN_UNITS = ("n/a", "12.5", "", "1O", "-")


class NoShopError(RuntimeError):
    """An ERP was asked to sell something: nobody shops there."""


class ErpAccount:
    """One company in the ERP. Codes are its listing keys, location names its location keys."""

    platform = "files"

    def __init__(self, name: str, clock: WorldClock, rng: random.Random, folder: Path) -> None:
        self.name = name
        self.wire = Wire()
        self.app = Starlette()
        self.folder = folder
        self.exporting = False  # until history is over nobody reads the files
        self.spoil = 0  # so many rows of the next stock export are broken
        self._clock = clock
        self._rng = rng
        self._locations: list[str] = []
        self._items: dict[str, ItemSpec] = {}
        self._status: dict[str, ListingStatus] = {}
        self._on_hand: dict[tuple[str, str], int] = {}
        self._movements: list[str] = []
        self._count = 0
        self._exported_at: datetime | None = None  # the quarter of an hour that the files are of
        self._written_at: datetime | None = None

    # set-up

    def add_location(self, key_hint: str, name: str, active: bool = True) -> str:
        """Add a place; its key is the hint."""
        if active:
            self._locations.append(key_hint)
        return key_hint

    def add_item(self, spec: ItemSpec) -> str:
        """Add an item; its code is its sku."""
        self._items[spec.sku] = spec
        self._status[spec.sku] = ListingStatus.ACTIVE
        return spec.sku

    def stock(self, listing_key: str, location_key: str, quantity: int | None) -> None:
        """Set the opening number."""
        if quantity is None:
            self._on_hand.pop((listing_key, location_key), None)
        else:
            self._on_hand[listing_key, location_key] = quantity

    # what people do: nobody shops in an ERP

    def order(
        self,
        lines: Sequence[Line],
        location_key: str = "",
        *,
        pos: bool = False,
        paid: bool = True,
        platform_fulfilled: bool = False,
    ) -> str:
        """Raise `NoShopError`."""
        raise NoShopError(f"{self.name} takes no orders")

    def pay(self, order_id: str) -> None:
        """Raise `NoShopError`."""
        raise NoShopError(f"{self.name} takes no orders")

    def fulfil(self, order_id: str, quantities: Mapping[str, int] | None = None, location_key: str = "") -> None:
        """Raise `NoShopError`."""
        raise NoShopError(f"{self.name} takes no orders")

    def cancel(self, order_id: str, restock: bool = True) -> None:
        """Raise `NoShopError`."""
        raise NoShopError(f"{self.name} takes no orders")

    def edit(self, order_id: str, listing_key: str, quantity: int) -> None:
        """Raise `NoShopError`."""
        raise NoShopError(f"{self.name} takes no orders")

    def refund(self, order_id: str, listing_key: str, quantity: int, restock_to: str | None) -> str:
        """Raise `NoShopError`."""
        raise NoShopError(f"{self.name} takes no orders")

    def moved(self, order_id: str) -> Sequence[Moved]:
        """Return nothing: it has no orders of its own."""
        return ()

    # what staff and the import program do

    def adjust(self, listing_key: str, location_key: str, delta: int, reason: str, reference: str = "") -> str:
        """Book a movement; return its id."""
        return self._book(listing_key, location_key, reason, delta, reference=reference)

    def count(self, listing_key: str, location_key: str, quantity: int) -> str:
        """Enter a counted number; the ledger gets the difference."""
        delta = quantity - self._on_hand.get((listing_key, location_key), 0)
        return self._book(listing_key, location_key, MovementKind.COUNT, delta, counted=quantity)

    def book_order(
        self, listing_key: str, location_key: str, delta: int, kind: str, source: str, order_id: str, movement_id: str
    ) -> str:
        """Book what the import program learnt of another system's shipment or return; return the ledger's own id."""
        reference = f"{source}/{movement_id}"
        return self._book(listing_key, location_key, kind, delta, order_id=order_id, source=source, reference=reference)

    def type_over(self, listing_key: str, location_key: str, quantity: int) -> None:
        """Overwrite the number without a movement: somebody has write access to the table."""
        self._on_hand[listing_key, location_key] = quantity

    def set_status(self, listing_key: str, status: str) -> None:
        """Change an item's status."""
        self._status[listing_key] = ListingStatus(status)

    def rename(self, listing_key: str, sku: str | None = None, barcode: str | None = None) -> None:
        """Change an item's barcode. Its code is its identity and stays."""
        if barcode is not None:
            old = self._items[listing_key]
            self._items[listing_key] = ItemSpec(old.sku, barcode, old.title, old.style, old.options, old.price, old.currency)

    def number(self, listing_key: str, location_key: str) -> int | None:
        """Return the book number."""
        return self._on_hand.get((listing_key, location_key))

    def on_webhook(self, deliver: Callable[[str, Mapping[str, str], bytes], None]) -> None:
        """Ignore it: an ERP of this age calls nobody."""

    def tick(self) -> None:
        """Export when a quarter of an hour has passed."""
        now = self._clock.now()
        if self.exporting and (self._exported_at is None or now >= self._exported_at + EXPORT_EVERY):
            self.export()

    # the files

    @property
    def exported_at(self) -> datetime | None:
        """When the files that lie there were written."""
        return self._written_at

    def export(self) -> None:
        """Write the files as of now, with whatever the wire makes of them."""
        now = self._clock.now()
        quarter = now.replace(minute=now.minute - now.minute % 15, second=0, microsecond=0)
        self._exported_at = quarter
        if self.wire.stale_since is not None:
            return
        self._written_at = now
        names = ("items.csv", "movements.csv", "stock.csv")
        if self.wire.down:
            for name in names:
                (self.folder / name).unlink(missing_ok=True)
            return
        items = [(code, s.barcode, s.title, str(self._status[code])) for code, s in self._items.items()]
        self._replace("items.csv", _rows(_ITEMS, items), now)
        self._replace("movements.csv", ",".join(_MOVEMENTS) + "\n" + "".join(self._movements), now)
        self._replace("stock.csv", _rows(_STOCK, self._stock_rows(now)), now)

    def _stock_rows(self, now: datetime) -> list[tuple[str, ...]]:
        as_of = self._stamp(now)
        on_hand = {spot: str(units) for spot, units in self._on_hand.items()}
        if self.wire.mass_zero:
            on_hand = dict.fromkeys(on_hand, "0")
        if self.wire.untracked_all:
            on_hand = dict.fromkeys(on_hand, "")
        rows: list[tuple[str, ...]] = [(code, location, units, as_of) for (code, location), units in on_hand.items()]
        if self.wire.truncate_share:
            rows = rows[: round(len(rows) * (1 - self.wire.truncate_share))]
        if self.spoil:
            for row in self._rng.sample(range(len(rows)), min(self.spoil, len(rows))):
                code, location = rows[row][:2]
                rows[row] = (code, location, self._rng.choice(_BROKEN_UNITS), as_of)
            self.spoil = 0
        return rows

    def _replace(self, name: str, text: str, now: datetime) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        beside = self.folder / f".{name}.part"
        beside.write_text(text, encoding="utf-8", newline="")
        stamp = (now + timedelta(seconds=self.wire.clock_skew_s)).timestamp()
        os.utime(beside, (stamp, stamp))
        beside.replace(self.folder / name)

    def _book(
        self,
        code: str,
        location: str,
        kind: str,
        units: int,
        *,
        counted: int | None = None,
        order_id: str = "",
        source: str = "",
        reference: str = "",
    ) -> str:
        self._count += 1
        movement_id = f"M{self._count:08d}"
        spot = (code, location)
        self._on_hand[spot] = self._on_hand.get(spot, 0) + units
        when = self._stamp(self._clock.now())
        seen = "" if counted is None else str(counted)
        fields = (movement_id, code, location, str(kind), str(units), seen, when, order_id, source, reference)
        self._movements.append(_line(fields))
        return movement_id

    def _stamp(self, moment: datetime) -> str:
        return (moment + timedelta(seconds=self.wire.clock_skew_s)).isoformat(timespec="milliseconds")


def _rows(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def _line(fields: Sequence[str]) -> str:
    if any(char in field for field in fields for char in ',"\n'):
        return _rows(fields, ())
    return ",".join(fields) + "\n"
