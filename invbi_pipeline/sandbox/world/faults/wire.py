"""Faults on the wire: a system that does not answer, answers with old or half the data, or tells the wrong time."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial

from invbi_pipeline.domain.words import ListingStatus
from invbi_pipeline.sandbox.contract import TellsOfOrders, Wire
from invbi_pipeline.sandbox.erp import EXPORT_EVERY, ErpAccount
from invbi_pipeline.sandbox.world.faults.doings import Doings
from invbi_pipeline.sandbox.world.faults.kit import FaultKit, NoVictimError, Options, Spot
from invbi_pipeline.sandbox.world.faults.planted import Planted
from invbi_pipeline.sandbox.world.places import System

__all__ = ["WireFaults"]

_MINUTES = 16.0  # longer than one export cycle
_OLD_MINUTES = 30.0  # an export older than this is old data (the default of `max_age_s`)
_SEEN_MINUTES = 5.0  # a cycle: somebody looks at it while it is old
_SKEW_S = 420.0
_SHARE = 0.5
_BROKEN_ROWS = 5
_SOLD_BY_THEN = 5  # what a number must show, so that there is one left to sell when the webhooks are lost
_TOLD_BEFORE_MINUTES = 8.0
_REPLACED = "The next export replaces the broken one before anybody looks."
_NOBODY_LISTENS = "Nobody has asked this platform for webhooks, so none is missed."
# How long a platform tries to deliver a webhook (shopify.dev/docs/apps/build/webhooks/troubleshooting-webhooks;
# developer.squareup.com/docs/webhooks/troubleshooting).
_TRIES_AGAIN: Mapping[str, timedelta] = {"shopify": timedelta(hours=4), "square": timedelta(hours=24)}


class WireFaults:
    """Makers of wire faults, by label. Each ends by itself after `minutes`."""

    def __init__(self, kit: FaultKit) -> None:
        self._kit = kit
        self.makers: dict[str, Callable[[Options], Planted]] = {
            "system_unreachable": partial(self._turn, "system_unreachable", _down),
            "feed_stale": self.feed_stale,
            "feed_truncated": partial(self._turn, "feed_truncated", self._truncate, suits=_tells_all),
            "feed_mass_zero": partial(self._turn, "feed_mass_zero", self._mass_zero),
            "clock_skew": partial(self._turn, "clock_skew", _skew, suits=_tells_its_time),
            "missed_event": self.missed_event,
            "bad_rows": self.bad_rows,
        }

    def _turn(
        self,
        label: str,
        turn: Callable[[Wire, bool, Options], None],
        options: Options,
        suits: Callable[[System], bool] = lambda system: True,
    ) -> Planted:
        kit, system = self._kit, self._system(options, suits)
        until = kit.business.after(minutes=float(options.get("minutes", _MINUTES)))
        self._set(system, turn, True, options)
        kit.business.agenda.machine(until, partial(self._set, system, turn, False, options))
        return self._label(label, system, until)

    def _set(self, system: System, turn: Callable[[Wire, bool, Options], None], on: bool, options: Options) -> None:
        turn(system.account.wire, on, options)
        if isinstance(system.account, ErpAccount):
            system.account.export()

    def feed_stale(self, options: Options) -> Planted:
        """An export stops being written. It is old data once it is older than its limit."""
        kit, system = self._kit, self._system(options, _tells_all)
        until = kit.business.after(minutes=max(float(options.get("minutes", 0.0)), _OLD_MINUTES + _SEEN_MINUTES))
        exported_at = getattr(system.account, "exported_at", None) or kit.business.now
        self._set(system, self._stale, True, options)
        kit.business.agenda.machine(until, partial(self._set, system, self._stale, False, options))
        old_at = exported_at + timedelta(minutes=_OLD_MINUTES)
        return kit.write_down(Planted("feed_stale", system.name, kit.business.now, until=until, ripens=True, ripe_at=old_at))

    def missed_event(self, options: Options) -> Planted:
        """An order's webhook arrives; some minutes later another order's is lost. A fact once the platform tries no more.

        Where nobody has asked for webhooks nobody misses one.
        """
        kit, business = self._kit, self._kit.business
        spots = [
            Spot(system, listing, place, system.key_of.get(place, ""), system.number(listing, place))
            for system in business.channels()
            for listing in system.listings.values()
            for place in system.sells_from
            if system.platform in _TRIES_AGAIN and options.get("system", system.name) == system.name
            if listing.mapped and not listing.planted and listing.status is ListingStatus.ACTIVE and kit.fresh(listing.sku)
            if system.number(listing, place) >= _SOLD_BY_THEN
        ]
        if not spots:
            raise NoVictimError("nothing there could be sold twice")
        spot = kit.rng.choice(spots)
        system = spot.system
        doings = Doings(kit)
        doings.sell(spot)
        lost_at = business.after(minutes=_TOLD_BEFORE_MINUTES)
        ends = lost_at + timedelta(minutes=float(options.get("minutes", _MINUTES)))
        listens = isinstance(system.account, TellsOfOrders) and system.account.tells_somebody()
        planted = kit.write_down(
            Planted(
                "missed_event",
                system.name,
                business.now,
                until=ends,
                undetectable="" if listens else _NOBODY_LISTENS,
                ripens=True,
                ripe_at=lost_at + _TRIES_AGAIN[system.platform],
            )
        )

        def lose() -> None:
            system.account.wire.drop_webhooks = True
            doings.sell(spot)

        business.agenda.people(lost_at, lose)
        business.agenda.machine(ends, partial(_drop_webhooks, system.account.wire))
        return planted

    def bad_rows(self, options: Options) -> Planted:
        """Some rows of one ERP export are broken: for as long as it stands, which may be too short for anybody to read it."""
        for system in self._kit.business.systems.values():
            if isinstance(system.account, ErpAccount) and options.get("system", system.name) == system.name:
                system.account.spoil = int(options.get("units", _BROKEN_ROWS))
                system.account.export()
                now = self._kit.business.now
                stands = EXPORT_EVERY - (now - now.replace(hour=0, minute=0, second=0, microsecond=0)) % EXPORT_EVERY
                gone = _REPLACED if stands < timedelta(minutes=_SEEN_MINUTES) else ""
                return self._label("bad_rows", system, None, _BROKEN_ROWS, gone)
        raise NoVictimError("no system here exports files")

    def _label(
        self, label: str, system: System, until: datetime | None, units: int | None = None, undetectable: str = ""
    ) -> Planted:
        at = self._kit.business.now
        return self._kit.write_down(Planted(label, system.name, at, units=units, until=until, undetectable=undetectable))

    def _system(self, options: Options, suits: Callable[[System], bool] = lambda system: True) -> System:
        systems = {name: system for name, system in self._kit.business.systems.items() if suits(system)}
        name = options.get("system", "")
        if not systems or (name and name not in systems):
            raise NoVictimError(f"no system that suits is called {name!r}")
        return systems[name] if name else self._kit.rng.choice(list(systems.values()))

    def _stale(self, wire: Wire, on: bool, options: Options) -> None:
        wire.stale_since = self._kit.business.now if on else None

    def _mass_zero(self, wire: Wire, on: bool, options: Options) -> None:
        wire.mass_zero = on
        wire.renumbered_at = self._kit.business.now

    def _truncate(self, wire: Wire, on: bool, options: Options) -> None:
        wire.truncate_share = float(options.get("share", _SHARE)) if on else 0.0


def _tells_all(system: System) -> bool:
    """Say whether each answer is all it has: of one that tells changes only, nobody sees that some are missing."""
    return isinstance(system.account, ErpAccount)


def _tells_its_time(system: System) -> bool:
    return not isinstance(system.account, ErpAccount)


def _down(wire: Wire, on: bool, options: Options) -> None:
    wire.down = on


def _skew(wire: Wire, on: bool, options: Options) -> None:
    wire.clock_skew_s = _SKEW_S if on else 0.0


def _drop_webhooks(wire: Wire) -> None:
    wire.drop_webhooks = False
