"""The simulated world: history first, then as much time as one lets pass."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

from invbi_pipeline.sandbox.erp import ErpAccount
from invbi_pipeline.sandbox.world.business import Business
from invbi_pipeline.sandbox.world.faults.decoys import Decoys
from invbi_pipeline.sandbox.world.faults.planter import Planter
from invbi_pipeline.sandbox.world.goods import Goods
from invbi_pipeline.sandbox.world.legacy import Legacy
from invbi_pipeline.sandbox.world.shoppers import Shoppers
from invbi_pipeline.sandbox.world.staff import Staff, Target
from invbi_pipeline.sandbox.world.truth import Excluded, Point, Truth

__all__ = ["NOTHING", "World"]

_STEP_S = 30.0  # the longest stretch of time without the accounts' clockwork being wound
_HISTORY_STEP_S = 6 * 3600.0
_SYNC_HOURS = (3, 15)
NOTHING: Mapping[str, int] = MappingProxyType({})  # went wrong in the history


class World:
    """One retailer with its accounts. Physical things happen only in `advance`; wire and hand faults through `planter`."""

    def __init__(self, business: Business, targets: dict[tuple[str, str], Target]) -> None:
        self.business = business
        self.goods = Goods(business)
        self.truth = Truth(business)
        self.shoppers = Shoppers(business, self.goods)
        self.staff = Staff(business, self.goods, targets)
        self.planter = Planter(business, self.goods, self.shoppers, self.truth)
        self.decoys = Decoys(self.planter.kit)
        self._reached = business.now  # a live clock runs ahead of what has been played
        self._planned_to = _midnight(business.now) + timedelta(days=1)

    # history

    def live_through(self, days: int, faults: Mapping[str, int] = NOTHING) -> None:
        """Tell the history: so many days from the clock's present, with the former integration at work; then go live.

        `faults` (label -> how many) go wrong in it (`Planter.schedule_history`).
        """
        business = self.business
        legacy = Legacy(business, self.truth)
        legacy.sync_all()
        end = business.now + timedelta(days=days)
        self.planter.schedule_history(faults, end)
        day = _midnight(business.now)
        while day < end:
            for at in (day + timedelta(hours=hour) for hour in _SYNC_HOURS):
                if business.now <= at < end:
                    business.agenda.machine(at, legacy.sync)
            day += timedelta(days=1)
        self._run(end, _HISTORY_STEP_S)
        legacy.sync_all()
        self.goods.posting = False
        business.went_live_at = business.now
        business.clock.release()
        self._idle_until_now()
        for system in business.systems.values():
            if isinstance(system.account, ErpAccount):
                system.account.exporting = True
                system.account.export()

    def _idle_until_now(self) -> None:
        """Play the time that a live clock leaves between the end of history and the wall: nobody comes, machines go on."""
        agenda = self.business.agenda
        agenda.frozen = True
        self.advance_to(self.business.now)
        agenda.frozen = False

    # time

    @property
    def frozen(self) -> bool:
        return self.business.agenda.frozen

    def freeze(self) -> None:
        """Let nothing physical happen any more. Time still passes; imports, exports and the ends of outages go on."""
        self.business.agenda.frozen = True
        self.business.note("freeze")

    def advance(self, seconds: float) -> int:
        """Let time pass with all that happens in it; return the number of events."""
        return self.advance_to(self._reached + timedelta(seconds=seconds))

    def advance_to(self, until: datetime) -> int:
        """Let time pass up to a moment; return the number of events."""
        before = self.business.trace.events
        self._run(until, _STEP_S)
        return self.business.trace.events - before

    def _run(self, until: datetime, step_s: float) -> None:
        business = self.business
        stop = self._reached
        while stop < until:
            stop = min(until, stop + timedelta(seconds=step_s))
            self._plan_days(stop)
            while (due := business.agenda.due(stop)) is not None:
                at, doing = due
                business.clock.move_to(at)
                doing()
            business.clock.move_to(stop)
            self._reached = stop
            for system in business.systems.values():
                system.account.tick()

    def _plan_days(self, until: datetime) -> None:
        while self._planned_to <= until:
            day = self._planned_to
            self._planned_to += timedelta(days=1)
            if not self.frozen:
                self.shoppers.plan_day(day)
                self.staff.plan_day(day)

    # judgement

    def correctable(self) -> tuple[list[Point], list[Excluded]]:
        """Return the points a push could mend, as they stand, and the listings that planted faults take out of that list."""
        return self.truth.correctable(self.planter.planted)

    @property
    def digest(self) -> str:
        """The hash of everything that happened so far."""
        return self.business.trace.digest


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)
