"""The account's time: what it stamps (whole seconds), what it states (with the planted skew), what it hears."""

from datetime import UTC, datetime, timedelta

from invbi_pipeline.sandbox.amazon.refusals import bad_input
from invbi_pipeline.sandbox.contract import Wire, WorldClock

__all__ = ["Times"]


class Times:
    """Amazon's clock. Stamps are kept in the world's time; the skew is added when they are stated, taken off when heard."""

    def __init__(self, clock: WorldClock, wire: Wire) -> None:
        self._clock = clock
        self._wire = wire

    def now(self) -> datetime:
        """Return the world's time, cut to the seconds that Amazon states."""
        return self._clock.now().replace(microsecond=0)

    def state(self, moment: datetime) -> str:
        """Return a stamp as the API shows it: ISO 8601, UTC, seconds."""
        skewed = moment + timedelta(seconds=self._wire.clock_skew_s) if self._wire.clock_skew_s else moment
        return skewed.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def heard(self, text: str, name: str) -> datetime:
        """Return the world's time of a moment that a caller named; raise `AmazonRefusal` where it is not ISO 8601."""
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise bad_input(f"{name} is not an ISO 8601 date-time.") from None
        if moment.tzinfo is None:
            raise bad_input(f"{name} has no offset.")
        return moment - timedelta(seconds=self._wire.clock_skew_s)
