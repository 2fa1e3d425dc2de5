"""Faults of what people declare: sets that nobody can make, packs taken for singles, goods that nobody listed."""

from collections.abc import Callable, Mapping

from invbi_pipeline.domain.words import Cause, ListingStatus, LocationKind
from invbi_pipeline.sandbox.contract import ItemSpec
from invbi_pipeline.sandbox.world.faults.kit import FaultKit, NoVictimError, Options
from invbi_pipeline.sandbox.world.faults.papers import Papers
from invbi_pipeline.sandbox.world.faults.planted import Planted
from invbi_pipeline.sandbox.world.places import Listing, System

__all__ = ["DeclaredFaults"]

_STOCK_AT_FIRST = 5
_PACKS = (6, 10, 12)  # how suppliers pack
_FEWEST = 2  # a number that says something when it is multiplied
_WORTH_LISTING = 3


class DeclaredFaults:
    """Makers of faults in SKU map, kits and policies, by label."""

    def __init__(self, kit: FaultKit) -> None:
        self._kit = kit
        self._papers = Papers(kit.business.folder)
        self.makers: dict[str, Callable[[Options], Planted]] = {
            "kit_unresolved": self.kit_unresolved,
            "kit_cycle": self.kit_cycle,
            "unlisted_sku": self.unlisted_sku,
            "pack_mismatch": self.pack_mismatch,
        }

    def kit_unresolved(self, options: Options) -> Planted:
        """A new set is listed: one of its components is misspelt, or nobody said what is in it, and it sells."""
        systems = self._kit.offering(options)
        if not systems:
            raise NoVictimError("no such channel")
        system = self._kit.rng.choice(systems)
        sku = self._new("SET")
        component = self._kit.rng.choice(list(self._kit.business.catalogue.products))
        self._papers.add("prices", {"sku": sku, "price": "39.00", "cost": "15.00", "currency": system.currency})
        misspelt = self._kit.rng.random() < 0.5
        if misspelt:
            parts = ({"kit_sku": sku, "component_sku": f"{part}", "quantity": 1} for part in (component, f"{component}-O"))
            self._papers.add("kits", *parts)
        spec = ItemSpec(sku, "", f"Gift set {sku[-4:]}", "", {}, 39.0, system.currency)
        key = system.account.add_item(spec)
        listing = Listing(system.name, key, sku, sku, mapped=False, price=39.0, in_demand=False, planted=True)
        system.add(listing)
        for row, location_key in enumerate(system.points(listing)):
            system.account.stock(key, location_key, 0 if row else _STOCK_AT_FIRST)
        if not misspelt:  # that it lowers nothing is seen once it sells
            at_till = system.platform == "square"
            order = self._kit.shoppers.place_order(system, system.sells_from[0], [(listing, 1)], pos=at_till)
            if not at_till:
                self._kit.shoppers.pack_later(order)
        detail = {"missing": f"{component}-O" if misspelt else "", "channel": system.name}
        return self._write("kit_unresolved", "", key, sku, detail)

    def kit_cycle(self, options: Options) -> Planted:
        """Somebody writes two sets into each other's list of components."""
        first, second = sorted((self._new("SET"), self._new("SET")))
        component = self._kit.rng.choice(list(self._kit.business.catalogue.products))
        pairs = ((first, component), (first, second), (second, first))
        self._papers.add("kits", *({"kit_sku": kit, "component_sku": part, "quantity": 1} for kit, part in pairs))
        return self._write("kit_cycle", "", "", first, {"through": second})

    def unlisted_sku(self, options: Options) -> Planted:
        """The merchant decides that a channel shall list a sku, and nobody lists it there."""
        business = self._kit.business
        missing = [
            (system, sku)
            for system in self._kit.offering(options)
            for sku in business.catalogue.products
            if not system.by_sku.get(sku) and self._kit.fresh(sku) and self._pool(system, sku) >= _WORTH_LISTING
        ]
        if not missing:
            raise NoVictimError("every channel lists all that it could sell")
        system, sku = self._kit.rng.choice(missing)
        self._papers.add("policies", {"channel": system.name, "sku": sku, "name": "listed", "value": 1})
        return self._write("unlisted_sku", system.name, "", sku, {}, units=self._pool(system, sku))

    def pack_mismatch(self, options: Options) -> Planted:
        """A pack's number is typed in single units, or its row in the SKU map says 1; or all places of a single in packs."""
        packs = [
            (s, listing) for s in self._kit.offering(options) for listing in s.listings.values() if self._is_pack(s, listing)
        ]
        if packs:
            system, listing = self._kit.rng.choice(packs)
            map_says = self._kit.rng.random() < 0.5
            return self._map_says_one(system, listing) if map_says else self._in_singles(system, listing, listing.units)
        system, listing = self._kit.listing(options, self._shows_at_several_places)
        return self._in_singles(system, listing, self._kit.rng.choice(_PACKS))

    def _is_pack(self, system: System, listing: Listing) -> bool:
        return (
            listing.units > 1
            and not listing.planted
            and listing.mapped
            and listing.status is ListingStatus.ACTIVE
            and self._kit.fresh(listing.sku)
            and len(self._shown(system, listing)) > 0
            and self._kit.business.policies.value("max_offer", self._kit.business.now, "", "", listing.sku) is None
            and self._kit.business.policies.value("min_offer", self._kit.business.now, system.name, "", listing.sku) is None
        )

    def _shows_at_several_places(self, system: System, listing: Listing) -> bool:
        return len(self._shown(system, listing)) > 1

    def _shown(self, system: System, listing: Listing) -> dict[str, int]:
        numbers = {key: system.account.number(listing.key, key) or 0 for key in system.points(listing)}
        return {key: number for key, number in numbers.items() if number >= _FEWEST}

    def _in_singles(self, system: System, listing: Listing, units: int) -> Planted:
        """Somebody counts single units where packs are counted, at every place."""
        shown = self._shown(system, listing)
        for location_key, number in shown.items():
            system.account.type_over(listing.key, location_key, number * units)
            self._kit.business.note("hand", system.name, listing.key, location_key, number * units)
        implies = ("drift", "oversell_risk", "push_held")
        change = sum(shown.values()) * (units - 1)
        detail = {"factor": str(units), "how": "typed"}
        return self._write(
            "pack_mismatch", system.name, listing.key, listing.sku, detail, units=change, cause=Cause.PACK, implies=implies
        )

    def _map_says_one(self, system: System, listing: Listing) -> Planted:
        """Somebody overwrites the units of a pack's row in the SKU map."""
        changed = self._papers.change(
            "sku_map", lambda row: row["system"] == system.name and row["listing_key"] == listing.key, units=1
        )
        if not changed:
            raise NoVictimError("the SKU map has no row of this pack")
        listing.mapped = False  # no number of ours can be right until somebody mends the row
        detail = {"factor": str(listing.units), "how": "map"}
        return self._write("pack_mismatch", system.name, listing.key, listing.sku, detail, implies=("push_held",))

    def _pool(self, system: System, sku: str) -> int:
        """The units a channel could sell of a sku, at the places it sells from."""
        places = (self._kit.business.places[name] for name in system.sells_from)
        ours = [place.name for place in places if place.kind is not LocationKind.PLATFORM]
        return sum(max(0, self._kit.truth.available(system.name, place, sku)) for place in ours)

    def _new(self, kind: str) -> str:
        """Return a code that nobody has used."""
        while not self._kit.fresh(code := f"{kind}-{self._kit.rng.randint(1000, 9999)}"):
            pass
        return code

    def _write(
        self,
        label: str,
        system: str,
        key: str,
        sku: str,
        detail: Mapping[str, str],
        *,
        units: int | None = None,
        cause: str = "",
        implies: tuple[str, ...] = (),
    ) -> Planted:
        self._kit.business.note("paper", label, sku)
        at = self._kit.business.now
        mendable = label == "pack_mismatch" and bool(cause)
        return self._kit.write_down(
            Planted(
                label, system, at, key, sku, units=units, mendable=mendable, cause=cause, implies=implies,
                detail=dict(detail),
            )
        )  # fmt: skip
