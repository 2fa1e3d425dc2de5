"""Corrections that were held, refused, lost, or overwritten."""

from datetime import datetime
from typing import Final

import polars as pl

from invbi_pipeline.domain.findings.inputs import FindingInputs, of_point, subject, told
from invbi_pipeline.domain.words import COMPARABLE, CorrectionKind, CorrectionState

__all__ = ["IN_FLIGHT", "pushes", "reasons"]

_S = CorrectionState
IN_FLIGHT: Final = tuple(str(state) for state in (_S.SENDING, _S.ACCEPTED, _S.AMBIGUOUS))
_REFUSED: Final = [_S.REJECTED, _S.DEAD]
_ENDED: Final = [*_REFUSED, _S.VERIFIED, _S.MISMATCHED]
_JSON_TEXT: Final = r'"(?:[^"\\]|\\.)*"'
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
    sent = _newest(rows.filter(pl.col("state").is_in([str(s) for s in _ENDED]) | pl.col("sent_at").is_not_null()))
    open_ = sent.join(_right(inputs.points), on=["kind", *of_point()], how="anti")
    return pl.concat([_held(rows, inputs.points), _failed(open_), _unverified(open_, inputs.feeds, now), _mismatched(open_)])


def _newest(rows: pl.DataFrame) -> pl.DataFrame:
    """The newest correction of each point, or of each movement that is to be booked."""
    at = pl.coalesce("sent_at", "planned_at")
    return rows.sort(at, "correction_id").unique([*of_point(), "kind", "movement_ref"], keep="last", maintain_order=True)


def _right(points: pl.DataFrame) -> pl.DataFrame:
    right = points.filter(
        pl.col("state").is_in([str(state) for state in COMPARABLE])
        & pl.col("judged")
        & (pl.col("gap") == 0)
        & (pl.col("in_flight") == 0)
    )
    return right.select(*of_point(), kind=pl.lit(CorrectionKind.SET.value))


def _held(rows: pl.DataFrame, points: pl.DataFrame) -> pl.DataFrame:
    """A held raise at a first look waits for the order feed, not for a person, until that is complete."""
    waits = points.filter(pl.col("first_look") & ~pl.col("complete").fill_null(value=False))
    held = (
        _newest(rows.filter(pl.col("state") == _S.HELD))
        .join(waits, on=of_point(), how="anti")
        .with_columns(holds=reasons("guard"))
        .with_columns(why=pl.col("holds").list.join("; ").fill_null(""))
    )
    why = pl.when(pl.col("why") == "").then(pl.lit("a guard holds it")).otherwise("why")
    cause = pl.format("{} waits for a person: {}.", _what(), why.str.strip_chars_end("."))
    return told(held, "push_held", cause, *_EVIDENCE, "holds")


def _failed(sent: pl.DataFrame) -> pl.DataFrame:
    rows = sent.filter(pl.col("state").is_in([str(state) for state in _REFUSED]))
    answer = pl.when(pl.col("answered").fill_null("") == "").then(pl.lit("no answer")).otherwise("answered")
    word = pl.when(pl.col("state") == _S.DEAD).then(pl.lit("was given up")).otherwise(pl.lit("was refused"))
    cause = pl.format("{} {}: {}.", _what(), word, answer.str.strip_chars_end("."))
    return told(rows, "push_failed", cause, *_EVIDENCE)


def _unverified(sent: pl.DataFrame, feeds: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """Accepted and not seen although the visibility lag is over, or found not to have landed."""
    lag = pl.duration(seconds=pl.col("visibility_lag_s").fill_null(0))
    waits = pl.col("state").is_in([str(_S.ACCEPTED), str(_S.AMBIGUOUS)]) & (pl.coalesce("send_ended_at", "sent_at") + lag < now)
    lost = (pl.col("state") == _S.SUPERSEDED) & pl.col("sent_at").is_not_null()
    rows = sent.join(feeds.select("system", "visibility_lag_s"), on="system", how="left").filter(waits | lost)
    cause = pl.format("{} was accepted at {} and cannot be seen.", _what(), pl.col("sent_at").dt.strftime("%H:%M").fill_null("?"))
    return told(rows, "push_unverified", cause, *_EVIDENCE, "visibility_lag_s")


def _mismatched(sent: pl.DataFrame) -> pl.DataFrame:
    rows = sent.filter(pl.col("state") == _S.MISMATCHED)
    shows = pl.when(pl.col("read_back").is_null()).then(pl.lit("something else")).otherwise(pl.col("read_back").cast(pl.String()))
    return told(rows, "push_mismatched", pl.format("{} was accepted, and the channel shows {}.", _what(), shows), *_EVIDENCE)


def _what() -> pl.Expr:
    to = pl.format("The correction of {} to {}", subject(), "target")
    booking = pl.format("Booking {} of {}", "to_qty", subject())
    return pl.when(pl.col("kind") == CorrectionKind.SET).then(to).otherwise(booking)


def reasons(guard: str) -> pl.Expr:
    """Return, as a list, the verdicts of a flat JSON object {guard: "pass" | reason} that are not "pass"."""
    texts = pl.format("[{}]", pl.col(guard).str.extract_all(_JSON_TEXT).list.join(",")).str.json_decode(pl.List(pl.String()))
    verdicts = texts.list.gather_every(2, 1)  # names and verdicts alternate
    return verdicts.list.eval(pl.element().filter(pl.element() != "pass"))
