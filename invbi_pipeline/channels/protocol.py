"""The seam between invbi and a platform: what every channel module offers, and the facts it states as data.

A platform is added by one module that holds a `FACTS` table and a class with the methods of `Channel`, and one row in
`channels.registry`. Nothing else changes.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

import polars as pl

from invbi_pipeline.domain.words import Basis, CorrectionKind, Dataset

__all__ = [
    "Announcing",
    "Channel",
    "Clock",
    "Event",
    "Facts",
    "Forgetful",
    "Health",
    "Limit",
    "NamesOrders",
    "Reading",
    "Standing",
    "Subscription",
    "Write",
    "WriteOutcome",
    "WriteResult",
]


class Clock(Protocol):
    """Time, handed in: `now` is UTC, `sleep` waits on this clock (a simulated world may let it pass at once)."""

    def now(self) -> datetime: ...

    async def sleep(self, seconds: float) -> None: ...


@dataclass(frozen=True, slots=True)
class Limit:
    """A rate limit of one operation: a bucket of `burst` requests (or points) that refills at `rate` per second.

    Where the platform publishes none, `rate` is where the search for it begins (`channels.pace`). `kept_back` is the share of
    the burst that reads of whole feeds leave to what cannot wait (`channels.limits.patiently`).
    """

    operation: str
    rate: float
    burst: float
    source: str
    published: bool = True
    kept_back: float = 0.0


@dataclass(frozen=True, slots=True)
class Facts:
    """What is true of a platform whoever uses it. Rows, not ifs; each with its source in the module that states it."""

    platform: str
    datasets: frozenset[Dataset]  # what it can be asked for
    basis: Basis
    per_location: bool  # keeps one number per location
    writes: frozenset[CorrectionKind]
    write_batch: int  # most corrections in one call
    compare_and_set: bool
    version_is_ordered: bool  # its versions or change times tell which number is newer
    bulk_above: int  # listings beyond which the bulk route is cheaper than paging
    limits: tuple[Limit, ...]
    overlap: timedelta  # how far an incremental read goes back behind its cursor
    order_lag: timedelta  # floors of design.md section 2
    read_lag: timedelta
    visibility_lag: timedelta
    secrets: Mapping[str, str]  # purpose -> what it is, e.g. {"token": "Admin API access token"}
    urgent_batch: int | None = None  # most lowerings in one go where that is fewer: what was just read must not grow old
    post_again: timedelta | None = None  # how long a `post` may be asked again under its key, and is done once; None: it may not
    revisions_a_day: int | None = None  # most changes of one listing in a day; None: as many as the rates allow


@dataclass(frozen=True, slots=True)
class Reading:
    """What one read returned.

    `frames` maps a wall frame's name (`domain.frames.WALL`) to a frame with exactly those columns, every one a String
    (null where the platform said nothing; times ISO 8601 with offset; flags "true"/"false"), plus `payload`: the row as
    the platform sent it, JSON, buyers' personal fields removed. A frame may carry one more column, `row_number` (Int64):
    where in the source the row stands, counted from 1 at the top of the file; channels that read files always give it.
    """

    dataset: Dataset
    frames: Mapping[str, pl.DataFrame]
    cursor: str  # hand it back as `since` to go on; opaque
    full: bool  # everything the platform has (absence means it has no more of it), not only what changed
    complete: bool  # paging reached its end
    began_at: datetime  # our clock
    ended_at: datetime  # our clock
    platform_time: datetime  # the platform's clock when the answer was begun (its Date header): how far this read reaches
    requests: int = 0
    warnings: tuple[str, ...] = ()
    rejected: pl.DataFrame | None = None  # rows the channel itself judged unusable: dataset, row_number, reason, payload
    # Of `read_orders`: the orders that the platform showed, whether or not a line of theirs counts for stock, each with the
    # platform's time of its newest change (None: it says none).
    shown: Mapping[str, datetime | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Write:
    """One correction as a channel needs it."""

    correction_id: str
    kind: CorrectionKind
    listing_key: str
    location_key: str
    quantity: int  # set: the number to show; post: the signed delta
    compare: int | None  # set, where the platform compares: the raw number we read
    idempotency_key: str
    reference: str = ""  # post: "<system>/<movement_id>"
    occurred_at: datetime | None = None  # when the truth behind it was measured
    urgent: bool = False  # lowers an oversell: not by the slow bulk route


@dataclass(frozen=True, slots=True)
class WriteOutcome:
    """The three results of a write, and what only a compare-and-set adds."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"  # the platform said no; nothing moved; trying the same again changes nothing
    STALE = "stale"  # compare-and-set: the number moved since we read it; read, decide again, never force
    RETRY = "retry"  # nothing moved, and it may be sent again. `code` says whose trouble that was: "paused", "throttled",
    #                  "unreachable" and "unauthorised" are the system's, every other code is the correction's own
    AMBIGUOUS = "ambiguous"  # it may have happened: only reading back can tell


@dataclass(frozen=True, slots=True)
class WriteResult:
    correction_id: str
    outcome: str  # one of WriteOutcome
    answered_at: datetime | None  # the platform's clock in its answer
    code: str = ""
    message: str = ""  # redacted
    answer: str = ""  # what the platform answered about this row, redacted JSON


@dataclass(frozen=True, slots=True)
class Health:
    """What `check` found out: each row is (what, ok, what to do about it)."""

    system: str
    rows: tuple[tuple[str, bool, str], ...]
    clock_skew: timedelta = timedelta(0)
    listings: int | None = None

    @property
    def ok(self) -> bool:
        return all(ok for _, ok, _ in self.rows)


@dataclass(frozen=True, slots=True)
class Event:
    """A webhook delivery, verified: a hint about what to read again."""

    system: str
    delivery_id: str
    topic: str
    listing_keys: tuple[str, ...] = ()
    order_ids: tuple[str, ...] = ()
    occurred_at: datetime | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


class Channel(Protocol):
    """One configured system. Methods raise the errors of `invbi_pipeline.errors`; an outage raises, never returns nothing."""

    system: str
    facts: Facts

    async def check(self) -> Health:
        """Call the cheapest endpoints that prove access, locations and clock."""
        ...

    async def read(self, dataset: Dataset, since: str = "") -> Reading:
        """Read one dataset: everything when `since` is empty, else what changed since that cursor, with an overlap."""
        ...

    async def read_back(self, points: Sequence[tuple[str, str]]) -> Reading:
        """Read the stock of these (listing_key, location_key) now; a STOCK frame of just these rows."""
        ...

    def write(self, writes: Sequence[Write]) -> AsyncIterator[WriteResult]:
        """Send corrections in batches of the platform's size; yield each result as soon as it is known, each exactly once."""
        ...

    def parse_event(self, headers: Mapping[str, str], body: bytes, url: str) -> Event:
        """Verify the delivery's signature over the raw body and say what it is about. Raises `Refused` on a bad signature."""
        ...

    async def aclose(self) -> None: ...


class Standing(StrEnum):
    """What became of one subscription that was looked at."""

    KEPT = "kept"  # it was there and right
    MADE = "made"
    MENDED = "mended"
    LACKING = "lacking"  # it is not there, or not right


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a platform was asked to tell of. `to_do` says what is wrong with it and how to mend it; empty: nothing is."""

    topic: str
    standing: Standing
    to_do: str = ""


@runtime_checkable
class Announcing(Protocol):
    """What a channel offers beside `Channel` when its platform tells whoever has subscribed of what happened."""

    async def subscriptions(self, address: str, *, mend: bool) -> Sequence[Subscription]:
        """Compare what the platform tells to `address` (a URL, or a queue's ARN) with what invbi wants to hear.

        `mend` makes what is missing and puts right what is wrong; subscriptions for other addresses are left alone.
        """
        ...


@runtime_checkable
class Forgetful(Protocol):
    """What a channel offers beside `Channel` when its feed of changes does not name the listings that were deleted."""

    async def gone(self, listing_keys: Sequence[str]) -> frozenset[str]:
        """Ask for these listings by id; return those that the platform says it has no longer."""
        ...


@runtime_checkable
class NamesOrders(Protocol):
    """What a channel offers beside `Channel` when orders can be read by their ids, without searching all that changed."""

    async def read_orders(self, order_ids: Sequence[str]) -> Reading:
        """Read these orders now: the frames of `read(Dataset.ORDERS)`, of those that the platform shows already.

        Which those are, `Reading.shown` says. Others that changed meanwhile are not among them, so it says nothing of how far
        the order feed is complete.
        """
        ...


@runtime_checkable
class FindsOrders(Protocol):
    """What a channel offers beside `Channel` when a search shows an order within seconds, and few can be asked for."""

    async def recent_orders(self, since: datetime) -> Reading:
        """Read the orders that changed at or after a moment (the platform's time): the frames of `NamesOrders.read_orders`.

        What the search does not show yet is lacking, so it says nothing of how far the order feed is complete.
        """
        ...
