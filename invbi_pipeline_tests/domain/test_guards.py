"""Guards: each holds what it must, and lets everything else go."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from invbi_pipeline.config import GuardConfig
from invbi_pipeline.domain import frames as f
from invbi_pipeline.domain.guards import GUARDS, GuardInputs, holding, judge, limits_frame

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def rows(schema: f.Schema, *some: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame([{**dict.fromkeys(schema), **one} for one in some], schema=dict(schema))


def point(n: int, **over: Any) -> dict[str, Any]:
    plain = {"system": "shop", "listing_key": f"l{n}", "location": "", "state": "agreed", "reported": 5, "first_look": False}
    return {**plain, "unexplained": 0, "confirmed": 0, "returns": 0, "stuck": 0, "complete_to": NOW, **over}


def change(n: int, before: int, after: int, **over: Any) -> dict[str, Any]:
    plain = {"correction_id": f"c{n}", "kind": "set", "system": "shop", "listing_key": f"l{n}", "location": "", "mode": "auto"}
    return {**plain, "from_qty": before, "to_qty": after, "target": after, **over}


def inputs(*points: dict[str, Any], **over: Any) -> GuardInputs:
    feeds = rows(
        f.FEEDS,
        {"system": "shop", "verdict": "believed", "stock_read_at": NOW},
        {"system": "till", "verdict": "believed", "stock_read_at": NOW},
    )
    config = GuardConfig()
    limits = limits_frame({"shop": config, "till": config}, {"shop": ["till"]}, {"shop": 1800, "till": 1800})
    return GuardInputs(points=rows(f.POINTS, *points), feeds=feeds, limits=limits)._replace(**over)


def verdict(correction: dict[str, Any], given: GuardInputs) -> tuple[str, set[str]]:
    judged = judge(rows(f.CORRECTIONS, correction), given, NOW).row(0, named=True)
    return judged["state"], set(holding(judged["guard"]))


def test_a_small_change_that_nothing_speaks_against_is_approved_and_every_verdict_is_kept() -> None:
    judged = judge(rows(f.CORRECTIONS, change(0, 5, 4)), inputs(point(0)), NOW).row(0, named=True)
    assert judged["state"] == "approved"
    assert all(f'"{guard}":"pass"' in judged["guard"] for guard in GUARDS)


@pytest.mark.parametrize("mode", ["observe", "approve"])
def test_a_system_that_is_not_in_mode_auto_waits_for_a_person(mode: str) -> None:
    assert verdict(change(0, 5, 4, mode=mode), inputs(point(0))) == ("planned", {"mode"})


@pytest.mark.parametrize("scope", ["", "shop"])
def test_nothing_is_sent_while_paused(scope: str) -> None:
    assert verdict(change(0, 5, 4), inputs(point(0), paused=frozenset({scope}))) == ("held", {"paused"})


def test_a_system_whose_feed_is_not_believed_is_not_written_to() -> None:
    feeds = rows(
        f.FEEDS, {"system": "shop", "verdict": "truncated"}, {"system": "till", "verdict": "believed", "stock_read_at": NOW}
    )
    assert verdict(change(0, 5, 4), inputs(point(0), feeds=feeds)) == ("held", {"feed"})


@pytest.mark.parametrize(("after", "held"), [(9, {"owner_age"}), (4, set())])
def test_an_old_number_of_the_owner_holds_raises_and_never_a_lowering(after: int, held: set[str]) -> None:
    old = NOW - timedelta(hours=2)
    feeds = rows(
        f.FEEDS,
        {"system": "shop", "verdict": "believed", "stock_read_at": NOW},
        {"system": "till", "verdict": "believed", "stock_read_at": old},
    )
    assert verdict(change(0, 5, after), inputs(point(0), feeds=feeds))[1] == held


def test_a_listing_whose_sku_is_in_doubt_is_left_alone() -> None:
    doubt = rows(f.CANDIDATES, {"code": "duplicate_sku", "system": "shop", "listing_key": "l0"})
    assert verdict(change(0, 5, 4), inputs(point(0), candidates=doubt)) == ("held", {"identity"})


def test_a_doubt_between_two_listings_holds_both() -> None:
    evidence = '{"code":"A","listing_keys":["l9","l0"]}'
    doubt = rows(f.CANDIDATES, {"code": "duplicate_sku", "system": "shop", "listing_key": "l9", "evidence": evidence})
    assert verdict(change(0, 5, 4), inputs(point(0), candidates=doubt)) == ("held", {"identity"})


@pytest.mark.parametrize(("changes", "held"), [(20, set()), (21, {"changed_share"})])
def test_a_plan_that_changes_too_much_of_a_channel_waits(changes: int, held: set[str]) -> None:
    plan = rows(f.CORRECTIONS, *(change(n, 5, 4) for n in range(changes)))
    judged = judge(plan, inputs(*(point(n) for n in range(100))), NOW)
    assert {name for guard in judged["guard"] for name in holding(guard)} == held


@pytest.mark.parametrize(("zeroes", "held"), [(5, set()), (6, {"zeroed_share"})])
def test_a_plan_that_sends_too_much_of_a_channel_to_zero_waits(zeroes: int, held: set[str]) -> None:
    plan = rows(f.CORRECTIONS, *(change(n, 5, 0) for n in range(zeroes)))
    judged = judge(plan, inputs(*(point(n) for n in range(100))), NOW)
    assert {name for guard in judged["guard"] for name in holding(guard)} == held


def test_a_very_large_change_waits() -> None:
    assert verdict(change(0, 5, 506), inputs(point(0))) == ("held", {"change_units"})


@pytest.mark.parametrize(("complete_to", "held"), [(NOW - timedelta(minutes=1), {"first_look"}), (NOW, set())])
def test_a_raise_at_a_first_look_waits_for_the_order_feed(complete_to: datetime, held: set[str]) -> None:
    seen = point(0, first_look=True, first_look_at=NOW, complete_to=complete_to)
    assert verdict(change(0, 5, 9), inputs(seen))[1] == held
    assert verdict(change(0, 5, 1), inputs(seen))[1] == set()


@pytest.mark.parametrize(("confirmed", "held"), [(0, {"two_looks"}), (-2, set())])
def test_a_raise_of_what_is_unexplained_waits_for_a_second_look(confirmed: int, held: set[str]) -> None:
    assert verdict(change(0, 3, 5), inputs(point(0, unexplained=-2, confirmed=confirmed)))[1] == held


def test_a_number_that_somebody_else_keeps_setting_is_left_alone() -> None:
    assert verdict(change(0, 5, 4), inputs(point(0, returns=2)))[1] == {"second_writer"}


def test_a_listing_that_applies_nothing_any_more_is_left_alone() -> None:
    assert verdict(change(0, 5, 4), inputs(point(0, stuck=2)))[1] == {"frozen"}


def test_a_post_to_a_counting_system_is_not_judged_by_the_shares_of_a_channel() -> None:
    posts = rows(f.CORRECTIONS, *(change(n, 5, -1, kind="post", from_qty=None) for n in range(60)))
    judged = judge(posts, inputs(*(point(n) for n in range(100))), NOW)
    assert set(judged["state"]) == {"approved"}
