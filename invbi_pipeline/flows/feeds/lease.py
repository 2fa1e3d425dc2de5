"""One worker an installation: whoever holds the lease works on the inbox, everybody else waits until it has run out.

A process renews it while it lives. One that dies without a word is replaced when its lease has run out; one that was stopped
for so long that another took over ends when it wakes.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Final

from invbi_pipeline.channels.protocol import Clock
from invbi_pipeline.store.state import State

__all__ = ["RENEW_S", "Lease", "held_until"]

RENEW_S: Final = 5.0
_LASTS: Final = timedelta(seconds=20)  # four renewals may fail before another process takes over
_MARK: Final = "serve.worker"


class Lease:
    """The right to be the worker, as one process (`holder`, a name of its own) sees it."""

    def __init__(self, state: State, clock: Clock, holder: str) -> None:
        self._state = state
        self._clock = clock
        self._holder = holder

    def take(self) -> bool:
        """Take or renew it; False when another process holds it."""
        said = self._state.mark(_MARK)
        holder, until = _read(said)
        now = self._clock.now()
        if holder not in ("", self._holder) and until > now:
            return False
        return self._state.swap_mark(_MARK, said, json.dumps({"holder": self._holder, "until": (now + _LASTS).isoformat()}))

    def give_back(self) -> None:
        """Let another process take it at once; nothing is done where it is not ours any more."""
        said = self._state.mark(_MARK)
        if _read(said)[0] == self._holder:
            self._state.swap_mark(_MARK, said, json.dumps({"holder": "", "until": self._clock.now().isoformat()}))


def held_until(state: State) -> datetime | None:
    """Return until when a worker is known to live; None when there never was one."""
    said = state.mark(_MARK)
    return _read(said)[1] if said else None


def _read(said: str) -> tuple[str, datetime]:
    if not said:
        return "", datetime.min.replace(tzinfo=UTC)
    held = json.loads(said)
    return held["holder"], datetime.fromisoformat(held["until"])
