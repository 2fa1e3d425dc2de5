"""The numbers of an emulated shop: one level per item and location, its named states, and what a reader is shown of them.

on_hand = available + committed + reserved + damaged + safety_stock + quality_control; incoming stands apart
(https://shopify.dev/docs/apps/build/orders-fulfillment/inventory-management-apps). Every change goes through
`Shelves.change`, which keeps the journal that stale reads are answered from.
"""

from bisect import bisect_right
from collections.abc import Callable
from datetime import datetime, timedelta
from zlib import crc32

from invbi_pipeline.sandbox.shopify.catalogue import OTHER_STATES, Hidden, Item, Level, Location
from invbi_pipeline.sandbox.wire import PlatformClock

__all__ = ["QUANTITY_NAMES", "Shelves"]

QUANTITY_NAMES = ("available", "committed", "incoming", "on_hand", *OTHER_STATES)


class Shelves:
    """Changes levels and shows them as this account's wire lets them be seen."""

    def __init__(self, clock: PlatformClock, changed: Callable[[Level], None]) -> None:
        self._clock = clock
        self._wire = clock.wire
        self._changed = changed
        self._times: list[datetime] = []  # the journal: the world's time, and what moved
        self._moves: list[tuple[Level, str, int]] = []
        self._undo: dict[tuple[Level, str], int] = {}  # what moved since `stale_since`
        self._undo_of: datetime | None = None
        self._undo_upto = 0

    def stamp(self) -> datetime:
        """Return the platform's time in whole seconds, as it states it."""
        return self._clock.now().replace(microsecond=0)

    def connect(self, item: Item, location: Location) -> Level:
        """Return the level of an item at a location, stocking it there if it is not."""
        level = item.levels.get(location.id)
        if level is None:
            now = self.stamp()
            level = item.levels[location.id] = Level(item, location, now, now)
        level.active = True
        return level

    def change(self, level: Level, name: str, delta: int, lag_s: float = 0.0) -> None:
        """Move one named state (not on_hand) by delta; reads show it after `lag_s`. A change of 0 leaves no trace."""
        if not delta:
            return
        if name == "available":
            level.available += delta
        elif name == "committed":
            level.committed += delta
        else:
            level.others = level.others or {}
            level.others[name] = level.others.get(name, 0) + delta
        now = self._clock.world.now()
        self._times.append(now)
        self._moves.append((level, name, delta))
        if lag_s > 0:
            level.hidden.append(Hidden(now + timedelta(seconds=lag_s), self.stamp(), name, delta))
        else:
            level.updated_at = self.stamp()
        self._changed(level)

    def seen(self, level: Level, name: str) -> int:
        """Return the number a reader is shown: without writes still on their way, and as the wire's faults have it."""
        if self._wire.mass_zero:
            return 0
        number = level.quantity(name)
        states = (name,) if name != "on_hand" else ("available", "committed", *OTHER_STATES)
        if self._wire.stale_since is not None:
            undo = self._moved_since(self._wire.stale_since)
            return number - sum(undo.get((level, state), 0) for state in states)
        if level.hidden:
            self._settle(level)
            number -= sum(hidden.delta for hidden in level.hidden if hidden.name in states)
        return number

    def seen_updated(self, level: Level) -> datetime:
        """Return the change time a reader is shown."""
        if level.hidden:
            self._settle(level)
        if self._wire.stale_since is not None:
            return min(level.updated_at, self._clock.stated(self._wire.stale_since).replace(microsecond=0))
        if self._wire.renumbered_at is not None:
            return max(level.updated_at, self._clock.stated(self._wire.renumbered_at).replace(microsecond=0))
        return level.updated_at

    def cut_off(self, item: Item) -> bool:
        """Return whether a truncated feed leaves this item out. The same items each time, spread evenly."""
        share = self._wire.truncate_share
        return share > 0 and crc32(item.key.encode()) % 10_000 < share * 10_000

    def _settle(self, level: Level) -> None:
        now = self._clock.world.now()
        for hidden in level.hidden:
            if hidden.visible_at <= now:
                level.updated_at = max(level.updated_at, hidden.stamp)
        level.hidden = [hidden for hidden in level.hidden if hidden.visible_at > now]

    def _moved_since(self, moment: datetime) -> dict[tuple[Level, str], int]:
        if self._undo_of != moment:
            self._undo_of, self._undo, self._undo_upto = moment, {}, bisect_right(self._times, moment)
        for level, name, delta in self._moves[self._undo_upto :]:
            self._undo[level, name] = self._undo.get((level, name), 0) + delta
        self._undo_upto = len(self._moves)
        return self._undo
