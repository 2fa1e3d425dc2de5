"""Barcodes: which cannot exist and why, and which listings disagree."""

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import ean

from invbi_pipeline.domain.identity.barcodes import flaws, with_gtin
from invbi_pipeline_tests.domain.small_world import Rows, channel, reckon, shelves, wms, world

A, B, PACK, OTHER = "4006381333931", "5901234123457", "4012345678901", "96385074"


@pytest.mark.parametrize(
    ("typed", "flaw", "meant"),
    [
        ("4.00638E+12", "rounded", ""),
        ("4006381333931.0", "decimals", A),
        ("12345678905", "leading_zeros", "012345678905"),
        ("4006381333932", "check_digit", ""),
        ("400638133393", "check_digit", ""),
        ("123456789", "length", ""),
        ("0000000000000", "zeros", ""),
        ("4O0638l333931", "lookalike", A),
    ],
)
def test_a_barcode_that_cannot_exist_is_named_with_what_went_wrong(typed: str, flaw: str, meant: str) -> None:
    assert flaws(pl.Series([typed])).select("flaw", "digits").rows() == [(flaw, meant)]


@pytest.mark.parametrize("typed", [A, OTHER, "012345678905", "98412345678908", "400-6381 333931", "04252614", "SUP-0001", ""])
def test_a_barcode_that_exists_or_is_a_shops_own_code_is_left_alone(typed: str) -> None:
    assert flaws(pl.Series([typed])).is_empty()


@given(st.lists(st.text("0123456789 -", min_size=6, max_size=15), min_size=1, max_size=30))
def test_what_is_a_barcode_is_as_the_library_says(typed: list[str]) -> None:
    said = with_gtin(pl.LazyFrame({"barcode": typed})).collect()["gtin"].is_not_null().to_list()
    assert said == [ean.is_valid(text) and bool(ean.compact(text).strip("0")) for text in typed]


def shop(*listings: tuple[str, str, str], **more: Any) -> list[tuple[str, str, str]]:
    """Return the (system, listing_key, sku) in conflict: listings are (system, code, barcode); `wms` counts A, B."""
    rows = world(wms(), *({**shelves(sku, a=1), "places": []} for sku in "AB"), {"places": shelves("A", a=1)["places"]})
    rows = world(rows, channel("web", sells_from=["a"]), channel("till", sells_from=["a"]), more)
    said: Rows = {"listings": [{"system": s, "listing_key": c, "raw_sku": c, "barcode": b} for s, c, b in listings]}
    found = reckon(**world(rows, said)).candidates.filter(code="barcode_conflict")
    return found.select("system", "listing_key", "sku").rows()


def test_a_listing_with_another_skus_barcode_is_one_conflict_filed_under_it() -> None:
    right = [(system, sku, bar) for system in ("wms", "till") for sku, bar in (("A", A), ("B", B))]
    assert shop(*right, ("web", "A", B), ("web", "B", B)) == [("web", "A", "A")]


def test_a_listing_that_alone_has_another_barcode_is_a_conflict() -> None:
    assert shop(("wms", "A", A), ("till", "A", A), ("web", "A", OTHER)) == [("web", "A", "A")]


def test_where_two_disagree_the_system_that_counts_is_believed() -> None:
    assert shop(("wms", "A", A), ("web", "A", OTHER)) == [("web", "A", "A")]


def test_one_barcode_on_two_skus_everywhere_is_one_conflict() -> None:
    both = [(system, sku, A) for system in ("wms", "web", "till") for sku in "AB"]
    assert len(shop(*both)) == 1


def test_a_pack_has_a_barcode_of_its_own() -> None:
    pack = [{"system": "web", "listing_key": "A6", "sku": "A", "units": 6}]
    assert shop(("wms", "A", A), ("web", "A", A), ("web", "A6", PACK), sku_map=pack) == []


def test_one_barcode_written_in_two_lengths_is_one() -> None:
    assert shop(("wms", "A", "0012345678905"), ("web", "A", "012345678905")) == []


def test_what_cannot_be_a_barcode_contradicts_none() -> None:
    assert shop(("wms", "A", A), ("web", "A", "4.00638E+12")) == []


def test_a_bad_barcode_is_told_with_its_reason() -> None:
    rows = world(wms(), shelves("A", a=1), channel("web", "A", sells_from=["a"]))
    rows["listings"][0]["barcode"] = "4006381333932"
    found = reckon(**rows).candidates.filter(code="invalid_barcode").row(0, named=True)
    assert (found["system"], found["listing_key"], found["sku"]) == ("web", "A", "A")
    assert json.loads(found["evidence"])["flaw"] == "check_digit"
    assert "should be 1" in found["cause"]
