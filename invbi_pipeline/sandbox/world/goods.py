"""Goods on the move: each shipment, return and booking changes the shelf, and then whatever has to learn of it."""

from invbi_pipeline.domain.words import Absorbs, MovementKind
from invbi_pipeline.sandbox.contract import Moved
from invbi_pipeline.sandbox.erp import ErpAccount
from invbi_pipeline.sandbox.world.business import Business
from invbi_pipeline.sandbox.world.orders import Order
from invbi_pipeline.sandbox.world.places import Listing, System

__all__ = ["Goods"]

_IMPORT_MINUTES = (10.0, 40.0)  # how long the ERP takes to import a shipment; its program runs when it runs
_OLD_IMPORT_MINUTES = (15.0, 60.0)  # before go-live


class Goods:
    """Moves units. While `posting`, the former integration books other systems' movements into owners that take postings."""

    def __init__(self, business: Business) -> None:
        self._business = business
        self._rng = business.rng("goods")
        self.posting = True
        self.left_alone: set[tuple[str, str]] = set()  # shelves that nobody happens to count: a fault lies there

    def book(
        self, place: str, sku: str, units: int, kind: MovementKind, *, physical: int | None = None, reference: str = ""
    ) -> None:
        """The owner's staff book a movement; `physical` is what really moved, when that is something else.

        `reference` is the paper they book it by: a transfer's document, the order by which the goods were sold.
        """
        business = self._business
        business.shelves.move(place, sku, units if physical is None else physical)
        owner, listing = business.owner(place), business.counted(place, sku)
        if listing is None or not units:
            return
        owner.account.adjust(listing.key, owner.key_of[place], units, kind, reference)
        business.shelves.enter(place, sku, units)
        self._touch(sku)
        business.note(kind, place, sku, units)

    def vanish(self, place: str, sku: str, units: int) -> None:
        """Units leave (negative) or turn up on a shelf, and nobody books it."""
        self._business.shelves.move(place, sku, units)
        self._business.note("unbooked", place, sku, units)

    def settled(self, place: str, sku: str) -> bool:
        """Say whether the owner's number holds all that the record knows: nothing waits to be posted or imported."""
        number = self.book_number(place, sku)
        return number is not None and number == self._business.shelves.book.get((place, sku))

    def book_number(self, place: str, sku: str) -> int | None:
        """Return the on-hand number in the owner's account: its number plus what it has promised itself."""
        owner = self._business.owner(place)
        listing = self._business.counted(place, sku)
        number = owner.account.number(listing.key, owner.key_of[place]) if listing else None
        return None if number is None else number + self._business.shelves.own[place, sku]

    def count(self, place: str, sku: str) -> bool:
        """Staff count a shelf and enter the number, unless postings or imports are on their way; say whether they did."""
        if (place, sku) in self.left_alone or not self.settled(place, sku):
            return False
        business, owner = self._business, self._business.owner(place)
        listing = self._business.counted(place, sku)
        if listing is None:
            return False
        units = business.shelves.units[place, sku]
        owner.account.count(listing.key, owner.key_of[place], units)
        self._reread(place, sku)
        business.note("count", place, sku, units)
        return True

    def type_over(self, place: str, sku: str, units: int) -> None:
        """Somebody overwrites an owner's number by hand. Everything must be settled there."""
        owner = self._business.owner(place)
        listing = self._business.counted(place, sku)
        if listing is not None:
            owner.account.type_over(listing.key, owner.key_of[place], units)
            self._reread(place, sku)
            self._business.note("type_over", place, sku, units)

    def apply(self, order: Order) -> None:
        """Let what the order's account shipped or took back since the last time leave or enter the shelves."""
        system = self._business.systems[order.system]
        moved = system.account.moved(order.order_id)
        for movement in moved[order.applied :]:
            place = system.place_of.get(movement.location_key, order.place)
            self._apply_one(system, order, movement, place, order.lines[movement.listing_key].listing)
        order.applied = len(moved)

    def _apply_one(self, system: System, order: Order, movement: Moved, place: str, listing: Listing) -> None:
        business = self._business
        owner = business.owner(place)
        kind = MovementKind.SALE if movement.units < 0 else MovementKind.RETURN
        for sku, each in business.contents(listing).items():
            units = each * movement.units
            business.shelves.move(place, sku, units)
            business.shelves.enter(place, sku, units)
            self._touch(sku)
            business.note(kind, system.name, order.order_id, place, sku, units)
            if owner is not system:
                business.shelves.foreign[place, sku] += units
                self._tell(owner, system, order, movement.movement_id, place, sku, units, kind)

    def _tell(
        self, owner: System, system: System, order: Order, movement_id: str, place: str, sku: str, units: int, kind: MovementKind
    ) -> None:
        """Another system's goods moved where this one counts: post it, import it later, or leave it to invbi."""
        listing = self._business.counted(place, sku)
        if listing is None:
            return
        key, location_key = listing.key, owner.key_of[place]
        if owner.absorbs is Absorbs.IMPORTED and isinstance(owner.account, ErpAccount):
            erp = owner.account
            minutes = self._rng.uniform(*(_OLD_IMPORT_MINUTES if self.posting else _IMPORT_MINUTES))

            def book() -> None:
                erp.book_order(key, location_key, units, kind, system.name, order.order_id, movement_id)
                self._business.note("imported", place, sku, units)

            self._business.agenda.machine(self._business.after(minutes=minutes), book)
        elif owner.absorbs is Absorbs.WRITEBACK and self.posting:
            owner.account.adjust(key, location_key, units, kind, f"{system.name}/{movement_id}")

    def _reread(self, place: str, sku: str) -> None:
        number = self.book_number(place, sku)
        if number is not None:
            self._business.shelves.book[place, sku] = number
            self._touch(sku)

    def _touch(self, sku: str) -> None:
        self._business.touched[sku] = None
