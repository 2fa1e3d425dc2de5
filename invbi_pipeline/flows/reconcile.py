"""Reconcile: staging, truth, and the three-way comparison. Each step reads the warehouse, decides with `domain`, and writes back.

The steps are separate so that Dagster can show them as assets; `flows.run` does them one after the other.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from invbi_pipeline.domain import declared as words
from invbi_pipeline.domain import points
from invbi_pipeline.domain.frames import BASES, CONTAINED, LISTINGS, LOOKS, POINTS, UNJUDGED
from invbi_pipeline.domain.truth import STAGED, TruthInputs, truth
from invbi_pipeline.domain.words import COMPARABLE, CorrectionState
from invbi_pipeline.errors import TerminalError
from invbi_pipeline.flows.context import Context
from invbi_pipeline.flows.declare import declare
from invbi_pipeline.store.declared_files import Declared, read_declared
from invbi_pipeline.store.models import run_models
from invbi_pipeline.store.warehouse import Database

__all__ = ["Compared", "compare", "derive_truth", "merge_inputs", "stage", "standing", "systems_frame"]

_S = CorrectionState
_KEY = ("system", "listing_key", "location")
_STAGED_FROM: Mapping[str, str] = {
    "listings": "staging.stg_listings",
    "order_lines": "staging.stg_order_lines",
    "movements": "staging.stg_movements",
    "effects": "staging.stg_effects",
    "observations": "staging.stg_observations",
}
_KEPT_TRUTH: Mapping[str, str] = {
    "feeds": "recon.feeds",
    "mappings": "truth.mappings",
    "anchors": "truth.anchors",
    "openings": "truth.openings",
}
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


def systems_frame(ctx: Context) -> pl.DataFrame:
    """Return SYSTEMS of the configured systems that are open."""
    facts = {name: channel.facts for name, channel in ctx.channels.items()}
    return words.systems_frame(ctx.config, facts)


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
        found = truth(_truth_inputs(ctx, db, said), ctx.clock.now())
        tables = {
            "truth.mappings": found.mappings,
            "truth.kits": found.kits,
            "truth.anchors": found.anchors,
            "truth.openings": found.openings,
            "truth.reservations": found.reservations,
            "truth.positions": found.positions,
            "truth.offers": found.offers,
            "truth.unbooked": found.unbooked,
            "truth.candidates": found.candidates,
            "truth.prices": said.prices,
        }
        return {name: db.replace(name, frame) for name, frame in tables.items()}


def _truth_inputs(ctx: Context, db: Database, said: Declared) -> TruthInputs:
    typed = {name: _staged(db, name) for name in _STAGED_FROM}
    kept = {name: db.read(table) for name, table in _KEPT_TRUTH.items()}
    return TruthInputs.of(
        **typed,
        **kept,
        systems=systems_frame(ctx),
        places=words.places_frame(ctx.config),
        sku_map=said.sku_map,
        kit_rows=said.kit_rows,
        policies=said.policies,
        prices=said.prices,
        posted=ctx.state.outbox.posted(),
    )


def _staged(db: Database, name: str) -> pl.DataFrame:
    """Return one staged frame: its columns and no others, which are most of its bytes."""
    columns = ", ".join(f'"{column}"' for column in STAGED[name])
    return _fit(db.query(f"SELECT {columns} FROM {_STAGED_FROM[name]}"), STAGED[name])  # noqa: S608 (our own names)


def _fit(frame: pl.DataFrame, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    return frame.select(pl.col(name).cast(kind) for name, kind in schema.items())


def merge_inputs(ctx: Context, db: Database) -> points.MergeInputs:
    """Return what the three-way merge is given, as the warehouse and the outbox stand."""
    systems = systems_frame(ctx)
    effects = db.query("SELECT * FROM staging.stg_effects")
    return points.MergeInputs(
        observations=_fit(db.query("SELECT * FROM staging.stg_observations"), STAGED["observations"]),
        offers=db.read("truth.offers"),
        mappings=db.read("truth.mappings"),
        feeds=db.read("recon.feeds"),
        effects=_fit(effects, STAGED["effects"]),
        bases=db.read("recon.bases"),
        contained=db.read("recon.contained"),
        flights=points.flights(ctx.state.outbox.open_flights(), systems),
        looks=db.read("recon.looks"),
        unjudged=db.read("recon.unjudged"),
        systems=systems,
        places=words.places_frame(ctx.config),
        listings=_fit(db.query("SELECT * FROM staging.stg_listings"), LISTINGS),
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
        changed = _changed(db.read("recon.points"), result.points)
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
    _end_flights(ctx, result.flight_ends)
    return _summary(result.points, result.flight_ends)


def standing(ctx: Context) -> Compared:
    """Return what the comparison that stands came to, as the warehouse remembers it."""
    with ctx.warehouse.open() as db:
        return _summary(db.read("recon.points"), db.read("recon.flight_ends"))


def _changed(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of `after` whose figures differ from those of `before`."""
    figures = ["sku", "base", "expected", "reported", "offer", "unexplained", "pending", "gap", "state"]
    same = before.select(*_KEY, *figures)
    return after.join(same, on=[*_KEY, *figures], how="anti", nulls_equal=True).select(POINTS.keys())


def _end_flights(ctx: Context, ends: pl.DataFrame) -> None:
    now = ctx.clock.now()
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
