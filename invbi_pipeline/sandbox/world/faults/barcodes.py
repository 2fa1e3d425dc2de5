"""Faults of barcodes: typed wrongly, eaten by a spreadsheet, or another thing's."""

from collections.abc import Callable

from invbi_pipeline.sandbox.world.catalogue import ean13
from invbi_pipeline.sandbox.world.faults.kit import FaultKit, Options
from invbi_pipeline.sandbox.world.faults.planted import Planted
from invbi_pipeline.sandbox.world.places import Listing, System

__all__ = ["BarcodeFaults"]

_CHECKS_BARCODES = frozenset({"amazon"})  # marketplaces refuse what is no barcode, or another product's
_NOBODYS = 700_000  # numbers from which the catalogue has taken none


class BarcodeFaults:
    """Makers of faults of barcodes, by label."""

    def __init__(self, kit: FaultKit) -> None:
        self._kit = kit
        self.makers: dict[str, Callable[[Options], Planted]] = {
            "invalid_barcode": self.invalid_barcode,
            "barcode_conflict": self.barcode_conflict,
        }

    def invalid_barcode(self, options: Options) -> Planted:
        """A spreadsheet rounds a barcode or writes it with decimals, or somebody types it with a wrong or missing digit."""
        system, listing = self._kit.listing(options, _may_be_wrong)
        barcode = self._kit.business.catalogue.products[listing.sku].barcode
        how, typed = self._kit.rng.choice(
            [
                ("rounded", f"{float(barcode):.5E}"),
                ("decimals", f"{barcode}.0"),
                ("wrong digit", barcode[:-1] + str((int(barcode[-1]) + self._kit.rng.randint(1, 9)) % 10)),
                ("missing digits", barcode[:10]),
            ]
        )
        system.account.rename(listing.key, barcode=typed)
        return self._label("invalid_barcode", system, listing, how=how, typed=typed)

    def barcode_conflict(self, options: Options) -> Planted:
        """A listing gets the barcode of another sku, as suppliers' lists would have it, or one that its sku has nowhere else."""

        def also_listed_elsewhere(system: System, listing: Listing) -> bool:
            others = (s for s in self._kit.business.systems.values() if s is not system)
            return _may_be_wrong(system, listing) and any(other.single(listing.sku) for other in others)

        system, listing = self._kit.listing(options, also_listed_elsewhere)
        products = self._kit.business.catalogue.products
        other = self._kit.rng.choice([sku for sku in products if sku != listing.sku and self._kit.fresh(sku)])
        foreign = "other" in options or self._kit.rng.random() < 0.5
        barcode = products[other].barcode if foreign else ean13(_NOBODYS + self._kit.rng.randint(0, 99_999))
        system.account.rename(listing.key, barcode=barcode)
        return self._label("barcode_conflict", system, listing, other=other if foreign else "", typed=barcode)

    def _label(self, label: str, system: System, listing: Listing, **detail: str) -> Planted:
        at = self._kit.business.now
        return self._kit.write_down(Planted(label, system.name, at, listing.key, listing.sku, detail=detail))


def _may_be_wrong(system: System, listing: Listing) -> bool:
    return system.platform not in _CHECKS_BARCODES
