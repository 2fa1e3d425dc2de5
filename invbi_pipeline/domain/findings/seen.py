"""Everything that is wrong now, as FINDINGS: one row a subject and code, under an id that is the same on every run."""

from datetime import datetime
from hashlib import blake2b
from typing import Final

import polars as pl

from invbi_pipeline.domain.findings.catalogue import CATALOGUE
from invbi_pipeline.domain.findings.drift import drift
from invbi_pipeline.domain.findings.feed import feeds
from invbi_pipeline.domain.findings.inputs import TOLD, FindingInputs
from invbi_pipeline.domain.findings.listings import frozen, inactive, second_writers
from invbi_pipeline.domain.findings.numbers import gaps, oversold
from invbi_pipeline.domain.findings.pushes import pushes
from invbi_pipeline.domain.frames import FINDINGS
from invbi_pipeline.domain.words import FindingState

__all__ = ["SUBJECT", "seen"]

SUBJECT: Final = ("code", "system", "location", "listing_key", "sku")


def seen(inputs: FindingInputs, now: datetime, run_id: str, currency: str, *, tolerance: int = 0) -> pl.DataFrame:
    """Return FINDINGS of what is wrong now, sorted by id, as if each were new; `lives` knows what it was before.

    `currency` is the reporting currency of `money`, which is null where the listing has no price. `tolerance`: listing units
    that a listing may show too few without a finding. Raises KeyError for a candidate whose code is not in the catalogue.
    """
    rows = pl.concat(
        [
            gaps(inputs, tolerance),
            oversold(inputs),
            drift(inputs, now),
            second_writers(inputs),
            frozen(inputs),
            inactive(inputs),
            pushes(inputs, now),
            feeds(inputs, now),
            _noticed(inputs.candidates),
        ]
    )
    unknown = sorted(set(rows["code"].unique().to_list()) - set(CATALOGUE))
    if unknown:
        raise KeyError(f"no finding is called {unknown[0]}; the catalogue is domain.findings.catalogue")
    one = (
        rows.with_columns(pl.col(SUBJECT).fill_null(""))
        .sort(
            *SUBJECT, pl.col("units").abs(), "cause", "evidence", descending=[False] * 5 + [True, False, False], nulls_last=True
        )
        .unique(SUBJECT, keep="first", maintain_order=True)
    )
    priced = _priced(one, inputs, currency)
    kinds = [(kind.code, str(kind.severity), kind.action) for kind in CATALOGUE.values()]
    catalogue = pl.DataFrame(kinds, schema=["code", "usually", "suggested_action"], orient="row")
    made = priced.join(catalogue, on="code", how="left").with_columns(
        finding_id=_ids(priced),
        run_id=pl.lit(run_id),
        currency=pl.lit(currency),
        severity=pl.coalesce("severity", "usually"),
        first_seen=pl.lit(now),
        last_seen=pl.lit(now),
        state=pl.lit(FindingState.OPEN.value),
    )
    absent = (pl.lit(None).alias(name) for name in FINDINGS if name not in made.columns)
    return made.with_columns(*absent).select(pl.col(name).cast(kind) for name, kind in FINDINGS.items()).sort("finding_id")


def _noticed(candidates: pl.DataFrame) -> pl.DataFrame:
    """What the truth half noticed. The units of a listing that belongs to nothing are those it sold, where that is known."""
    sold = pl.col("evidence").str.json_path_match("$.sold_units").cast(pl.Int64(), strict=False)
    return candidates.with_columns(
        units=pl.coalesce("units", sold), severity=pl.lit(None, pl.String()), money=pl.lit(None, pl.Float64())
    ).select(pl.col(name).cast(kind) for name, kind in TOLD.items())


def _priced(rows: pl.DataFrame, inputs: FindingInputs, currency: str) -> pl.DataFrame:
    """Fill `money` with units times the price: of the listing, else what it says itself, else the lowest price of the sku."""
    listing, ours = ["system", "listing_key"], pl.col("price").is_not_null()
    values = inputs.values.filter(ours)
    own = values.group_by(listing).agg(p_own=pl.col("price").min())
    said = inputs.listings.filter(ours & (pl.col("currency") == currency)).group_by(listing).agg(p_said=pl.col("price").min())
    of_sku = values.group_by("system", "sku").agg(p_channel=pl.col("price").min())
    anywhere = values.group_by("sku").agg(p_sku=pl.col("price").min())
    sku_price = pl.when(pl.col("listing_key") == "").then(pl.coalesce("p_channel", "p_sku"))
    price = pl.coalesce("p_own", "p_said", sku_price)
    return (
        rows.join(own, on=listing, how="left")
        .join(said, on=listing, how="left")
        .join(of_sku, on=["system", "sku"], how="left")
        .join(anywhere, on="sku", how="left")
        .with_columns(money=pl.coalesce("money", (pl.col("units").abs() * price).round(2)))
    )


def _ids(rows: pl.DataFrame) -> pl.Series:
    """The id of each subject: a hash that is the same in every process and version (that of Polars is not)."""
    subjects = rows.select(pl.concat_str([pl.col(name) for name in SUBJECT], separator="\x1f")).to_series()
    return pl.Series("finding_id", [blake2b(text.encode(), digest_size=12).hexdigest() for text in subjects], dtype=pl.String())
