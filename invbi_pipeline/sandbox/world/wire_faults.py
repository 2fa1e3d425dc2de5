"""Faults on the wire: a system that does not answer, answers with old or half the data, or tells the wrong time."""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from invbi_pipeline.sandbox.contract import Wire
from invbi_pipeline.sandbox.erp import ErpAccount
from invbi_pipeline.sandbox.world.fault_kit import FaultKit, NoVictimError, Options
from invbi_pipeline.sandbox.world.places import System
from invbi_pipeline.sandbox.world.planted import Planted

__all__ = ["WireFaults"]

_MINUTES = 16.0  # longer than one export cycle
_SKEW_S = 420.0
_SHARE = 0.5
_BROKEN_ROWS = 5


class WireFaults:
    """Makers of wire faults, by label. Each ends by itself after `minutes`."""

    def __init__(self, kit: FaultKit) -> None:
        self._kit = kit
        self.makers: dict[str, Callable[[Options], Planted]] = {
            "system_unreachable": partial(self._turn, "system_unreachable", _down),
            "feed_stale": partial(self._turn, "feed_stale", self._stale),
            "feed_truncated": partial(self._turn, "feed_truncated", self._truncate),
            "feed_mass_zero": partial(self._turn, "feed_mass_zero", _mass_zero),
            "clock_skew": partial(self._turn, "clock_skew", _skew),
            "missed_event": partial(self._turn, "missed_event", _drop_webhooks),
            "bad_rows": self.bad_rows,
        }

    def _turn(self, label: str, turn: Callable[[Wire, bool, Options], None], options: Options) -> Planted:
        kit, system = self._kit, self._system(options)
        until = kit.business.after(minutes=float(options.get("minutes", _MINUTES)))
        self._set(system, turn, True, options)
        kit.business.agenda.machine(until, partial(self._set, system, turn, False, options))
        return self._label(label, system, until)

    def _set(self, system: System, turn: Callable[[Wire, bool, Options], None], on: bool, options: Options) -> None:
        turn(system.account.wire, on, options)
        if isinstance(system.account, ErpAccount):
            system.account.export()

    def bad_rows(self, options: Options) -> Planted:
        """Some rows of one ERP export are broken."""
        for system in self._kit.business.systems.values():
            if isinstance(system.account, ErpAccount) and options.get("system", system.name) == system.name:
                system.account.spoil = int(options.get("units", _BROKEN_ROWS))
                system.account.export()
                return self._label("bad_rows", system, None, _BROKEN_ROWS)
        raise NoVictimError("no system here exports files")

    def _label(self, label: str, system: System, until: datetime | None, units: int | None = None) -> Planted:
        return self._kit.write_down(Planted(label, system.name, self._kit.business.now, units=units, until=until))

    def _system(self, options: Options) -> System:
        systems = self._kit.business.systems
        name = options.get("system", "")
        if name and name not in systems:
            raise NoVictimError(f"no system is called {name!r}")
        return systems[name] if name else self._kit.rng.choice(list(systems.values()))

    def _stale(self, wire: Wire, on: bool, options: Options) -> None:
        wire.stale_since = self._kit.business.now if on else None

    def _truncate(self, wire: Wire, on: bool, options: Options) -> None:
        wire.truncate_share = float(options.get("share", _SHARE)) if on else 0.0


def _down(wire: Wire, on: bool, options: Options) -> None:
    wire.down = on


def _mass_zero(wire: Wire, on: bool, options: Options) -> None:
    wire.mass_zero = on


def _skew(wire: Wire, on: bool, options: Options) -> None:
    wire.clock_skew_s = _SKEW_S if on else 0.0


def _drop_webhooks(wire: Wire, on: bool, options: Options) -> None:
    wire.drop_webhooks = on
