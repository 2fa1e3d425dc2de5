"""Corrections that a guard holds: one finding a point, or one a channel where the guard is about the whole of it."""

from datetime import datetime, timedelta
from typing import Final

import polars as pl

from invbi_pipeline.domain.candidates import plural
from invbi_pipeline.domain.findings.inputs import TOLD, of_point, subject, told
from invbi_pipeline.domain.frames import empty
from invbi_pipeline.domain.words import CorrectionKind, CorrectionState

__all__ = ["EVIDENCE", "held", "newest", "what"]

EVIDENCE: Final = (
    "correction_id", "kind", "state", "from_qty", "to_qty", "target", "reason", "planned_at", "sent_at", "answered", "read_back",
)  # fmt: skip
_VERDICT: Final = r'"[a-z_]+":\s*"(?:[^"\\]|\\.)*"'
_NAME: Final = r'^"([a-z_]+)":\s*'
# What these say is said of a whole channel: a person decides once.
_SHARES: Final = ["changed_share", "zeroed_share", "zeroed_lately"]
_OF_CHANNEL: Final = [*_SHARES, "feed", "paused"]
# These let go by themselves once a feed or a second look has come; what is late has its own finding.
_PASSING: Final = ["first_look", "two_looks", "feed", "owner_age"]
_PATIENCE: Final = timedelta(hours=1)  # our judgement: by then it should have come
_SHOWN: Final = 5  # of a channel's corrections, the largest, in the evidence


def held(rows: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """Return `push_held` as TOLD: one row a point by its own guards, and one a system by those of the whole channel.

    `rows`: CORRECTIONS with `units`. What waits for no person is told only once it has waited too long. A correction that both
    kinds of guards hold is told of by both, each with its own reasons.
    """
    waiting = newest(rows.filter(pl.col("state") == CorrectionState.HELD)).with_columns(holding=_holding("guard"))
    if waiting.is_empty():
        return empty(TOLD)
    name = pl.element().str.extract(_NAME)
    of_channel = waiting.with_columns(pl.col("holding").list.eval(pl.element().filter(name.is_in(_OF_CHANNEL))))
    own = waiting.with_columns(own=pl.col("holding").list.eval(pl.element().filter(~name.is_in(_OF_CHANNEL))))
    nobodys = pl.col("holding").list.len() == 0  # a guard that gives no reason
    own = own.filter((pl.col("own").list.len() > 0) | nobodys).with_columns(holding="own")
    return pl.concat([_of_points(_told_now(own, now)), _of_channels(_told_now(of_channel, now))])


def newest(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the newest correction of each point, or of each movement that is to be booked."""
    at = pl.coalesce("sent_at", "planned_at")
    return rows.sort(at, "correction_id").unique([*of_point(), "kind", "movement_ref"], keep="last", maintain_order=True)


def what() -> pl.Expr:
    """Return how a sentence names a correction."""
    to = pl.format("The correction of {} to {}", subject(), "target")
    booking = pl.format("Booking {} of {}", "to_qty", subject())
    return pl.when(pl.col("kind") == CorrectionKind.SET).then(to).otherwise(booking)


def _told_now(rows: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """Put `guards` and `holds` (why) beside what is held, without what may let go by itself still."""
    said = rows.with_columns(
        guards=pl.col("holding").list.eval(pl.element().str.extract(_NAME)),
        holds=pl.format("[{}]", pl.col("holding").list.eval(pl.element().str.replace(_NAME, "")).list.join(","))
        .str.json_decode(pl.List(pl.String())),
    )  # fmt: skip
    passing = (pl.col("guards").list.set_difference(_PASSING).list.len() == 0) & (pl.col("guards").list.len() > 0)
    return said.filter(~passing.fill_null(value=False) | (pl.col("planned_at") + _PATIENCE < now))


def _of_points(rows: pl.DataFrame) -> pl.DataFrame:
    why = pl.col("holds").list.join("; ").fill_null("").str.strip_chars_end(".")
    cause = pl.format("{} is held: {}.", what(), pl.when(why == "").then(pl.lit("a guard stopped it")).otherwise(why))
    return told(rows, "push_held", cause, *EVIDENCE, "guards", "holds")


def _of_channels(rows: pl.DataFrame) -> pl.DataFrame:
    """One row a system: how many corrections and units wait, by which guards, and the newest word of each."""
    each = rows.explode("guards", "holds").drop_nulls("guards")
    said = (
        each.sort("planned_at", "correction_id")
        .group_by("system", "guards")
        .agg(n=pl.len(), holds=pl.col("holds").last())
        .sort("system", "n", "guards", descending=[False, True, False])
        .group_by("system", maintain_order=True)
        .agg("guards", "holds")
    )
    largest = pl.struct("correction_id", *of_point()[1:], "sku", "from_qty", "to_qty")
    waiting = (
        rows.filter(pl.col("guards").list.len() > 0)
        .sort("units", "correction_id", descending=[True, False], nulls_last=True)
        .group_by("system", maintain_order=True)
        .agg(
            corrections=pl.len(), units=pl.col("units").sum(), largest=largest.head(_SHOWN),
            money=pl.when(pl.col("money").is_not_null().any()).then(pl.col("money").sum().round(2)),
            since=pl.col("planned_at").min(),
        )
        .join(said, on="system")
    )  # fmt: skip
    cause = pl.format(
        "{} {} of {} ({} {}) {} held: {}.",
        "corrections", plural("corrections", "correction", "corrections"), "system", "units", plural("units", "unit", "units"),
        plural("corrections", "is", "are"), pl.col("holds").list.join("; ").str.strip_chars_end("."),
    )  # fmt: skip
    release = pl.format("Look at `invbi plan`; `invbi approve --system {}` releases them, --refuse refuses them.", "system")
    paused = pl.lit("Let sending go on with `invbi resume`; `invbi plan` says who paused it.")
    mend = pl.lit("Mend the feed; the next run that believes it plans anew.")
    shares = pl.col("guards").list.set_intersection(_SHARES).list.len() > 0
    action = pl.when(shares).then(release).when(pl.col("guards").list.contains("paused")).then(paused).otherwise(mend)
    return told(waiting.with_columns(action=action), "push_held", cause, "corrections", "guards", "holds", "since", "largest")


def _holding(guard: str) -> pl.Expr:
    """The members of a flat JSON object {guard: "pass" | reason} that hold; the mode of the system is no guard's doing."""
    members = pl.col(guard).str.extract_all(_VERDICT)
    return members.list.eval(pl.element().filter(~pl.element().str.ends_with('"pass"') & ~pl.element().str.starts_with('"mode"')))
