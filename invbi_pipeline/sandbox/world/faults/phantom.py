"""Shelves that are emptied and that nobody books: taken, mis-picked, or scanned out as something else."""

from collections.abc import Callable

from invbi_pipeline.domain.words import LocationKind
from invbi_pipeline.sandbox.world.faults.kit import FaultKit, NoVictimError, Options
from invbi_pipeline.sandbox.world.faults.planted import Planted

__all__ = ["PhantomFaults"]

_AT_LEAST = 2  # units of the record: one that says 1 may have been used up by an open order
_FRESH = "A shelf that was emptied a moment ago looks like any other; only days without a sale, or a failed pick, tell it."


class PhantomFaults:
    """Maker of `phantom_stock`."""

    def __init__(self, kit: FaultKit) -> None:
        self._kit = kit
        self.makers: dict[str, Callable[[Options], Planted]] = {"phantom_stock": self.phantom_stock}

    def phantom_stock(self, options: Options) -> Planted:
        """All that lies on a shelf is gone, and the record keeps it. Said to be undetectable: it takes days to be heard."""
        business, kit = self._kit.business, self._kit
        wanted, system = options.get("sku", ""), options.get("system", "")
        spots = [
            (place, sku)
            for (place, sku), book in business.shelves.book.items()
            if book >= _AT_LEAST
            and business.shelves.units[place, sku] > 0
            and business.places[place].kind is not LocationKind.PLATFORM
            and sku in business.catalogue.products
            and wanted in ("", sku)
            and system in ("", business.owner(place).name)
            and kit.fresh(sku)
        ]
        if not spots:
            raise NoVictimError("no shelf holds what its record says, untouched by another fault")
        place, sku = kit.rng.choice(spots)
        owner, listing = business.owner(place), business.counted(place, sku)
        kit.goods.vanish(place, sku, -business.shelves.units[place, sku])
        return kit.write_down(
            Planted(
                "phantom_stock",
                owner.name,
                business.now,
                listing.key if listing else "",
                sku,
                place,
                owner.key_of[place],
                business.shelves.book[place, sku],
                mendable=True,
                undetectable=_FRESH,
            )
        )
