"""A point whose number changed by three between 9:05 and 9:10, and what is said to have caused it."""

import json
from typing import Any, Final

import polars as pl

from invbi_pipeline.domain.findings import FindingInputs
from invbi_pipeline_tests.domain.findings.facts import at, found

__all__ = ["LOWERED", "RAISED", "causes", "told"]

LOWERED: Final[dict[str, Any]] = {
    "reported": 2, "state": "drifted", "unexplained": -3, "confirmed": -3, "gap_looks": 2,
    "found": -3, "found_how": "confirmed", "found_since": at(5), "found_at": at(10),
}  # fmt: skip
RAISED: Final[dict[str, Any]] = {**LOWERED, "reported": 8, "unexplained": 3, "confirmed": 3, "found": 3}


def told(inputs: FindingInputs, listing_key: str = "L1", location: str = "soho") -> dict[str, Any]:
    """Return the evidence and, as `sentence`, the cause of a point's drift."""
    row = found(inputs).filter(
        (pl.col("code") == "drift") & (pl.col("listing_key") == listing_key) & (pl.col("location") == location)
    )
    return {**json.loads(row["evidence"].item()), "sentence": row["cause"].item()}


def causes(inputs: FindingInputs, listing_key: str = "L1", location: str = "soho") -> list[tuple[str, int, list[str]]]:
    """Return each cause, its units and its events."""
    return [(one["cause"], one["units"], one["events"]) for one in told(inputs, listing_key, location)["causes"]]
