"""What a run leaves behind in `recon`: the current points and only what changed of them, and the run's own row."""

from datetime import datetime
from typing import Final

import polars as pl

from invbi_pipeline.domain.frames import POINT_KEY, POINTS
from invbi_pipeline.store.tables import POINT_CHANGES, RUNS
from invbi_pipeline.store.warehouse import Database

__all__ = ["save_points", "save_run"]

# What may differ from one look to the next while the point stays the same.
_FIGURES: Final = ("sku", "base", "expected", "reported", "offer", "unexplained", "pending", "gap", "state", "in_flight")


def save_points(database: Database, points: pl.DataFrame, at: datetime) -> int:
    """Make `points` (POINTS) the current view and add what changed of it to `recon.point_changes`. Return how many changed.

    A point has changed when it is new or one of its figures differs; one that is gone is written with state null.
    """
    old = database.read("recon.points")
    key = list(POINT_KEY)
    same = points.join(old.select(*key, *_FIGURES), on=[*key, *_FIGURES], how="semi", nulls_equal=True)
    changed = points.join(same.select(key), on=key, how="anti")
    gone = old.join(points.select(key), on=key, how="anti").select(*key, "sku")
    moved = pl.concat([changed.select(POINTS.keys()), gone], how="diagonal").with_columns(
        pl.lit(at).cast(POINT_CHANGES["changed_at"]).alias("changed_at")
    )
    if points.height:
        moved = moved.with_columns(pl.col("run_id").fill_null(points["run_id"][0]))
    database.append("recon.point_changes", moved)
    database.replace("recon.points", points.select(POINTS.keys()))
    return moved.height


def save_run(
    database: Database, run_id: str, started_at: datetime, ended_at: datetime | None, figures: str, exit_code: int | None
) -> None:
    """Write the run's row, in place of an earlier one of the same id. `figures` is JSON with at least `comparable`, `agreed`."""
    row = {"run_id": run_id, "started_at": started_at, "ended_at": ended_at, "figures": figures, "exit_code": exit_code}
    database.upsert("recon.runs", pl.DataFrame([row], schema=dict(RUNS)), ["run_id"])
