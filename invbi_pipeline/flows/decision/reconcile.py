"""Reconcile: staging, truth, and the three-way comparison. Each step reads the warehouse, decides with `domain`, and writes back.

The steps are separate so that Dagster can show them as assets; `flows.run` does them one after the other.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from invbi_pipeline.domain import declared as words
from invbi_pipeline.domain import points
from invbi_pipeline.domain.frames import BASES, CONTAINED, LISTINGS, LOOKS, POINTS, SHELVES, UNJUDGED
from invbi_pipeline.domain.truth import STAGED, TruthInputs, truth
from invbi_pipeline.domain.words import COMPARABLE, CorrectionState
from invbi_pipeline.errors import TerminalError
from invbi_pipeline.flows.context import Context
from invbi_pipeline.flows.decision.again import allow
from invbi_pipeline.flows.decision.counting import to_count
from invbi_pipeline.flows.decision.given import flights, systems_frame, told
from invbi_pipeline.flows.feeds.declare import declare
from invbi_pipeline.store.declared_files import read_declared
from invbi_pipeline.store.models import run_models
from invbi_pipeline.store.warehouse import Database

__all__ = [
    "Compared",
    "changed_points",
    "compare",
    "derive_truth",
    "end_flights",
    "merge_inputs",
    "stage",
    "standing",
    "systems_frame",
]

_S = CorrectionState
_KEY = ("system", "listing_key", "location")
# What a flight's end makes of its correction.
_AFTER_FLIGHT: Mapping[str, CorrectionState] = {
    "verified": _S.VERIFIED,
    "mismatched": _S.MISMATCHED,
    "not_landed": _S.SUPERSEDED,
    "superseded": _S.SUPERSEDED,
}


@dataclass(frozen=True, slots=True)
class Compared:
    """What a comparison came to: points by state, how many can be compared and agree, how flights ended."""

    states: Mapping[str, int] = field(default_factory=dict)
    comparable: int = 0
    agreed: int = 0
    flights: Mapping[str, int] = field(default_factory=dict)

    @property
    def parity(self) -> float | None:
        """The share of comparable points with gap 0; None when there are none."""
        return self.agreed / self.comparable if self.comparable else None


def stage(ctx: Context) -> dict[str, int]:
    """Write the configuration's maps and build the staging models. Return rows by model."""
    with ctx.warehouse.open() as db:
        declare(db, ctx.config)
    return run_models(ctx.warehouse, ["staging"])


def derive_truth(ctx: Context) -> dict[str, int]:
    """Derive identity, ledger, positions and offers from what is staged, and store them. Return rows by table.

    Raises `ConfigError` for policy files that cannot be read, before anything is written.
    """
    said = read_declared(ctx.config)
    with ctx.warehouse.open() as db:
        given = TruthInputs.of(**told(ctx, db, said))
        found = truth(given, ctx.clock.now(), words.shelf_limits(ctx.config), distinct=True)
        tables = {
            "truth.mappings": found.mappings,
            "truth.kits": found.kits,
            "truth.anchors": found.anchors,
            "truth.openings": found.openings,
            "truth.shelves": found.shelves.select(SHELVES.keys()),
            "truth.outside": found.outside,
            "truth.reservations": found.reservations,
            "truth.positions": found.positions,
            "truth.offers": found.offers,
            "truth.unbooked": found.unbooked,
            "truth.candidates": found.candidates,
            "truth.phantoms": to_count(ctx, db, said, given, found),
            "truth.prices": said.prices,
            "truth.rates": said.rates,
        }
        return {name: db.replace(name, frame) for name, frame in tables.items()}


def merge_inputs(ctx: Context, db: Database) -> points.MergeInputs:
    """Return what the three-way merge is given, as the warehouse and the outbox stand."""
    systems = systems_frame(ctx)
    return points.MergeInputs(
        observations=db.pick("staging.stg_observations", STAGED["observations"]),
        offers=db.read("truth.offers"),
        mappings=db.read("truth.mappings"),
        feeds=db.read("recon.feeds"),
        effects=db.pick("staging.stg_effects", STAGED["effects"]),
        bases=db.read("recon.bases"),
        contained=db.read("recon.contained"),
        flights=flights(ctx, systems),
        looks=db.read("recon.looks"),
        unjudged=db.read("recon.unjudged"),
        systems=systems,
        places=words.places_frame(ctx.config),
        listings=db.pick("staging.stg_listings", LISTINGS),
    )


def compare(ctx: Context, run_id: str) -> Compared:
    """Compare every number with its base, its flights and its offer; end the flights that ended; remember what must be.

    Writes recon.points (the current view), recon.point_changes (only what changed), recon.bases, contained, looks, unjudged
    and flight_ends, in one transaction. Raises `TerminalError` when a gap is not unexplained - pending: nothing is kept then.
    """
    now = ctx.clock.now()
    with ctx.warehouse.open() as db:
        result = points.merge(merge_inputs(ctx, db), now, run_id)
        if result.broken_identity.height:
            keys = result.broken_identity.select(_KEY).head(5).rows()
            raise TerminalError(f"The gap is not unexplained - pending on {result.broken_identity.height} points, first {keys}.")
        changed = changed_points(db.read("recon.points"), result.points)
        db.append("recon.point_changes", changed.with_columns(changed_at=pl.lit(now).cast(pl.Datetime("us", "UTC"))))
        for table, frame, schema in (
            ("recon.points", result.points, POINTS),
            ("recon.bases", result.bases, BASES),
            ("recon.contained", result.contained, CONTAINED),
            ("recon.looks", result.looks, LOOKS),
            ("recon.unjudged", result.unjudged, UNJUDGED),
        ):
            db.replace(table, frame.select(schema.keys()))
        db.replace("recon.flight_ends", result.flight_ends)
    end_flights(ctx, result.flight_ends)
    return _summary(result.points, result.flight_ends)


def standing(ctx: Context) -> Compared:
    """Return what the comparison that stands came to, as the warehouse remembers it."""
    with ctx.warehouse.open() as db:
        return _summary(db.read("recon.points"), db.read("recon.flight_ends"))


def changed_points(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of `after` whose figures differ from those of `before`."""
    figures = ["sku", "base", "expected", "reported", "offer", "unexplained", "pending", "gap", "state"]
    same = before.select(*_KEY, *figures)
    return after.join(same, on=[*_KEY, *figures], how="anti", nulls_equal=True).select(POINTS.keys())


def end_flights(ctx: Context, ends: pl.DataFrame) -> None:
    """Move on the corrections whose flight ended (FLIGHT_ENDS).

    One that did not land left its number as it was, so that the next plan makes the very same correction: it may be sent again.
    """
    now = ctx.clock.now()
    lost = ends.filter(pl.col("outcome") == "not_landed")["correction_id"].to_list()
    if lost:
        allow(ctx.state, ctx.state.outbox.by_id(lost))
    for outcome, state in _AFTER_FLIGHT.items():
        rows = ends.filter(pl.col("outcome") == outcome)
        moves = []
        for row in rows.iter_rows(named=True):
            fields = {"read_back": row["read_back"]}
            if state is _S.VERIFIED:
                fields["verified_at"] = row["observed_at"] or now
            moves.append((row["correction_id"], fields))
        for before in (_S.ACCEPTED, _S.AMBIGUOUS):
            ctx.state.outbox.advance_all(moves, before, state, now)


def _summary(found: pl.DataFrame, ends: pl.DataFrame) -> Compared:
    comparable = found.filter(pl.col("gap").is_not_null() & pl.col("state").is_in([str(s) for s in COMPARABLE]))
    return Compared(
        states=Counter(found["state"].to_list()),
        comparable=comparable.height,
        agreed=comparable.filter(pl.col("gap") == 0).height,
        flights=Counter(ends["outcome"].to_list()),
    )
