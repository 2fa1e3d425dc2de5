"""Readiness: what is counted, and what blocks the next mode."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from invbi_pipeline.domain import frames as f
from invbi_pipeline.domain.readiness import NOTHING_TO_PUSH, READY_SYSTEMS, ReadinessInputs, readiness

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ENDED = {"system": pl.String(), "state": pl.String(), "corrections": pl.UInt32()}


def rows(schema: f.Schema, *some: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame([{**dict.fromkeys(schema), "system": "shop", **one} for one in some], schema=dict(schema))


def listing(key: str, **over: Any) -> dict[str, Any]:
    return {"listing_key": key, "raw_sku": key, "title": f"Blue mug {key}", "status": "active", "fulfilment": "merchant", **over}


def inputs(mode: str = "approve", **over: Any) -> ReadinessInputs:
    """A shop of twenty mapped listings that all agree; the till counts them. One correction was proved."""
    keys = [f"k{n}" for n in range(20)]
    both = [{"system": system, **listing(key)} for system in ("shop", "till") for key in keys]
    plain = {
        "systems": pl.DataFrame(
            [("till", "auto", True, False, "own", ["soho"], 900.0), ("shop", mode, False, True, "own", [], 900.0)],
            schema=READY_SYSTEMS,
            orient="row",
        ),
        "listings": rows(f.LISTINGS, *both),
        "mappings": rows(
            f.MAPPINGS, *({"system": one["system"], "listing_key": one["listing_key"], "sku": one["listing_key"]} for one in both)
        ),
        "candidates": rows(f.CANDIDATES),
        "points": rows(f.POINTS, *({"listing_key": key, "location": "", "state": "agreed", "first_look": False} for key in keys)),
        "feeds": rows(f.FEEDS, {"verdict": "believed", "stock_read_at": NOW}),
        "findings": rows(f.FINDINGS),
        "projected": rows(f.CORRECTIONS),
        "ended": pl.DataFrame([("shop", "verified", 1)], schema=ENDED, orient="row"),
    }
    return ReadinessInputs(**{**plain, **over})


def measured(given: ReadinessInputs) -> dict[str, tuple[float, bool]]:
    mine = readiness(given, NOW, "GBP").filter(system="shop")
    return {name: (value, blocks) for name, value, blocks in mine.select("measure", "value", "blocks").iter_rows()}


def blocked(given: ReadinessInputs) -> set[str]:
    return {name for name, (_, blocks) in measured(given).items() if blocks}


def test_a_channel_that_agrees_and_has_proved_itself_is_ready() -> None:
    assert blocked(inputs()) == set()


@pytest.mark.parametrize(("minutes", "blocks"), [(15, set()), (16, {"since it was read"})])
def test_what_was_read_too_long_ago_makes_nobody_ready(minutes: int, blocks: set[str]) -> None:
    read = {"verdict": "believed", "stock_read_at": NOW - timedelta(minutes=minutes)}
    assert blocked(inputs(feeds=rows(f.FEEDS, read))) == blocks


def test_a_system_in_mode_auto_is_in_its_last_mode_and_nothing_blocks_it() -> None:
    found = readiness(inputs("auto", feeds=rows(f.FEEDS)), NOW, "GBP").filter(system="shop")
    assert set(found["next"]) == {""}
    assert not found["blocks"].any()


@pytest.mark.parametrize(
    ("mode", "lacking", "blocks"), [("observe", 10, False), ("observe", 11, True), ("approve", 1, False), ("approve", 2, True)]
)
def test_the_unmapped_share_that_blocks_is_smaller_the_less_a_person_looks(mode: str, lacking: int, blocks: bool) -> None:
    given = inputs(mode)
    fewer = given.mappings.filter(~pl.col("listing_key").is_in([f"k{n}" for n in range(lacking)]))
    found = measured(given._replace(mappings=fewer))
    assert found["unmapped"] == (lacking, False)
    assert found["unmapped share"] == (lacking * 5.0, blocks)


def test_empty_and_duplicate_skus_and_barcodes_are_counted() -> None:
    given = inputs()
    bare = given.listings.with_columns(raw_sku=pl.when(pl.col("listing_key") == "k0").then(pl.lit(" ")).otherwise("raw_sku"))
    doubts = rows(f.CANDIDATES, {"code": "duplicate_sku", "listing_key": "k1"}, {"code": "barcode_conflict", "listing_key": "k2"})
    found = measured(given._replace(listings=bare, candidates=doubts))
    assert [found[name][0] for name in ("without a SKU", "duplicate SKUs", "barcode mismatches")] == [1, 1, 1]
    assert found["duplicate SKUs"][1]  # one of twenty is more than a machine may be left alone with


def test_a_title_that_shares_no_word_with_the_owners_is_a_name_mismatch() -> None:
    given = inputs()
    renamed = (pl.col("system") == "shop") & (pl.col("listing_key") == "k3")
    longer = (pl.col("system") == "shop") & (pl.col("listing_key") == "k4")
    title = pl.when(renamed).then(pl.lit("Red scarf")).when(longer).then(pl.lit("Mug, BLUE, with a handle")).otherwise("title")
    assert measured(given._replace(listings=given.listings.with_columns(title=title)))["name mismatches"] == (1, False)


def test_the_first_push_is_told_in_units_and_money_and_a_mass_change_blocks() -> None:
    guard = '{"changed_share":"the plan changes 3 of 5 numbers of this channel"}'
    change = {"kind": "set", "from_qty": 5, "to_qty": 9, "units_at_risk": 4, "money_at_risk": 8.0, "guard": "{}"}
    plan = rows(
        f.CORRECTIONS, change, {**change, "to_qty": 2, "units_at_risk": 3, "guard": guard}, {**change, "money_at_risk": None}
    )
    found = measured(inputs(projected=plan))
    assert [found[name][0] for name in ("first push", "first push raises", "first push lowers", "without a price")] == [
        3,
        8,
        3,
        1,
    ]
    assert found["first push is worth"][0] == 16
    assert found["held as a mass change"] == (1, True)


@pytest.mark.parametrize(
    ("over", "measure"),
    [
        ({"feeds": rows(f.FEEDS, {"verdict": "truncated"})}, "feeds not believed"),
        ({"points": rows(f.POINTS)}, "comparable numbers"),
        ({"findings": rows(f.FINDINGS, {"severity": "critical", "state": "open"})}, "critical findings"),
        ({"ended": pl.DataFrame([("shop", "rejected", 1)], schema=ENDED, orient="row")}, "dead letters"),
    ],
    ids=["feed", "nothing to compare", "critical", "dead letters"],
)
def test_what_would_make_a_push_wrong_or_unprovable_blocks(over: dict[str, Any], measure: str) -> None:
    assert measure in blocked(inputs(**over))


def test_a_first_look_without_its_orders_and_a_plan_that_nobody_has_proved_block_auto() -> None:
    late = {"listing_key": "k0", "location": "", "state": "first_look", "first_look": True, "first_look_at": NOW}
    plan = rows(f.CORRECTIONS, {"kind": "set", "from_qty": 5, "to_qty": 4, "units_at_risk": 1, "guard": "{}"})
    given = inputs(
        points=rows(f.POINTS, {**late, "complete_to": NOW - timedelta(minutes=1)}),
        projected=plan,
        ended=pl.DataFrame(schema=ENDED),
    )
    assert blocked(given) == {"first looks without orders", "proved so far"}
    assert blocked(inputs("observe")._replace(points=given.points, projected=plan, ended=given.ended)) == set()


def counting(mode: str = "approve", absorbs: str = "writeback", *, sells: bool = True, **over: Any) -> ReadinessInputs:
    """A shop of the same listings that counts every place it has a number of: soho, the shelf of soho."""
    given = inputs(mode, **over)
    shop = ("shop", mode, True, sells, absorbs, ["soho"], 900.0)
    systems = pl.DataFrame([given.systems.row(0), shop], schema=READY_SYSTEMS, orient="row")
    points = given.points.with_columns(location=pl.lit("soho"), state=pl.lit("counted"))
    return given._replace(systems=systems, points=points)


LACKING = {"kind": "post", "to_qty": -3, "units_at_risk": 3, "money_at_risk": 6.0, "guard": "{}"}


@pytest.mark.parametrize("sells", [True, False])
@pytest.mark.parametrize("mode", ["observe", "approve"])
def test_a_system_that_only_counts_has_nothing_to_compare_and_goes_further(mode: str, sells: bool) -> None:
    given = counting(mode, sells=sells, projected=rows(f.CORRECTIONS, LACKING, LACKING))
    found = measured(given)
    assert blocked(given) == set()
    assert [found[name][0] for name in ("counted numbers", "first push books", "units it books")] == [20, 2, 6]
    assert found.keys().isdisjoint({"comparable numbers", "first push raises", "held as a mass change"})


@pytest.mark.parametrize("location", ["unmapped:9", "soho"])
def test_a_place_that_nobody_named_and_the_platforms_own_are_no_numbers_to_set(location: str) -> None:
    given = counting()
    more = given.points.head(1).with_columns(location=pl.lit(location), fulfilment=pl.lit("platform"))
    assert blocked(given._replace(points=pl.concat([given.points, more]))) == set()


def test_one_place_that_another_system_counts_makes_it_a_channel_again() -> None:
    given = counting(projected=rows(f.CORRECTIONS, LACKING))
    more = given.points.head(1).with_columns(location=pl.lit("warehouse"), state=pl.lit("unknown"))
    both = given._replace(points=pl.concat([given.points, more]))
    assert blocked(both) == {"comparable numbers"}
    assert measured(both)["first push books"] == (1, False)


@pytest.mark.parametrize(
    ("over", "measure"),
    [
        ({"feeds": rows(f.FEEDS, {"verdict": "truncated"})}, "feeds not believed"),
        ({"mappings": rows(f.MAPPINGS)}, "unmapped share"),
        ({"candidates": rows(f.CANDIDATES, {"code": "duplicate_sku", "listing_key": "k1"})}, "duplicate SKUs"),
        ({"ended": pl.DataFrame([("shop", "dead", 1)], schema=ENDED, orient="row")}, "dead letters"),
        ({"projected": rows(f.CORRECTIONS, LACKING), "ended": pl.DataFrame(schema=ENDED)}, "proved so far"),
    ],
    ids=["feed", "unmapped", "duplicate", "dead letters", "unproved"],
)
def test_what_would_book_wrongly_or_unprovably_blocks_a_system_that_only_counts(over: dict[str, Any], measure: str) -> None:
    assert blocked(counting(**over)) == {measure}


@pytest.mark.parametrize("mode", ["observe", "approve", "auto"])
@pytest.mark.parametrize("sells", [True, False])
def test_a_system_to_which_nothing_is_sent_says_so_and_is_not_blocked(mode: str, sells: bool) -> None:
    given = counting(mode, "imported", sells=sells, feeds=rows(f.FEEDS, {"verdict": "truncated"}), mappings=rows(f.MAPPINGS))
    found = readiness(given, NOW, "GBP").filter(system="shop")
    assert not found["blocks"].any()
    assert set(found["next"]) == {""}
    said = found.filter(measure=NOTHING_TO_PUSH)["to_do"].item()
    assert said == 'it offers nothing, and nothing is booked into it (absorbs = "imported")'
