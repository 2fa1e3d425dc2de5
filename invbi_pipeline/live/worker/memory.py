"""The worker's memory: all that the last decision was made from, in reach, and what came of it. It moves on with every change.

It begins with a whole decision of what the stores hold (as a batch run would make it), and goes on with the families that
changes touch (`domain.incremental`). What it must not forget waits in `Unwritten` until it is in the warehouse.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import polars as pl

from invbi_pipeline.domain import incremental, staging, unlinked
from invbi_pipeline.domain.decision import Decided, decide
from invbi_pipeline.domain.frames import FLIGHT_ENDS, POINT_KEY, UTC, empty
from invbi_pipeline.domain.incremental import Kept, Part
from invbi_pipeline.domain.words import PointState
from invbi_pipeline.flows.context import Context
from invbi_pipeline.flows.decision.given import flights, given, staged, stock_sweeps
from invbi_pipeline.flows.decision.reconcile import changed_points, stage
from invbi_pipeline.store.landing import Batch
from invbi_pipeline.store.tables import TABLES

__all__ = ["Memory", "Outcome", "Unwritten"]

_KEY: Final = list(POINT_KEY)
_FIGURES: Final = ["state", "quantity", "reserved", "version", "changed_at"]
# A point in one of these states, with nothing under way, is as it should be or never compared: the same number again is no news.
_SETTLED: Final = [
    str(state)
    for state in (
        PointState.AGREED,
        PointState.COUNTED,
        PointState.UNTRACKED,
        PointState.UNMAPPED,
        PointState.UNOFFERED,
        PointState.UNKNOWN,
    )
]
_NOTHING: Final = staging.Staged.of({})
# What is remembered of a decision, by table; all keyed by things.
REMEMBERED: Final[Mapping[str, str]] = {
    "points": "recon.points",
    "bases": "recon.bases",
    "contained": "recon.contained",
    "looks": "recon.looks",
    "unjudged": "recon.unjudged",
    "offers": "truth.offers",
    "mappings": "truth.mappings",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What changes came to: the families decided anew, and of these POINTS, CORRECTIONS that are wanted, and FLIGHT_ENDS."""

    part: Part
    points: pl.DataFrame
    plan: pl.DataFrame
    ends: pl.DataFrame


@dataclass(slots=True)
class Unwritten:
    """What the warehouse does not hold yet: reads in the order of their landing, and what is remembered of some things."""

    batches: list[Batch] = field(default_factory=list)
    things: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=dict.fromkeys(_KEY[:2], pl.String())))
    rows: dict[str, pl.DataFrame] = field(default_factory=dict)  # by table
    changed: list[pl.DataFrame] = field(default_factory=list)  # POINT_CHANGES
    ends: pl.DataFrame = field(default_factory=lambda: empty(FLIGHT_ENDS))  # of the flights that the outbox still knows as open

    @property
    def waits(self) -> bool:
        """There is something to write."""
        return bool(self.batches or self.rows)

    def note(self, things: pl.DataFrame, rows: Mapping[str, pl.DataFrame]) -> None:
        """Put what is remembered of these things now in the place of what was noted of them."""
        for table, frame in rows.items():
            old = self.rows.get(table)
            kept = [] if old is None else [old.join(things, on=_KEY[:2], how="anti")]
            self.rows[table] = pl.concat([*kept, frame])
        self.things = pl.concat([self.things, things]).unique()

    def behind(self, newer: "Unwritten") -> "Unwritten":
        """Return what could not be written followed by what came since."""
        changed = [*self.changed, *newer.changed]
        both = Unwritten(
            [*self.batches, *newer.batches], self.things, dict(self.rows), changed, pl.concat([self.ends, newer.ends])
        )
        both.note(newer.things, newer.rows)
        return both


class Memory:
    """One whole decision and all changes since. Not for two threads at once."""

    def __init__(
        self,
        kept: Kept,
        said: Mapping[str, pl.DataFrame],
        sweeps: pl.DataFrame,
        places: pl.DataFrame,
        decided: Decided,
        standing: pl.DataFrame,
        feeds: pl.DataFrame,
        systems: pl.DataFrame,
    ) -> None:
        self._kept = kept
        self._said = _by_system(said)  # a read is of one system: the others' rows need not be looked through
        self._sweeps = sweeps
        self._places = places
        self._systems = systems
        self.points = standing
        self._left = changed_points(standing, decided.points.points).select(_KEY[:2]).unique()
        self.feeds = feeds
        self.unwritten = Unwritten()
        self._thereafter: tuple[Outcome, pl.DataFrame] | None = None  # what the guards are shown is what stands afterwards
        self._ending = empty(FLIGHT_ENDS)  # ends that are being written: the outbox may know these flights as open still

    @classmethod
    def load(cls, ctx: Context, run_id: str) -> "Memory":
        """Decide the whole of what the stores hold, and keep it in reach. Raises `ConfigError` and `StoreBusy`."""
        with ctx.warehouse.held():
            stage(ctx)
            with ctx.warehouse.open() as db:
                known, said, sweeps = given(ctx, db), staged(db), stock_sweeps(db)
                places, standing = db.read("recon.location_map"), db.read("recon.points")
        decided = decide(known, ctx.clock.now(), run_id, ctx.config.business.currency, telling=False)
        kept = incremental.keep({**known, **incremental.carried(decided)}, decided)
        return cls(kept, said, sweeps, places, decided, standing, known["feeds"], known["systems"])

    def left(self) -> dict[str, pl.DataFrame]:
        """Return, once, the looks that landed and that nobody had decided when this memory began."""
        left, self._left = self._left, self._left.clear()
        return {"observations": self._observations().join(left, on=_KEY[:2], how="semi")} if left.height else {}

    def observed(self, system: str, listing_keys: Sequence[str]) -> pl.DataFrame:
        """Return the points at which these listings were ever observed, with the newest word: `staging.SAID`."""
        return self._of(system).observed(listing_keys)

    def took(self, system: str, batches: Sequence[Batch], *, landed: bool = False) -> dict[str, pl.DataFrame]:
        """Stage reads of one system that follow all others; return the rows that are news (`decision.GIVEN`).

        A sweep of stock comes by itself. Unless they have `landed` already, they wait to be written.
        """
        before = self._of(system)
        self._said[system], now = before.restage(self._sweeps, self._places, [staging.read_of(batch) for batch in batches])
        self._sweeps = now.sweeps
        if not landed:
            self.unwritten.batches += batches
        changes = dict(now.changes)
        if "observations" in changes:
            looks = changes["observations"]
            changes["observations"] = self._news(looks, before.observed(looks["listing_key"].to_list()))
        return changes

    def swept(self, feeds: pl.DataFrame, system: str) -> dict[str, pl.DataFrame]:
        """Take in how far all feeds reach (FEEDS) after a sweep of a system; return the looks that may be judged by it."""
        self.feeds, every = feeds, self._observations()
        self._kept = incremental.restated(self._kept, {"feeds": feeds, "observations": every})
        open_ = self.points.filter((pl.col("system") == system) & ~_settled())
        return {"observations": every.join(open_.select(_KEY), on=_KEY, how="semi")}

    def decide(self, ctx: Context, changes: Mapping[str, pl.DataFrame], run_id: str) -> Outcome:
        """Decide anew what these changes touch, with the pushes under way as the outbox knows them."""
        self._kept = incremental.restated(self._kept, {"flights": self.flying(flights(ctx, self._systems))})
        currency = ctx.config.business.currency
        part = incremental.redecide(self._kept, changes, ctx.clock.now(), run_id, currency, telling=False)
        found = part.decided
        return Outcome(part, part.mine(found.points.points), part.mine(found.plan), part.mine(found.points.flight_ends))

    def move_on(self, changes: Mapping[str, pl.DataFrame], outcome: Outcome, now: datetime) -> None:
        """Go on from what was decided: it is what the next changes meet, and it waits to be written."""
        part = outcome.part
        changed = changed_points(part.mine(_near(self.points, part.things)), outcome.points)
        self.unwritten.changed.append(changed.with_columns(changed_at=pl.lit(now).cast(UTC)))
        self.unwritten.ends = pl.concat([self.unwritten.ends, outcome.ends.filter(pl.col("outcome") != "still")])
        in_place = unlinked.moved_on(self._kept, changes, part)
        self._kept = in_place or incremental.moved_on(self._kept, changes, part, carrying=True)
        self.points, self._thereafter = self.with_outcome(outcome), None
        results = {**incremental.carried(part.decided), "points": outcome.points, "offers": part.decided.truth.offers}
        rows = {table: part.mine(results[name]).select(TABLES[table].keys()) for name, table in REMEMBERED.items()}
        self.unwritten.note(part.things, rows)

    def with_outcome(self, outcome: Outcome) -> pl.DataFrame:
        """Return all POINTS as they are once an outcome stands."""
        if self._thereafter is None or self._thereafter[0] is not outcome:
            things = outcome.part.things
            named = _named(self.points, things)
            namesakes = self.points.filter(named).join(things, on=_KEY[:2], how="anti")
            self._thereafter = outcome, pl.concat([self.points.filter(~named), namesakes, outcome.points])
        return self._thereafter[1]

    def flying(self, flights: pl.DataFrame) -> pl.DataFrame:
        """Return which of these flights of the outbox (rows with `correction_id`) are not known to have ended."""
        ended = pl.concat([self._ending, self.unwritten.ends]).select("correction_id")
        return flights.join(ended, on="correction_id", how="anti")

    def unwritten_taken(self) -> Unwritten:
        """Hand over what is to be written; the caller says when it was (`written`), or gives it back (`give_back`)."""
        taken, self.unwritten = self.unwritten, Unwritten()
        self._ending = taken.ends
        return taken

    def written(self) -> None:
        """Note that what was taken is written down."""
        self._ending = self._ending.clear()

    def give_back(self, taken: Unwritten) -> None:
        """Take back what could not be written."""
        self.written()
        self.unwritten = taken.behind(self.unwritten)

    def _of(self, system: str) -> staging.Staged:
        return self._said.get(system, _NOTHING)

    def _observations(self) -> pl.DataFrame:
        every = [said.every("observations") for said in (self._said.values() or [_NOTHING])]
        return pl.concat(every).drop("location_key", staging.TOLD_AT)

    def _news(self, looks: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
        """Leave out the looks that found the same number where everything is settled."""
        same = looks.join(before, on=[*_KEY, *_FIGURES], how="semi", nulls_equal=True)
        if same.is_empty():
            return looks
        quiet = same.join(_near(self.points, same).filter(_settled()).select(_KEY), on=_KEY, how="semi")
        return looks.join(quiet.select(_KEY), on=_KEY, how="anti")


def _by_system(said: Mapping[str, pl.DataFrame]) -> dict[str, staging.Staged]:
    found: dict[str, dict[str, pl.DataFrame]] = {}
    for name, rows in said.items():
        for (system,), mine in rows.partition_by("system", as_dict=True).items():
            found.setdefault(str(system), {})[name] = mine
    return {system: staging.Staged.of(frames) for system, frames in found.items()}


def _near(frame: pl.DataFrame, things: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of these listings, and of others with the same key: a join of all would cost ten times as much."""
    return frame.filter(_named(frame, things))


def _named(frame: pl.DataFrame, things: pl.DataFrame) -> pl.Series:
    return frame["listing_key"].is_in(things["listing_key"].unique().implode())


def _settled() -> pl.Expr:
    nothing_open = (pl.col("in_flight").fill_null(0) == 0) & (pl.col("withheld").fill_null(0) == 0)
    return pl.col("state").is_in(_SETTLED) & nothing_open
