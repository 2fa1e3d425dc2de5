"""The account's time: what it stamps (whole milliseconds), what it states (with the planted skew), what it hears."""

import base64
from datetime import UTC, datetime, timedelta
from random import Random

from invbi_pipeline.sandbox.contract import Wire, WorldClock

__all__ = ["Ids", "Times"]


class Times:
    """Square's clock. Stamps are kept in the world's time; the skew is added when they are stated, taken off when heard."""

    def __init__(self, clock: WorldClock, wire: Wire) -> None:
        self._clock = clock
        self._wire = wire

    def now(self) -> datetime:
        """Return the world's time, cut to the milliseconds that Square states."""
        now = self._clock.now()
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def state(self, moment: datetime) -> str:
        """Return a stamp as the API shows it: RFC 3339, UTC, milliseconds."""
        skewed = moment + timedelta(seconds=self._wire.clock_skew_s) if self._wire.clock_skew_s else moment
        return skewed.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def heard(self, moment: datetime) -> datetime:
        """Return the world's time of a moment that a caller named on this platform's clock."""
        return moment - timedelta(seconds=self._wire.clock_skew_s)


class Ids:
    """Ids in Square's style: upper-case letters and digits."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng

    def long(self) -> str:
        """Return 24 characters, as of a catalog object or an inventory change."""
        return base64.b32encode(self._rng.getrandbits(120).to_bytes(15, "big")).decode()

    def short(self) -> str:
        """Return 16 characters, as of a location."""
        return "L" + base64.b32encode(self._rng.getrandbits(80).to_bytes(10, "big")).decode()[:15]
