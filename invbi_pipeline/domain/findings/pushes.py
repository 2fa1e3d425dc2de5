"""Corrections that were held, refused, lost, or overwritten."""

from datetime import datetime
from typing import Final

import polars as pl

from invbi_pipeline.domain.findings.holds import EVIDENCE, held, newest, what
from invbi_pipeline.domain.findings.inputs import TOLD, FindingInputs, of_point, told
from invbi_pipeline.domain.frames import empty
from invbi_pipeline.domain.words import COMPARABLE, CorrectionKind, CorrectionState, FindingState

__all__ = ["IN_FLIGHT", "outcomes", "pushes", "right"]

_S = CorrectionState
IN_FLIGHT: Final = tuple(str(state) for state in (_S.SENDING, _S.ACCEPTED, _S.AMBIGUOUS))
_REFUSED: Final = [_S.REJECTED, _S.DEAD]
_ENDED: Final = [*_REFUSED, _S.VERIFIED, _S.MISMATCHED]
_SHOWN: Final = ("gap", "reported", "base", "expected", "judged", "unexplained")
_MESSAGE: Final = r'"message":\s*"((?:[^"\\]|\\.)+)"'  # of a platform's JSON, the sentence for people


def pushes(inputs: FindingInputs, now: datetime) -> pl.DataFrame:
    """Return `push_held`, `push_failed`, `push_unverified` and `push_mismatched` as TOLD: by each subject's newest correction.

    A push that was refused, lost or overwritten is no trouble any more once a judged look finds the number right, and what was
    called over since it was sent is not told of it again.
    """
    if inputs.corrections.is_empty():
        return empty(TOLD)
    rows = inputs.corrections.with_columns(
        pl.col("movement_ref").fill_null(""),
        units=pl.when(pl.col("kind") == CorrectionKind.SET)
        .then(pl.col("target") - pl.coalesce("shown", "from_qty"))
        .otherwise("to_qty")
        .abs(),
        money="money_at_risk",
    )
    sent = newest(outcomes(rows))
    open_ = sent.join(right(inputs.points), on=["kind", *of_point()], how="anti")

    def still(code: str) -> pl.DataFrame:
        return _not_over(open_, inputs.known, code)

    return pl.concat(
        [
            held(rows, now),
            _failed(still("push_failed")),
            _unverified(still("push_unverified"), inputs, now),
            _mismatched(still("push_mismatched")),
        ]
    )


def _not_over(sent: pl.DataFrame, known: pl.DataFrame, code: str) -> pl.DataFrame:
    """Leave out what was told under this code and called over since the push was sent: a later gap is another push's trouble."""
    over = known.filter((pl.col("code") == code) & (pl.col("state") == FindingState.RESOLVED))
    last = over.group_by(of_point()).agg(over_at=pl.col("resolved_at").max())
    later = pl.col("over_at") > pl.coalesce("send_ended_at", "sent_at", "planned_at")
    return sent.join(last, on=of_point(), how="left").filter(~later.fill_null(value=False)).drop("over_at")


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


def _failed(sent: pl.DataFrame) -> pl.DataFrame:
    by_a_person = (pl.col("state") == _S.DEAD) & pl.col("sent_at").is_null()  # it did what was asked: nothing
    rows = sent.filter(pl.col("state").is_in([str(state) for state in _REFUSED]) & ~by_a_person)
    said = pl.coalesce(pl.col("answered").str.extract(_MESSAGE), pl.col("answered"), pl.lit(""))
    answer = pl.when(said == "").then(pl.lit("no answer")).otherwise(said)
    word = pl.when(pl.col("state") == _S.DEAD).then(pl.lit("was given up")).otherwise(pl.lit("was refused"))
    cause = pl.format("{} {}: {}.", what(), word, answer.str.strip_chars_end("."))
    return told(rows, "push_failed", cause, *EVIDENCE)


def _unverified(sent: pl.DataFrame, inputs: FindingInputs, now: datetime) -> pl.DataFrame:
    """Accepted and not seen although the visibility lag is over, or found not to have landed, or nothing moved at all.

    It cannot be seen where the number is still the one that was to be mended, or a judged look finds something else than the
    push's target less what was sold since. A number that sales may yet explain says nothing, nor does the old one while a
    cancellation since the push may have made it again: until the look is judged, or the order lag is over, too.
    """
    lag = pl.duration(seconds=pl.col("visibility_lag_s").fill_null(0))
    sent_at = pl.coalesce("send_ended_at", "sent_at")
    waits = pl.col("state").is_in([str(_S.ACCEPTED), str(_S.AMBIGUOUS)]) & (sent_at + lag < now)
    lost = (pl.col("state") == _S.SUPERSEDED) & pl.col("sent_at").is_not_null()
    shown = inputs.points.select(*of_point(), *_SHOWN, kind=pl.lit(CorrectionKind.SET.value))
    aim = pl.col("target")
    fits = (pl.col("base") == aim) & (pl.col("expected") == pl.col("reported"))
    seen = ((pl.col("gap") == 0) | (pl.col("reported") == aim) | fits).fill_null(value=False)
    told_of = pl.col("judged") | (sent_at + lag + pl.duration(seconds=pl.col("order_lag_s").fill_null(0)) < now)
    other = ((pl.col("reported") == pl.col("shown")) & told_of) | (pl.col("judged") & (pl.col("unexplained") != 0))
    rows = (
        sent.join(inputs.feeds.select("system", "visibility_lag_s", "order_lag_s"), on="system", how="left")
        .join(shown, on=["kind", *of_point()], how="left")
        .filter((waits & ~seen & other.fill_null(value=True)) | lost | _unmoved())
    )
    when = pl.col("sent_at").dt.strftime("%-d %b %H:%M UTC").fill_null("?")
    cause = pl.format("{} was accepted at {} and cannot be seen.", what(), when)
    return told(rows, "push_unverified", cause, *EVIDENCE, "visibility_lag_s")


def _mismatched(sent: pl.DataFrame) -> pl.DataFrame:
    rows = sent.filter((pl.col("state") == _S.MISMATCHED) & ~_unmoved())
    shows = pl.when(pl.col("read_back").is_null()).then(pl.lit("something else")).otherwise(pl.col("read_back").cast(pl.String()))
    return told(rows, "push_mismatched", pl.format("{} was accepted, and the channel shows {}.", what(), shows), *EVIDENCE)


def _unmoved() -> pl.Expr:
    """Mismatched, and the number is still the very one that was to be corrected: that push was lost, nobody wrote over it."""
    same = pl.col("read_back") == pl.col("from_qty")
    return (pl.col("state") == _S.MISMATCHED) & same.fill_null(value=False)
