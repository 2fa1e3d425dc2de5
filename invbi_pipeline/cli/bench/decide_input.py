"""The input of `bench decide`: many SKUs in many channels, drawn from one seed, as the frames that the decision is given.

The anchors, movements and listings are those of the floor (`shared/bench/generate.py`, remade here draw by draw): per SKU 4
shelves, 8 listings and 10 movements on average. Beside them stands what makes it a shop: kits of two SKUs on every channel and
packs (each 5 % of the SKUs), open orders (10 %) with their effects, a rule for each listing that keeps a buffer, rules by channel
and category, mappings with history, codes typed otherwise (0.1 %), and bases that explain most of the numbers and not all (1 %
drifted).

It is laid out in parts of whole families (`domain.identity.families`), as a store that is sorted by SKU would hand it over.
"""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from invbi_pipeline.domain import frames as f
from invbi_pipeline.domain.decision import GIVEN
from invbi_pipeline.domain.identity.families import joined

__all__ = ["CHANNELS", "NOW", "drawn", "parts", "write"]

Tables = dict[str, pl.DataFrame]

LOCATIONS, CHANNELS, MOVEMENTS_PER_SKU = 4, 8, 10
_PER_PART: Final = 20_000  # SKUs decided at once: so many that planning is little of it, so few that memory stays flat
_PACK: Final = 6
_START: Final = datetime(2026, 3, 1, tzinfo=UTC)  # when every shelf was counted
_BASE: Final = _START + timedelta(days=30)  # the look before, at which the numbers were agreed on
_READ: Final = _BASE + timedelta(minutes=55)
NOW: Final = _BASE + timedelta(hours=1)


def drawn(skus: int) -> Tables:
    """Return `anchors`, `movements` and `listings` as the floor's generator draws them, in its order, with SKUs as numbers."""
    rng = np.random.default_rng(1)
    each, moves = np.arange(skus), skus * MOVEMENTS_PER_SKU
    anchors = {
        "sku": np.repeat(each, LOCATIONS),
        "location": np.tile(np.arange(LOCATIONS), skus),
        "on_hand": rng.poisson(12, skus * LOCATIONS),
    }
    movements = {
        "sku": rng.integers(0, skus, moves),
        "location": rng.integers(0, LOCATIONS, moves),
        "units": rng.integers(-2, 3, moves),
        "second": rng.integers(0, 86_400 * 30, moves),
    }
    listings = {
        "sku": np.tile(each, CHANNELS),
        "channel": np.repeat(np.arange(CHANNELS), skus),
        "reported": rng.poisson(40, skus * CHANNELS),
        "buffer": rng.integers(0, 3, skus * CHANNELS),
    }
    named = {"anchors": anchors, "movements": movements, "listings": listings}
    return {name: pl.DataFrame(columns) for name, columns in named.items()}


def write(skus: int, folder: Path) -> None:
    """Write the floor's three files into `folder`/floor, and each part's frames into `folder`/parts/NN, as Parquet."""
    base = drawn(skus)
    (folder / "floor").mkdir(parents=True, exist_ok=True)
    for name, table in base.items():
        table.with_columns(sku=_code("SKU-", "sku")).write_parquet(folder / "floor" / f"{name}.parquet")
    for number, frames in enumerate(parts(base, skus)):
        here = folder / "parts" / f"{number:03}"
        here.mkdir(parents=True, exist_ok=True)
        for name, frame in frames.items():
            frame.write_parquet(here / f"{name}.parquet")


def parts(base: Tables, skus: int) -> Iterator[Tables]:
    """Yield the frames of `decision.GIVEN` of one part of the families after the other, from what was `drawn`."""
    tables = _shop(base, skus)
    count = -(-skus // _PER_PART)
    for number in range(count):
        yield _frames({name: table.filter(pl.col("part") == number).drop("part") for name, table in tables.items()})


def _shop(base: Tables, skus: int) -> Tables:
    """Everything that is drawn, as narrow tables with the `part` that each row is of."""
    rng = np.random.default_rng(2)
    some = max(1, skus // 20)
    kits = pl.DataFrame(
        {"kit": np.repeat(np.arange(some), 2), "sku": rng.integers(0, skus, 2 * some), "quantity": rng.integers(1, 3, 2 * some)}
    )
    part = _part_of(kits, skus)
    of_kit = kits.join(part, on="sku").unique("kit", keep="first", maintain_order=True).select("kit", "part")
    listed = _listed(base["listings"], of_kit, part, skus, rng)
    orders = skus // 10
    lines = (
        listed[rng.integers(0, listed.height, orders)]
        .select("channel", "listing_key", "part")
        .with_row_index("n")
        .with_columns(place=pl.Series(rng.integers(0, LOCATIONS + 1, orders)), second=pl.Series(rng.integers(60, 3_000, orders)))
    )
    sold = lines.group_by("channel", "listing_key").agg(sold=pl.len())
    return {
        "part": part,
        "kits": kits.join(of_kit, on="kit"),
        "lines": lines,
        "listed": listed.join(sold, on=["channel", "listing_key"], how="left", maintain_order="left"),
        "anchors": base["anchors"].join(part, on="sku", maintain_order="left"),
        "movements": base["movements"].with_row_index("n").join(part, on="sku", maintain_order="left"),
    }


def _part_of(kits: pl.DataFrame, skus: int) -> pl.DataFrame:
    """The part of each SKU: SKUs that a kit joins are of one part."""
    links = kits.group_by("kit").agg(a=pl.col("sku").min(), b=pl.col("sku").max()).filter(pl.col("a") != pl.col("b"))
    root = joined(links.select("a", "b"))
    every = pl.DataFrame({"sku": np.arange(skus)}).join(
        root.rename({"plain": "sku"}), on="sku", how="left", maintain_order="left"
    )
    return every.select("sku", part=pl.coalesce("root", "sku") // _PER_PART)


def _listed(
    listings: pl.DataFrame, of_kit: pl.DataFrame, part: pl.DataFrame, skus: int, rng: np.random.Generator
) -> pl.DataFrame:
    """One row a listing: channel, listing_key, raw_sku, sku (empty: typed otherwise), units, numbers, what was, part."""
    kits, typos = of_kit.height, max(1, skus // 1000)

    def odd(count: int, reported: int) -> dict[str, Any]:
        return {
            "n": rng.permutation(skus)[:count],
            "channel": rng.integers(0, CHANNELS, count),
            "reported": rng.poisson(reported, count),
        }

    plain = listings.rename({"sku": "n"}).select(
        "channel", "n", "reported", "buffer", kind=pl.lit("SKU-"), key=pl.lit("SKU-"), units=1
    )
    kit = pl.DataFrame(
        {
            "n": np.tile(np.arange(kits), CHANNELS),
            "channel": np.repeat(np.arange(CHANNELS), kits),
            "reported": rng.poisson(15, kits * CHANNELS),
        }
    ).select("channel", "n", "reported", buffer=0, kind=pl.lit("KIT-"), key=pl.lit("KIT-"), units=1)
    pack = pl.DataFrame(odd(max(1, skus // 20), 6)).select(
        "channel", "n", "reported", buffer=0, kind=pl.lit("SKU-"), key=pl.lit("P6-"), units=_PACK
    )
    typo = pl.DataFrame(odd(typos, 6)).select("channel", "n", "reported", buffer=0, kind=pl.lit(""), key=pl.lit("new-"), units=1)
    both = pl.concat(
        [
            plain.join(part.rename({"sku": "n"}), on="n", maintain_order="left"),
            kit.join(of_kit.rename({"kit": "n"}), on="n"),
            *(t.join(part.rename({"sku": "n"}), on="n") for t in (pack, typo)),
        ],
        how="vertical_relaxed",
    )
    number = pl.col("n").cast(pl.String).str.zfill(7)
    raw = pl.when(pl.col("kind") == "").then(pl.lit("sku ") + number).when(pl.col("units") > 1).then(pl.col("key") + number)
    return both.with_columns(
        listing_key=pl.col("key") + number,
        raw_sku=raw.otherwise(pl.col("kind") + number),
        sku=pl.when(pl.col("kind") == "").then(pl.lit("")).otherwise(pl.col("kind") + number),
        drift=pl.Series(np.where(rng.integers(0, 100, both.height) == 0, rng.integers(1, 4, both.height), 0)),
        wrong=pl.Series(rng.integers(0, 50, both.height) == 0),
    ).drop("kind", "key", "n")


def _frames(t: Tables) -> Tables:
    listed = t["listed"].with_columns(system=pl.format("c{}", "channel"))
    codes = t["part"].select(sku=_code("SKU-", "sku"), n="sku")
    kits = t["kits"].select("kit").unique().select(sku=_code("KIT-", "kit"), n="kit")
    lines = _lines(t["lines"])
    made = {
        "systems": _systems(),
        "feeds": _feeds(),
        "places": pl.DataFrame({"location": [f"l{n}" for n in range(LOCATIONS)]}).with_columns(
            kind=pl.lit("warehouse"), counted_by=pl.lit("wms"), safety_stock=0, sellable=True
        ),
        "modes": pl.DataFrame({"system": [f"c{n}" for n in range(CHANNELS)]}).with_columns(mode=pl.lit("auto")),
        "prices": pl.concat([codes, kits]).select(
            "sku",
            price=5.0 + pl.col("n") % 90,
            cost=2.0 + pl.col("n") % 40,
            currency=pl.lit("EUR"),
            category=pl.format("cat{}", pl.col("n") % 50),
        ),
        "kit_rows": t["kits"].select("quantity", kit_sku=_code("KIT-", "kit"), component_sku=_code("SKU-", "sku")),
        "sku_map": listed.filter(pl.col("units") > 1).select("system", "listing_key", "sku", "units"),
        "listings": _listings(listed, codes),
        "observations": listed.select(
            "system",
            "listing_key",
            location=pl.lit(""),
            state=pl.lit("known"),
            quantity="reported",
            version=pl.lit(""),
            observed_at=pl.lit(_READ),
            read_began_at=pl.lit(_READ),
            read_ended_at=pl.lit(_READ),
            batch_id=pl.lit("b1"),
        ),
        "mappings": _mappings(listed, codes),
        "anchors": _anchors(t["anchors"], "anchored_at").with_columns(kind=pl.lit("book")),
        "openings": _anchors(t["anchors"], "opened_at"),
        "movements": _movements(t["movements"]),
        "order_lines": lines,
        "effects": lines.select(
            "system",
            "listing_key",
            "order_id",
            "line_id",
            effect_id=pl.format("{}/1/sale", "order_id"),
            location=pl.lit(""),
            kind=pl.lit("sale"),
            units=-pl.col("quantity"),
            stamped_at="ordered_at",
        ),
        "policies": _policies(listed),
        "bases": listed.filter(pl.col("sku") != "").select(
            "system",
            "listing_key",
            base=pl.col("reported") + pl.col("sold").fill_null(0) + pl.col("drift"),
            location=pl.lit(""),
            version=pl.lit(""),
            as_of=pl.lit(_BASE),
            why=pl.lit("agreed"),
            moved_at=pl.lit(_BASE),
            observed_at=pl.lit(_BASE),
            withheld=0,
            known_units=0,
            returns=0,
            lost=0,
        ),
        "looks": listed.filter(pl.col("sku") != "", "wrong").select(  # some stood wrong at the look before
            "system",
            "listing_key",
            location=pl.lit(""),
            unexplained=0,
            confirmed=0,
            judged_at=pl.lit(_BASE),
            looks=0,
            gap=1,
            gap_looks=1,
        ),
    }
    return {name: _schemed(frame, GIVEN[name]) for name, frame in made.items()}


def _schemed(frame: pl.DataFrame, schema: f.Schema) -> pl.DataFrame:
    return frame.select(
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(kind).alias(name) for name, kind in schema.items()
    )


def _code(prefix: str, number: str) -> pl.Expr:
    return pl.lit(prefix) + pl.col(number).cast(pl.String).str.zfill(7)


def _systems() -> pl.DataFrame:
    quiet = {
        "platform": "files",
        "counts": False,
        "sells": True,
        "absorbs": "own",
        "basis": "net",
        "booking_lag_s": 3600,
        "default_location": "",
        "sells_from": [f"l{n}" for n in range(LOCATIONS)],
        "per_location": False,
        "keys_are_skus": False,
        "sku_fallback": True,
        "has_ledger": False,
        "has_orders": True,
    }
    owner = {**quiet, "system": "wms", "counts": True, "sells": False, "has_ledger": True, "keys_are_skus": True}
    return pl.DataFrame([owner, *({**quiet, "system": f"c{n}"} for n in range(CHANNELS))], schema=dict(f.SYSTEMS))


def _feeds() -> pl.DataFrame:
    state = {"verdict": "believed", "reason": "", "order_lag_s": 60, "read_lag_s": 5, "visibility_lag_s": 60}
    seen = {"stock_read_at": _READ, "orders_complete_to": NOW}
    names = ("wms", *(f"c{n}" for n in range(CHANNELS)))
    return pl.DataFrame([{"system": name, **state, **seen} for name in names], schema=dict(f.FEEDS))


def _lines(lines: pl.DataFrame) -> pl.DataFrame:
    """Open orders of one line each, placed since the base; a fifth of them no place holds yet."""
    place = pl.when(pl.col("place") < LOCATIONS).then(pl.format("l{}", "place")).otherwise(pl.lit(""))
    empty = {name: pl.lit("") for name in ("external_id", "raw_sku")}
    return lines.select(
        "listing_key",
        system=pl.format("c{}", "channel"),
        order_id=_code("o", "n"),
        line_id=pl.lit("1"),
        location=place,
        state=pl.lit("open"),
        quantity=1,
        open_quantity=1,
        price=9.5,
        currency=pl.lit("EUR"),
        ordered_at=pl.lit(_BASE) + pl.duration(seconds="second"),
        **empty,
    )


def _listings(listed: pl.DataFrame, codes: pl.DataFrame) -> pl.DataFrame:
    own = codes.select(system=pl.lit("wms"), listing_key="sku", raw_sku="sku")
    empty = {name: pl.lit("") for name in ("barcode", "title", "style", "product_id", "variant_id")}
    return pl.concat([listed.select("system", "listing_key", "raw_sku"), own]).with_columns(
        status=pl.lit("active"), fulfilment=pl.lit("merchant"), currency=pl.lit("EUR"), updated_at=pl.lit(_START), **empty
    )


def _mappings(listed: pl.DataFrame, codes: pl.DataFrame) -> pl.DataFrame:
    own = codes.select(system=pl.lit("wms"), listing_key="sku", sku="sku", units=pl.lit(1, pl.Int64))
    known = listed.filter(pl.col("sku") != "").select("system", "listing_key", "sku", pl.col("units").cast(pl.Int64))
    how = pl.when(pl.col("units") > 1).then(pl.lit("map")).otherwise(pl.lit("exact"))
    now = pl.concat([known, own]).with_columns(how=how, valid_from=pl.lit(_START), valid_to=pl.lit(None, f.UTC))
    before = now.filter(pl.col("units") > 1).with_columns(
        units=pl.lit(1, pl.Int64), valid_from=pl.lit(_START - timedelta(days=90)), valid_to=pl.lit(_START).cast(f.UTC)
    )
    return pl.concat([now, before], how="vertical_relaxed")


def _anchors(anchors: pl.DataFrame, at: str) -> pl.DataFrame:
    return anchors.select(
        "on_hand", pl.lit(_START).alias(at), sku=_code("SKU-", "sku"), location=pl.format("l{}", "location"), system=pl.lit("wms")
    )


def _movements(movements: pl.DataFrame) -> pl.DataFrame:
    units = pl.col("units")
    kind = pl.when(units < 0).then(pl.lit("sale")).when(units > 0).then(pl.lit("receipt")).otherwise(pl.lit("adjustment"))
    empty = {name: pl.lit("") for name in ("order_id", "line_id", "reference")}
    return movements.select(
        "units",
        kind=kind,
        system=pl.lit("wms"),
        movement_id=_code("m", "n"),
        listing_key=_code("SKU-", "sku"),
        location=pl.format("l{}", "location"),
        occurred_at=pl.lit(_START) + pl.duration(seconds=pl.col("second") + 1),
        **empty,
    )


def _policies(listed: pl.DataFrame) -> pl.DataFrame:
    """A rule for each listing that keeps a buffer, and the few that hold for many."""
    any_ = {"channel": "", "location": "", "category": "", "sku": ""}
    rules = [
        {"name": "max_offer", "value": 500},
        *({"name": "min_offer", "value": 1, "channel": f"c{n}"} for n in range(CHANNELS)),
        *({"name": "max_offer", "value": 400 + n, "category": f"cat{n}"} for n in range(50)),
    ]
    wide = pl.DataFrame([{**any_, **rule} for rule in rules])
    buffers = listed.filter(pl.col("buffer") > 0).select(
        channel="system", location=pl.lit(""), category=pl.lit(""), sku="sku", name=pl.lit("buffer"), value="buffer"
    )
    return pl.concat([wide, buffers], how="vertical_relaxed")


if __name__ == "__main__":
    write(int(sys.argv[1]), Path(sys.argv[2]))
