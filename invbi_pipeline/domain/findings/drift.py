"""Numbers that changed without an effect that we know."""

from datetime import datetime

import polars as pl

from invbi_pipeline.domain.findings.causes import explained
from invbi_pipeline.domain.findings.inputs import TOLD, FindingInputs, subject, told
from invbi_pipeline.domain.findings.listings import is_frozen
from invbi_pipeline.domain.frames import empty

__all__ = ["drift"]


def drift(inputs: FindingInputs, now: datetime) -> pl.DataFrame:
    """Return `drift`, one row a point whose judged looks say so, and `duplicate_event` where that is the cause, as TOLD.

    The number of a frozen listing did not change: that is `frozen_listing`, and no drift.
    """
    drifted = inputs.points.filter((pl.col("found") != 0) & ~is_frozen())
    if drifted.is_empty():
        return empty(TOLD)
    rows = explained(drifted, inputs, now)
    remainder = pl.lit(0).alias("remainder")  # every cause here explains the units exactly, or is a stranger's change
    evidence = (
        "found", "found_how", "found_since", "found_at", "base", "expected", "reported", "offer", "confirmed",
        "how", "event_id", "order_id", "event_at", "other", "push_id", "push_state",
    )  # fmt: skip
    twice = rows.filter(pl.col("how") == "duplicate")
    applied = pl.format(
        "The {} {} of {} units was applied twice to {}.",
        "event_kind",
        pl.when(pl.col("order_id").fill_null("") == "").then("event_id").otherwise("order_id"),
        "units",
        subject(),
    )
    return pl.concat(
        [
            told(rows, "drift", pl.col("cause"), *evidence, remainder),
            told(twice, "duplicate_event", applied, "event_id", "order_id", "event_kind", "event_at", "event_units", "found_at"),
        ]
    )
