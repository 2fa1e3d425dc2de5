"""The number shown: what may be sold against what is offered."""

from typing import Final

import polars as pl

from invbi_pipeline.domain.findings.inputs import FindingInputs, among, of_point, subject, told
from invbi_pipeline.domain.findings.packs import remapped
from invbi_pipeline.domain.words import COMPARABLE, CorrectionKind, ListingStatus, PointState, Severity

__all__ = ["gaps", "lasting", "wrong"]

_LOOKS: Final = 2  # a gap counts once two judged looks have seen it (a first look of a whole system counts as two)


def wrong(points: pl.DataFrame) -> pl.DataFrame:
    """Return the points whose gap is a finding: no push is on its way to them, and it lasts, or the number itself went its way.

    One judged look at a number that rose without an event is enough then, since our own push lowers it before a second one. One
    that fell waits for what is found: it may be sales not yet seen (design.md, section 2, rule 6), and no push raises it before.
    A number that is only behind its offer at one look (a push is due) is the normal life of a point.
    """
    rose = pl.col("judged") & (pl.col("unexplained") > 0) & (pl.col("gap") > 0)
    fell = (pl.col("found") < 0) & (pl.col("gap") < 0)
    return points.filter(_comparable() & (_twice() | rose.fill_null(value=False) | fell.fill_null(value=False)))


def lasting(points: pl.DataFrame) -> pl.DataFrame:
    """Return the points whose gap two judged looks have seen, with no push on its way to them.

    The present look need not be judged yet: where the order feed is always a little behind, none ever is at once. But then
    what nothing explains may be an order that is not told yet, and the rest of the gap counts.
    """
    return points.filter(_comparable() & _twice())


def _comparable() -> pl.Expr:
    return (
        pl.col("state").is_in([str(state) for state in COMPARABLE])
        & (pl.col("gap") != 0)
        & (pl.col("in_flight") == 0)
        & (pl.col("status") == ListingStatus.ACTIVE)
    )


def _twice() -> pl.Expr:
    confirmed = (pl.col("confirmed") != 0) & (pl.col("confirmed").sign() == pl.col("gap").sign())
    rest = pl.col("gap") - pl.col("unexplained").fill_null(0)
    lasts = pl.col("judged") | (rest.sign() == pl.col("gap").sign())
    return ((pl.col("gap_looks") >= _LOOKS) & lasts.fill_null(value=False)) | confirmed


def gaps(inputs: FindingInputs, tolerance: int) -> pl.DataFrame:
    """Return `oversell_risk`, `undersell` (beyond `tolerance` units) and `channel_stockout`, as TOLD.

    Of a point that shows 0 while other channels sell its sku only the stockout is told. Of a listing whose map row says another
    number of units than its code or title nothing is told: what may be offered there is not known. What our own push lowered
    before a second look is told once (design.md, section 2, rule 5): until then it could be oversold.
    """
    listing = ["system", "listing_key"]
    packs = pl.concat(
        [inputs.candidates.filter(pl.col("code") == "pack_mismatch").select(listing), remapped(inputs).select(listing)]
    )
    points = wrong(inputs.points).join(packs, on=["system", "listing_key"], how="anti").with_columns(units=pl.col("gap").abs())
    high = points.filter(pl.col("gap") > 0).with_columns(
        severity=pl.when(pl.col("offer") == 0).then(pl.lit(Severity.CRITICAL.value))
    )
    out = _stockouts(points.filter((pl.col("reported") == 0) & (pl.col("offer") > 0)), inputs)
    low = points.filter((pl.col("gap") < 0) & (pl.col("units") > tolerance)).join(
        out, on=["system", "listing_key", "location"], how="anti"
    )
    evidence = ("reported", "offer", "gap", "expected", "base", "unexplained", "pending", "gap_looks", "observed_at")
    should = pl.format("{} shows {} where {} may be sold.", subject(), "reported", "offer")
    stockout = pl.format("{} shows none although {} may be sold and {} offers {}.", subject(), "offer", "elsewhere", "there")
    return pl.concat(
        [
            told(high, "oversell_risk", should, *evidence),
            _lowered_at_once(inputs).join(high, on=["system", "listing_key", "location"], how="anti"),
            told(low, "undersell", should, *evidence),
            told(out, "channel_stockout", stockout, *evidence, "elsewhere", "there"),
        ]
    )


def _lowered_at_once(inputs: FindingInputs) -> pl.DataFrame:
    """Return `oversell_risk` as TOLD of numbers that somebody had raised and that our push lowered between two looks."""
    raised = inputs.points.filter((pl.col("found_how") == "taken") & (pl.col("found") > 0)).drop("target")
    lowered = (
        among(inputs.corrections, raised, *of_point())
        .filter((pl.col("kind") == CorrectionKind.SET) & (pl.col("shown") > pl.col("target")))
        .select(*of_point(), "correction_id", "sent_at", "shown", "target")
    )
    # platforms state whole seconds: a push of the same second was planned from that look
    then = raised.join(lowered, on=of_point()).filter(pl.col("sent_at").dt.truncate("1s") >= pl.col("found_at"))
    first = then.sort("sent_at", "correction_id").unique(of_point(), keep="first", maintain_order=True)
    rows = first.with_columns(
        units=pl.col("shown") - pl.col("target"),
        severity=pl.when(pl.col("target") == 0).then(pl.lit(Severity.CRITICAL.value)),
        action=pl.lit(""),  # it is lowered: there is nothing left to do
    )
    showed = pl.format(
        "{} showed {} where {} could be sold, until it was lowered at {}.",
        *(subject(), "shown", "target", pl.col("sent_at").dt.strftime("%H:%M UTC")),
    )
    return told(rows, "oversell_risk", showed, "shown", "target", "found", "found_at", "correction_id", "sent_at")


def _stockouts(empty_points: pl.DataFrame, inputs: FindingInputs) -> pl.DataFrame:
    """Return those of sold-out channels whose sku another channel has: with `elsewhere`, the one that shows most, and `there`.

    A channel that counts the stock itself (a hub, a till) sells what it counts.
    """
    sells = inputs.systems.filter("sells")["system"].implode()
    counted = (pl.col("state") == PointState.COUNTED) & pl.col("system").is_in(sells)
    shown = (
        among(inputs.points, empty_points, "sku")
        .filter(pl.col("state").is_in([str(state) for state in COMPARABLE]) | counted)
        .group_by("sku", "system")
        .agg(shown=pl.col("reported").sum())
    )
    sold_out = empty_points.join(shown.filter(pl.col("shown") == 0), on=["sku", "system"], how="semi")
    others = sold_out.select("sku", "system").unique().join(shown.filter(pl.col("shown") > 0), on="sku", suffix="_other")
    best = (
        others.filter(pl.col("system_other") != pl.col("system"))
        .sort("shown", "system_other", descending=[True, False])
        .unique(["sku", "system"], keep="first", maintain_order=True)
        .select("sku", "system", elsewhere="system_other", there="shown")
    )
    return sold_out.join(best, on=["sku", "system"])
