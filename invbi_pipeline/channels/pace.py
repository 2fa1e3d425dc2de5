"""Finding a rate limit that nobody publishes: additive increase and multiplicative decrease, aimed by what was accepted.

A token bucket that refuses is empty. What it accepts between two refusals is therefore what flowed into it meanwhile: its rate.
So a refusal does not halve the pace blindly, as TCP does (RFC 5681); it falls to just below what was measured, and creeps up from
there. Until the first refusal, and again when none has come for long, the pace grows fast, as in TCP's slow start.
"""

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Final

__all__ = ["FASTEST", "SLOWEST", "Pace"]

SLOWEST: Final = 0.2  # requests a second; below it no push would ever end
FASTEST: Final = 100.0  # a careful end of the search

_BELOW: Final = 0.95  # of what was measured
_BLIND: Final = 0.6  # of the pace, where too little was accepted to measure anything
_NEAR: Final = 0.9  # of the ceiling: from here on the pace creeps
_CREEP: Final = 1.0003  # each good answer: from 0.95 to the limit in some 170 answers, one refusal in as many at the most
_SEARCH: Final = 1.02  # each good answer while the limit is not known
_ENOUGH: Final = 8  # good answers that make a measurement
_WINDOW: Final = 40  # ... and that end it: the next one begins at this refusal
_FORGOTTEN: Final = 1500  # good answers after which the limit may have been raised


@dataclass(frozen=True, slots=True)
class Pace:
    """A rate in requests a second; since when it is measured (a refusal; none came yet: None), and good answers since then.

    `ceiling` is what was measured: up to near it the pace may grow fast.
    """

    rate: float
    since: float | None = None  # seconds of the epoch
    good: int = 0
    ceiling: float = FASTEST

    @classmethod
    def of(cls, learnt: str, start: float) -> "Pace":
        """Return the pace that was written down, or one that begins at `start`."""
        return cls(**json.loads(learnt)) if learnt else cls(start)

    def written(self) -> str:
        """Return the pace as JSON."""
        return json.dumps(asdict(self))

    def accepted(self) -> "Pace":
        """Return the pace after a good answer."""
        searches = self.since is None or self.rate < _NEAR * self.ceiling or self.good >= _FORGOTTEN
        grown = self.rate * (_SEARCH if searches else _CREEP)
        return replace(self, rate=min(FASTEST, grown), good=self.good + 1)

    def refused(self, at: datetime) -> "Pace":
        """Return the pace after a refusal."""
        now = at.timestamp()
        if self.since is None or now <= self.since:
            return Pace(max(SLOWEST, self.rate * _BLIND), now)
        if self.good < _ENOUGH:
            return replace(self, rate=max(SLOWEST, self.rate * _BLIND))
        measured = min(self.rate, self.good / (now - self.since))
        slower = max(SLOWEST, measured * _BELOW)
        return Pace(slower, now, 0, measured) if self.good >= _WINDOW else replace(self, rate=slower)
