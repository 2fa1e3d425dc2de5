"""Everything that is wrong now, as FINDINGS: one row a subject and code, under an id that is the same on every run."""

from datetime import datetime
from hashlib import blake2b
from typing import Final

import polars as pl

from invbi_pipeline.domain.findings.catalogue import CATALOGUE
from invbi_pipeline.domain.findings.drift import drift
from invbi_pipeline.domain.findings.events import booked_twice, missed
from invbi_pipeline.domain.findings.feed import SKEW_S, feeds
from invbi_pipeline.domain.findings.inputs import TOLD, FindingInputs, among
from invbi_pipeline.domain.findings.listings import frozen, inactive, second_writers, with_unmoved
from invbi_pipeline.domain.findings.numbers import gaps
from invbi_pipeline.domain.findings.oversold import oversold
from invbi_pipeline.domain.findings.packs import pack_mismatches, remapped
from invbi_pipeline.domain.findings.phantom import phantoms
from invbi_pipeline.domain.findings.pushes import pushes
from invbi_pipeline.domain.findings.shelf import ghosts
from invbi_pipeline.domain.frames import FINDINGS, fit
from invbi_pipeline.domain.words import FindingState

__all__ = ["SUBJECT", "seen"]

_SAYS_WHICH: Final = ["near_miss_sku", "ambiguous_mapping"]
_CODE: Final = r'^"code":(?:null|"(?:[^"\\]|\\.)*")(?:,|$)'  # the first member
SUBJECT: Final = ("code", "system", "location", "listing_key", "sku")


def seen(inputs: FindingInputs, now: datetime, run_id: str, currency: str, *, tolerance: int = 0) -> pl.DataFrame:
    """Return FINDINGS of what is wrong now, sorted by id, as if each were new; `lives` knows what it was before.

    `units` is a size and never below 0, so that units of many findings add up; which way they went is in the evidence.
    `currency` is the reporting currency of `money`, which is null where the listing has no price. `tolerance`: listing units
    that a listing may show too few without a finding. Raises KeyError for a candidate whose code is not in the catalogue.
    """
    inputs = inputs._replace(points=with_unmoved(inputs))
    counted_in = ghosts(inputs)
    rows = pl.concat(
        [
            gaps(inputs, tolerance),
            oversold(inputs, now, currency),
            drift(inputs, now, counted_in),
            booked_twice(inputs),
            missed(inputs, now),
            second_writers(inputs),
            frozen(inputs),
            inactive(inputs),
            counted_in,
            pack_mismatches(inputs),
            remapped(inputs),
            phantoms(inputs),
            pushes(inputs, now),
            feeds(inputs, now),
            _noticed(_by_true_clocks(inputs)),
        ]
    )
    unknown = sorted(set(rows["code"].unique().to_list()) - set(CATALOGUE))
    if unknown:
        raise KeyError(f"no finding is called {unknown[0]}; the catalogue is domain.findings.catalogue")
    one = (
        rows.with_columns(pl.col(SUBJECT).fill_null(""), pl.col("units").abs())
        .sort(*SUBJECT, "units", "cause", "evidence", descending=[False] * 5 + [True, False, False], nulls_last=True)
        .unique(SUBJECT, keep="first", maintain_order=True)
    )
    priced = _priced(one, inputs, currency)
    kinds = [(kind.code, str(kind.severity), kind.action) for kind in CATALOGUE.values()]
    catalogue = pl.DataFrame(kinds, schema=["code", "usually", "usual_action"], orient="row")
    made = priced.join(catalogue, on="code", how="left").with_columns(
        finding_id=_ids(priced),
        run_id=pl.lit(run_id),
        currency=pl.lit(currency),
        severity=pl.coalesce("severity", "usually"),
        suggested_action=pl.coalesce("action", "usual_action"),
        first_seen=pl.lit(now),
        last_seen=pl.lit(now),
        opened_at=pl.lit(now),
        state=pl.lit(FindingState.OPEN.value),
    )
    absent = (pl.lit(None).alias(name) for name in FINDINGS if name not in made.columns)
    return fit(made.with_columns(*absent), FINDINGS).sort("finding_id")


def _noticed(candidates: pl.DataFrame) -> pl.DataFrame:
    """What the truth half noticed. The units of a listing that belongs to nothing are those it sold, where that is known."""
    said = _once(candidates)
    sold = pl.col("evidence").str.json_path_match("$.sold_units").cast(pl.Int64(), strict=False)
    rows = said.with_columns(
        units=pl.coalesce("units", sold),
        severity=pl.lit(None, pl.String()),
        money=pl.lit(None, pl.Float64()),
        action=pl.lit(None, pl.String()),
    )
    return fit(rows, TOLD)


def _by_true_clocks(inputs: FindingInputs) -> pl.DataFrame:
    """Return the candidates, without a ledger that seems untied only since its system's clock was set back.

    A number read before that bears a later time than what was booked after it.
    """
    back = inputs.clocks.filter(pl.col("set_back_s") > SKEW_S).select("system")
    untied = pl.col("code") == "ledger_untied"
    subject = ["code", "system", "location", "sku"]
    open_ = inputs.known.filter(untied & (pl.col("state") != FindingState.RESOLVED)).select(subject)
    new = inputs.candidates.filter(untied).join(back, on="system", how="semi").join(open_, on=subject, how="anti")
    return (
        inputs.candidates
        if new.is_empty()
        else inputs.candidates.join(new, on=inputs.candidates.columns, how="anti", nulls_equal=True)
    )


def _once(candidates: pl.DataFrame) -> pl.DataFrame:
    """Tell of a listing that belongs to nothing only which sku it may be, where that is known: the rest is in its evidence."""
    listing = ["system", "listing_key"]
    nobodys = candidates.filter((pl.col("code") == "unmapped_listing") & (pl.col("listing_key") != ""))
    which = candidates.filter(pl.col("code").is_in(_SAYS_WHICH)).join(nobodys.select(listing), on=listing, how="semi")
    if which.is_empty():
        return candidates
    more = nobodys.unique(listing, keep="first", maintain_order=True)
    more = more.select(*listing, more=_inside().str.replace(_CODE, ""))  # both have it
    members = pl.concat_list(_inside(), "more").list.eval(pl.element().filter(pl.element() != "")).list.join(",")
    widened = which.join(more, on=listing).with_columns(
        evidence=pl.concat_str(pl.lit("{"), members, pl.lit("}")),
        cause=pl.format("{} Until somebody says so it belongs to no SKU.", "cause"),
    )
    told = [nobodys.join(which, on=listing, how="anti"), widened.select(candidates.columns)]
    others = candidates.join(pl.concat([which, nobodys]), on=["code", *listing], how="anti")
    return pl.concat([others, *told])


def _inside() -> pl.Expr:
    """The members of the JSON object in `evidence`."""
    return pl.col("evidence").str.strip_prefix("{").str.strip_suffix("}")


def _priced(rows: pl.DataFrame, inputs: FindingInputs, currency: str) -> pl.DataFrame:
    """Fill `money` with units times the price: of the listing, else what it says itself, else the lowest price of the sku."""
    listing, ours = ["system", "listing_key"], pl.col("price").is_not_null()
    own = among(inputs.values.filter(ours), rows, *listing).group_by(listing).agg(p_own=pl.col("price").min())
    said = among(inputs.listings.filter(ours & (pl.col("currency") == currency)), rows, *listing)
    said = said.group_by(listing).agg(p_said=pl.col("price").min())
    values = among(inputs.values.filter(ours), rows, "sku")
    of_sku = values.group_by("system", "sku").agg(p_channel=pl.col("price").min())
    anywhere = values.group_by("sku").agg(p_sku=pl.col("price").min())
    sku_price = pl.when(pl.col("listing_key") == "").then(pl.coalesce("p_channel", "p_sku"))
    price = pl.coalesce("p_own", "p_said", sku_price)
    return (
        rows.join(own, on=listing, how="left")
        .join(said, on=listing, how="left")
        .join(of_sku, on=["system", "sku"], how="left")
        .join(anywhere, on="sku", how="left")
        .with_columns(money=pl.coalesce("money", (pl.col("units") * price).round(2)))
    )


def _ids(rows: pl.DataFrame) -> pl.Series:
    """The id of each subject: a hash that is the same in every process and version (that of Polars is not)."""
    subjects = rows.select(pl.concat_str([pl.col(name) for name in SUBJECT], separator="\x1f")).to_series()
    return pl.Series("finding_id", [blake2b(text.encode(), digest_size=12).hexdigest() for text in subjects], dtype=pl.String())
