"""What to do first: one line for each trouble that a person can act on, however many findings it shows itself in."""

from typing import Any, Final

import polars as pl

from invbi_pipeline.dashboard.model import Todo, words

__all__ = ["todos"]

# Two codes that say how a number is wrong; on the same point a code that says why comes before them.
_SYMPTOMS: Final = ("oversell_risk", "undersell", "channel_stockout")
_LONGEST: Final = 170  # characters of a line; the Exceptions tab has the whole sentence


def todos(findings: pl.DataFrame, currency: str, most: int = 5) -> list[Todo]:
    """Return the lines, most pressing first. `findings` has FINDINGS_TAB and `rank` (0 is the most severe).

    Findings about one point, and one oversold SKU that several channels report, are one trouble; troubles of one code on one
    system are one line, which names the first.
    """
    if findings.is_empty():
        return []
    order = ["rank", "money", "units", "finding_id"]
    down = [False, True, True, False]
    point = pl.format("{}|{}|{}", "system", "listing_key", "location")
    alone = pl.format("{}|{}|{}", "code", "system", pl.col("sku").fill_null(""))
    shared = pl.format("oversold|{}", pl.col("sku").fill_null(""))
    subject = pl.when(pl.col("code") == "oversold").then(shared).when(pl.col("listing_key") != "").then(point).otherwise(alone)
    troubles = (
        findings.with_columns(subject=subject, symptom=pl.col("code").is_in(_SYMPTOMS))
        .sort("rank", "symptom", *order[1:], descending=[False, False, *down[1:]], nulls_last=True)
        .group_by("subject", maintain_order=True)
        .agg(
            pl.col("rank", "code", "severity", "suggested_action", "finding_id", "cause", "units", "money", "system").first(),
            codes=pl.col("code").unique(maintain_order=True),
            systems=pl.col("system").unique(maintain_order=True),
        )
    )
    lines = (
        troubles.group_by("code", "system", maintain_order=True)
        .agg(
            pl.col("rank", "severity", "suggested_action", "finding_id", "cause", "codes", "systems").first(),
            pl.col("money", "units").sum(),
            n=pl.len(),
        )
        .sort(*order, descending=down, nulls_last=True)
        .head(most)
    )
    return [
        Todo(_sentence(row, currency), row["suggested_action"] or "", row["severity"], row["finding_id"])
        for row in lines.iter_rows(named=True)
    ]


def _sentence(row: dict[str, Any], currency: str) -> str:
    cause = row["cause"] or words(row["code"])
    if row["n"] > 1:
        where = f" on {row['system']}" if row["system"] else ""
        cost = f" ({currency} {row['money']:,.0f})" if row["money"] else ""
        return _cut(f"{row['n']} × {words(row['code'])}{where}{cost}. First: {cause}")
    others = [*row["systems"][1:], *map(words, row["codes"][1:])]
    return _cut(cause) + (f" (also {', '.join(others)})" if others else "")


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1].rstrip()}…"
