"""What the makers of faults of numbers let people and platforms do, and how they write it down."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from invbi_pipeline.domain.words import Cause, MovementKind
from invbi_pipeline.sandbox.world.faults.kit import FaultKit, Spot
from invbi_pipeline.sandbox.world.faults.planted import Planted
from invbi_pipeline.sandbox.world.places import Listing, System

__all__ = ["MAY_SHOW_AFTER", "Doings", "at_cap", "pushed_lately", "wiped_at_once", "wrong_by"]

# How late a marketplace may apply a quantity that it has accepted (developer-docs.amazon.com/sp-api: up to 15 minutes).
MAY_SHOW_AFTER: Final = timedelta(minutes=15)


def wrong_by(units: int) -> tuple[str, ...]:
    """Return what is true of a right number that was changed by so many units.

    Where a correction was just on its way to it, that has been overwritten as well.
    """
    wrong = ("oversell_risk",) if units > 0 else ("undersell", "channel_stockout")
    return ("drift", *wrong, "push_mismatched")


def at_cap(kit: FaultKit, system: System, listing: Listing) -> bool:
    """Say whether a number is at its cap: it stays right whatever is sold or comes back, so that nothing skipped is wrong."""
    cap = kit.business.policies.value("max_offer", kit.business.now, system.name, "", listing.sku)
    return cap is not None and any(system.number(listing, place) >= cap for place in system.sells_from)


def pushed_lately(kit: FaultKit, spot: Spot) -> bool:
    """Say whether a marketplace accepted a quantity of this listing so lately that, for all we know, it is still to come."""
    taken = spot.system.account.wire.taken.get(spot.listing.key)
    return taken is not None and kit.business.now - taken < MAY_SHOW_AFTER


def wiped_at_once(system: System, listing: Listing, location_key: str, before: int) -> str:
    """Return why nobody can see a number just typed over `before`, where that is what will be shown all the same; else "".

    A quantity that a marketplace accepted before is still to be applied: it replaces what was typed within seconds, and a
    platform that applies late keeps no history of its numbers.
    """
    wiped = (system.account.number(listing.key, location_key) or 0) == before
    return "A quantity that was accepted before replaces it within seconds, and the platform keeps no history." if wiped else ""


@dataclass(frozen=True, slots=True)
class Doings:
    """Hands on one kit's world."""

    kit: FaultKit

    def type_over(self, spot: Spot, number: int) -> None:
        """Somebody types a number over the one that is there."""
        spot.system.account.type_over(spot.listing.key, spot.location_key, number)
        self.kit.business.note("hand", spot.system.name, spot.listing.key, spot.location_key, number)

    def slip(self, spot: Spot, units: int, kind: MovementKind, order_id: str) -> None:
        """The platform moves its own number by so many units, for an order that does not ask for it."""
        spot.system.account.adjust(spot.listing.key, spot.location_key, units, kind, order_id)
        self.kit.business.note("slip", spot.system.name, spot.listing.key, spot.location_key, units)

    def sell(self, spot: Spot, units: int = 1) -> str:
        """A shopper buys so many; return the order's id."""
        at_till = spot.system.platform == "square"  # handed over at once; an order left open there lowers nothing
        order = self.kit.shoppers.place_order(spot.system, spot.place, [(spot.listing, units)], pos=at_till)
        if not at_till:
            self.kit.shoppers.pack_later(order)
        return order.order_id

    def write(
        self,
        label: str,
        spot: Spot,
        units: int | None,
        *,
        cause: str = "",
        events: tuple[str, ...] = (),
        implies: tuple[str, ...] = (),
        mendable: bool = True,
        ripens: bool = False,
        undetectable: str = "",
        detail: Mapping[str, str] | None = None,
    ) -> Planted:
        """Write a fault of one number down. What somebody typed in once cannot be seen where a push on its way wipes it."""
        typed_once = cause == Cause.FOREIGN and not ripens
        wiped = wiped_at_once(spot.system, spot.listing, spot.location_key, spot.number) if typed_once else ""
        return self.kit.write_down(
            self.kit.planted_at(
                spot,
                label,
                units,
                mendable=mendable,
                cause=cause,
                events=events,
                implies=tuple(code for code in implies if code != label),
                ripens=ripens,
                undetectable=undetectable or wiped,
                detail=dict(detail or {}),
            )
        )
