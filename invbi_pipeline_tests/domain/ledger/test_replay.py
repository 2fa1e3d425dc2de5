"""Replay: order lines taken back to an earlier time, and the event at which a number parted from its own events."""

from datetime import UTC, datetime

import polars as pl
import pytest

from invbi_pipeline.domain.frames import EFFECTS, MAPPINGS, MOVEMENTS, ORDER_LINES
from invbi_pipeline.domain.ledger.replay import aligned, first_parting, mappings_at, rewound
from invbi_pipeline.domain.ledger.tieout import ENTRIES
from invbi_pipeline.domain.truth import staged


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, 2, hour, minute, tzinfo=UTC)


def rows(schema: dict[str, pl.DataType], *given: dict[str, object]) -> pl.LazyFrame:
    return pl.LazyFrame([{name: row.get(name) for name in schema} for row in given], schema=schema)


LINE = {"system": "web", "order_id": "1043", "line_id": "1", "quantity": 3, "ordered_at": at(9)}
SHIPPED = {"system": "web", "order_id": "1043", "line_id": "1", "kind": "sale", "units": -2, "occurred_at": at(12)}
CANCELLED = {"system": "web", "order_id": "1043", "line_id": "1", "kind": "cancel", "units": 1, "stamped_at": at(13)}


@pytest.mark.parametrize(("hour", "open_units"), [(10, 4), (12, 2), (14, 1)])
def test_a_line_is_open_again_by_what_was_shipped_or_cancelled_later(hour: int, open_units: int) -> None:
    lines = rows(dict(staged(ORDER_LINES)), {**LINE, "state": "open", "open_quantity": 1, "updated_at": at(13, 30)})
    moves, effects = rows(dict(staged(MOVEMENTS)), SHIPPED), rows(dict(staged(EFFECTS)), CANCELLED)
    (line,) = rewound(lines, moves, effects, at(hour)).collect().to_dicts()
    assert (line["state"], line["open_quantity"]) == ("open", open_units)


def test_a_line_that_was_ordered_later_is_not_there_yet() -> None:
    lines = rows(dict(staged(ORDER_LINES)), {**LINE, "state": "open", "open_quantity": 3, "updated_at": at(9)})
    nothing = rows(dict(staged(MOVEMENTS))), rows(dict(staged(EFFECTS)))
    assert rewound(lines, *nothing, at(8)).collect().is_empty()
    assert rewound(lines, *nothing, at(9)).collect()["open_quantity"].item() == 3


def test_a_mapping_that_ended_later_had_not_ended_yet() -> None:
    first = {"system": "web", "listing_key": "a", "sku": "TEE", "units": 1, "valid_from": at(8), "valid_to": at(11)}
    second = {**first, "sku": "CAP", "valid_from": at(11), "valid_to": None}
    (held,) = mappings_at(rows(dict(MAPPINGS), first, second), at(10)).collect().to_dicts()
    assert (held["sku"], held["valid_to"]) == ("TEE", None)


def jump(units: int) -> pl.DataFrame:
    return pl.DataFrame([(at(9), at(12), units)], schema=["since", "at", "units"], orient="row")


def events(*units: int) -> pl.DataFrame:
    told = [(f"order {n}", f"m{n}", at(10, n), change) for n, change in enumerate(units)]
    return pl.DataFrame(told, schema=["origin", "movement_id", "at", "units"], orient="row")


@pytest.mark.parametrize(
    ("units", "changes", "parted"),
    [
        (2, (-1, -2), ("order 1", "was not applied")),
        (-2, (-1, -2), ("order 1", "was applied twice")),
        (3, (-1, -2), ("order 0", "was not applied, nor were the 1 after it")),
        (5, (-1, -2), ("", "no event that is told of did it")),
        (5, (), ("", "no event that is told of did it")),
    ],
)
def test_the_first_event_at_which_a_number_parted(units: int, changes: tuple[int, ...], parted: tuple[str, str]) -> None:
    assert first_parting(jump(units), events(*changes)) == parted


def test_a_number_that_never_parted_has_no_such_event() -> None:
    assert first_parting(jump(1).clear(), events(-1)) is None


def entry(origin: str, when: datetime, units: int, number: int) -> dict[str, object]:
    return {"origin": origin, "at": when, "kind": "sale", "units": units, "number": number, "location": "soho"}


def test_two_histories_stand_side_by_side_by_origin_then_by_time() -> None:
    schema = {**ENTRIES, "origin": pl.String(), "number": pl.Int64()}
    owner = rows(schema, entry("1043", at(12), -1, 8), entry("till sale", at(10), -1, 9))
    channel = rows(schema, entry("1043", at(9), -1, 4), entry("1044", at(11), -2, 2))
    found = aligned(owner, channel).collect()
    columns = ["origin", "owner_units", "owner_number", "channel_units", "channel_number"]
    assert found.select(columns).rows() == [
        ("1043", -1, 8, -1, 4),
        ("till sale", -1, 9, None, None),
        ("1044", None, None, -2, 2),
    ]
