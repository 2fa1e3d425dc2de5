"""Packs: what a listing says it sells, and numbers that only fit another count."""

import json
from typing import Any

import polars as pl
import pytest

from invbi_pipeline.domain.findings import FindingInputs
from invbi_pipeline.domain.identity.packs import stated
from invbi_pipeline_tests.domain.findings.facts import at, earlier, found, listings, offers, one, points
from invbi_pipeline_tests.domain.small_world import Rows, channel, reckon, shelves, wms, world


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("Socks (pack of 6)", 6),
        ("SCK-101-6PK", 6),
        ("Bulbs x12", 12),
        ("Mug 4 x", 4),
        ("Box of 24", 24),
        ("Eggs, half dozen", 6),
        ("A dozen roses", 12),
        ("Tee XL", None),
        ("Plank 2x4", None),
        ("Model X 500", None),
        ("pack of 1", None),
        ("", None),
    ],
)
def test_how_many_units_a_text_says_it_sells(text: str, units: int | None) -> None:
    assert pl.select(stated(pl.lit(text))).item() == units


def shop(code: str, shown: int, *, pack: int = 1, on_shelf: int = 25, title: str = "") -> list[dict[str, Any]]:
    """Return the pack_mismatch evidence of a listing of A, `pack` of it, that shows so many."""
    rows: Rows = world(wms(), shelves("A", a=on_shelf), channel("web", code, sells_from=["a"], basis="net"))
    rows["listings"][0]["title"] = title
    rows["sku_map"] = [{"system": "web", "listing_key": code, "sku": "A", "units": pack}]
    rows["observations"].append({"system": "web", "listing_key": code, "quantity": shown})
    told = reckon(**rows).candidates.filter(code="pack_mismatch")
    return [json.loads(text) for text in told["evidence"]]


def test_a_listing_that_says_it_is_a_pack_is_mapped_as_a_single_and_counts_packs_is_told() -> None:
    evidence = shop("A-6PK", 4)
    assert [row["sells"] for row in evidence] == [6]


def test_a_listing_mapped_as_a_pack_that_counts_singles_is_told() -> None:
    assert [row["sells"] for row in shop("A-6PK", 25, pack=6)] == [1]


@pytest.mark.parametrize(
    ("code", "shown", "pack", "on_shelf"),
    [
        ("A-6PK", 4, 6, 25),  # a pack that shows packs
        ("A-6PK", 3, 6, 25),  # a pack that lost one
        ("A-6PK", 25, 1, 25),  # a single in spite of its name
        ("A", 4, 1, 25),  # nothing says that it is a pack
        ("A-6PK", 1, 1, 9),  # too few to say anything
    ],
)
def test_numbers_that_fit_the_mapping_or_say_too_little_are_no_trouble(code: str, shown: int, pack: int, on_shelf: int) -> None:
    assert shop(code, shown, pack=pack, on_shelf=on_shelf) == []


def drifted(expected: int, now: int, **where: Any) -> dict[str, Any]:
    return {"expected": expected, "offer": expected, "reported": now, "found": now - expected, **where}


def test_a_pack_whose_number_was_typed_in_singles_is_told_with_its_factor() -> None:
    row = one(FindingInputs(points=points(drifted(4, 24)), offers=offers({"units": 6})), "pack_mismatch")
    assert (row["listing_key"], row["location"], json.loads(row["evidence"])["k"]) == ("L1", "", 6)
    assert row["cause"].startswith("MUG-RED on web was set to 24 where 4 was right, 6 times as many")


def test_a_factor_that_the_title_or_another_listing_of_the_sku_names_is_told() -> None:
    titled = FindingInputs(points=points(drifted(24, 4)), offers=offers({}), listings=listings({"title": "Mugs, pack of 6"}))
    assert one(titled, "pack_mismatch")["units"] is None
    sibling = offers({}, {"listing_key": "L2", "units": 6})
    assert one(FindingInputs(points=points(drifted(24, 4)), offers=sibling), "pack_mismatch")["code"] == "pack_mismatch"


def test_one_factor_at_several_places_is_told_once() -> None:
    everywhere = points(drifted(2, 20), drifted(3, 30, location="leeds"))
    evidence = json.loads(one(FindingInputs(points=everywhere, offers=offers({})), "pack_mismatch")["evidence"])
    assert len(evidence["numbers"]) == 2


def test_the_factor_is_that_of_the_numbers_that_were_seen_whatever_a_push_made_right_since() -> None:
    typed = {"expected": 3, "offer": 3, "reported": 3, "found": 20, "found_at": at(10)}
    looks = earlier({"observed_at": at(10), "quantity": 24})
    row = one(FindingInputs(points=points(typed), offers=offers({"units": 6}), earlier=looks), "pack_mismatch")
    assert row["cause"].startswith("MUG-RED on web was set to 24 where 4 was right, 6 times as many")


@pytest.mark.parametrize(
    "rows",
    [
        [drifted(2, 4)],  # an accident
        [drifted(2, 4), drifted(2, 6, location="leeds")],  # two factors
        [drifted(1, 6)],  # every number is a multiple of 1
        [drifted(4, 25)],
    ],
)
def test_a_factor_that_nothing_supports_is_an_accident(rows: list[dict[str, Any]]) -> None:
    said = found(FindingInputs(points=points(*rows), offers=offers({"units": 6} if rows[0]["expected"] in (1, 4) else {})))
    assert "pack_mismatch" not in said["code"].to_list()
