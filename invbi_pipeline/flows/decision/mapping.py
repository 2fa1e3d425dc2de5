"""Mapping: what belongs to no sku or to several, with what it may be; and what people say of it."""

import difflib
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import polars as pl

from invbi_pipeline.config import Config
from invbi_pipeline.domain.declared import places_frame
from invbi_pipeline.domain.frames import DECISIONS
from invbi_pipeline.domain.identity.kits import flatten
from invbi_pipeline.domain.identity.mappings import counting
from invbi_pipeline.domain.words import Decision, FindingState
from invbi_pipeline.errors import ConfigError
from invbi_pipeline.store.declared_files import Declared, read_declared
from invbi_pipeline.store.state import State
from invbi_pipeline.store.warehouse import Warehouse

__all__ = ["DOUBTS", "Subject", "decide", "doubtful", "history", "listing_of", "suggested"]

DOUBTS: Final = {  # one row a listing in doubt and a sku it may be; a listing without any suggestion has one row
    "system": pl.String(),
    "listing_key": pl.String(),
    "code": pl.String(),  # as typed there
    "title": pl.String(),
    "sku": pl.String(),  # null: nothing is suggested
    "units": pl.Int64(),  # of the sku per listing
    "reason": pl.String(),
    "confidence": pl.Float64(),  # 0 to 1, our judgement
    "sold_units": pl.Int64(),
    "doubt": pl.String(),  # the findings' codes
    "finding_id": pl.String(),  # of the first of them
}
_CODES: Final = (
    "unmapped_listing", "variant_missing", "near_miss_sku", "ambiguous_mapping", "duplicate_sku", "pack_mismatch",
)  # fmt: skip
# Every listing of a system that anything speaks of, listed or not.
_NAMED: Final = """
SELECT listing_key FROM truth.mappings WHERE system = $system AND listing_key IS NOT NULL
UNION SELECT listing_key FROM recon.points WHERE system = $system AND listing_key IS NOT NULL
UNION SELECT listing_key FROM truth.candidates WHERE system = $system AND listing_key IS NOT NULL
"""
_TITLES: Final = "SELECT system, listing_key, max(raw_sku) AS raw_sku, max(title) AS named FROM staging.stg_listings GROUP BY ALL"
_MOST_IN_A_PACK: Final = 10_000  # units of a sku in one listing: a pallet of small parts; more is a slip of the finger
_FROM_NUMBERS: Final = 0.8  # a factor in the numbers that its own words support
_SUGGESTED: Final = pl.List(pl.Struct({"sku": pl.String(), "reason": pl.String(), "confidence": pl.Float64()}))


@dataclass(frozen=True, slots=True)
class Subject:
    """A listing that somebody speaks of, and the sku it is said to be."""

    system: str
    listing_key: str
    sku: str
    units: int = 1
    since: datetime | None = None  # from when it is so, where that was said


def doubtful(warehouse: Warehouse) -> pl.DataFrame:
    """Return DOUBTS as the last run left them: what sold most first, then the most likely sku of each."""
    subject = ["code", "system", "listing_key"]
    with warehouse.open() as db:
        found, noticed, listings = db.read("recon.findings"), db.read("truth.candidates"), db.query(_TITLES)
    still = found.join(noticed, on=subject, how="semi")  # a finding outlives its trouble by a run
    numbers = found.filter(pl.col("code") == "pack_mismatch").join(still, on="finding_id", how="anti")
    mine = (
        pl.concat([still, numbers])
        .filter((pl.col("state") != FindingState.RESOLVED) & pl.col("code").is_in(_CODES) & (pl.col("listing_key") != ""))
        .rename({"code": "doubt"})
        .with_columns(listing_key=_all_of_them())
        .explode("listing_key")
        .join(listings, on=["system", "listing_key"], how="left")
    )
    said = pl.col("evidence").str.json_path_match
    rows = mine.with_columns(
        suggestions=said("$.suggestions").str.json_decode(_SUGGESTED),
        typed=pl.coalesce(said("$.code"), said("$.codes"), "raw_sku"),
        title=pl.coalesce(said("$.title"), "named"),
        sold_units=said("$.sold_units").cast(pl.Int64(), strict=False),
        sells=pl.coalesce(said("$.sells"), said("$.k")).cast(pl.Int64(), strict=False),
    )
    listed = rows.group_by("system", "listing_key", maintain_order=True).agg(
        *(pl.col(c).drop_nulls().first() for c in ("title", "sold_units", "finding_id")),
        code=pl.col("typed").drop_nulls().first(),
        doubt=pl.col("doubt").unique().sort().str.join(", "),
    )
    hints = rows.select("system", "listing_key", "suggestions").explode("suggestions").drop_nulls("suggestions")
    packs = rows.filter((pl.col("doubt") == "pack_mismatch") & (pl.col("sku") != "")).select(
        "system", "listing_key", "sku",
        units="sells", reason=pl.lit("its numbers and its words"), confidence=pl.lit(_FROM_NUMBERS),
    )  # fmt: skip
    maybe = pl.concat([hints.unnest("suggestions").with_columns(units=pl.lit(1, pl.Int64())), packs], how="diagonal")
    every = listed.join(maybe.unique(), on=["system", "listing_key"], how="left")
    order = ["sold_units", "system", "listing_key", "confidence", "sku"]
    return every.sort(order, descending=[True, False, False, True, False], nulls_last=True).select(
        pl.col(name).cast(kind) for name, kind in DOUBTS.items()
    )


def _all_of_them() -> pl.Expr:
    """Return the listings that a finding is about: those that its evidence lists, else its own."""
    listed = pl.col("evidence").str.json_path_match("$.listing_keys").str.json_decode(pl.List(pl.String()))
    return pl.when(listed.list.len() > 0).then(listed).otherwise(pl.concat_list("listing_key"))


def suggested(warehouse: Warehouse, finding_id: str) -> Subject:
    """Return the listing of a finding and the one sku that is most likely for it.

    Raises `ConfigError` where no such finding is in doubt, or it suggests nothing, or two skus equally.
    """
    found = warehouse.read("recon.findings").filter(pl.col("finding_id").str.starts_with(finding_id))
    if found.height != 1:
        raise _wrong(f"No finding is called {finding_id!r}.", finding_id, "an id that `invbi map` shows", "look again")
    key = found.select("system", "listing_key")
    rows = doubtful(warehouse).join(key, on=["system", "listing_key"], how="semi").drop_nulls("sku")
    best = rows.filter(pl.col("confidence") == pl.col("confidence").max())
    if best.height != 1:
        names = ", ".join(best["sku"]) or "nothing"
        mend = "name the SKU: invbi map accept SYSTEM LISTING SKU"
        raise _wrong(f"The finding suggests {names}.", finding_id, "one SKU that is likelier than all others", mend)
    row = best.row(0, named=True)
    return Subject(row["system"], row["listing_key"], row["sku"], row["units"])


def listing_of(config: Config, warehouse: Warehouse, system: str, name: str) -> str:
    """Return the key of the listing that a person names by its key, or by its code where only one of the system has it.

    Raises `ConfigError` for a system or listing that is not known.
    """
    if system not in config.systems:
        known = f"one of {', '.join(config.systems)}"
        raise _wrong(f"No system is called {system!r}.", "SYSTEM", known, "correct its spelling")
    with warehouse.open() as db:
        listed = db.query("SELECT listing_key, raw_sku FROM staging.stg_listings WHERE system = ?", [system])
        named = db.query(_NAMED, {"system": system})["listing_key"]
    if name in {*listed["listing_key"], *named}:
        return name
    keys = listed.filter(pl.col("raw_sku") == name)["listing_key"].unique().sort().to_list()
    if len(keys) == 1:
        return str(keys[0])
    if keys:
        raise _wrong(f"{len(keys)} listings of {system} have the code {name!r}.", "LISTING", "a listing key", _either(keys))
    mend = "see `invbi map`, or run `invbi run` first where it is new"
    raise _wrong(f"{system} has no listing {name!r}.", "LISTING", "a listing key or a code of this system", mend)


def decide(config: Config, warehouse: Warehouse, state: State, said: Subject, decision: Decision, who: str, at: datetime) -> None:
    """Keep what a person decided; the next run maps by it.

    Raises `ConfigError` for a sku that nothing knows, for a kit that cannot be made, for units that no pack has, and for a time
    yet to come.
    """
    if not 1 <= said.units <= _MOST_IN_A_PACK:
        expected = f"a whole number from 1 to {_MOST_IN_A_PACK:,}"
        raise _wrong(f"A listing does not sell {said.units} units at once.", "--units", expected, "correct it")
    if said.since is not None and said.since > at:
        raise _wrong("What is not so yet cannot be kept.", "--since", "a time that has passed", "correct it, or leave it out")
    declared = read_declared(config)
    known = _skus(config, declared, warehouse)
    spoken_of = decision is Decision.REJECTED and said.sku in _spoken_of(declared, warehouse, state, said)
    if said.sku not in known and not spoken_of:
        near = difflib.get_close_matches(said.sku, known, 3)
        mend = f"perhaps {_either(near)}" if near else "list it where its stock is counted, or in the price list, first"
        raise _wrong(f"Nothing knows the SKU {said.sku!r}.", "SKU", "a master SKU, or a kit's", mend)
    if decision is Decision.ACCEPTED and (trouble := _unmakeable(declared.kit_rows, known, said.sku)):
        raise _wrong(trouble, "SKU", "a kit whose components are known", "correct the file of kits first")
    state.decisions.decide(said.system, said.listing_key, said.sku, decision, who, at, said.units, said.since)


def history(warehouse: Warehouse, state: State, listing: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return every version of a listing's mapping (MAPPINGS) and all that people decided (DECISIONS), oldest first.

    `listing` is a listing key or a code, on any system; what is known of none raises `ConfigError`.
    """
    named = warehouse.query("SELECT DISTINCT listing_key FROM staging.stg_listings WHERE raw_sku = ?", [listing])["listing_key"]
    keys = {listing, *named}
    versions = warehouse.read("truth.mappings").filter(pl.col("listing_key").is_in(sorted(keys)))
    decisions = state.decisions.all().filter(pl.col("listing_key").is_in(sorted(keys)))
    known = versions.height or decisions.height or named.len()
    if not known and not doubtful(warehouse).filter(pl.col("listing_key") == listing).height:
        known_as = ("LISTING", "a listing key or a code", "see `invbi map`")
        raise ConfigError(f"No system has a listing {listing!r}.", [known_as])
    return versions.sort("system", "listing_key", "valid_from"), decisions.select(name for name in DECISIONS if name != "seq")


def _skus(config: Config, declared: Declared, warehouse: Warehouse) -> list[str]:
    """Every sku that is listed, counted, priced or a kit; that a mapping of some channel's listing names it is not enough."""
    positions, mappings = (warehouse.read(table) for table in ("truth.positions", "truth.mappings"))
    owners = counting(places_frame(config).lazy()).collect()["system"].implode()
    listed = mappings.filter((pl.col("how") == "exact") | pl.col("system").is_in(owners))["sku"]
    counted = positions.filter(pl.col("anchored_at").is_not_null())["sku"]
    skus = [listed, counted, declared.prices["sku"], declared.kit_rows["kit_sku"]]
    return pl.concat(skus).drop_nulls().unique().sort().to_list()


def _spoken_of(declared: Declared, warehouse: Warehouse, state: State, said: Subject) -> set[str]:
    """The skus that this listing was ever mapped to or said to be, and those of the SKU map: nothing else need know them."""
    mine = {"system": said.system, "listing_key": said.listing_key}
    mapped = warehouse.read("truth.mappings").filter(**mine)["sku"]
    return {*mapped, *state.decisions.all().filter(**mine)["sku"], *declared.sku_map["sku"]}


def _unmakeable(kit_rows: pl.DataFrame, known: list[str], sku: str) -> str:
    """Return why a kit has no components that could be counted; nothing for one that has, and for a sku that is no kit."""
    found = flatten(kit_rows.lazy(), pl.LazyFrame({"sku": known}, schema={"sku": pl.String()}))
    if sku not in kit_rows["kit_sku"] or sku in found.kits.collect()["kit_sku"]:
        return ""
    in_cycle = pl.col("evidence").str.json_path_match("$.kits").str.json_decode(pl.List(pl.String())).list.contains(sku)
    told = found.candidates.filter((pl.col("sku") == sku) | in_cycle.fill_null(value=False)).collect()
    return str(next(iter(told["cause"]), f"The kit {sku} cannot be made."))


def _either(names: list[str]) -> str:
    return " or ".join(names)


def _wrong(what: str, where: str, expected: str, mend: str) -> ConfigError:
    return ConfigError(f"{what} Nothing was changed.", [(where, expected, mend)])
