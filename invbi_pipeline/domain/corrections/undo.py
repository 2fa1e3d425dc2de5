"""Undo: what a run changed is taken back where nobody changed it since; where somebody did, it is left alone and said why.

Taking back is the inverse of the *change*, not a return to the old number: 5 became 8, one was sold, 7 is shown; undone it is 4.
A post is never taken back. It booked what happened (an order line left the shelf): with it gone, the owner's book would hold
units that nobody has, and every channel would be offered them.
"""

from datetime import datetime
from typing import Final, NamedTuple

import polars as pl

from invbi_pipeline.domain.corrections.guards import UNDONE
from invbi_pipeline.domain.corrections.plan import MODES, short_ids
from invbi_pipeline.domain.frames import CORRECTIONS, POINT_KEY, UTC
from invbi_pipeline.domain.words import COMPARABLE, CorrectionKind, CorrectionState

__all__ = ["KEPT", "LANDED", "Undo", "UndoInputs", "take_back", "undone_points"]

_S = CorrectionState
_KEY: Final = list(POINT_KEY)
# States of corrections that changed a number, or may have. One that was refused, or lost on the way, changed nothing.
LANDED: Final = (_S.SENDING, _S.ACCEPTED, _S.AMBIGUOUS, _S.VERIFIED, _S.MISMATCHED)
_OVER: Final = (_S.VERIFIED, _S.ACCEPTED)
_GRAIN_S: Final = 1  # platforms state their time in whole seconds

KEPT: Final = {  # what is not taken back, and why
    "correction_id": pl.String(),
    **dict.fromkeys((*POINT_KEY, "sku", "kind"), pl.String()),
    "from_qty": pl.Int64(),
    "to_qty": pl.Int64(),
    "why": pl.String(),
}


class UndoInputs(NamedTuple):
    """What is to be taken back, and how things stand.

    `sent`: the CORRECTIONS to take back; `newest`: for each of their points the CORRECTIONS that landed last; `points`: POINTS;
    `effects`: POINT_EFFECTS; `lags`: system, visibility_lag_s, gross (the platform goes on subtracting its own open orders);
    `modes`: MODES; `prices`: system, listing_key, price.
    """

    sent: pl.DataFrame
    newest: pl.DataFrame
    points: pl.DataFrame
    effects: pl.DataFrame
    lags: pl.DataFrame
    modes: pl.DataFrame = pl.DataFrame(schema=MODES)
    prices: pl.DataFrame = pl.DataFrame(schema={"system": pl.String(), "listing_key": pl.String(), "price": pl.Float64()})


class Undo(NamedTuple):
    """`corrections`: CORRECTIONS in state `planned`, each with `undoes`; `kept`: KEPT."""

    corrections: pl.DataFrame
    kept: pl.DataFrame


def take_back(inputs: UndoInputs, now: datetime, run_id: str) -> Undo:
    """Plan the inverse of each correction of `sent` whose number nobody changed since.

    Nobody did where the comparison finds nothing unexplained and the number read is what the correction set plus the effects
    stamped after it (those within the visibility lag after the send may or may not be in it).
    """
    facts = _facts(inputs)
    judged = facts.with_columns(why=_why_not())
    kept = judged.filter(pl.col("why").is_not_null()).select(KEPT.keys())
    return Undo(_corrections(judged.filter(pl.col("why").is_null()), inputs, now, run_id), kept)


def undone_points(landed: pl.DataFrame, originals: pl.DataFrame) -> pl.DataFrame:
    """Return UNDONE of the points whose newest correction in `landed` (CORRECTIONS) took one of `originals` back.

    What took an undoing back has made the number again what the plan wanted: nothing is held there.
    """
    newest = landed.sort("sent_at", "correction_id", nulls_last=True).unique(_KEY, keep="last")
    own = originals.filter(pl.col("undoes").fill_null("") == "")
    change = own.select(undoes="correction_id", undone=pl.col("target") - pl.col("shown"))
    return newest.select(*_KEY, "undoes").join(change, on="undoes").select(UNDONE.keys())


def _facts(inputs: UndoInputs) -> pl.DataFrame:
    """Put beside each correction the point as it stands, the effects since, and which correction landed last."""
    gross = pl.col("gross").fill_null(value=False)
    sent = (
        inputs.sent.join(inputs.lags, on="system", how="left")
        .with_columns(
            contains_to=pl.when(gross).then("observed_at").otherwise(pl.coalesce("sent_at", "planned_at")),
            change=pl.col("target") - pl.col("shown"),
        )
        .with_columns(
            sure_from=pl.col("contains_to")
            + pl.duration(seconds=pl.max_horizontal(pl.col("visibility_lag_s").fill_null(0), pl.lit(_GRAIN_S)))
        )
    )
    newest = inputs.newest.sort("sent_at", "correction_id", nulls_last=True).unique([*_KEY, "kind"], keep="last")
    points = inputs.points.select(
        *_KEY, "raw", "reported", "version", "unexplained", "in_flight", "withheld", pl.col("state").alias("stands"),
        now_at="observed_at", now_from="known_from", now_to="known_to", now_units="known_units",
    )  # fmt: skip
    return (
        sent.join(newest.select(*_KEY, "kind", last="correction_id", last_run="run_id"), on=[*_KEY, "kind"], how="left")
        .join(_since(sent, inputs.effects), on="correction_id", how="left")
        .join(points, on=_KEY, how="left", suffix="_now")
        .with_columns(pl.col("sure", "least", "most").fill_null(0), pl.col("in_flight").fill_null(0))
        # below 0 the raw number of a net platform says more than what a shopper sees
        .with_columns(net=pl.when(pl.col("raw") < 0).then("raw").otherwise("reported"))
        .with_columns(makes=pl.col("target") + pl.col("sure"))
        .with_columns(
            untouched=pl.col("net").clip(0).is_between(
                (pl.col("makes") + pl.col("least")).clip(0), (pl.col("makes") + pl.col("most")).clip(0)
            )
        )
    )  # fmt: skip


def _since(sent: pl.DataFrame, effects: pl.DataFrame) -> pl.DataFrame:
    """Return correction_id, `sure` (units of the effects surely after it), `least` and `most` (what doubtful ones may add)."""
    windows = sent.select("correction_id", *_KEY, "contains_to", "sure_from")
    after = effects.join(windows, on=_KEY).filter(pl.col("stamped_at") > pl.col("contains_to"))
    sure, units = pl.col("stamped_at") > pl.col("sure_from"), pl.col("units")
    return after.group_by("correction_id").agg(
        sure=units.filter(sure).sum(),
        least=units.filter(~sure & (units < 0)).sum(),
        most=units.filter(~sure & (units > 0)).sum(),
    )


def _why_not() -> pl.Expr:
    """Say why a correction is not taken back; null: it is."""
    comparable = pl.col("stands").is_in([str(s) for s in COMPARABLE]) & pl.col("net").is_not_null()
    post, change, stands = pl.col("kind") == CorrectionKind.POST, pl.col("change"), pl.col("stands").fill_null("gone")
    reasons: tuple[tuple[pl.Expr, pl.Expr], ...] = (
        (post, pl.format("it booked what happened; if that is wrong, mend it in {} itself", "system")),
        (pl.col("state") == _S.MISMATCHED, pl.lit("it never took hold: another number was read back")),
        (~pl.col("state").is_in([str(s) for s in _OVER]), pl.lit("whether it took hold is not known; ask after the next run")),
        (pl.col("last") != pl.col("correction_id"), pl.format("{} of run {} changed the number after it", "last", "last_run")),
        (change.fill_null(0) == 0, pl.lit("it changed nothing that a shopper sees")),
        (~comparable.fill_null(value=False), pl.format("its number cannot be compared now ({})", stands)),
        (pl.col("in_flight") > 0, pl.lit("a push is still under way; ask after the next run")),
        (
            (pl.col("unexplained") != 0).fill_null(value=True) | ~pl.col("untouched").fill_null(value=True),
            pl.format("somebody changed it since: it shows {}, and our change with the orders since makes {}", "net", "makes"),
        ),
        (_restored() == pl.col("net"), pl.lit("the orders since have left nothing to take back")),
    )  # fmt: skip
    return pl.coalesce(*(pl.when(holds).then(why) for holds, why in reasons))


def _restored() -> pl.Expr:
    """What it shows less the change. Where more was sold than was shown, the platform may have stopped at 0: ours goes on."""
    stands = pl.when(pl.col("makes") < 0).then(pl.min_horizontal("net", "makes")).otherwise("net")
    return (stands - pl.col("change")).clip(lower_bound=0)


def _corrections(rows: pl.DataFrame, inputs: UndoInputs, now: datetime, run_id: str) -> pl.DataFrame:
    """Return CORRECTIONS that set each number to what it was before, plus what was sold and restocked since."""
    reserved = pl.col("raw").clip(lower_bound=0) - pl.col("reported")  # what a gross platform says it holds for its orders
    made = (
        rows.join(inputs.prices.unique(["system", "listing_key"], keep="first"), on=["system", "listing_key"], how="left")
        .join(inputs.modes.rename({"mode": "mode_now"}), on="system", how="left")
        .with_columns(back=_restored())
        .with_columns(send=pl.col("back") + reserved, at_risk=(pl.col("net") - pl.col("back")).abs())
        .select(
            *_KEY, "sku", "price", "at_risk", "send",
            kind=pl.lit(str(CorrectionKind.SET)),
            from_qty="raw",
            to_qty="send",
            target="back",
            shown="reported",
            withheld=pl.col("withheld_now").fill_null(0),
            known_from="now_from",
            known_to="now_to",
            known_units="now_units",
            observed_at="now_at",
            mode="mode_now",
            movement_ref=pl.lit(""),
            undoes="correction_id",
            reason=pl.format("takes {} of run {} back, which made {} of {}", "correction_id", "run_id", "target", "shown"),
            idempotency_key=pl.concat_str(
                pl.lit("undo"), *_KEY, pl.col("version").fill_null(""), "raw", "send", "correction_id", separator="|"
            ),
        )
        .with_columns(
            run_id=pl.lit(run_id),
            state=pl.lit(str(_S.PLANNED)),
            planned_at=pl.lit(now).cast(UTC),
            units_at_risk="at_risk",
            money_at_risk=(pl.col("at_risk") * pl.col("price")).round(2),
            correction_id=pl.col("idempotency_key").map_batches(short_ids, return_dtype=pl.String),
            guard=pl.lit("{}"),
            finding_id=pl.lit(""),
        )
    )  # fmt: skip
    return made.select(
        pl.col(name).cast(kind) if name in made.columns else pl.lit(None, kind).alias(name) for name, kind in CORRECTIONS.items()
    )
