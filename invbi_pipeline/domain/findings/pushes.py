"""Corrections that were held, refused, lost, or overwritten."""

from datetime import datetime, timedelta
from typing import Final

import polars as pl

from invbi_pipeline.domain.findings.inputs import FindingInputs, of_point, subject, told
from invbi_pipeline.domain.words import COMPARABLE, CorrectionKind, CorrectionState

__all__ = ["IN_FLIGHT", "outcomes", "pushes", "right"]

_S = CorrectionState
IN_FLIGHT: Final = tuple(str(state) for state in (_S.SENDING, _S.ACCEPTED, _S.AMBIGUOUS))
_REFUSED: Final = [_S.REJECTED, _S.DEAD]
_ENDED: Final = [*_REFUSED, _S.VERIFIED, _S.MISMATCHED]
_VERDICT: Final = r'"[a-z_]+":\s*"(?:[^"\\]|\\.)*"'
_MESSAGE: Final = r'"message":\s*"((?:[^"\\]|\\.)+)"'  # of a platform's JSON, the sentence for people
_NAME: Final = r'^"([a-z_]+)":\s*'
# Guards that let go by themselves once a feed or a second look has come; what is late has its own finding.
_PASSING: Final = ["first_look", "two_looks", "feed", "owner_age"]
_PATIENCE: Final = timedelta(hours=1)  # our judgement: by then it should have come
_EVIDENCE: Final = (
    "correction_id", "kind", "state", "from_qty", "to_qty", "target", "reason", "planned_at", "sent_at", "answered", "read_back",
)  # fmt: skip


def pushes(inputs: FindingInputs, now: datetime) -> pl.DataFrame:
    """Return `push_held`, `push_failed`, `push_unverified` and `push_mismatched` as TOLD: by each subject's newest correction.

    A push that was refused, lost or overwritten is no trouble any more once a judged look finds the number right.
    """
    rows = inputs.corrections.with_columns(
        pl.col("movement_ref").fill_null(""),
        units=pl.when(pl.col("kind") == CorrectionKind.SET)
        .then(pl.col("target") - pl.coalesce("shown", "from_qty"))
        .otherwise("to_qty")
        .abs(),
        money="money_at_risk",
    )
    sent = _newest(outcomes(rows))
    open_ = sent.join(right(inputs.points), on=["kind", *of_point()], how="anti")
    return pl.concat([_held(rows, now), _failed(open_), _unverified(open_, inputs, now), _mismatched(open_)])


def _newest(rows: pl.DataFrame) -> pl.DataFrame:
    """The newest correction of each point, or of each movement that is to be booked."""
    at = pl.coalesce("sent_at", "planned_at")
    return rows.sort(at, "correction_id").unique([*of_point(), "kind", "movement_ref"], keep="last", maintain_order=True)


def outcomes(corrections: pl.DataFrame) -> pl.DataFrame:
    """Return the corrections that were sent or have come to an end; not those replaced before they were sent."""
    return corrections.filter(pl.col("state").is_in([str(state) for state in _ENDED]) | pl.col("sent_at").is_not_null())


def right(points: pl.DataFrame) -> pl.DataFrame:
    """Return the key of each point that a judged look found right, and `kind`: of which corrections that is the aim."""
    agreed = points.filter(
        pl.col("state").is_in([str(state) for state in COMPARABLE])
        & pl.col("judged")
        & (pl.col("gap") == 0)
        & (pl.col("in_flight") == 0)
    )
    return agreed.select(*of_point(), kind=pl.lit(CorrectionKind.SET.value))


def _held(rows: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """Held corrections, with why; those that wait for no person only once they have waited too long."""
    held = _newest(rows.filter(pl.col("state") == _S.HELD)).with_columns(guards=_holding("guard")).with_columns(
        holds=pl.format("[{}]", pl.col("guards").list.eval(pl.element().str.replace(_NAME, "")).list.join(","))
        .str.json_decode(pl.List(pl.String())),
        guards=pl.col("guards").list.eval(pl.element().str.extract(_NAME)),
    )  # fmt: skip
    passing = (pl.col("guards").list.set_difference(_PASSING).list.len() == 0) & (pl.col("guards").list.len() > 0)
    told_now = held.filter(~passing.fill_null(value=False) | (pl.col("planned_at") + _PATIENCE < now))
    why = pl.col("holds").list.join("; ").fill_null("").str.strip_chars_end(".")
    cause = pl.format("{} is held: {}.", _what(), pl.when(why == "").then(pl.lit("a guard stopped it")).otherwise(why))
    return told(told_now, "push_held", cause, *_EVIDENCE, "guards", "holds")


def _holding(guard: str) -> pl.Expr:
    """The members of a flat JSON object {guard: "pass" | reason} that hold; the mode of the system is no guard's doing."""
    members = pl.col(guard).str.extract_all(_VERDICT)
    return members.list.eval(pl.element().filter(~pl.element().str.ends_with('"pass"') & ~pl.element().str.starts_with('"mode"')))


def _failed(sent: pl.DataFrame) -> pl.DataFrame:
    rows = sent.filter(pl.col("state").is_in([str(state) for state in _REFUSED]))
    said = pl.coalesce(pl.col("answered").str.extract(_MESSAGE), pl.col("answered"), pl.lit(""))
    answer = pl.when(said == "").then(pl.lit("no answer")).otherwise(said)
    word = pl.when(pl.col("state") == _S.DEAD).then(pl.lit("was given up")).otherwise(pl.lit("was refused"))
    cause = pl.format("{} {}: {}.", _what(), word, answer.str.strip_chars_end("."))
    return told(rows, "push_failed", cause, *_EVIDENCE)


def _unverified(sent: pl.DataFrame, inputs: FindingInputs, now: datetime) -> pl.DataFrame:
    """Accepted and not seen although the visibility lag is over, or found not to have landed, or nothing moved at all."""
    lag = pl.duration(seconds=pl.col("visibility_lag_s").fill_null(0))
    waits = pl.col("state").is_in([str(_S.ACCEPTED), str(_S.AMBIGUOUS)]) & (pl.coalesce("send_ended_at", "sent_at") + lag < now)
    lost = (pl.col("state") == _S.SUPERSEDED) & pl.col("sent_at").is_not_null()
    seen = inputs.points.filter(pl.col("gap") == 0).select(*of_point(), kind=pl.lit(CorrectionKind.SET.value), seen=True)
    rows = (
        sent.join(inputs.feeds.select("system", "visibility_lag_s"), on="system", how="left")
        .join(seen, on=["kind", *of_point()], how="left")
        .filter((waits & pl.col("seen").is_null()) | lost | _unmoved())
    )
    cause = pl.format("{} was accepted at {} and cannot be seen.", _what(), pl.col("sent_at").dt.strftime("%H:%M").fill_null("?"))
    return told(rows, "push_unverified", cause, *_EVIDENCE, "visibility_lag_s")


def _mismatched(sent: pl.DataFrame) -> pl.DataFrame:
    rows = sent.filter((pl.col("state") == _S.MISMATCHED) & ~_unmoved())
    shows = pl.when(pl.col("read_back").is_null()).then(pl.lit("something else")).otherwise(pl.col("read_back").cast(pl.String()))
    return told(rows, "push_mismatched", pl.format("{} was accepted, and the channel shows {}.", _what(), shows), *_EVIDENCE)


def _unmoved() -> pl.Expr:
    """Mismatched, and the number is still the very one that was to be corrected: that push was lost, nobody wrote over it."""
    same = pl.col("read_back") == pl.col("from_qty")
    return (pl.col("state") == _S.MISMATCHED) & same.fill_null(value=False)


def _what() -> pl.Expr:
    to = pl.format("The correction of {} to {}", subject(), "target")
    booking = pl.format("Booking {} of {}", "to_qty", subject())
    return pl.when(pl.col("kind") == CorrectionKind.SET).then(to).otherwise(booking)
