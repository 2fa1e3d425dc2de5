"""What is taken back, and from what number: the inverse of the change, where nobody changed the number since."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from invbi_pipeline.domain import frames as f
from invbi_pipeline.domain.corrections.undo import Undo, UndoInputs, take_back, undone_points
from invbi_pipeline.domain.points.inputs import POINT_EFFECTS

SENT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
NOW = SENT + timedelta(hours=1)
KEY = {"system": "shop", "listing_key": "l1", "location": ""}


def rows(schema: f.Schema, *some: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame([{**dict.fromkeys(schema), **one} for one in some], schema=dict(schema))


def change(**over: Any) -> dict[str, Any]:
    """A correction that made 8 of 5."""
    plain = {"correction_id": "c1", "run_id": "r1", "kind": "set", **KEY, "from_qty": 5, "to_qty": 8, "shown": 5, "target": 8}
    return {**plain, "state": "verified", "sent_at": SENT, "observed_at": SENT - timedelta(minutes=1), **over}


def stands(reported: int, **over: Any) -> dict[str, Any]:
    plain = {**KEY, "raw": reported, "reported": reported, "state": "agreed", "unexplained": 0, "in_flight": 0, "withheld": 0}
    return {**plain, "version": "7", "observed_at": NOW, **over}


def effect(units: int, minutes: float) -> dict[str, Any]:
    return {**KEY, "effect_id": f"e{minutes}", "units": units, "stamped_at": SENT + timedelta(minutes=minutes)}


def back(point: dict[str, Any], *effects: dict[str, Any], sent: dict[str, Any] | None = None, gross: bool = False) -> Undo:
    lags = pl.DataFrame([{"system": "shop", "visibility_lag_s": 120, "gross": gross}])
    corrections = rows(f.CORRECTIONS, sent or change())
    inputs = UndoInputs(corrections, corrections, rows(f.POINTS, point), rows(POINT_EFFECTS, *effects), lags)
    return take_back(inputs, NOW, "r2")


def numbers(found: Undo) -> tuple[int, int, int]:
    (row,) = found.corrections.iter_rows(named=True)
    return row["from_qty"], row["to_qty"], row["target"]


def why(found: Undo) -> str:
    assert found.corrections.is_empty()
    (told,) = found.kept["why"]
    return str(told)


def test_it_is_the_change_that_is_inverted_not_the_old_number_that_returns() -> None:
    found = back(stands(7), effect(-1, 30))
    assert numbers(found) == (7, 4, 4)
    (row,) = found.corrections.iter_rows(named=True)
    assert (row["undoes"], row["units_at_risk"], row["state"]) == ("c1", 3, "planned")


@pytest.mark.parametrize("reported", [8, 7])
def test_an_effect_within_the_visibility_lag_may_or_may_not_be_in_the_number(reported: int) -> None:
    assert numbers(back(stands(reported), effect(-1, 1)))[0] == reported


def test_an_effect_the_send_contained_is_not_counted_again() -> None:
    assert numbers(back(stands(8), effect(-1, -1))) == (8, 5, 5)


def test_a_number_that_is_not_ours_plus_the_orders_since_is_left_alone() -> None:
    assert "shows 6, and our change with the orders since makes 8" in why(back(stands(6)))
    assert "somebody changed it since" in why(back(stands(8, unexplained=3)))


def test_a_gross_platform_goes_on_holding_what_it_reserves() -> None:
    found = back(stands(7, raw=9), effect(-1, -0.5), gross=True)  # stamped after the read behind the push
    assert numbers(found) == (9, 6, 4)


def test_a_number_below_zero_is_counted_from_where_it_stands() -> None:
    lowered = change(from_qty=5, to_qty=2, shown=5, target=2)
    found = back(stands(0, raw=-2), effect(-4, 30), sent=lowered)
    assert numbers(found) == (-2, 1, 1)


@pytest.mark.parametrize(
    ("sent", "point", "told"),
    [
        (change(kind="post", from_qty=None), stands(8), "mend it in shop itself"),
        (change(state="mismatched"), stands(8), "never took hold"),
        (change(state="ambiguous"), stands(8), "not known"),
        (change(shown=8), stands(8), "changed nothing"),
        (change(), stands(8, state="unknown"), "cannot be compared now (unknown)"),
        (change(), stands(8, in_flight=1), "still under way"),
        (change(), stands(0, listing_key="l2"), "cannot be compared now (gone)"),
    ],
    ids=["post", "mismatched", "ambiguous", "nothing", "unknown", "in flight", "gone"],
)
def test_what_is_left_alone_says_why(sent: dict[str, Any], point: dict[str, Any], told: str) -> None:
    assert told in why(back(point, sent=sent))


def test_only_a_point_whose_newest_change_takes_one_back_is_held() -> None:
    took = change(correction_id="c2", shown=8, target=5, undoes="c1", sent_at=SENT + timedelta(minutes=1))
    after = change(correction_id="c3", sent_at=SENT + timedelta(minutes=2))
    first, second, third = (rows(f.CORRECTIONS, one) for one in (change(), took, after))
    assert undone_points(pl.concat([first, second]), first)["undone"].to_list() == [3]
    assert undone_points(pl.concat([first, second, third]), first).is_empty()


def test_what_takes_an_undoing_back_holds_nothing() -> None:
    took = change(correction_id="c2", undoes="c1")
    again = change(correction_id="c3", undoes="c2", sent_at=NOW)
    assert undone_points(rows(f.CORRECTIONS, took, again), rows(f.CORRECTIONS, took)).is_empty()
