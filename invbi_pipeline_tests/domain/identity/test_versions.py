"""Versions: a mapping holds from when to when, and an event goes by the one of its own time."""

from typing import Any

import polars as pl

from invbi_pipeline.domain.identity.mappings import decided
from invbi_pipeline.domain.identity.versions import mapped, merge_versions
from invbi_pipeline_tests.domain.small_world import at, frame


def version(key: str, sku: str, since: float, until: float | None = None) -> dict[str, Any]:
    return {
        "system": "s",
        "listing_key": key,
        "sku": sku,
        "valid_from": at(since),
        "valid_to": None if until is None else at(until),
    }


def test_a_mapping_goes_on_when_no_page_showed_its_listing_and_ends_when_it_changed() -> None:
    previous = frame("mappings", version("gone", "A", -9), version("moved", "A", -9), version("same", "A", -9))
    resolved = frame("mappings", version("moved", "B", 0), version("same", "A", 0))
    things = pl.LazyFrame({"system": ["s"] * 2, "listing_key": ["moved", "same"], "source": ["listing"] * 2})
    merged = merge_versions(previous, resolved, things, decided(frame("decisions")), at(0)).collect()
    assert merged.select("listing_key", "sku", "valid_from", "valid_to").rows() == [
        ("gone", "A", at(-9), None),
        ("moved", "A", at(-9), at(0)),
        ("moved", "B", at(0), None),
        ("same", "A", at(-9), None),
    ]


def test_a_listing_that_was_shown_and_belongs_to_nothing_any_more_loses_its_mapping() -> None:
    things = pl.LazyFrame({"system": ["s"], "listing_key": ["x"], "source": ["listing"]})
    nobody = decided(frame("decisions"))
    merged = merge_versions(frame("mappings", version("x", "A", -9)), frame("mappings"), things, nobody, at(0)).collect()
    assert merged["valid_to"].to_list() == [at(0)]


def test_an_event_goes_by_the_mapping_of_its_own_time_and_the_first_reaches_back() -> None:
    versions = frame("mappings", version("x", "A", -9, -5), version("x", "B", -5))
    events = pl.LazyFrame({"system": ["s"] * 3, "listing_key": ["x"] * 3, "when": [at(-20), at(-6), at(-5)]})
    assert mapped(events, versions, "when").collect()["sku"].to_list() == ["A", "A", "B"]
