"""Faults of what a whole system says: it is silent, late, empty, cut short, all zero, out of date, or its clock is off."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Final

from invbi_pipeline.cli.bench.chaos.estate import Retailer
from invbi_pipeline.cli.bench.chaos.monitor import numbers
from invbi_pipeline.sandbox.contract import Wire
from invbi_pipeline.sandbox.erp import ErpAccount
from invbi_pipeline.sandbox.world.places import System

__all__ = ["BROKEN", "FEED_FAULTS", "Feeds"]

BROKEN: Final = "a channel broken for ever"
_ENOUGH: Final = 5
_SKEW_S: Final = 600.0
_LATE_S: Final = (200.0, 900.0)
_INVISIBLE_S: Final = (30.0, 240.0)
_ENDS: Final = 0.5  # chances before each wild look
_BEGINS: Final = 0.6
_BREAKS: Final = 0.15
_Turn = Callable[[System, datetime, Random], None]


@dataclass(frozen=True, slots=True)
class _Kind:
    """One fault: whom it can befall, how it begins, and how much later than usual one may then hear of what happened."""

    suits: Callable[[System], bool]
    begin: _Turn
    later_s: float = 0.0


def _calls(system: System) -> bool:
    return not isinstance(system.account, ErpAccount)


def _anybody(system: System) -> bool:
    return True


def _offers(system: System) -> bool:
    return _calls(system) and not system.counts


def _full(system: System) -> bool:
    """Say whether so many numbers are above zero that their all falling to it is no ordinary day."""
    return sum(units > 0 for units in numbers(system).values()) >= _ENOUGH


def _set(**values: object) -> _Turn:
    def begin(system: System, now: datetime, dice: Random) -> None:
        for name, value in values.items():
            setattr(system.account.wire, name, value)

    return begin


def _renumbered(**values: object) -> _Turn:
    turn = _set(**values)

    def begin(system: System, now: datetime, dice: Random) -> None:
        turn(system, now, dice)
        system.account.wire.renumbered_at = now

    return begin


def _late(system: System, now: datetime, dice: Random) -> None:
    system.account.wire.order_lag_s = dice.uniform(*_LATE_S)


def _invisible(system: System, now: datetime, dice: Random) -> None:
    system.account.wire.visibility_lag_s = dice.uniform(*_INVISIBLE_S)


def _skewed(system: System, now: datetime, dice: Random) -> None:
    system.account.wire.clock_skew_s = dice.choice((-_SKEW_S, _SKEW_S))


def _stale(system: System, now: datetime, dice: Random) -> None:
    system.account.wire.stale_since = now


def _swallows(system: System, now: datetime, dice: Random) -> None:
    system.account.wire.swallow_writes |= set(system.listings)


FEED_FAULTS: Final[Mapping[str, _Kind]] = {
    "a system that is down": _Kind(_anybody, _set(down=True)),
    "a late order feed": _Kind(_calls, _late, _LATE_S[1]),
    "a truncated feed": _Kind(_anybody, _set(truncate_share=0.5)),
    "an empty feed": _Kind(_anybody, _set(truncate_share=1.0)),
    "an all-zero feed": _Kind(_full, _renumbered(mass_zero=True)),
    "an untracked feed": _Kind(_full, _renumbered(untracked_all=True)),
    "old data": _Kind(_anybody, _stale, 1800.0),
    "a clock off by ten minutes": _Kind(_calls, _skewed),
    "writes that show late": _Kind(_offers, _invisible),
    "writes that are lost": _Kind(_offers, _swallows),
}


class Feeds:
    """One retailer's; `toll` counts what befell it. `later_s` is how much later than usual it may now hear of something."""

    def __init__(self, retailer: Retailer, toll: Counter[str]) -> None:
        self._retailer = retailer
        self._systems = retailer.world.business.systems
        self._dice = retailer.dice("feeds")
        self._toll = toll
        self._calm = {
            name: (one.account.wire.order_lag_s, one.account.wire.visibility_lag_s) for name, one in self._systems.items()
        }
        self.broken = ""  # a channel that is down for ever
        self.later_s = 0.0
        self.out_of_step: set[str] = set()  # whose clock was off, or that told old data: their own books do not tie across that

    def change(self, *, breaking: bool) -> None:
        """Let old troubles end and a new one begin, perhaps; with `breaking` perhaps one that never ends."""
        if self._dice.random() < _ENDS:
            self.heal()
        if self._dice.random() < _BREAKS and breaking:
            self.break_for_ever()
        if self._dice.random() < _BEGINS:
            self.befall()

    def befall(self) -> None:
        """Let one system meet one trouble."""
        name = self._dice.choice(list(FEED_FAULTS))
        kind = FEED_FAULTS[name]
        suited = [system for system in self._systems.values() if kind.suits(system)]
        if not suited:
            return
        system = self._dice.choice(suited)
        kind.begin(system, self._retailer.world.business.now, self._dice)
        if system.account.wire.clock_skew_s or system.account.wire.stale_since is not None:
            self.out_of_step.add(system.name)
        self._export(system)
        self._toll[name] += 1
        self.later_s = max(self.later_s, kind.later_s)

    @property
    def cut_short(self) -> bool:
        """Say whether a system leaves out some of what changed, and does not say so: nobody can tell that from no change."""
        return any(system.account.wire.truncate_share for system in self._systems.values())

    def break_for_ever(self) -> None:
        """Let a channel that counts nothing go down and never come back."""
        channels = [system for system in self._systems.values() if _offers(system)]
        if len(channels) > 1:
            self.broken = self._dice.choice(channels).name
            self._systems[self.broken].account.wire.down = True
            self._toll[BROKEN] += 1

    def heal(self) -> None:
        """End all troubles but the one that never ends."""
        for name, system in self._systems.items():
            wire, fresh = system.account.wire, Wire()
            altered = wire.mass_zero or wire.untracked_all or wire.stale_since is not None or wire.truncate_share
            wire.order_lag_s, wire.visibility_lag_s = self._calm[name]
            for turned in ("truncate_share", "mass_zero", "untracked_all", "stale_since", "clock_skew_s"):
                setattr(wire, turned, getattr(fresh, turned))
            wire.swallow_writes.clear()
            wire.down = name == self.broken
            if altered:
                wire.renumbered_at = self._retailer.world.business.now
            self._export(system)

    def export(self) -> None:
        """Let the ERP write its files now, not at the next quarter of an hour."""
        for system in self._systems.values():
            self._export(system)

    def _export(self, system: System) -> None:
        if isinstance(system.account, ErpAccount):
            system.account.export()
