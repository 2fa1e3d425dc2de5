"""Readiness: what stands between a system and its next mode, observe -> approve -> auto.

What blocks is what would make a push wrong or unprovable. The rest is counted, because somebody has to mend it: the guards leave
a doubtful listing alone, so that its number stays wrong.

A system is judged by what may be sent to it. Numbers are set where another system counts; where it counts itself they are the
truth, and there is nothing to compare, but movements may be booked (`absorbs = "writeback"`). To one where neither holds nothing
is ever sent, so that nothing can block it.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

import polars as pl

from invbi_pipeline.domain.corrections.guards import held_by
from invbi_pipeline.domain.frames import UTC
from invbi_pipeline.domain.words import (
    COMPARABLE,
    Absorbs,
    CorrectionKind,
    CorrectionState,
    FeedVerdict,
    FindingState,
    Fulfilment,
    ListingStatus,
    Mode,
    PointState,
    Severity,
)

__all__ = ["NEXT", "NOTHING_TO_PUSH", "READINESS", "READY_SYSTEMS", "ReadinessInputs", "readiness"]

READINESS: Final = {
    "system": pl.String(),
    "mode": pl.String(),  # as it is now
    "next": pl.String(),  # the mode after it; empty: it is in the last, or has nothing to push in any
    "measure": pl.String(),
    "value": pl.Float64(),
    "unit": pl.String(),  # listings | % | hours | numbers | corrections | movements | units | the reporting currency
    "blocks": pl.Boolean(),  # the next mode
    "to_do": pl.String(),  # empty: nothing
}
READY_SYSTEMS: Final = {
    "system": pl.String(),
    "mode": pl.String(),
    "counts": pl.Boolean(),
    "sells": pl.Boolean(),
    "absorbs": pl.String(),  # words.Absorbs
    "own_places": pl.List(pl.String()),  # the locations of points whose number it counts itself; "" where it keeps a single one
    "max_age_s": pl.Float64(),
}
NEXT: Final = {Mode.OBSERVE: Mode.APPROVE, Mode.APPROVE: Mode.AUTO}
NOTHING_TO_PUSH: Final = "nothing to push"  # the measure of a system to which nothing is ever sent

# Our judgement, not anybody's standard: what a person can still look through by hand, and what a machine may be left alone with.
_MOST_UNMAPPED: Final = {Mode.APPROVE: 50.0, Mode.AUTO: 5.0}  # percent of the active listings
_MOST_DOUBTED: Final = 1.0  # percent, for auto
_HOUR_S: Final = 3600.0
_NAMES_ALIKE: Final = 1 / 3  # of the shorter title's words, those that the other has too
_MASS: Final = ("changed_share", "zeroed_share", "zeroed_lately")
_NO_PLACE_OF_OURS: Final = "unmapped:"  # how staging names a place that the configuration does not


class ReadinessInputs(NamedTuple):
    """What is looked at: LISTINGS, MAPPINGS, CANDIDATES, POINTS, FEEDS, FINDINGS, and the corrections.

    `systems`: READY_SYSTEMS in the order of telling; `projected`: the judged CORRECTIONS of a plan in which every system is in
    mode auto; `ended`: system, state, corrections: how many of the outbox are in each state.
    """

    systems: pl.DataFrame
    listings: pl.DataFrame
    mappings: pl.DataFrame
    candidates: pl.DataFrame
    points: pl.DataFrame
    feeds: pl.DataFrame
    findings: pl.DataFrame
    projected: pl.DataFrame
    ended: pl.DataFrame


class _Row(NamedTuple):
    measure: str
    value: float
    unit: str
    blocks: bool = False
    to_do: str = ""

    def pointed(self) -> "_Row":
        """Return it without something to do where there is nothing."""
        return self if self.value or self.blocks else self._replace(to_do="")


class _Takes(NamedTuple):
    """What may be sent to a system: numbers that are set, movements that are booked."""

    numbers: bool
    movements: bool


def readiness(inputs: ReadinessInputs, now: datetime, currency: str) -> pl.DataFrame:
    """Return READINESS, one row a measure of each system.

    A system to which nothing is ever sent has the measure NOTHING_TO_PUSH, no next mode, and nothing that blocks.
    """
    strange = _strange_names(inputs)
    found = []
    for one in inputs.systems.iter_rows(named=True):
        system, mode = one["system"], one["mode"]
        mine = ReadinessInputs(inputs.systems, *(frame.filter(pl.col("system") == system) for frame in inputs[1:]))
        takes = _takes(one, mine.points)
        after = NEXT.get(Mode(mode)) if any(takes) else None
        other = strange.filter(pl.col("system") == system)
        rows = [
            *_identity(mine, other, after),
            _age(mine, after, now, one["max_age_s"]),
            *_trust(mine, after, takes),
            *(_push(mine, after, currency, takes) if any(takes) else ()),
        ]
        rows = [row.pointed() for row in rows] + ([] if any(takes) else [_nothing(one)])
        found += [(system, mode, str(after or ""), *row) for row in rows]
    return pl.DataFrame(found, schema=READINESS, orient="row")


def _takes(system: Mapping[str, Any], points: pl.DataFrame) -> _Takes:
    """Say what may be sent to it. A channel of which nothing is known yet may be sent numbers."""
    placed = points.filter(~pl.col("location").str.starts_with(_NO_PLACE_OF_OURS))
    by_platform = (pl.col("fulfilment") == Fulfilment.PLATFORM).fill_null(value=False)
    elsewhere = placed.filter(~by_platform & ~pl.col("location").is_in(system["own_places"]))
    only_counts = not placed.is_empty() and elsewhere.is_empty()
    return _Takes(
        numbers=system["sells"] and not only_counts,
        movements=system["counts"] and system["absorbs"] == Absorbs.WRITEBACK,
    )


def _nothing(system: Mapping[str, Any]) -> _Row:
    why = f'it offers nothing, and nothing is booked into it (absorbs = "{system["absorbs"]}")'
    return _Row(NOTHING_TO_PUSH, 0, "corrections", to_do=why)


def _identity(mine: ReadinessInputs, strange: pl.DataFrame, after: Mode | None) -> Iterator[_Row]:
    active = mine.listings.filter((pl.col("status") == ListingStatus.ACTIVE) & (pl.col("fulfilment") == Fulfilment.MERCHANT))
    count = active.height
    mapped = mine.mappings.filter(pl.col("valid_to").is_null()).select("listing_key")
    unmapped = active.join(mapped, on="listing_key", how="anti").height
    share = _percent(unmapped, count)
    doubted = mine.candidates.filter(pl.col("code").is_in(["duplicate_sku", "ambiguous_mapping"]))
    of_code = {code: mine.candidates.filter(pl.col("code") == code).height for code in ("duplicate_sku", "barcode_conflict")}
    doubts = doubted["listing_key"].n_unique()
    most = _MOST_UNMAPPED.get(after, 100.0) if after else 100.0
    yield _Row("active listings", count, "listings")
    yield _Row(
        "without a SKU", active.filter(pl.col("raw_sku").fill_null("").str.strip_chars() == "").height, "listings",
        to_do="type one there, or say which it is: `invbi map`",
    )  # fmt: skip
    yield _Row(
        "duplicate SKUs", of_code["duplicate_sku"], "listings",
        after is Mode.AUTO and _percent(doubts, count) > _MOST_DOUBTED, "`invbi findings --code duplicate_sku`",
    )  # fmt: skip
    yield _Row("barcode mismatches", of_code["barcode_conflict"], "listings", to_do="`invbi findings --code barcode_conflict`")
    names = ", ".join(strange["listing_key"].head(3).to_list())
    yield _Row("name mismatches", strange.height, "listings", to_do=f"the same SKU is called otherwise elsewhere: {names}")
    yield _Row("unmapped", unmapped, "listings", to_do="`invbi map` says what each may be")
    yield _Row("unmapped share", share, "%", share > most, f"map them until at most {most:g} % are left" * (share > most))


def _age(mine: ReadinessInputs, after: Mode | None, now: datetime, max_age_s: float) -> _Row:
    """What was read too long ago says nothing of a push now; one that was never read is told of by its feed."""
    hours = (
        mine.feeds.select(((pl.lit(now).cast(UTC) - pl.col("stock_read_at")).dt.total_seconds() / _HOUR_S).max()).item() or 0.0
    )
    old = after is not None and hours * _HOUR_S > max_age_s
    return _Row("since it was read", round(max(0.0, hours), 1), "hours", old, "`invbi run` reads it again" * old)


def _trust(mine: ReadinessInputs, after: Mode | None, takes: _Takes) -> Iterator[_Row]:
    believed = mine.feeds.filter(pl.col("verdict") == FeedVerdict.BELIEVED).height > 0
    critical = mine.findings.filter((pl.col("state") != FindingState.RESOLVED) & (pl.col("severity") == Severity.CRITICAL)).height
    auto = after is Mode.AUTO
    yield _Row("feeds not believed", float(not believed), "", not believed and after is not None, "`invbi findings` says why")
    if takes.numbers:
        comparable = mine.points.filter(pl.col("state").is_in([str(s) for s in COMPARABLE]))
        ahead = pl.col("first_look") & ~(pl.col("complete_to") >= pl.col("first_look_at")).fill_null(value=False)
        waiting = comparable.filter(ahead.fill_null(value=False)).height
        nothing = after is not None and not comparable.height
        again = "" if comparable.height else "nothing can be compared yet: map, and run again"
        yield _Row("comparable numbers", comparable.height, "numbers", nothing, again)
        caught_up = "run until the order feed has caught up"
        yield _Row("first looks without orders", waiting, "numbers", auto and waiting > 0, caught_up)
    else:
        yield _Row("counted numbers", mine.points.filter(pl.col("state") == PointState.COUNTED).height, "numbers")
    yield _Row("critical findings", critical, "findings", auto and critical > 0, "`invbi findings --severity critical`")


def _push(mine: ReadinessInputs, after: Mode | None, currency: str, takes: _Takes) -> Iterator[_Row]:
    plan, auto = mine.projected.with_columns(guards=held_by()), after is Mode.AUTO
    mass = plan.filter(pl.col("guards").list.set_intersection(list(_MASS)).list.len() > 0).height
    ended = dict(mine.ended.select("state", "corrections").iter_rows())
    dead = ended.get(CorrectionState.REJECTED, 0) + ended.get(CorrectionState.DEAD, 0)
    yield _Row("first push", plan.height, "corrections", to_do="`invbi run --dry-run` prints them")
    if takes.numbers:
        sets, raises = plan.filter(pl.col("kind") == CorrectionKind.SET), pl.col("to_qty") > pl.col("from_qty")
        yield _Row("first push raises", int(sets.filter(raises)["units_at_risk"].sum()), "units")
        yield _Row("first push lowers", int(sets.filter(~raises)["units_at_risk"].sum()), "units")
    if takes.movements:
        posts = plan.filter(pl.col("kind") == CorrectionKind.POST)
        yield _Row("first push books", posts.height, "movements")
        yield _Row("units it books", int(posts["units_at_risk"].sum()), "units")
    yield _Row("first push is worth", round(float(plan["money_at_risk"].sum()), 2), currency)
    yield _Row("without a price", plan["money_at_risk"].null_count(), "corrections", to_do="name a price in prices.csv")
    yield _Row("held one by one", plan.filter(pl.col("guards").list.len() > 0).height - mass, "corrections", to_do="`invbi plan`")
    if takes.numbers:  # movements are never held for being many
        todo = "look, then release them: `invbi approve`"
        yield _Row("held as a mass change", mass, "corrections", auto and mass > 0, todo)
    yield _Row("dead letters", dead, "corrections", auto and dead > 0, "`invbi replay` lists them")
    proved = ended.get(CorrectionState.VERIFIED, 0)
    unproved = auto and not proved and not plan.is_empty()
    see = "" if proved else "let a person release the first ones and see them read back"
    yield _Row("proved so far", proved, "corrections", unproved, see)


def _strange_names(inputs: ReadinessInputs) -> pl.DataFrame:
    """Return system, listing_key of the listings whose title shares hardly a word with the title of their SKU elsewhere.

    Elsewhere is the system that counts it, else the first by name.
    """
    words = pl.col("title").str.to_lowercase().str.extract_all(r"[\p{L}\p{N}]+").list.unique()
    held = inputs.mappings.filter(pl.col("valid_to").is_null()).select("system", "listing_key", "sku")
    named = (
        inputs.listings.filter((pl.col("status") == ListingStatus.ACTIVE) & (pl.col("title").fill_null("") != ""))
        .select("system", "listing_key", words=words)
        .join(held, on=["system", "listing_key"])
        .join(inputs.systems.select("system", "counts"), on="system")
        .filter(pl.col("words").list.len() > 0)
    )
    first = named.sort("counts", "system", "listing_key", descending=[True, False, False]).unique("sku", keep="first")
    both = named.join(first.select("sku", other="system", theirs="words"), on="sku").filter(pl.col("system") != pl.col("other"))
    shared = pl.col("words").list.set_intersection("theirs").list.len()
    shorter = pl.min_horizontal(pl.col("words").list.len(), pl.col("theirs").list.len())
    return both.filter(shared / shorter < _NAMES_ALIKE).select("system", "listing_key").unique().sort("system", "listing_key")


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 1) if whole else 0.0
