"""Families: which skus must be decided together."""

from typing import Any

import polars as pl

from invbi_pipeline.domain.decision import whole
from invbi_pipeline.domain.identity.families import Families, families, joined
from invbi_pipeline_tests.domain.small_world import NOW, Rows, frame, system


def of(**rows: list[dict[str, Any]]) -> Families:
    """Return the families of a world with two systems."""
    named: Rows = {"systems": [system("web"), system("shop")], **rows}
    return families(whole({name: frame(name, *several).collect() for name, several in named.items()}))


def listing(key: str, code: str, **facts: Any) -> dict[str, Any]:
    return {"system": "web", "listing_key": key, "raw_sku": code, **facts}


def together(found: Families, *codes: str) -> bool:
    mine = found.codes.filter(pl.col("code").is_in(codes))
    assert mine.height == len(codes)
    return mine["family"].n_unique() == 1


def test_skus_without_a_link_are_families_of_their_own() -> None:
    assert not together(of(listings=[listing("1", "MUG"), listing("2", "CUP")]), "MUG", "CUP")


def test_a_kit_joins_its_components_and_all_that_they_are_part_of() -> None:
    kits = [{"kit_sku": kit, "component_sku": part, "quantity": 1} for kit, part in (("K", "A"), ("K", "B"), ("L", "B"))]
    assert together(of(kit_rows=kits), "K", "A", "B", "L")


def test_two_spellings_of_a_code_are_one_family() -> None:
    assert together(of(listings=[listing("1", "MUG-RED"), listing("2", "mug red")]), "MUG-RED", "mug red")


def test_listings_of_one_barcode_are_one_family() -> None:
    bar = {"barcode": "4006381333931"}
    assert together(of(listings=[listing("1", "MUG", **bar), listing("2", "CUP", **bar)]), "MUG", "CUP")


def test_a_listing_that_was_another_sku_before_joins_both() -> None:
    held = [{"system": "web", "listing_key": "1", "sku": sku, "valid_to": end} for sku, end in (("OLD", NOW), ("NEW", None))]
    assert together(of(mappings=held), "OLD", "NEW")


def test_an_unknown_listing_joins_the_style_that_may_know_it() -> None:
    mug = listing("1", "MUG-RED-M", style="MUG-RED")
    held = [{"system": "web", "listing_key": "1", "sku": "MUG-RED-M"}]
    found = of(listings=[mug, listing("2", "MUG-RED-XL", style="mug red")], mappings=held)
    assert together(found, "MUG-RED-M", "MUG-RED-XL")


def test_links_join_however_long_the_chain() -> None:
    chain = pl.DataFrame({"a": [f"{n:02}" for n in range(20)], "b": [f"{n + 1:02}" for n in range(20)]})
    assert joined(chain)["root"].unique().to_list() == ["00"]
