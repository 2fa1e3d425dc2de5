"""The wall: what fails goes to quarantine with its row and reason, the rest goes on, typed."""

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from invbi_pipeline.domain.frames import WALL
from invbi_pipeline.store.walls import Parsed, parse, parse_time
from invbi_pipeline_tests.flows.scripted import START, wall

GOOD: dict[str, dict[str, Any]] = {
    "locations": {"location_key": "1", "name": "Soho", "active": "true"},
    "listings": {"listing_key": "k", "price": "9.50", "updated_at": START},
    "stock": {"listing_key": "k", "quantity": "3"},
    "order_lines": {"order_id": "o", "line_id": "1", "state": "open", "quantity": "2", "open_quantity": "1"},
    "effects": {"effect_id": "e", "listing_key": "k", "kind": "sale", "units": "-1", "stamped_at": START},
    "movements": {"movement_id": "m", "listing_key": "k", "kind": "receipt", "units": "4", "occurred_at": START},
}


def _parse(name: str, *rows: dict[str, Any]) -> Parsed:
    return parse(name, wall(name, "till", [{**GOOD[name], **row} for row in rows]), "b1", "till", name)


@pytest.mark.parametrize("name", sorted(WALL))
def test_a_good_row_of_each_frame_comes_through_with_its_types(name: str) -> None:
    parsed = _parse(name, {})

    assert parsed.quarantine.is_empty()
    assert dict(parsed.rows.schema) == {**WALL[name], "payload": pl.String(), "row_number": pl.Int64()}
    assert parsed.rows.height == 1


@pytest.mark.parametrize(
    ("name", "cell", "reason"),
    [
        ("stock", {"quantity": "1.5"}, "quantity: fractional quantity"),
        ("stock", {"quantity": "-.5"}, "quantity: fractional quantity"),
        ("stock", {"quantity": "1e3"}, "quantity: number too large or in exponent form"),
        ("stock", {"quantity": "9223372036854775807"}, "quantity: number too large or in exponent form"),
        ("stock", {"quantity": "99999999999999999999"}, "quantity: number too large or in exponent form"),
        ("stock", {"quantity": "many"}, "quantity: not a number"),
        ("stock", {"quantity": None}, "state: known without a quantity"),
        ("stock", {"reserved": "-1"}, "reserved: below 0"),
        ("stock", {"state": "perhaps"}, "state: not one of known, untracked, unknown"),
        ("stock", {"listing_key": None}, "listing_key: is blank"),
        ("stock", {"listing_key": " "}, "listing_key: is blank"),
        ("stock", {"listing_key": "#REF!"}, "listing_key: a spreadsheet error, not a code"),
        ("stock", {"listing_key": "#N/A"}, "listing_key: a spreadsheet error, not a code"),
        ("stock", {"listing_key": "1.23E+12"}, "listing_key: digits lost to a float"),
        ("stock", {"changed_at": "yesterday"}, "changed_at: not a time"),
        ("stock", {"changed_at": "2026-03-02T09:00:00"}, "changed_at: not a time"),
        ("listings", {"price": "free"}, "price: not a number"),
        ("listings", {"status": "asleep"}, "status: not one of active, inactive, deleted"),
        ("locations", {"active": "yes"}, "active: not true or false"),
        ("effects", {"units": None}, "units: is blank"),
        ("effects", {"stamped_at": None}, "stamped_at: is blank"),
        ("movements", {"units": None}, "units: is blank"),
    ],
)
def test_a_row_that_breaks_a_rule_is_put_aside_with_the_reason(name: str, cell: dict[str, Any], reason: str) -> None:
    parsed = _parse(name, {}, cell, {})

    assert parsed.quarantine.select("batch_id", "system", "dataset", "row_number", "reason").rows() == [
        ("b1", "till", name, 2, reason)
    ]
    assert parsed.rows["row_number"].to_list() == [1, 3]


def test_a_row_that_breaks_two_rules_is_put_aside_once_with_both() -> None:
    parsed = _parse("stock", {"quantity": "1.5", "listing_key": "#REF!"})

    assert parsed.quarantine["reason"].to_list() == [
        "listing_key: a spreadsheet error, not a code; quantity: fractional quantity"
    ]


def test_codes_made_of_digits_stay_text_and_keep_their_zeros_and_spaces() -> None:
    parsed = _parse("stock", {"listing_key": "0012"}, {"listing_key": "0012 "})

    assert parsed.rows["listing_key"].to_list() == ["0012", "0012 "]


def test_whole_numbers_are_read_however_they_are_written() -> None:
    parsed = _parse("stock", {"quantity": "7.0"}, {"quantity": "+7"}, {"quantity": " -7 "})

    assert parsed.rows["quantity"].to_list() == [7, 7, -7]


def test_unknown_needs_no_quantity_and_never_becomes_zero() -> None:
    parsed = _parse("stock", {"state": "unknown", "quantity": None})

    assert parsed.rows.select("state", "quantity").rows() == [("unknown", None)]


def test_a_count_may_leave_out_what_difference_it_made() -> None:
    parsed = _parse("movements", {"kind": "count", "units": None, "counted": "5"})

    assert parsed.rows.select("units", "counted").rows() == [(None, 5)]


def test_rows_keep_the_number_that_the_channel_gave_them() -> None:
    frame = wall("stock", "till", [{**GOOD["stock"], "quantity": "x"}]).with_columns(row_number=pl.lit(41, pl.Int64))

    assert parse("stock", frame, "b1", "till", "stock").quarantine["row_number"].to_list() == [41]


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-02T09:00:00Z",
        "2026-03-02T10:00:00+01:00",
        "2026-03-02T09:00:00.000+0000",
        "2026-03-02 09:00:00+00:00",
        "2026-03-02T09:00Z",
    ],
)
def test_times_are_read_in_the_spellings_that_platforms_use(text: str) -> None:
    found = pl.DataFrame({"at": [text]}).select(parse_time(pl.col("at")))["at"].to_list()

    assert found == [datetime(2026, 3, 2, 9, tzinfo=UTC)]
