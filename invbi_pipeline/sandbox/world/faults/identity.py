"""Faults of listings: those that somebody typed in twice, wrongly, or for something nobody knows."""

from collections.abc import Callable
from functools import partial

from invbi_pipeline.domain.words import ListingStatus
from invbi_pipeline.sandbox.contract import ItemSpec
from invbi_pipeline.sandbox.world.catalogue import Product
from invbi_pipeline.sandbox.world.faults.barcodes import BarcodeFaults
from invbi_pipeline.sandbox.world.faults.kit import FaultKit, NoVictimError, Options
from invbi_pipeline.sandbox.world.faults.planted import Planted
from invbi_pipeline.sandbox.world.places import Listing, System
from invbi_pipeline.sandbox.world.shoppers import Shoppers

__all__ = ["IdentityFaults"]

_KEYED_BY_SKU = frozenset({"amazon", "files"})  # there a code can neither repeat nor change
_SIZES_NOBODY_MAKES = ("3XL", "4XL", "5XL", "XXS")
_UNKNOWN = ("unmapped_listing", "near_miss_sku")
# A second listing of a sku is mapped by its code like the first, and its number is made up.
_OTHER_NUMBERS = ("oversell_risk", "undersell", "channel_stockout", "push_held")


class IdentityFaults:
    """Makers of faults of identity, by label."""

    def __init__(self, kit: FaultKit) -> None:
        self._kit = kit
        self._barcodes = BarcodeFaults(kit)
        self.makers: dict[str, Callable[[Options], Planted]] = {
            "unmapped_listing": self.unmapped_listing,
            "near_miss_sku": self.near_miss_sku,
            "ambiguous_mapping": self.ambiguous_mapping,
            "duplicate_sku": self.duplicate_sku,
            "relisted": self.relisted,
            "variant_missing": self.variant_missing,
        }

    def unmapped_listing(self, options: Options) -> Planted:
        """Something is listed that no master sku stands for, and it sells."""
        system = self._channel(options)
        number = self._kit.rng.randint(1000, 9999)
        raw = f"PROMO-{number}-LTD"
        listing = self._list(system, ItemSpec(raw, "", f"Promotion box {number}", "", {}, 15.0, system.currency), raw)
        units = self._kit.rng.randint(15, 40)
        self._stock_first(system, listing, units)
        business = self._kit.business
        for minutes in sorted(self._kit.rng.uniform(4, 45) for _ in range(3)):
            business.agenda.people(business.after(minutes=minutes), partial(_sell, self._kit.shoppers, system, listing))
        return self._label("unmapped_listing", system, listing, units)

    def near_miss_sku(self, options: Options) -> Planted:
        """A listing's key is a sku's key with other separators, case or leading zeros."""
        twins = self._kit.business.catalogue.twins
        system, twin = self._kit.listing(options, lambda system, listing: listing.sku not in twins)
        product = self._kit.business.catalogue.products[twin.sku]
        raw = _misspelt(product.sku)
        listing = self._list(system, _spec(product, system, raw, ""), product.sku)
        units = self._kit.rng.randint(3, 12)
        self._stock_first(system, listing, units)
        return self._label("near_miss_sku", system, listing, units, implies=("unmapped_listing",), like=product.sku)

    def variant_missing(self, options: Options) -> Planted:
        """A size is listed that the catalogue does not have; or only the parent's code was typed."""

        def sized(system: System, listing: Listing) -> bool:
            return "Size" in self._kit.business.catalogue.products[listing.sku].options and listing.sku.count("-") > 2

        system, twin = self._kit.listing(options, sized)
        product = self._kit.business.catalogue.products[twin.sku]
        parent = product.sku.rpartition("-")[0]
        raw = parent if self._kit.rng.random() < 0.3 else f"{parent}-{self._kit.rng.choice(_SIZES_NOBODY_MAKES)}"
        if any(listing.raw_sku == raw for listing in system.listings.values()):
            raise NoVictimError("that variant was listed already")
        listing = self._list(system, _spec(product, system, raw, ""), raw)
        units = self._kit.rng.randint(3, 12)
        self._stock_first(system, listing, units)
        return self._label("variant_missing", system, listing, units, parent=parent)

    def ambiguous_mapping(self, options: Options) -> Planted:
        """A listing is written like two skus; or one barcode stands for two, and a listing under another number has it."""
        catalogue = self._kit.business.catalogue
        pairs = [(a, b) for a, b in catalogue.twins.items() if a < b and self._kit.fresh(a) and self._kit.fresh(b)]
        if pairs and self._kit.offering(options):
            first, second = self._kit.rng.choice(pairs)
            system, raw = self._channel(options), first.lower().replace("-", " ")
            made = self._list(system, ItemSpec(raw, "", f"As {first}", "", {}, 20.0, system.currency), first)
            units = self._kit.rng.randint(3, 12)
            self._stock_first(system, made, units)
            implies = ("unmapped_listing",)
            return self._label("ambiguous_mapping", system, made, units, implies=implies, first=first, second=second)
        return self._shared_barcode(options)

    def _shared_barcode(self, options: Options) -> Planted:
        conflict = self._barcodes.barcode_conflict({**options, "other": "a sku of ours"})
        system = self._kit.business.systems[conflict.system]
        product = self._kit.business.catalogue.products[conflict.detail["other"]]
        code = f"SUP/{self._kit.rng.randint(100_000, 999_999)}"
        spec = ItemSpec(code, product.barcode, product.title, "", {}, product.price, system.currency)
        listing = self._list(system, spec, product.sku)
        units = self._kit.rng.randint(3, 12)
        self._stock_first(system, listing, units)
        first, second, implies = product.sku, conflict.sku, ("unmapped_listing",)
        return self._label("ambiguous_mapping", system, listing, units, implies=implies, first=first, second=second)

    def duplicate_sku(self, options: Options) -> Planted:
        """A second listing has the sku of another one, and another number."""
        system, twin = self._kit.listing(options, lambda system, listing: system.platform not in _KEYED_BY_SKU)
        product = self._kit.business.catalogue.products[twin.sku]
        listing = self._list(system, _spec(product, system, twin.raw_sku, product.barcode), product.sku)
        units = self._kit.rng.randint(3, 12)
        self._stock_first(system, listing, units)
        implies = _OTHER_NUMBERS if twin.raw_sku == twin.sku else _UNKNOWN  # the map names the first by its key
        return self._label("duplicate_sku", system, listing, units, implies=implies, other=twin.key)

    def relisted(self, options: Options) -> Planted:
        """A listing is deleted and made anew under another id."""
        kit = self._kit
        busy = {key for order in kit.business.orders.unfinished.values() for key in order.lines}

        def exact_and_quiet(system: System, listing: Listing) -> bool:
            return system.platform not in _KEYED_BY_SKU and listing.raw_sku == listing.sku and listing.key not in busy

        system, old = kit.listing(options, exact_and_quiet)
        product = kit.business.catalogue.products[old.sku]
        numbers = {key: system.account.number(old.key, key) for key in system.points(old)}
        system.account.set_status(old.key, ListingStatus.DELETED)
        old.status = ListingStatus.DELETED
        system.forget(old)
        key = system.account.add_item(_spec(product, system, old.raw_sku, product.barcode))
        new = system.add(Listing(system.name, key, old.raw_sku, old.sku, price=old.price, popularity=old.popularity))
        for location_key, number in numbers.items():
            system.account.stock(key, location_key, number)
        for stream in kit.business.streams:
            stream.replace(old, new)
        return self._label("relisted", system, new, None, mendable=True, old=old.key)

    # doings

    def _channel(self, options: Options) -> System:
        return self._kit.rng.choice(self._kit.offering(options))

    def _list(self, system: System, spec: ItemSpec, sku: str) -> Listing:
        key = system.account.add_item(spec)
        made = Listing(system.name, key, spec.sku, sku, mapped=False, price=spec.price, in_demand=False, planted=True)
        return system.add(made)

    def _stock_first(self, system: System, listing: Listing, units: int) -> None:
        """Stock it at the first location the channel sells from, and show 0 at the others."""
        for row, location_key in enumerate(system.points(listing)):
            system.account.stock(listing.key, location_key, 0 if row else units)

    def _label(
        self,
        label: str,
        system: System,
        listing: Listing,
        units: int | None,
        *,
        mendable: bool = False,
        implies: tuple[str, ...] = (),
        **detail: str,
    ) -> Planted:
        others = tuple(key for name, key in detail.items() if name == "other" and label == "duplicate_sku")
        at = self._kit.business.now
        return self._kit.write_down(
            Planted(
                label, system.name, at, listing.key, listing.sku, units=units, other_keys=others, mendable=mendable,
                implies=implies, detail=detail,
            )
        )  # fmt: skip


def _spec(product: Product, system: System, raw: str, barcode: str) -> ItemSpec:
    return ItemSpec(raw, barcode, product.title, product.style, product.options, product.price, system.currency)


def _misspelt(sku: str) -> str:
    """Write a sku otherwise: digits lose their leading zeros, other codes their case and separators."""
    return sku.lstrip("0") if sku.isdigit() else sku.lower().replace("-", "_")


def _sell(shoppers: Shoppers, system: System, listing: Listing) -> None:
    place = system.sells_from[0]
    if system.number(listing, place) > 0:
        shoppers.pack_later(shoppers.place_order(system, place, [(listing, 1)]))
