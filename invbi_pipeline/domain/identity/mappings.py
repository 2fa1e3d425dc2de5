"""Identity: which sku each listing is. Exact keys and people map; likeness only suggests (domain.identity.likeness)."""

from datetime import datetime
from typing import Final, NamedTuple

import polars as pl

from invbi_pipeline.domain.frames import MAPPINGS, UTC, empty
from invbi_pipeline.domain.frames.schema import INT, TEXT, Schema
from invbi_pipeline.domain.identity import codes
from invbi_pipeline.domain.steps import again, any_row, kept, ordered
from invbi_pipeline.domain.words import Decision, ListingStatus, LocationKind

__all__ = [
    "KEY",
    "Decided",
    "Resolved",
    "counting",
    "decided",
    "masters",
    "resolve",
    "subjects",
]

KEY: Final = ("system", "listing_key")
_CLAIMS: Final[Schema] = {"system": TEXT, "listing_key": TEXT, "sku": TEXT, "units": INT, "how": TEXT, "rule": pl.Int32()}
_JUDGED: Final[Schema] = {
    "system": TEXT,
    "listing_key": TEXT,
    **dict.fromkeys(("claims", "skus", "hows"), pl.List(TEXT)),
    "sku": TEXT,
    "units": INT,
    "how": TEXT,
}
_REJECTED: Final[Schema] = {"system": TEXT, "listing_key": TEXT, "sku": TEXT, "since": UTC}
_ACCEPTED: Final[Schema] = {"system": TEXT, "listing_key": TEXT, "sku": TEXT, "units": INT, "since": UTC}


class Resolved(NamedTuple):
    """`mappings` (MAPPINGS, valid from now), `ambiguous`, for which nothing was mapped, and `unclaimed`, which nobody claims.

    `ambiguous`: system, listing_key, skus (list), claims (list of text: each sku with its units), hows (list: who claims).
    `unclaimed`: system, listing_key of each thing that is in neither of the others.
    """

    mappings: pl.LazyFrame
    ambiguous: pl.LazyFrame
    unclaimed: pl.LazyFrame


class Decided(NamedTuple):
    """What holds of people's decisions: `accepted` (system, listing_key, sku, units, since), `rejected` (without units).

    `since` is from when a word holds, null where nobody said.
    """

    accepted: pl.LazyFrame
    rejected: pl.LazyFrame


def decided(decisions: pl.LazyFrame) -> Decided:
    """Return what holds of DECISIONS: the last sku accepted for a listing, unless it was rejected since; and all rejections."""
    if not any_row(decisions):
        return Decided(empty(_ACCEPTED).lazy(), empty(_REJECTED).lazy())
    in_time = decisions.sort("decided_at", "seq", "decision", "sku", "units")
    last = in_time.unique([*KEY, "sku"], keep="last", maintain_order=True)
    rejected = last.filter(pl.col("decision") == Decision.REJECTED).select(*_REJECTED)
    accepted = in_time.filter(pl.col("decision") == Decision.ACCEPTED).unique(KEY, keep="last", maintain_order=True)
    return Decided(accepted.join(rejected, on=[*KEY, "sku"], how="anti").select(*_ACCEPTED), rejected)


def subjects(
    listings: pl.LazyFrame,
    order_lines: pl.LazyFrame,
    observations: pl.LazyFrame,
    movements: pl.LazyFrame,
    systems: pl.LazyFrame,
) -> pl.LazyFrame:
    """Return everything that wants a sku, one row a (system, listing_key, code).

    Listings, and the keys that appear only in orders, in stock reports or in movements. A line without a listing key goes by
    its raw SKU. Columns: system, listing_key, code, barcode, title, style, status, fulfilment, product_id and source: listing,
    stock, orders or movements, the first of these that names it.
    """
    described = ["system", "listing_key", "raw_sku", "barcode", "title", "style", "status", "fulfilment", "product_id"]
    listed = listings.select(*described, source=pl.lit("listing")).collect()
    named = [
        order_lines.select("system", line_key(), "raw_sku", source=pl.lit("orders")),
        *(said.select(*KEY, source=pl.lit(source)) for said, source in ((observations, "stock"), (movements, "movements"))),
    ]
    unlisted = pl.concat(pl.collect_all(named), how="diagonal").join(listed, on=KEY, how="anti")
    others = unlisted.group_by(KEY).agg(pl.col("raw_sku").max(), source=_first_of("source", "stock", "orders", "movements"))
    keyed = systems.filter("keys_are_skus").collect()["system"].to_list()
    code = codes.code_of(pl.col("raw_sku"), pl.col("listing_key"), pl.col("system").is_in(keyed))
    text = [pl.col(c).fill_null("") for c in ("barcode", "title", "style", "product_id")]
    everything = (
        pl.concat([listed, others], how="diagonal")
        .filter(pl.col("listing_key") != "")
        .with_columns(*text, code=code, status=pl.col("status").fill_null(ListingStatus.ACTIVE))
        .drop("raw_sku")
    )
    return _one_a_code(ordered(everything, *KEY)).lazy()


def _first_of(column: str, *values: str) -> pl.Expr:
    """Return the first of these values that the group has."""
    return pl.coalesce(pl.when((pl.col(column) == value).any()).then(pl.lit(value)) for value in values)


def _one_a_code(things: pl.DataFrame) -> pl.DataFrame:
    """Keep one row of those that repeat a (system, listing_key, code); `things` are in the order of their keys."""
    repeated = things.select(again(KEY) | again(KEY).shift(-1, fill_value=False)).to_series()
    if not repeated.any():
        return things
    rows = things.filter(repeated).sort(*KEY, "code", "status", "source", "style", "barcode", "title")
    first = rows.unique([*KEY, "code"], keep="first", maintain_order=True)
    return ordered(pl.concat([things.filter(~repeated), first]), *KEY, "code")


def line_key() -> pl.Expr:
    """Return what an order line calls its thing: the listing key, or the raw SKU where the platform gave no key."""
    key = pl.col("listing_key").fill_null("")
    return pl.when(key != "").then(key).otherwise(pl.col("raw_sku").fill_null("")).alias("listing_key")


def masters(
    things: pl.LazyFrame, places: pl.LazyFrame, sku_map: pl.LazyFrame, kit_rows: pl.LazyFrame, prices: pl.LazyFrame
) -> pl.LazyFrame:
    """Return the master skus: `sku`, `plain` (its loosest spelling), and `only_part` where nothing but a kit's row names it.

    They are the skus declared in prices, the SKU map and kits, and the codes by which a system that counts a place of ours
    lists its stock (a platform's own warehouse declares nothing). Of two spellings of one code on different systems the
    declared one is the master, else the one that more systems use; two spellings on one system are two things.
    """
    owners = counting(places).collect()["system"].to_list()
    counted = things.filter(
        (pl.col("code") != "") & pl.col("source").is_in(["listing", "stock"]) & pl.col("system").is_in(owners)
    )
    if any_row(sku_map):
        counted = counted.join(_by_map(counted, sku_map), on=KEY, how="anti")
    counted = counted.select("system", sku="code")
    declared = pl.concat([f.select("sku") for f in (prices, sku_map)] + [kit_rows.select(sku=pl.col("kit_sku"))]).unique()
    spelt = pl.concat([counted, declared.with_columns(system=pl.lit("")).select("system", "sku")]).unique()
    by_sku = spelt.group_by("sku").agg(declared=(pl.col("system") == "").any(), users=pl.len(), systems="system")
    spelling = codes.spelling(pl.col("sku"), len(codes.SPELLINGS) - 1)
    ranked = by_sku.with_columns(plain=spelling).with_columns(same=pl.when(pl.col("plain") == "").then("sku").otherwise("plain"))
    own = kept(_rightly_spelt(ranked.collect()))
    if not any_row(kit_rows):
        return own
    parts = kit_rows.select(sku="component_sku").unique().join(own, on="sku", how="anti").with_columns(plain=spelling)
    return pl.concat([own, parts.with_columns(only_part=pl.lit(value=True))])


def _rightly_spelt(ranked: pl.DataFrame) -> pl.LazyFrame:
    """Leave out the skus that are another one's written otherwise. One that nothing is the `same` as is rightly spelt."""
    together = ranked.filter(pl.col("same").is_duplicated())
    best = together.sort("same", "declared", "users", "sku", descending=[False, True, True, False]).unique(
        "same", keep="first", maintain_order=True
    )
    rival = pl.col("best_systems").list.set_intersection(pl.col("systems")).list.len() > 0
    odd = together.join(best.select("same", best="sku", best_systems="systems"), on="same").filter(
        ~(pl.col("declared") | (pl.col("sku") == pl.col("best")) | rival)
    )
    own = ranked.lazy().join(odd.lazy(), on="sku", how="anti")
    return own.select("sku", "plain", only_part=pl.lit(value=False))


def counting(places: pl.LazyFrame) -> pl.LazyFrame:
    """Return the systems that count a place of ours: `system`. A platform's own warehouse is none."""
    ours = places.filter(pl.col("kind") != LocationKind.PLATFORM)
    return ours.select(pl.col("counted_by").alias("system")).unique()


def uncounted(held: pl.LazyFrame, places: pl.LazyFrame) -> pl.LazyFrame:
    """Return those of the mappings that hold (`current`) whose sku no system that counts a place of ours lists."""
    counted = pl.col("system").is_in(counting(places).collect()["system"].to_list())
    return held.join(held.filter(counted), on="sku", how="anti")


def resolve(
    things: pl.LazyFrame, sku_map: pl.LazyFrame, known: pl.LazyFrame, systems: pl.LazyFrame, said: Decided, now: datetime
) -> Resolved:
    """Map each thing to a sku: by people, else because its code is a master sku, else as a listing made anew.

    `things` are `subjects`, `known` are `masters`. People speak by the SKU map and by `said`; where these two differ nothing is
    mapped. A row of the map names a listing key, or a code; one with an empty system holds for any. A sku that somebody rejected
    for a listing is not mapped by its code. A listing under a new id, whose code belonged to a deleted listing of the same
    system, takes over what people said of that one (`relisted`). Where the best rule names two skus, nothing is mapped.
    """
    fallback = systems.filter(pl.col("sku_fallback")).collect()["system"].to_list()
    by_map = _by_map(things, sku_map)
    best_map = by_map.filter(pl.col("rule") == pl.col("rule").min().over(KEY)).with_columns(rule=pl.lit(0))
    person = (
        things.select(KEY).join(said.accepted, on=KEY).unique().select(*KEY, "sku", "units", how=pl.lit("person"), rule=pl.lit(0))
    )
    by_people = kept(pl.concat([best_map, person]) if any_row(said.accepted) else best_map)
    anew = _anew(things, by_people) if any_row(by_people) else by_people
    exact = (
        things.with_row_index("row")
        .filter((pl.col("code") != "") & pl.col("system").is_in(fallback))
        .join(known, left_on="code", right_on="sku", how="semi", maintain_order="left")
        .select("row", *KEY, sku="code", units=pl.lit(1, dtype=pl.Int64()), how=pl.lit("exact"), rule=pl.lit(10))
        .collect()
    )
    if any_row(said.rejected):
        exact = exact.join(said.rejected.collect(), on=[*KEY, "sku"], how="anti", maintain_order="left")
    others = pl.concat([by_people, anew.join(said.rejected, on=[*KEY, "sku"], how="anti")]).collect()
    rivals = pl.concat(
        [exact.filter(again(KEY) | again(KEY).shift(-1, fill_value=False)), exact.join(others, on=KEY, how="semi")]
    ).unique()
    alone = exact if rivals.is_empty() else exact.join(rivals, on="row", how="anti", maintain_order="left")
    judged = _judged(pl.concat([others, rivals.drop("row")]).unique())
    nobodys = things.select(KEY).filter(~pl.int_range(pl.len()).is_in(alone["row"].implode())).unique()
    one = pl.col("claims").list.len() == 1
    mappings = alone
    if not judged.is_empty():
        numbered = things.select(KEY).with_row_index("row")
        settled = numbered.join(judged.lazy().filter(one), on=KEY).unique(KEY, keep="any").collect()
        mappings = pl.concat([rows.select("row", *KEY, "sku", "units", "how") for rows in (alone, settled)]).sort("row")
    mappings = mappings.with_columns(valid_from=pl.lit(now).cast(UTC), valid_to=pl.lit(None).cast(UTC))
    claimed = mappings.lazy().select(KEY).join(nobodys, on=KEY, how="semi")
    return Resolved(
        mappings=mappings.select(*MAPPINGS).lazy(),
        ambiguous=judged.filter(~one).select(*KEY, "skus", "claims", "hows").lazy(),
        unclaimed=nobodys.join(pl.concat([claimed, judged.lazy().select(KEY)]), on=KEY, how="anti"),
    )


def _anew(things: pl.LazyFrame, by_people: pl.LazyFrame) -> pl.LazyFrame:
    """Return the claims of listings made anew: of what people said of the deleted listing with their code."""
    gone = things.filter((pl.col("status") == ListingStatus.DELETED) & (pl.col("code") != ""))
    theirs = gone.join(by_people, on=KEY).select("system", "code", "sku", "units")
    live = things.filter(pl.col("status") != ListingStatus.DELETED)
    return live.join(theirs, on=["system", "code"]).select(*KEY, "sku", "units", how=pl.lit("relisted"), rule=pl.lit(5))


def _judged(claims: pl.DataFrame) -> pl.DataFrame:
    """Return the best claims of each thing: system, listing_key, claims, skus, hows (lists), and sku, units, how of the first."""
    if claims.is_empty():
        return empty(_JUDGED)
    best = claims.filter(pl.col("rule") == pl.col("rule").min().over(KEY))
    return best.group_by(KEY).agg(
        claims=pl.format("{} x {}", "units", "sku").unique().sort(),
        skus=pl.col("sku").unique().sort(),
        hows=pl.col("how").unique().sort(),
        **{c: pl.col(c).first() for c in ("sku", "units")},
        how=pl.col("how").max(),  # a person's word beside the same in the map
    )


def _by_map(things: pl.LazyFrame, sku_map: pl.LazyFrame) -> pl.LazyFrame:
    """Return the claims of the SKU map: a named system before any, a listing key before a code."""
    rows = sku_map.select(pl.col("system").fill_null(""), "listing_key", "sku", pl.col("units").fill_null(1)).unique().collect()
    if rows.is_empty():
        return empty(_CLAIMS).lazy()
    named, general = rows.filter(pl.col("system") != ""), rows.filter(pl.col("system") == "").drop("system")
    tries = (
        (named, ["system", "listing_key"], ["system", "listing_key"]),
        (named, ["system", "code"], ["system", "listing_key"]),
        (general, ["listing_key"], ["listing_key"]),
        (general, ["code"], ["listing_key"]),
    )
    names = rows["listing_key"].unique().implode()
    spoken_of = pl.col("listing_key").is_in(names) | pl.col("code").is_in(names)
    wanted = things.select(*KEY, "code").filter(spoken_of).collect()
    claims = [
        wanted.join(said, left_on=left, right_on=right).select(*KEY, "sku", "units", how=pl.lit("map"), rule=pl.lit(rule))
        for rule, (said, left, right) in enumerate(tries)
        if not said.is_empty()
    ]
    return pl.concat(claims).lazy()
