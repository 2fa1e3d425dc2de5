"""The audit trail: who or what decided a correction, on which observation, what was sent, what came back, what was read back."""

from typing import Final

import polars as pl

from invbi_pipeline.domain.frames import TRAIL
from invbi_pipeline.domain.words import CorrectionKind, CorrectionState

__all__ = ["newest_first", "trail", "unknown"]

_S = CorrectionState
_ABOUT: Final = ("correction_id", "system", "listing_key", "location", "sku")
_NOT_SAID: Final = r":\s*\"pass\""
_ORDER: Final = ("planned", "judged", "approved", "refused", "sent", "answered")  # then how it ended
_ENDED: Final = tuple(str(s) for s in (_S.VERIFIED, _S.MISMATCHED, _S.REJECTED, _S.DEAD, _S.SUPERSEDED))


def trail(corrections: pl.DataFrame, decided: pl.DataFrame) -> pl.DataFrame:
    """Return TRAIL of `corrections` (CORRECTIONS) and of what people said of them (`decided`: DECIDED).

    Everything is taken from what the outbox keeps of a correction, so that a step is never lost to a crash between two writes.
    """
    known = corrections.select("correction_id", "system", "listing_key", "location", "sku")
    said = decided.join(known, on="correction_id").select(*_ABOUT, "who", happened_at="at", step="decision", what="note")
    steps = [_planned(corrections), _judged(corrections), said, _sent(corrections), _answered(corrections), _ended(corrections)]
    return pl.concat([step.select(TRAIL.keys()) for step in steps]).sort(
        "correction_id", "happened_at", nulls_last=True, maintain_order=True
    )


def unknown(steps: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Return those steps (TRAIL) that are not in `known` (TRAIL) yet.

    A step that happens again (sent again) is another one; guards that say the same at every run have said it once.
    """
    mark = pl.when(pl.col("step") == "judged").then("what").otherwise(pl.col("happened_at").dt.to_string("%s%.f")).alias("mark")
    key = ["correction_id", "step", "system", "who", "mark"]
    fresh = steps.with_columns(mark).unique(key, keep="first", maintain_order=True)
    return fresh.join(known.select(pl.col(*key[:-1]), mark), on=key, how="anti", nulls_equal=True).select(TRAIL.keys())


def newest_first(steps: pl.DataFrame) -> pl.DataFrame:
    """Return TRAIL with the newest step first; what happened at the same time, in the order in which it must have happened."""
    rank = pl.col("step").replace_strict({name: n for n, name in enumerate(_ORDER)}, default=len(_ORDER), return_dtype=pl.Int64)
    return steps.sort("happened_at", rank, descending=True, nulls_last=False)


def _planned(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(
        *_ABOUT,
        happened_at="planned_at",
        step=pl.lit("planned"),
        who=pl.format("run {}", "run_id"),
        what=pl.struct("reason", "from_qty", "to_qty", "observed_at", "finding_id", "undoes").struct.json_encode(),
    )


def _judged(rows: pl.DataFrame) -> pl.DataFrame:
    """What the guards said last; where all let go, that was the approval."""
    verdicts = pl.col("guard").fill_null("{}")
    let_go = verdicts.str.replace_all(_NOT_SAID, "").str.contains(":", literal=True).not_()
    return rows.filter(pl.col("judged_at").is_not_null()).select(
        *_ABOUT,
        happened_at="judged_at",
        step=pl.when(let_go).then(pl.lit(str(_S.APPROVED))).otherwise(pl.lit("judged")),
        who=pl.format("guards, mode {}", pl.col("mode").fill_null("observe")),
        what=verdicts,
    )


def _sent(rows: pl.DataFrame) -> pl.DataFrame:
    what = pl.struct(
        "kind", "listing_key", "location", "to_qty", compare="from_qty", reference="movement_ref", key="idempotency_key"
    )
    sent = rows.filter(pl.col("sent_at").is_not_null())
    return sent.select(*_ABOUT, happened_at="sent_at", step=pl.lit("sent"), who=pl.lit("invbi"), what=what.struct.json_encode())


def _answered(rows: pl.DataFrame) -> pl.DataFrame:
    answered = rows.filter(pl.col("answered").fill_null("") != "")
    return answered.select(*_ABOUT, happened_at="send_ended_at", step=pl.lit("answered"), who="system", what="answered")


def _ended(rows: pl.DataFrame) -> pl.DataFrame:
    """How it ended; of one that was never sent and is dead, a person's refusal says so already."""
    never = (pl.col("state") == _S.DEAD) & pl.col("sent_at").is_null()
    ended = rows.filter(pl.col("state").is_in(_ENDED) & ~never)
    read_back = pl.when(pl.col("kind") == CorrectionKind.SET).then(pl.lit("read back")).otherwise(pl.lit("its number is"))
    what = pl.when(pl.col("read_back").is_not_null()).then(pl.format("{} {}", read_back, "read_back")).otherwise(pl.lit(""))
    return ended.select(*_ABOUT, happened_at="verified_at", step="state", who=pl.lit("invbi"), what=what)
