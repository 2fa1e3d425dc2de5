"""The wall: what fails goes to quarantine with its row and reason, the rest goes on, typed."""

from datetime import UTC, datetime, timedelta
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
    "returns": {"event_id": "e", "return_id": "r", "listing_key": "k", "state": "received", "units": "1", "occurred_at": START},
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
        ("stock", {"quantity": "1000000000"}, "quantity: number too large or in exponent form"),
        ("order_lines", {"quantity": "-1"}, "quantity: below 0"),
        ("order_lines", {"quantity": None}, "quantity: is blank"),
        ("order_lines", {"open_quantity": None}, "open_quantity: is blank"),
        ("order_lines", {"quantity": "1.5"}, "quantity: fractional quantity"),
        ("order_lines", {"quantity": "1000000000"}, "quantity: number too large or in exponent form"),
        ("movements", {"units": "-1000000000"}, "units: number too large or in exponent form"),
        ("movements", {"counted": "-1"}, "counted: below 0"),
        ("effects", {"units": "-0.5"}, "units: fractional quantity"),
        ("listings", {"price": "free"}, "price: not a number"),
        ("listings", {"status": "asleep"}, "status: not one of active, inactive, deleted"),
        ("locations", {"active": "yes"}, "active: not true or false"),
        ("effects", {"units": None}, "units: is blank"),
        ("effects", {"stamped_at": None}, "stamped_at: is blank"),
        ("movements", {"units": None}, "units: is blank"),
        ("stock", {"quantity": "\uff14"}, "quantity: not a number"),
        ("stock", {"quantity": "\u0664\u0662"}, "quantity: not a number"),
        ("movements", {"units": "-\uff11"}, "units: not a number"),
        ("movements", {"kind": "transfer_out", "units": "+5"}, "units: above 0, and this kind takes units away"),
        ("movements", {"kind": "Sale", "units": "5.0"}, "units: above 0, and this kind takes units away"),
        ("movements", {"kind": "transfer_in", "units": "-5"}, "units: below 0, and this kind brings units"),
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


@pytest.mark.parametrize(
    ("name", "cell", "column"),
    [
        ("effects", {"units": "-2"}, "effect_id"),
        ("order_lines", {"quantity": "3"}, "line_id"),
    ],
)
def test_of_one_id_with_two_contents_the_later_row_holds_and_the_other_is_put_aside(
    name: str, cell: dict[str, Any], column: str
) -> None:
    parsed = _parse(name, {}, cell)

    assert parsed.quarantine.select("row_number", "reason").rows() == [(1, f"{column}: row 2 has the same id and other contents")]
    assert parsed.rows["row_number"].to_list() == [2]


@pytest.mark.parametrize("cell", [{"units": "5"}, {"location_key": "2"}, {"occurred_at": START + timedelta(hours=1)}])
def test_of_a_movement_whose_id_was_used_again_the_first_holds_and_the_other_is_put_aside(cell: dict[str, Any]) -> None:
    parsed = _parse("movements", {}, {**cell, "movement_id": "m"}, {"movement_id": "other"})

    assert parsed.quarantine.select("row_number", "reason", "listing_key").rows() == [
        (2, "movement_id: row 1 has the same id and other contents", "k")
    ]
    assert parsed.rows["row_number"].to_list() == [1, 3]


def test_of_a_movement_whose_id_was_used_again_the_earlier_is_the_first_though_the_newest_stands_on_top() -> None:
    parsed = _parse("movements", {"units": "5", "occurred_at": START + timedelta(hours=1)}, {})

    assert parsed.rows["units"].to_list() == [4]


def test_an_order_line_that_changed_while_it_was_read_is_no_contradiction() -> None:
    parsed = _parse(
        "order_lines", {"updated_at": "2026-03-02T09:00:00Z"}, {"updated_at": "2026-03-02T09:01:00Z", "quantity": "1"}
    )

    assert (parsed.rows.height, parsed.quarantine.height) == (2, 0)


def test_a_row_that_is_repeated_word_for_word_is_no_contradiction() -> None:
    assert _parse("movements", {}, {}).quarantine.is_empty()


def test_the_largest_quantity_that_is_believed_is_just_below_a_thousand_million() -> None:
    assert _parse("stock", {"quantity": "999999999"}).rows["quantity"].to_list() == [999_999_999]


@pytest.mark.parametrize(
    ("kind", "units"), [("sale", "-5"), ("sale", "0"), ("transfer_in", "5"), ("receipt", "-5"), ("adjustment", "5")]
)
def test_a_movement_whose_sign_its_kind_allows_comes_through(kind: str, units: str) -> None:
    assert _parse("movements", {"kind": kind, "units": units}).rows["units"].to_list() == [int(units)]


def test_a_number_that_keeps_every_rule_and_cannot_be_held_is_put_aside_and_never_null() -> None:
    parsed = _parse("listings", {"price": "1e999"}, {})

    assert parsed.quarantine.select("row_number", "reason").rows() == [(1, "price: cannot be read")]
    assert parsed.rows["price"].to_list() == [9.5]


def test_what_happened_more_than_a_day_after_the_read_is_put_aside() -> None:
    frame = wall("movements", "till", [{**GOOD["movements"], "movement_id": str(d), "occurred_at": d} for d in (
        "2026-03-03T08:00:00Z", "2026-03-03T10:00:00Z", "2099-01-01",
    )])  # fmt: skip
    parsed = parse("movements", frame, "b1", "till", "movements", datetime(2026, 3, 2, 9, tzinfo=UTC))

    assert parsed.rows["row_number"].to_list() == [1]
    assert parsed.quarantine["reason"].to_list() == ["occurred_at: more than a day after it was read"] * 2
