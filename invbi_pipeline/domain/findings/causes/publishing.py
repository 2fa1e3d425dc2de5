"""What lies between our offers and the number shown: pushes that did not last, an older number, sales that never came."""

from typing import Final

import polars as pl

from invbi_pipeline.domain.findings.causes.pieces import LAG, piece, step_key
from invbi_pipeline.domain.findings.inputs import of_point
from invbi_pipeline.domain.words import Cause, CorrectionKind, CorrectionState

__all__ = ["pushes", "stale", "withheld"]

_S = CorrectionState
_FAILED: Final = [str(state) for state in (_S.REJECTED, _S.DEAD, _S.MISMATCHED, _S.AMBIGUOUS, _S.SUPERSEDED)]
_NONE: Final = pl.lit([], pl.List(pl.String()))


def pushes(steps: pl.DataFrame, corrections: pl.DataFrame) -> pl.DataFrame:
    """Return PIECES: a push of ours in the step that failed or never landed and would have made that difference.

    One planned from the look that saw the change came after it, so the step's end does not count.
    """
    lost = (
        corrections.filter(
            (pl.col("kind") == CorrectionKind.SET) & pl.col("state").is_in(_FAILED) & pl.col("sent_at").is_not_null()
        )
        .join(steps, on=of_point())
        .filter(
            pl.col("sent_at").is_between("start", "end", closed="left")
            & (pl.coalesce("shown", "from_qty") - pl.col("target") == pl.col("units"))
        )
        .sort("sent_at", "correction_id", descending=[True, False])
        .unique(step_key(), keep="first", maintain_order=True)
    )
    return piece(lost, Cause.PUSH, events=pl.concat_list("correction_id"), at=pl.col("sent_at"))


def stale(steps: pl.DataFrame, earlier: pl.DataFrame) -> pl.DataFrame:
    """Return PIECES: the platform went back to a number it had shown before, and to that number's own time of change.

    The number alone proves nothing, small numbers repeat; that its time of change went back as well does.
    """
    shown = earlier.select(*of_point(), was="quantity", was_changed="changed_at", was_at="observed_at")
    now = earlier.select(*of_point(), end="observed_at", changed_now="changed_at")
    back = (
        steps.join(now, on=[*of_point(), "end"])
        .join(shown, on=of_point())
        .filter((pl.col("was_at") <= pl.col("start")) & (pl.col("changed_now") < pl.col("start")))
    )
    newest = pl.col("was_changed").filter(pl.col("was_at") <= pl.col("start")).max()
    same = (pl.col("was") == pl.col("after")) & (pl.col("was_changed") == pl.col("changed_now"))
    known = (
        back.group_by(*steps.columns, "changed_now")
        .agg(newest=newest, at=pl.col("was_at").filter(same).max())
        .filter((pl.col("changed_now") < pl.col("newest")) & pl.col("at").is_not_null())
    )
    return piece(known, Cause.STALE, events=_NONE, against=pl.lit(1.0))


def withheld(steps: pl.DataFrame) -> pl.DataFrame:
    """Return PIECES: what was withheld as unseen sales, where no look says when those units went."""
    held = steps.filter((pl.col("how") == "withheld") & (pl.col("end") - pl.col("start") <= LAG))
    return piece(held, Cause.WITHHELD, events=_NONE, at=pl.col("end"), against=pl.lit(4.0))
