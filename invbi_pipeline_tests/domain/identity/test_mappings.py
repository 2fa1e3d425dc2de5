"""Identity: exact keys and people map; likeness only suggests."""

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from invbi_pipeline.domain.identity import codes
from invbi_pipeline.domain.identity.likeness import ALIKE, TWIN
from invbi_pipeline.domain.truth import TruthResult
from invbi_pipeline_tests.domain.small_world import Rows, at, channel, order, reckon, shelves, wms, world


def web(*listings: dict[str, Any], key_is_sku: bool = False) -> Rows:
    """Return a channel that keys its listings by ids of its own."""
    rows = channel("web", sells_from=["a"], keys_are_skus=key_is_sku)
    rows["listings"] = [{"system": "web", "listing_key": str(n), **listing} for n, listing in enumerate(listings)]
    return rows


def stock(*skus: str) -> Rows:
    return world(wms(), *({**shelves(sku, a=1), "places": []} for sku in skus), {"places": shelves("A", a=1)["places"]})


def mappings(result: TruthResult) -> dict[str, tuple[str, int, str]]:
    rows = result.mappings.filter(system="web").select("listing_key", "sku", "units", "how").iter_rows()
    return {key: (sku, units, how) for key, sku, units, how in rows}


def noticed(result: TruthResult) -> list[tuple[str, str]]:
    return result.candidates.filter(pl.col("system") == "web").select("code", "listing_key").rows()


def test_a_code_that_equals_a_master_sku_maps_exactly_and_the_map_comes_first() -> None:
    said = {"sku_map": [{"system": "web", "listing_key": "1", "sku": "B", "units": 6}]}
    result = reckon(**world(stock("A", "B"), web({"raw_sku": "A"}, {"raw_sku": "A"}), said))
    assert mappings(result) == {"0": ("A", 1, "exact"), "1": ("B", 6, "map")}


def test_the_map_may_name_a_code_and_hold_for_any_system() -> None:
    said = {"sku_map": [{"listing_key": "SIX", "sku": "A", "units": 6}]}
    assert mappings(reckon(**world(stock("A"), web({"raw_sku": "SIX"}), said))) == {"0": ("A", 6, "map")}


def test_where_only_the_map_may_map_an_equal_code_does_not() -> None:
    rows = world(stock("A"), web({"raw_sku": "A"}))
    rows["systems"][-1]["sku_fallback"] = False
    assert mappings(reckon(**rows)) == {}


def test_a_listing_mapped_to_two_skus_is_ambiguous_and_belongs_to_neither() -> None:
    said = {"sku_map": [{"system": "web", "listing_key": "0", "sku": sku} for sku in "AB"]}
    result = reckon(**world(stock("A", "B"), web({"raw_sku": "A"}), said))
    assert (mappings(result), noticed(result)) == ({}, [("ambiguous_mapping", "0")])


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("ab-001-m", "case or space"),
        (" AB-001- M", "case or space"),
        ("AB-001-M\u200b", "case or space"),
        ("AB/001_M", "separators"),
        ("00AB-001-M", "leading zeros"),
    ],
)
def test_a_code_written_otherwise_is_suggested_with_its_reason_and_never_mapped(code: str, reason: str) -> None:
    result = reckon(**world(stock("AB-001-M"), web({"raw_sku": code})))
    assert mappings(result) == {}
    assert result.suggestions.select("sku", "reason").rows() == [("AB-001-M", reason)]
    assert ("near_miss_sku", "0") in noticed(result)


def test_a_neighbouring_size_is_no_likeness() -> None:
    result = reckon(**world(stock("AB-001-XL"), web({"raw_sku": "AB-001-XXL"})))
    assert set(result.suggestions["reason"]) <= {ALIKE}
    assert mappings(result) == {}
    assert noticed(result) == [("variant_missing", "0")]


def test_a_code_like_two_skus_is_ambiguous() -> None:
    result = reckon(**world(stock("AB-1", "ab-1"), web({"raw_sku": "Ab-1"})))
    assert noticed(result) == [("ambiguous_mapping", "0"), ("unmapped_listing", "0")]


def test_a_shared_barcode_is_suggested() -> None:
    bars = {"listings": [{"system": "wms", "listing_key": "A", "raw_sku": "A", "barcode": "0012345678905"}]}
    result = reckon(**world(stock("A"), bars, web({"raw_sku": "zzz", "barcode": "012345678905"})))
    assert result.suggestions.select("sku", "reason").rows() == [("A", "barcode")]
    assert noticed(result) == [("unmapped_listing", "0")]


def test_an_unknown_variant_of_a_style_that_the_platform_names_is_a_missing_variant() -> None:
    result = reckon(**world(stock("A"), web({"raw_sku": "A", "style": "9001"}, {"raw_sku": "Q", "style": "9001"})))
    assert noticed(result) == [("variant_missing", "1")]


def test_a_code_that_only_orders_name_gets_exactly_one_finding_with_what_it_sold() -> None:
    sold = world(*(order("web", f"o{n}", "GONE", 2, price=1.5) for n in range(3)))
    result = reckon(**world(stock("A"), web(), sold))
    evidence = json.loads(result.candidates.filter(code="unmapped_listing")["evidence"].item())
    assert (evidence["sold_units"], evidence["sold_value"], evidence["source"]) == (6, 9.0, "orders")
    assert noticed(result) == [("unmapped_listing", "GONE")]


def test_a_code_typed_for_two_listings_is_a_finding_unless_somebody_mapped_them() -> None:
    rows = world(stock("A"), web({"raw_sku": "A"}, {"raw_sku": "A"}))
    assert noticed(reckon(**rows)) == [("duplicate_sku", "0")]
    said = {"sku_map": [{"system": "web", "listing_key": str(n), "sku": "A"} for n in range(2)]}
    assert noticed(reckon(**world(rows, said))) == []


def test_a_key_given_twice_with_different_numbers_is_a_finding_and_the_lower_holds() -> None:
    twice = {"observations": [{"system": "wms", "listing_key": "A", "location": "a", "quantity": n} for n in (0, 23)]}
    result = reckon(**world(stock("A"), twice))
    assert result.candidates.select("code", "listing_key", "location").rows() == [("duplicate_sku", "A", "a")]
    assert result.anchors["on_hand"].to_list() == [0]


def test_a_spelling_that_only_one_counting_system_uses_is_not_a_sku_of_its_own() -> None:
    rows = world(stock("A-1"), {"prices": [{"sku": "A-1"}]}, web())
    rows["observations"].append({"system": "wms2", "listing_key": "a1", "location": "b", "quantity": 5})
    rows["systems"].append({**rows["systems"][0], "system": "wms2"})
    rows["places"].append({"location": "b", "counted_by": "wms2"})
    result = reckon(**rows)
    assert result.candidates.filter(code="near_miss_sku").select("system", "sku").rows() == [("wms2", "A-1")]


def test_the_listings_of_a_platforms_own_warehouse_declare_no_sku() -> None:
    rows = world(
        stock("A"), web({"raw_sku": "ONLY-THERE"}), {"places": [{"location": "fc", "counted_by": "web", "kind": "platform_fc"}]}
    )
    assert noticed(reckon(**rows)) == [("unmapped_listing", "0")]


def test_a_listing_made_anew_takes_over_the_mapping_and_is_told_of_once() -> None:
    said = {"sku_map": [{"system": "web", "listing_key": "0", "sku": "A", "units": 6}]}
    rows = world(stock("A"), web({"raw_sku": "SIX", "status": "deleted"}, {"raw_sku": "SIX"}), said)
    before = {"mappings": [{"system": "web", "listing_key": "0", "sku": "A", "units": 6, "how": "map", "valid_from": at(-9)}]}
    result = reckon(**world(rows, before))
    assert mappings(result)["1"] == ("A", 6, "relisted")
    assert noticed(result) == [("relisted", "1")]
    again = reckon(**{**rows, "mappings": result.mappings.to_dicts()})
    assert noticed(again) == []


@pytest.mark.parametrize(
    ("code", "styles"),
    [
        ("TEE-RED-M", ["TEE-RED"]),
        ("an201-KR/XL", ["AN201-KR", "AN201"]),
        ("SKU-1001", []),
        ("PLAIN", []),
    ],
)
def test_a_style_is_a_beginning_of_a_code_that_says_enough(code: str, styles: list[str]) -> None:
    assert pl.select(codes.beginnings(pl.lit(code))).item().to_list() == styles


def test_a_code_that_begins_with_a_style_which_another_system_names_is_a_missing_variant() -> None:
    named = {"listings": [{"system": "wms", "listing_key": "AN201-RED-L", "raw_sku": "AN201-RED-L", "style": "AN201"}]}
    result = reckon(**world(stock("AN201-RED-L"), named, web({"raw_sku": "AN201-BLUE-L"}, {"raw_sku": "AN202-RED-L"})))
    assert noticed(result) == [("unmapped_listing", "1"), ("variant_missing", "0")]


def test_a_known_variant_written_otherwise_is_no_missing_variant() -> None:
    result = reckon(**world(stock("AB-001-XL"), web({"raw_sku": "ab_001_xl"})))
    assert noticed(result) == [("near_miss_sku", "0"), ("unmapped_listing", "0")]


def test_digits_that_went_through_a_float_are_a_near_miss() -> None:
    result = reckon(**world(stock("490001"), web({"raw_sku": "490001.0"})))
    assert result.suggestions.select("sku", "reason").rows() == [("490001", "decimals of a number")]
    assert noticed(result) == [("near_miss_sku", "0"), ("unmapped_listing", "0")]


def test_a_listing_without_a_code_is_named_by_its_title() -> None:
    result = reckon(**world(stock("A"), web({"raw_sku": "", "title": "Red mug"})))
    assert noticed(result) == [("unmapped_listing", "0")]
    assert "Red mug" in result.candidates["cause"].item()


def test_one_sku_on_several_listings_is_no_trouble() -> None:
    said = {"sku_map": [{"system": "web", "listing_key": "1", "sku": "A"}]}
    assert noticed(reckon(**world(stock("A"), web({"raw_sku": "A"}, {"raw_sku": "A-SALE"}), said))) == []


def test_a_code_that_is_only_the_parents_is_a_missing_variant() -> None:
    named = {"listings": [{"system": "wms", "listing_key": "AN201-RED-L", "raw_sku": "AN201-RED-L", "style": "AN201"}]}
    assert noticed(reckon(**world(stock("AN201-RED-L"), named, web({"raw_sku": "AN201"})))) == [("variant_missing", "0")]


def test_the_skus_of_a_style_are_ranked_by_shared_words_and_none_is_mapped() -> None:
    skus = ("AN201-RED-L", "AN201-BLUE-L", "AN202-BLUE-M")
    styles = {"listings": [{"system": "wms", "listing_key": s, "raw_sku": s, "style": s[:5]} for s in skus]}
    result = reckon(**world(stock(*skus), styles, web({"raw_sku": "AN201-BLUE-M", "style": "AN201"})))
    ranked = result.suggestions.sort("confidence", descending=True).select("sku", "reason").rows()
    assert ranked == [("AN201-BLUE-L", ALIKE), ("AN201-RED-L", ALIKE)]
    assert mappings(result) == {}


def test_a_listing_whose_code_was_changed_is_suggested_what_it_was() -> None:
    before = {"mappings": [{"system": "web", "listing_key": "0", "sku": "A", "how": "exact", "valid_from": at(-9)}]}
    result = reckon(**world(stock("A"), web({"raw_sku": "NEW-1"}), before))
    assert result.suggestions.select("sku", "confidence").rows() == [("A", 0.9)]
    assert result.mappings.filter(system="web").select("sku", "valid_to").rows() == [("A", at(0))]


def accepted(key: str, sku: str, hours: float = -1, **facts: Any) -> dict[str, Any]:
    return {"system": "web", "listing_key": key, "sku": sku, "decided_at": at(hours), **facts}


def test_what_a_person_accepted_maps_before_an_equal_code() -> None:
    said = {"decisions": [accepted("0", "B", units=6)]}
    result = reckon(**world(stock("A", "B"), web({"raw_sku": "A"}), said))
    assert mappings(result) == {"0": ("B", 6, "person")}
    assert noticed(result) == []


def test_the_last_word_of_a_person_holds_and_what_was_rejected_is_neither_mapped_nor_suggested() -> None:
    again = {"decisions": [accepted("0", "B", -3), accepted("0", "A", -2), accepted("0", "A", -1, decision="rejected")]}
    result = reckon(**world(stock("A", "B"), web({"raw_sku": "A"}), again))
    assert mappings(result) == {}
    assert result.suggestions.is_empty()


def test_a_person_who_contradicts_the_map_is_told_and_nothing_is_mapped() -> None:
    rows = world(stock("A", "B"), web({"raw_sku": "x"}), {"sku_map": [{"system": "web", "listing_key": "0", "sku": "A"}]})
    result = reckon(**world(rows, {"decisions": [accepted("0", "B")]}))
    assert (mappings(result), noticed(result)) == ({}, [("ambiguous_mapping", "0")])
    assert (
        result.candidates["cause"].item() == "0 on web is mapped to 1 x A and 1 x B at once, by the SKU map and by `invbi map`."
    )
    agreed = reckon(**world(rows, {"decisions": [accepted("0", "A")]}))
    assert mappings(agreed) == {"0": ("A", 1, "person")}


def test_two_listings_of_one_code_are_no_trouble_once_a_person_said_what_both_are() -> None:
    said = {"decisions": [accepted("0", "A"), accepted("1", "A")]}
    before = {"mappings": [{"system": "web", "listing_key": "0", "sku": "A", "valid_from": at(-9)}]}
    result = reckon(**world(stock("A"), web({"raw_sku": "A"}, {"raw_sku": "A"}), said, before))
    assert noticed(result) == []
    assert result.mappings.filter(listing_key="0").select("how", "valid_from").rows() == [("person", at(-9))]


def test_a_mapping_to_a_sku_that_nothing_knows_is_told() -> None:
    said = {"sku_map": [{"system": "web", "listing_key": "0", "sku": "TYPO"}]}
    rows = world(stock("A"), web({"raw_sku": "x"}), said)
    assert noticed(reckon(**rows)) == [("unmapped_listing", "0")]
    assert noticed(reckon(**world(rows, {"prices": [{"sku": "TYPO"}]}))) == []


def test_a_code_with_the_barcode_of_two_skus_is_ambiguous() -> None:
    bars = [{"system": "wms", "listing_key": sku, "raw_sku": sku, "barcode": "4006381333931"} for sku in "AB"]
    result = reckon(**world(stock("A", "B"), {"listings": bars}, web({"raw_sku": "zzz", "barcode": "4006381333931"})))
    assert noticed(result) == [("ambiguous_mapping", "0"), ("unmapped_listing", "0")]


@settings(max_examples=15)
@given(st.lists(st.text("aAbB01-_ .", max_size=5), min_size=1, max_size=8))
def test_no_mapping_ever_comes_from_likeness(typed: list[str]) -> None:
    known = ["A-01", "B-1", "AB"]
    result = reckon(**world(stock(*known), web(*({"raw_sku": code, "title": "a red mug", "style": "S"} for code in typed))))
    assert {typed[int(key)] for key in mappings(result)} <= set(known)
    assert all(sku == typed[int(key)] and how == "exact" for key, (sku, _, how) in mappings(result).items())


def test_a_second_listing_of_a_code_that_the_map_knows_by_key_is_a_duplicate_and_suggested_the_same() -> None:
    said = {"sku_map": [{"system": "web", "listing_key": "0", "sku": "A"}]}
    result = reckon(**world(stock("A"), web({"raw_sku": "UK-A"}, {"raw_sku": "UK-A"}), said))
    assert noticed(result) == [("duplicate_sku", "0"), ("unmapped_listing", "1")]
    assert result.suggestions.select("sku", "reason").rows() == [("A", TWIN)]


def test_a_movement_of_a_code_that_nothing_knows_is_told() -> None:
    moved = {
        "movements": [
            {"system": "wms", "movement_id": "m1", "listing_key": "GONE", "location": "a", "units": 3, "kind": "receipt"}
        ]
    }
    result = reckon(**world(stock("A"), moved))
    assert result.candidates.select("code", "system", "listing_key").rows() == [("unmapped_listing", "wms", "GONE")]
    assert json.loads(result.candidates["evidence"].item())["source"] == "movements"
