"""What other books say: an order that its owner booked and the channel does not tell, and the platform's own history."""

from datetime import timedelta
from typing import Final

import polars as pl

from invbi_pipeline.domain.findings.causes.pieces import SAME_MOMENT, in_step, piece, step_key
from invbi_pipeline.domain.findings.inputs import of_point
from invbi_pipeline.domain.words import Cause, CorrectionKind, MovementKind

__all__ = ["missing_orders", "own_history"]

_BOOKED_WITHIN: Final = timedelta(hours=12)  # of the change: owners book in their own time, and their clock is not the channel's
_TOLD: Final = 0.0  # bits: the platform says so itself


def missing_orders(steps: pl.DataFrame, movements: pl.DataFrame, orders: pl.DataFrame, mappings: pl.DataFrame) -> pl.DataFrame:
    """Return PIECES: another system holds an order of this channel, of this sku, that the channel's own feed does not tell.

    `movements`: staged MOVEMENTS whose `reference` names the system that an owner booked them from ("shopify_uk/..."); `orders`:
    staged ORDER_LINES, whose `external_id` names the order another system imported. Either's location is ours.
    """
    told = orders.filter(pl.col("external_id").fill_null("") == "").select("system", "order_id").unique()
    holds = mappings.select("system", "listing_key", "sku", per="units")
    wanted = steps.join(mappings.select("system", "listing_key", each="units"), on=["system", "listing_key"], how="left")
    booked = (
        movements.filter(
            pl.col("reference").fill_null("").str.contains("/", literal=True) & (pl.col("order_id").fill_null("") != "")
        )
        .with_columns(home=pl.col("reference").str.split("/").list.first(), moved="units", at="occurred_at")
        .select("system", "listing_key", "location", "home", "order_id", "moved", "at")
    )
    imported = orders.filter(pl.col("external_id").fill_null("") != "").select(
        "system", "listing_key", "location", home=pl.lit(None, pl.String()), order_id="external_id", moved=-pl.col("quantity"),
        at="ordered_at",
    )  # fmt: skip
    said = pl.concat([booked, imported]).join(holds, on=["system", "listing_key"]).rename({"system": "other"})
    found = (
        said.drop("listing_key")
        .rename({"location": "place"})
        .join(wanted, on="sku")
        .filter(
            (pl.coalesce("home", "system") == pl.col("system"))
            & (pl.col("other") != pl.col("system"))
            & ((pl.col("location") == "") | (pl.col("location") == pl.col("place")))
            & pl.col("at").is_between(pl.col("start") - _BOOKED_WITHIN, pl.col("end") + _BOOKED_WITHIN)
        )
        .join(told, on="order_id", how="anti")
        .group_by(*step_key(), "order_id", "other", "each")
        .agg(moved=(pl.col("moved") * pl.col("per")).sum(), at=pl.col("at").max())
        .with_columns(each=pl.col("each").fill_null(1))
        .filter((pl.col("moved") != 0) & (pl.col("moved") % pl.col("each") == 0))
    )
    return piece(
        found, Cause.MISSING_ORDER, units=pl.col("moved") // pl.col("each"), events=pl.concat_list("order_id"),
        kind=pl.lit(str(MovementKind.SALE)), other=pl.col("other"),
    )  # fmt: skip


def own_history(steps: pl.DataFrame, movements: pl.DataFrame, effects: pl.DataFrame, corrections: pl.DataFrame) -> pl.DataFrame:
    """Return PIECES of what a platform that keeps a history of its numbers says happened to one beside its orders.

    A movement that names an order we know as this point's effect is that order, booked again; any other is a person's or a
    program's: a count or an adjustment under its own id. What we sent ourselves is left out.
    """
    mine = (
        movements.filter(pl.col("order_id").fill_null("") == "")
        .join(effects.select("system", movement_id="effect_id"), on=["system", "movement_id"], how="anti")
        .rename({"units": "moved"})
        .join(steps, on=of_point())
        .filter(in_step("occurred_at"))
    )
    ours = corrections.filter((pl.col("kind") == CorrectionKind.SET) & pl.col("sent_at").is_not_null())
    sent = (
        mine.join(ours.select(*of_point(), "sent_at", "to_qty"), on=of_point())
        .filter((pl.col("counted") == pl.col("to_qty")) & ((pl.col("occurred_at") - pl.col("sent_at")).abs() <= SAME_MOMENT * 6))
        .select(*of_point(), "movement_id")
    )
    known = effects.select("system", reference="order_id").unique().with_columns(again=pl.lit(value=True))
    told = (
        mine.join(sent, on=[*of_point(), "movement_id"], how="anti")
        .join(known, on=["system", "reference"], how="left")
        .with_columns(alone=pl.len().over(step_key()) == 1)
        .with_columns(made=pl.when(pl.col("kind") == MovementKind.COUNT).then(pl.when("alone").then("units")).otherwise("moved"))
        .filter(pl.col("made").is_not_null() & (pl.col("made") != 0))
    )
    twice = pl.col("again").fill_null(value=False)
    cause = pl.when(twice).then(pl.lit(Cause.DUPLICATE.value)).otherwise(pl.lit(Cause.FOREIGN.value))
    named = pl.when(twice).then("reference").otherwise("movement_id")
    return piece(
        told, cause, units=pl.col("made"), events=pl.concat_list(named), at=pl.col("occurred_at"), against=pl.lit(_TOLD),
        kind=pl.col("kind"),
    )  # fmt: skip
