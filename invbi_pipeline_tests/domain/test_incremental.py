"""Incremental decisions: the skus that changed, decided anew, come to what a whole decision comes to (law 7)."""

from dataclasses import fields
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from invbi_pipeline.domain.decision import Decided, decide
from invbi_pipeline.domain.incremental import keep, merged, moved_on, redecide, upserted
from invbi_pipeline.domain.points import MergeResult
from invbi_pipeline_tests.domain.small_world import NOW, Rows, at, frame, world
from invbi_pipeline_tests.domain.test_truth_laws import CHANNELS, LISTED, PLACES, worlds

Frames = dict[str, pl.DataFrame]

# Three decisions of a quarter of a second each, however small the world; shrinking one would take minutes.
unhurried = settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow], phases=[Phase.explicit, Phase.generate])

SKUS = (*LISTED, "B", "C", "D")
CHANGE = st.fixed_dictionaries({}, optional={
    "observations": st.tuples(st.sampled_from(("wms", *CHANNELS)), st.sampled_from(SKUS), st.integers(-1, 9)),
    "order_lines": st.tuples(st.sampled_from(CHANNELS), st.sampled_from(SKUS), st.sampled_from(["o0", "o1", "n"])),
    "movements": st.tuples(st.sampled_from(("wms", *CHANNELS)), st.sampled_from(SKUS), st.sampled_from(["", "o1"])),
    "kit_rows": st.tuples(st.sampled_from(("K", "KK")), st.sampled_from(("B", "C", "D"))),
    "listings": st.tuples(st.sampled_from(CHANNELS), st.sampled_from(("a ", "D", "E-9")), st.sampled_from(["", "4006381333931"])),
    "prices": st.tuples(st.sampled_from(SKUS), st.sampled_from(["", "c"])),
})  # fmt: skip


def rows_of(change: dict[str, tuple[Any, ...]]) -> Rows:
    """Return the changed rows that a draw of CHANGE stands for."""
    made: dict[str, Any] = {
        "observations": lambda system, key, n: {"system": system, "listing_key": key, "quantity": n,
                                                "location": "p1" if system == "wms" else ""},
        "order_lines": lambda system, key, order: {"system": system, "order_id": order, "line_id": "2", "listing_key": key,
                                                   "quantity": 1, "open_quantity": 1, "external_id": "o0" * (order == "n")},
        "movements": lambda system, key, order: {"system": system, "movement_id": "x", "listing_key": key, "location": PLACES[0],
                                                 "units": -1, "order_id": order, "occurred_at": at(0.5)},
        "kit_rows": lambda kit, part: {"kit_sku": kit, "component_sku": part, "quantity": 2},
        "listings": lambda system, code, bar: {"system": system, "listing_key": f"new-{code}", "raw_sku": code, "barcode": bar},
        "prices": lambda sku, category: {"sku": sku, "category": category},
    }  # fmt: skip
    return {name: [made[name](*drawn)] for name, drawn in change.items()}


def frames(rows: Rows) -> Frames:
    return {name: frame(name, *several).collect().unique(maintain_order=True) for name, several in rows.items()}


def lived_in(rows: Rows) -> Rows:
    """Add another sku, shown numbers, movements and the state of every feed."""
    shown = [{"system": c, "listing_key": key, "quantity": 4} for c in CHANNELS for key in LISTED]
    moved = [{"system": "wms", "movement_id": "m", "listing_key": "B", "location": "p2", "units": 2, "occurred_at": at(1)}]
    lags = {"order_lag_s": 60, "read_lag_s": 5, "visibility_lag_s": 60}
    other = {"system": "web", "listing_key": "D", "raw_sku": "D", "barcode": "4006381333931"}
    feeds = [{"system": s, **lags} for s in ("wms", *CHANNELS)]
    more: Rows = {"observations": shown, "movements": moved, "listings": [other], "prices": [{"sku": "D"}]}
    return {**world(rows, more), "feeds": feeds}


def flat(decided: Decided) -> Frames:
    compared = {field.name: getattr(decided.points, field.name) for field in fields(MergeResult)}
    return {**decided.truth._asdict(), **compared, "findings": decided.findings, "plan": decided.plan}


def assert_same(one: Decided, other: Decided) -> None:
    for (name, left), right in zip(flat(one).items(), flat(other).values(), strict=True):
        assert_frame_equal(left.select(pl.lit(name), pl.all()), right.select(pl.lit(name), pl.all()), check_row_order=False)


@pytest.mark.slow
@unhurried
@given(worlds(), CHANGE)
def test_what_changed_decided_anew_is_what_a_whole_decision_comes_to(rows: Rows, change: dict[str, tuple[Any, ...]]) -> None:
    whole, changes = frames(lived_in(rows)), frames(rows_of(change))
    before = decide(whole, NOW, "r", "EUR")
    kept = keep(whole, before)
    part = redecide(kept, changes, NOW, "r", "EUR")
    full = decide(upserted(whole, changes), NOW, "r", "EUR")
    assert_same(merged(before, part, kept), full)


# What a movement named as its order becomes one that a channel tells of, of other goods.
TOLD_LATER: Rows = {
    "systems": [
        {"system": "wms", "counts": True, "absorbs": "imported"},
        {"system": "shop", "sells": True, "sells_from": ["p1"]},
    ],
    "places": [{"location": "p1", "counted_by": "wms"}],
    "observations": [{"system": "wms", "listing_key": "A", "location": "p1", "quantity": 20}],
    "kit_rows": [{"kit_sku": "K", "component_sku": "A", "quantity": 3}],
}


@pytest.mark.slow
@unhurried
@given(worlds(), CHANGE, CHANGE)
@example(TOLD_LATER, {"movements": ("wms", "K", "o1")}, {"order_lines": ("shop", "D", "o1")})
def test_changes_after_changes_come_to_what_a_whole_decision_of_all_of_them_comes_to(
    rows: Rows, one: dict[str, tuple[Any, ...]], other: dict[str, tuple[Any, ...]]
) -> None:
    whole, first, second = frames(lived_in(rows)), frames(rows_of(one)), frames(rows_of(other))
    before = decide(whole, NOW, "r", "EUR")
    kept = keep(whole, before)
    part = redecide(kept, first, NOW, "r", "EUR")
    between = decide(upserted(whole, first), NOW, "r", "EUR")
    later = moved_on(kept, first, part)
    full = decide(upserted(upserted(whole, first), second), NOW, "r", "EUR")
    assert_same(merged(between, redecide(later, second, NOW, "r", "EUR"), later), full)


def test_what_is_said_of_whole_systems_needs_a_whole_decision() -> None:
    kept = keep({}, decide({}, NOW, "r", "EUR"))
    with pytest.raises(TypeError, match="changes of systems need a whole decision"):
        redecide(kept, {"systems": frame("systems").collect()}, NOW, "r", "EUR")
