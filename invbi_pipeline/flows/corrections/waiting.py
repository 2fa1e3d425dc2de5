"""What waits to be sent or approved, as people and programs are shown it, and what of it a person means."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import polars as pl

from invbi_pipeline.domain.corrections.guards import held_by
from invbi_pipeline.domain.frames import POINT_KEY
from invbi_pipeline.domain.words import CorrectionState, Mode
from invbi_pipeline.store.state import State
from invbi_pipeline.store.warehouse import Warehouse

__all__ = ["Meant", "Wish", "groups", "meant", "waiting"]

_WAITING: Final = (CorrectionState.PLANNED, CorrectionState.HELD, CorrectionState.APPROVED)
_KEY: Final = list(POINT_KEY)
_UNKNOWN_NUMBER: Final = "feed"  # the guard that says: what the system shows is not known now


class Wish(NamedTuple):
    """Which corrections a person means: those that are like all of this. Empty, or None, is any."""

    ids: Sequence[str] = ()
    systems: Sequence[str] = ()
    codes: Sequence[str] = ()  # of the finding that it mends
    guards: Sequence[str] = ()  # any of these holds it
    max_units: int | None = None
    max_money: float | None = None  # one that has no price is not known to be below it


@dataclass(frozen=True, slots=True)
class Meant:
    """`chosen`: the corrections; `left_out`: how many of those that are like the wish are left out, by why."""

    chosen: pl.DataFrame
    left_out: dict[str, int] = field(default_factory=dict)


def waiting(state: State, warehouse: Warehouse) -> pl.DataFrame:
    """Return the CORRECTIONS that wait, largest risk first, each with why it stands where it does.

    Added: `held_by` (names of the guards that hold it), `finding_code`, `finding` (its cause), `bridge` (the comparison in one
    line; empty where there is none).
    """
    rows = state.outbox.in_state(*_WAITING)
    with warehouse.open() as db:
        findings = db.query("SELECT finding_id, code AS finding_code, cause AS finding FROM recon.findings")
        points = db.read("recon.points").join(rows, on=_KEY, how="semi")
        offers = db.read("truth.offers").join(rows, on=_KEY, how="semi").unique(_KEY, keep="last")
    bridges = points.join(offers.select(*_KEY, "pool", "buffer"), on=_KEY, how="left").select(*_KEY, bridge=_bridge())
    return (
        rows.with_columns(held_by=held_by())
        .join(findings, on="finding_id", how="left")
        .join(bridges, on=_KEY, how="left")
        .with_columns(pl.col("finding_code", "finding", "bridge").fill_null(""))
        .with_columns(bridge=pl.when(pl.col("kind") == "set").then("bridge").otherwise(pl.lit("")))
        .sort("money_at_risk", "units_at_risk", "correction_id", descending=[True, True, False], nulls_last=True)
    )


def _bridge() -> pl.Expr:
    known = pl.col("expected") - pl.col("base").clip(lower_bound=0)
    merge = pl.format(
        "base {}, {} known since, expected {}, shows {}: {} unexplained",
        pl.col("base"),
        _signed(known),
        "expected",
        "reported",
        _signed(pl.col("unexplained")),
    )
    pool = pl.when(pl.col("pool").is_not_null()).then(pl.format(" of a pool of {} less a buffer of {}", "pool", "buffer"))
    offer = pl.format("; offer {}{}: {} pending", "offer", pool.fill_null(""), _signed(pl.col("pending")))
    return merge + offer.fill_null("")


def _signed(units: pl.Expr) -> pl.Expr:
    return pl.when(units > 0).then(pl.format("+{}", units)).otherwise(units.cast(pl.String))


def groups(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the groups of `waiting`'s rows, largest risk first: system, what they wait for, how many, units, money.

    Columns: `system`, `waits_for`, `corrections`, `raises`, `lowers`, `units`, `money` (null: nothing of it has a price),
    `unpriced`.
    """
    money = pl.col("money_at_risk")
    return (
        rows.group_by("system", waits_for=waits_for())
        .agg(
            corrections=pl.len(),
            raises=(pl.col("to_qty") > pl.col("from_qty")).sum(),
            lowers=(pl.col("to_qty") < pl.col("from_qty")).sum(),
            units=pl.col("units_at_risk").sum(),
            money=pl.when(money.count() > 0).then(money.sum()),
            unpriced=money.null_count(),
        )
        .sort("money", "units", "system", "waits_for", descending=[True, True, False, False], nulls_last=True)
    )


def waits_for() -> pl.Expr:
    """Return what each row waits for, in words: a person because of these guards, a person because of the mode, the next push."""
    guards = pl.element().filter(pl.element() != "mode").str.replace_all("_", " ")
    holds = pl.col("held_by").list.eval(guards).list.join(", ")
    return (
        pl.when(pl.col("state") == CorrectionState.APPROVED)
        .then(pl.lit("approved, waits for the next push"))
        .when(pl.col("state") == CorrectionState.HELD)
        .then(pl.format("held by {}", holds))
        .when(pl.col("mode") == Mode.APPROVE)
        .then(pl.lit("waits for a person (mode approve)"))
        .otherwise(pl.lit("shown only (mode observe)"))
    )


def meant(rows: pl.DataFrame, wish: Wish, observing: Sequence[str] = (), *, releasing: bool = True) -> Meant:
    """Return those of `waiting`'s rows that a person means and, where they are for `releasing`, may be released.

    What is approved already is meant by its id alone, to be refused after all. Nothing of a system in mode observe (`observing`)
    is released. Where no id is named, neither is what stands on a number that nobody knows now (its feed is not believed): it has
    to be looked at one by one.
    """
    like = rows if wish.ids and not releasing else rows.filter(pl.col("state") != CorrectionState.APPROVED)
    if wish.ids:
        like = like.filter(pl.col("correction_id").is_in(list(wish.ids)))
    if wish.systems:
        like = like.filter(pl.col("system").is_in(list(wish.systems)))
    if wish.codes:
        like = like.filter(pl.col("finding_code").is_in(list(wish.codes)))
    if wish.guards:
        like = like.filter(pl.col("held_by").list.set_intersection(list(wish.guards)).list.len() > 0)
    if wish.max_units is not None:
        like = like.filter(pl.col("units_at_risk") <= wish.max_units)
    if wish.max_money is not None:
        like = like.filter((pl.col("money_at_risk") <= wish.max_money).fill_null(value=True))
    unpriced = pl.col("money_at_risk").is_null() & pl.lit(wish.max_money is not None)
    blind = pl.col("held_by").list.contains(_UNKNOWN_NUMBER) & pl.lit(releasing and not wish.ids)
    why = (
        pl.when(pl.col("system").is_in(list(observing)) & pl.lit(releasing))
        .then(pl.lit('their system is in mode observe: set mode = "approve" first'))
        .when(unpriced)
        .then(pl.lit("they have no price: name them by id, or choose by --max-units"))
        .when(blind)
        .then(pl.lit("what their system shows is not believed now: name them by id to release them all the same"))
    )
    told = like.with_columns(why=why)
    counted = told.drop_nulls("why").group_by("why").len().sort("why")
    return Meant(told.filter(pl.col("why").is_null()).drop("why"), dict(counted.iter_rows()))
