"""The monitor knows the worlds' truth and says at each step what must never happen.

Truth is the record: what each owner's book says with every movement that has happened, and what is promised to open orders
(`sandbox.world.truth`). invbi cannot know it at once. What it may not know yet is declared: whatever happened within a
retailer's *window*, the time since all of its systems were last heard and believed (one that leaves out some of what changed was
not heard), and the lag of a late feed before that. So a number is not too high when it was right at some moment of the
window, each shelf of it at its own moment. While any read may fail, or come late, whatever happened within the window may be
known without the rest: a receipt in the ERP without the sales at the till before it.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any, Final, NamedTuple

from invbi_pipeline.cli.bench.chaos.estate import Retailer
from invbi_pipeline.domain.words import Absorbs
from invbi_pipeline.sandbox.world.business import Business, Trace
from invbi_pipeline.sandbox.world.places import Listing, System
from invbi_pipeline.sandbox.world.truth import Truth

__all__ = ["PREDICATES", "Monitor", "Numbers", "OnShelf", "Violation", "numbers"]

Numbers = Mapping[tuple[str, str], int]
"""What a shopper could buy: (listing key, location key) -> units; what has no number is not in it."""

_Spot = tuple[str, str]  # (place, sku)
_Point = tuple[str, str]  # (listing key, location key)
_COMPARE: Final = frozenset({"shopify"})  # platforms that refuse to replace a number that is not the one they are told of
_FEW: Final = 3  # numbers of one channel that one look may send to zero in vain: sales it has not seen yet, not a feed


PREDICATES: Final = (
    "never_too_high",
    "never_zeroed_in_vain",
    "never_sets_what_is_counted",
    "never_writes_over_a_change",
    "posted_once",
    "nothing_while_paused",
    "units_conserved",
    "audited",
)


@dataclass(frozen=True, slots=True)
class Violation:
    """What must never happen, and did."""

    seed: int
    at: datetime
    predicate: str
    what: str

    def __str__(self) -> str:
        return f"seed {self.seed}, {self.at:%H:%M:%S}: {self.predicate}: {self.what}"


def numbers(system: System) -> dict[tuple[str, str], int]:
    """Return every number of a system as it stands in the platform's own store."""
    said = {
        (key, place): system.account.number(key, place)
        for key, listing in system.listings.items()
        if not listing.platform_fulfilled
        for place in (system.place_of if system.per_location else ("",))
    }
    return {point: units for point, units in said.items() if units is not None}


class _Telling(Trace):
    """A world's trace that tells of each event when it has happened."""

    def __init__(self, history: "History") -> None:
        super().__init__()
        self._history = history

    def note(self, at: datetime, *what: object) -> None:
        """Remember that something happened."""
        super().note(at, *what)
        self._history.note(at)


class _Shelf(NamedTuple):
    """What was on a shelf since a moment; `own` of it were promised to orders on the platform that counts it."""

    since: datetime
    book: int
    own: int
    free: int


class OnShelf(NamedTuple):
    """What invbi says lies on a shelf; of `undecided` units it does not know yet whether they went already."""

    location: str
    sku: str
    on_hand: int
    undecided: int = 0


class History:
    """What lay on each shelf, and was free, at each moment of one world."""

    def __init__(self, business: Business) -> None:
        self._business = business
        self._said: dict[_Spot, list[_Shelf]] = defaultdict(list)
        self.note(business.now)

    def note(self, at: datetime) -> None:
        """Look at every shelf."""
        shelves = self._business.shelves
        for spot, book in shelves.book.items():
            known, now = self._said[spot], _Shelf(at, book, shelves.own[spot], max(0, book) - shelves.reserved[spot])
            if not known or known[-1][1:] != now[1:]:
                known.append(now)

    def books(self, spot: _Spot, since: datetime, *, uneven: bool) -> tuple[int, int] | None:
        """Return the least and the most that may be taken for a shelf's book since then; None where there is none.

        An owner that sells shows its book less its own open orders, and tells of these in another answer: each of the two may be
        of another moment. An owner that does not sell shows its book, and that is all that may be taken for it. `uneven`: as
        for `free`.
        """
        lately = self._lately(spot, since)
        if not lately:
            return None
        shown, own = (_reach([one.book - one.own for one in lately], uneven), _reach([one.own for one in lately], uneven))
        return shown[0] + own[0], shown[1] + own[1]

    def free(self, spot: _Spot, since: datetime, *, uneven: bool) -> tuple[int, int] | None:
        """Return the least and the most free units that a shelf may be thought to have had since then.

        `uneven`: some systems tell at once and others late, so that any of what happened since may be known without the rest.
        """
        lately = self._lately(spot, since)
        return _reach([one.free for one in lately], uneven) if lately else None

    def _lately(self, spot: _Spot, since: datetime) -> Sequence[_Shelf]:
        said = self._said.get(spot, [])
        return said[max(0, bisect_right(said, since, key=lambda each: each.since) - 1) :]


def _reach(values: Sequence[int], uneven: bool) -> tuple[int, int]:
    """Return the least and the most of values that followed each other; `uneven`: of the first and any of the changes since."""
    if not uneven:
        return min(values), max(values)
    changes = [after - before for before, after in pairwise(values)]
    return values[0] + sum(one for one in changes if one < 0), values[0] + sum(one for one in changes if one > 0)


class _At(Truth):
    """The truth as it would be with each shelf at the highest, or the lowest, that it was since a moment.

    `one` is at the highest while all the others are at the lowest; empty: all are at the highest, or with `low` at the lowest.
    """

    def __init__(
        self, business: Business, history: History, since: datetime, *, uneven: bool, one: str = "", low: bool = False
    ) -> None:
        super().__init__(business)
        self._shelves, self._since, self._uneven, self._one, self._low = history, since, uneven, one, low

    def available(self, channel: str, place: str, sku: str) -> int:
        """Return what of one sku may be promised from one place."""
        said = self._shelves.free((place, sku), self._since, uneven=self._uneven)
        if said is None:
            return super().available(channel, place, sku)
        free = said[0] if self._low or (self._one and place != self._one) else said[1]
        safety = self._policy("safety_stock", channel, place, sku)
        if safety is None:
            safety = self._business.places[place].safety_stock
        return free - min(safety, max(0, free))


class Monitor:
    """One predicate a method; what breaks one is in `violations`.

    * `never_too_high`: no push raises a number above what was right within the window.
    * `never_zeroed_in_vain`: no look sends more than `_FEW` numbers of a channel to zero that were above it all the window long.
    * `never_sets_what_is_counted`: no `set` reaches a number that its system counts.
    * `never_writes_over_a_change`: where the platform compares, no `set` replaces a number that moved while it was on its way.
    * `posted_once`: no owner's book is lowered further by posts than what has moved.
    * `nothing_while_paused`: no write leaves for a system after its pause stands.
    * `units_conserved`: what invbi says lies on a shelf is what its book said at some moment of the window.
    * `audited`: every audit of the warehouse holds.
    """

    def __init__(self, retailers: Sequence[Retailer], window: timedelta) -> None:
        self.violations: list[Violation] = []
        self.heard: dict[
            int, datetime
        ] = {}  # up to when all systems of a seed were surely heard; one that is not in it: up to now
        self._slack = window
        self.uneven = False  # any system may tell of what happened much later than the others
        self.paused: set[str] = set()
        self.judged: Counter[str] = Counter()  # how often each predicate was asked
        self._retailers = {one.seed: one for one in retailers}
        self._histories = {one.seed: History(one.world.business) for one in retailers}
        self._zeroed: dict[str, list[str]] = defaultdict(list)
        for one in retailers:
            one.world.business.trace = _Telling(self._histories[one.seed])

    def leaves(self, retailer: Retailer, system: System) -> None:
        """A write leaves for a system."""
        self.nothing_while_paused(retailer, system)

    def wrote(self, retailer: Retailer, system: System, before: Numbers, *, sets: bool, meddled: _Point | None = None) -> None:
        """A write was carried out; nothing else happened meanwhile. `before`: the system's numbers then.

        `meddled`: the number that somebody changed while the write was on its way.
        """
        after = numbers(system)
        moved = [point for point in after if point in before and after[point] != before[point]]
        if meddled and sets and system.platform in _COMPARE:
            self.never_writes_over_a_change(retailer, system, meddled, moved)
        for key, location in moved:
            listing, was, now = system.listings[key], before[key, location], after[key, location]
            if system.place_of.get(location, system.default_place) in system.counts:
                self.never_sets_what_is_counted(retailer, system, listing, sets=sets)
                self.posted_once(retailer, system, listing, system.place_of[location])
            else:
                self.never_too_high(retailer, system, listing, location, was, now)
                self._note_zeroed(retailer, system, listing, location, was, now)

    def looked(self, positions: Sequence[OnShelf], audits: Mapping[str, Sequence[Any]], at: datetime) -> None:
        """A look is over. `positions`: of which the owner is believed; `audits`: the bad rows of each."""
        for history in self._histories.values():
            history.note(at)  # what was promised last is not told of before something else happens
        self.never_zeroed_in_vain(at)
        self.units_conserved(positions, at)
        self.audited(audits, at)

    # the predicates

    def never_too_high(self, retailer: Retailer, system: System, listing: Listing, location: str, was: int, now: int) -> None:
        """No push raises a number above what was right within the window."""
        self.judged["never_too_high"] += 1
        if now <= max(0, was):
            return
        most = self._highest(retailer, system, listing, location)
        if now > most:
            self._broken(retailer, "never_too_high", f"{_point(system, listing, location)} raised from {was} to {now}, of {most}")

    def never_zeroed_in_vain(self, at: datetime) -> None:
        """No look sends more than a few numbers of a channel to zero that were above it all the window long."""
        for name, points in self._zeroed.items():
            self.judged["never_zeroed_in_vain"] += 1
            if len(points) > _FEW:
                self._tell(_seed_of(name), at, "never_zeroed_in_vain", f"{name}: {', '.join(points)}")
        self._zeroed.clear()

    def never_sets_what_is_counted(self, retailer: Retailer, system: System, listing: Listing, *, sets: bool) -> None:
        """No `set` reaches a number that its system counts."""
        self.judged["never_sets_what_is_counted"] += 1
        if sets:
            self._broken(retailer, "never_sets_what_is_counted", f"{system.name} {listing.sku}")

    def never_writes_over_a_change(self, retailer: Retailer, system: System, meddled: _Point, moved: Sequence[_Point]) -> None:
        """Where the platform compares, no `set` replaces a number that moved while it was on its way."""
        self.judged["never_writes_over_a_change"] += 1
        if meddled in moved:
            key, location = meddled
            self._broken(retailer, "never_writes_over_a_change", _point(system, system.listings[key], location))

    def posted_once(self, retailer: Retailer, system: System, listing: Listing, place: str) -> None:
        """No owner's book is lowered further by posts than what has moved: it then lacks nothing, and holds something twice."""
        self.judged["posted_once"] += 1
        if system.absorbs is not Absorbs.WRITEBACK:
            self._broken(retailer, "posted_once", f"{system.name} takes no posts, and its {listing.sku} at {place} moved")
        world = retailer.world
        for sku in world.business.contents(listing):
            number, book = world.goods.book_number(place, sku), world.business.shelves.book.get((place, sku))
            if number is not None and book is not None and number < book:
                self._broken(retailer, "posted_once", f"{sku} at {place}: its book says {number}, of {book} after all movements")

    def nothing_while_paused(self, retailer: Retailer, system: System) -> None:
        """No write leaves for a system after its pause stands."""
        self.judged["nothing_while_paused"] += 1
        if system.name in self.paused:
            self._broken(retailer, "nothing_while_paused", system.name)

    def units_conserved(self, positions: Sequence[OnShelf], at: datetime) -> None:
        """What invbi says lies on a shelf is between the least and the most that its book may be taken for within the window."""
        for place, sku, on_hand, undecided in positions:
            self.judged["units_conserved"] += 1
            seed = _seed_of(place)
            said = self._histories[seed].books((place, sku), self._since(seed, at), uneven=self.uneven)
            if said and (on_hand < said[0] or on_hand - undecided > said[1]):
                doubt = f" ({undecided} of them undecided)" if undecided else ""
                self._tell(seed, at, "units_conserved", f"{sku} at {place}: {on_hand}{doubt}, of {said[0]} to {said[1]}")

    def audited(self, audits: Mapping[str, Sequence[Any]], at: datetime) -> None:
        """Every audit of the warehouse holds."""
        for name, rows in audits.items():
            self.judged["audited"] += 1
            if rows:
                self._tell(0, at, "audited", f"{name}: {rows[0]}")

    # what they are judged by

    def _since(self, seed: int, now: datetime) -> datetime:
        return self.heard.get(seed, now) - self._slack

    def _highest(self, retailer: Retailer, system: System, listing: Listing, location: str) -> int:
        business, history = retailer.world.business, self._histories[retailer.seed]
        at_most = partial(_At, business, history, self._since(retailer.seed, business.now), uneven=self.uneven)
        views = [retailer.world.truth, at_most(), at_most(one=system.place_of.get(location, ""))]
        return max(view.should(system, listing).get(location, 0) for view in views)

    def _note_zeroed(self, retailer: Retailer, system: System, listing: Listing, location: str, was: int, now: int) -> None:
        if not (was > 0 >= now):
            return
        business, history = retailer.world.business, self._histories[retailer.seed]
        least = _At(business, history, self._since(retailer.seed, business.now), uneven=self.uneven, low=True)
        if least.should(system, listing).get(location, 0) > 0:
            self._zeroed[system.name].append(_point(system, listing, location))

    def _broken(self, retailer: Retailer, predicate: str, what: str) -> None:
        self._tell(retailer.seed, retailer.world.business.now, predicate, what)

    def _tell(self, seed: int, at: datetime, predicate: str, what: str) -> None:
        self.violations.append(Violation(seed, at, predicate, what))


def _seed_of(name: str) -> int:
    """Return whose a system or place is."""
    return int(name.rpartition("_")[2])


def _point(system: System, listing: Listing, location: str) -> str:
    return f"{listing.raw_sku} on {system.name}" + (f" at {system.place_of[location]}" if location in system.place_of else "")
