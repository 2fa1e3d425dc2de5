"""When a finding is due: at the end of a business day, so many days after it opened as its severity allows."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

import polars as pl

from invbi_pipeline.domain.frames import UTC
from invbi_pipeline.domain.words import Severity

__all__ = ["DUE_DAYS", "DueRule", "due_at"]

# Business days are calendar days here: shops sell on Sundays. 0: the same day.
DUE_DAYS: Final[Mapping[Severity, int]] = MappingProxyType(
    {Severity.CRITICAL: 0, Severity.HIGH: 1, Severity.MEDIUM: 3, Severity.LOW: 14}
)
_DAY_ENDS: Final = pl.duration(hours=23, minutes=59)


class DueRule(NamedTuple):
    """Days by severity, and the time zone in which a day ends."""

    days: Mapping[Severity, int] = DUE_DAYS
    zone: str = "UTC"


def due_at(opened: pl.Expr, rule: DueRule) -> pl.Expr:
    """Return the end of the day (UTC) that lies the severity's days after `opened`, from the column `severity`."""
    days = pl.col("severity").replace_strict(
        {str(severity): days for severity, days in rule.days.items()}, default=None, return_dtype=pl.Int64
    )
    local = opened.dt.convert_time_zone(rule.zone).dt.replace_time_zone(None).dt.truncate("1d")
    end = (local + pl.duration(days=days) + _DAY_ENDS).dt.replace_time_zone(rule.zone, ambiguous="latest", non_existent="null")
    return end.dt.convert_time_zone("UTC").cast(UTC)
