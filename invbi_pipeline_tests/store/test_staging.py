"""The staging models: the newest believed word of each system on each thing."""

from pathlib import Path
from typing import Any

import pytest

from invbi_pipeline.domain.words import FeedVerdict
from invbi_pipeline.store.landing import POINTS
from invbi_pipeline_tests.flows.scripted import START
from invbi_pipeline_tests.store.landed import Landed


@pytest.fixture
def landed(tmp_path: Path) -> Landed:
    return Landed(tmp_path)


def _stock(key: str, quantity: int | None, **more: Any) -> dict[str, Any]:
    return {"listing_key": key, "location_key": "1", "quantity": quantity, **more}


def test_a_number_reaches_as_far_as_the_newest_sweep_that_did_not_say_it_changed(landed: Landed) -> None:
    landed.land("stock", [_stock("a", 5), _stock("b", 7)], 0, full=True)
    landed.land("stock", [_stock("b", 6)], 5)

    assert landed.rows("stg_observations", "listing_key", "location", "quantity", "observed_at") == [
        ("a", "soho", 5, landed.at(5)),
        ("b", "soho", 6, landed.at(5)),
    ]


def test_a_point_that_the_newest_full_read_lacks_is_unknown_not_zero(landed: Landed) -> None:
    landed.land("stock", [_stock("a", 5), _stock("b", 7)], 0, full=True)
    landed.land("stock", [_stock("b", 7)], 5, full=True)

    assert landed.rows("stg_observations", "listing_key", "state", "quantity") == [("a", "unknown", None), ("b", "known", 7)]


def test_a_point_read_back_later_is_newer_than_the_sweep_and_leaves_the_others(landed: Landed) -> None:
    landed.land("stock", [_stock("a", 5), _stock("b", 7)], 0, full=True)
    landed.land("stock", [_stock("a", 4)], 3, scope=POINTS)

    assert landed.rows("stg_observations", "listing_key", "quantity", "observed_at") == [
        ("a", 4, landed.at(3)),
        ("b", 7, landed.at(0)),
    ]


@pytest.mark.parametrize("verdict", [v for v in FeedVerdict if v != FeedVerdict.BELIEVED])
def test_a_read_that_is_not_believed_changes_nothing(landed: Landed, verdict: FeedVerdict) -> None:
    landed.land("stock", [_stock("a", 5)], 0, full=True)
    landed.land("stock", [_stock("a", 0)], 5, full=True, verdict=verdict)

    assert landed.rows("stg_observations", "listing_key", "quantity", "observed_at") == [("a", 5, landed.at(0))]


def test_the_platforms_clock_orders_reads_not_the_order_of_landing(landed: Landed) -> None:
    landed.land("stock", [_stock("a", 4)], 5)
    landed.land("stock", [_stock("a", 5)], 0, full=True)

    assert landed.rows("stg_observations", "quantity") == [(4,)]


def test_a_point_given_twice_with_two_numbers_shows_both_and_with_one_number_once(landed: Landed) -> None:
    landed.land("stock", [_stock("a", 0), _stock("a", 23), _stock("b", 1), _stock("b", 1)], 0, full=True)

    assert landed.rows("stg_observations", "listing_key", "quantity") == [("a", 0), ("a", 23), ("b", 1)]


def test_a_place_that_is_not_configured_is_named_as_such(landed: Landed) -> None:
    landed.land("stock", [{**_stock("a", 5), "location_key": "99"}, {**_stock("b", 5), "location_key": ""}], 0, full=True)

    assert landed.rows("stg_observations", "listing_key", "location") == [("a", "unmapped:99"), ("b", "")]


def test_a_listing_that_a_page_did_not_show_is_still_there(landed: Landed) -> None:
    landed.land("listings", [{"listing_key": "a", "raw_sku": "A"}, {"listing_key": "b", "raw_sku": "B"}], 0, full=True)
    landed.land("listings", [{"listing_key": "b", "raw_sku": "B2"}], 5, full=True)

    assert landed.rows("stg_listings", "listing_key", "raw_sku", "status") == [("a", "A", "active"), ("b", "B2", "active")]


def test_a_listing_is_deleted_by_the_platforms_word(landed: Landed) -> None:
    landed.land("listings", [{"listing_key": "a", "raw_sku": "A"}], 0, full=True)
    landed.land("listings", [{"listing_key": "a", "raw_sku": "A", "status": "deleted"}], 5)

    assert landed.rows("stg_listings", "listing_key", "status") == [("a", "deleted")]


def test_an_effect_read_three_times_counts_once(landed: Landed) -> None:
    sale = {"effect_id": "o1/1/sale", "listing_key": "a", "location_key": "1", "kind": "sale", "units": -1, "stamped_at": START}
    for minute in (0, 5, 10):
        landed.land("effects", [sale], minute)

    assert landed.rows("stg_effects", "effect_id", "units", "location", "first_seen_at") == [
        ("o1/1/sale", -1, "soho", landed.at(0))
    ]


def test_a_movement_of_two_components_stays_two(landed: Landed) -> None:
    def moved(key: str) -> dict[str, Any]:
        row = {"movement_id": "o1/1/f1", "location_key": "1", "kind": "sale", "units": -1, "occurred_at": START}
        return {**row, "listing_key": key}

    landed.land("movements", [moved("a"), moved("b")], 0)
    landed.land("movements", [moved("a"), moved("b")], 5)

    assert landed.rows("stg_movements", "movement_id", "listing_key") == [("o1/1/f1", "a"), ("o1/1/f1", "b")]


def test_a_step_of_a_return_read_twice_counts_once_and_carries_the_configured_place(landed: Landed) -> None:
    step = {"event_id": "d1", "return_id": "r1", "listing_key": "a", "location_key": "1", "state": "received", "units": 2}
    for minute in (0, 5):
        landed.land("returns", [{**step, "occurred_at": START, "damaged": "true"}], minute)

    columns = ("event_id", "state", "units", "damaged", "location")
    assert landed.rows("stg_returns", *columns) == [("d1", "received", 2, True, "soho")]


@pytest.mark.parametrize("order", [(0, 5), (5, 0)])
def test_the_newest_change_of_an_order_line_wins_however_late_it_was_read(landed: Landed, order: tuple[int, int]) -> None:
    states = {0: "open", 5: "fulfilled"}
    for read, minute in enumerate(order):
        line = {"order_id": "o1", "line_id": "1", "quantity": 1, "open_quantity": 0, "state": states[minute]}
        landed.land("order_lines", [{**line, "updated_at": landed.at(minute)}], 10 + read)

    assert landed.rows("stg_order_lines", "order_id", "state") == [("o1", "fulfilled")]


def test_locations_carry_the_configured_name(landed: Landed) -> None:
    places = [
        {"location_key": "1", "name": "Soho shop", "active": "true"},
        {"location_key": "9", "name": "Attic", "active": "false"},
    ]
    landed.land("locations", places, 0, full=True)

    assert landed.rows("stg_locations", "location_key", "location", "active") == [("1", "soho", True), ("9", None, False)]
