"""The world's time: a clock that only moves when it is told to, and one that follows the wall once history is over."""

from datetime import UTC, datetime, timedelta

__all__ = ["GO_LIVE", "LiveClock", "VirtualClock"]

GO_LIVE = datetime(2026, 9, 18, 11, 0, tzinfo=UTC)  # a busy Friday morning: the default end of history


class VirtualClock:
    """Time that stands still between calls of `advance`; starts at `at` (UTC)."""

    def __init__(self, at: datetime = GO_LIVE) -> None:
        self._at = at

    def now(self) -> datetime:
        return self._at

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.move_to(self._at + timedelta(seconds=seconds))

    def move_to(self, at: datetime) -> None:
        """Let time pass up to `at`; a moment already gone changes nothing."""
        self._at = max(self._at, at)

    def rewind(self, at: datetime) -> None:
        """Go back to where history begins. Only the builder of a world does this, before anything is stamped."""
        self._at = at

    def release(self) -> None:
        """History is over."""


class LiveClock(VirtualClock):
    """A virtual clock while history is told, up to `idle_s` seconds ago; from `release` on the wall's time."""

    def __init__(self, idle_s: float = 0.0) -> None:
        super().__init__(datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=idle_s))
        self._live = False
        self._ahead = timedelta()

    def now(self) -> datetime:
        return max(self._at, datetime.now(UTC) + self._ahead) if self._live else self._at

    def leap(self, seconds: float) -> None:
        """Be so much further ahead of the wall from now on: a wait that nobody has to sit through."""
        self._ahead += timedelta(seconds=seconds)

    def release(self) -> None:
        self._live = True
