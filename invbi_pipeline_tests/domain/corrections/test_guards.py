"""Guards: each holds what it must, and lets everything else go."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from invbi_pipeline.config import GuardConfig
from invbi_pipeline.domain import frames as f
from invbi_pipeline.domain.corrections.guards import GUARDS, UNDONE, ZEROED, GuardInputs, held_by, holding, judge, limits_frame
from invbi_pipeline.domain.corrections.repacked import repacked_listings

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


def mapping(units: int, since: int, until: int | None = None, sku: str = "A") -> dict[str, Any]:
    """A mapping of a listing to so many units, from and to minutes before now."""
    ended = None if until is None else NOW - timedelta(minutes=until)
    plain = {"system": "shop", "listing_key": "l0", "sku": sku, "how": "map"}
    return {**plain, "units": units, "valid_from": NOW - timedelta(minutes=since), "valid_to": ended}


def test_the_first_push_after_a_listings_units_changed_waits_for_a_person_and_the_next_does_not() -> None:
    mappings = rows(f.MAPPINGS, mapping(6, since=90, until=30), mapping(1, since=30))
    before, after = (rows(f.CORRECTIONS, change(9, 5, 4, listing_key="l0", sent_at=NOW - timedelta(minutes=m))) for m in (40, 10))
    repacked = repacked_listings(mappings, before)
    assert repacked.select("listing_key", "repacked").rows() == [("l0", "6 to 1")]
    assert verdict(change(0, 2, 10), inputs(point(0), repacked=repacked)) == ("held", {"identity"})
    assert verdict(change(1, 2, 10), inputs(point(1), repacked=repacked)) == ("approved", set())
    assert repacked_listings(mappings, after).is_empty()


def test_a_listing_that_means_another_sku_by_the_same_units_is_not_repacked() -> None:
    mappings = rows(f.MAPPINGS, mapping(1, since=90, until=30), mapping(1, since=30, sku="B"), mapping(6, since=30, until=30))
    assert repacked_listings(mappings, rows(f.CORRECTIONS)).is_empty()


def fallen(n: int, ago: int, **over: Any) -> dict[str, Any]:
    """A number one short of what is known, seen so by two judged looks; it fell so many minutes ago and was seen 5 later."""
    since = NOW - timedelta(minutes=ago)
    told = {"unexplained": -1, "confirmed": -1, "found": -1, "found_how": "confirmed", "judged": True, "complete_to": NOW}
    return point(n, **{**told, "found_since": since, "found_at": since + timedelta(minutes=5), **over})


@pytest.mark.parametrize(("ago", "held"), [(10, {"two_looks"}), (31, set())])
def test_several_numbers_that_fell_without_an_order_may_be_late_orders_and_are_not_raised_soon(ago: int, held: set[str]) -> None:
    given = inputs(fallen(0, ago), fallen(1, 6, confirmed=0, found=0, found_since=None, found_at=None))
    assert verdict(change(0, 6, 7), given)[1] == held


def test_that_orders_may_be_late_does_not_deny_the_ones_that_a_finding_names() -> None:
    judged = judge(rows(f.CORRECTIONS, change(0, 6, 7)), inputs(fallen(0, 10), fallen(1, 10)), NOW)
    said = "2 of this channel's numbers fell further than its orders say: more orders may be on their way"
    assert holding(judged["guard"].item()) == {"two_looks": said}


@pytest.mark.parametrize(("late_orders_s", "ago", "held"), [(3600.0, 31, {"two_looks"}), (300.0, 10, set()), (0.0, 10, set())])
def test_how_late_orders_may_be_is_for_a_channel_to_say(late_orders_s: float, ago: int, held: set[str]) -> None:
    given = inputs(fallen(0, ago), fallen(1, ago))
    limits = given.limits.with_columns(late_orders_s=pl.lit(late_orders_s))
    assert verdict(change(0, 6, 7), given._replace(limits=limits))[1] == held


def test_one_number_that_two_looks_found_fallen_is_raised_at_once() -> None:
    assert verdict(change(0, 6, 7), inputs(fallen(0, 10), point(1, unexplained=2, confirmed=2)))[1] == set()


def test_a_number_that_fell_and_is_not_judged_yet_says_nothing_of_the_orders() -> None:
    assert verdict(change(0, 6, 7), inputs(fallen(0, 10), fallen(1, 6, confirmed=0, judged=False)))[1] == set()


def test_numbers_that_fell_on_another_channel_say_nothing_of_this_ones_orders() -> None:
    assert verdict(change(0, 6, 7), inputs(fallen(0, 10), fallen(1, 10, system="till")))[1] == set()


@pytest.mark.parametrize(("ago", "held"), [(15, {"two_looks"}), (20, set())])
def test_a_number_that_fell_is_not_raised_before_its_order_could_have_come_as_late_as_any_did_lately(
    ago: int, held: set[str]
) -> None:
    late = {"verdict": "believed", "stock_read_at": NOW, "order_lag_s": 900}
    feeds = rows(f.FEEDS, {"system": "shop", **late}, {"system": "till", **late})
    assert verdict(change(0, 6, 7), inputs(fallen(0, ago), feeds=feeds))[1] == held


def test_what_fell_without_an_order_is_still_lowered_at_once() -> None:
    assert verdict(change(0, 6, 5), inputs(fallen(0, 10), fallen(1, 10)))[1] == set()


@pytest.mark.parametrize(("changes", "held"), [(20, set()), (21, {"changed_share"})])
def test_a_plan_that_changes_too_much_of_a_channel_waits(changes: int, held: set[str]) -> None:
    plan = rows(f.CORRECTIONS, *(change(n, 5, 4) for n in range(changes)))
    judged = judge(plan, inputs(*(point(n) for n in range(100))), NOW)
    assert {name for guard in judged["guard"] for name in holding(guard)} == held


@pytest.mark.parametrize(("changes", "of", "held"), [(9, 12, set()), (10, 20, set()), (11, 20, {"changed_share"})])
def test_a_small_channel_is_not_changed_as_a_whole_at_once_either(changes: int, of: int, held: set[str]) -> None:
    plan = rows(f.CORRECTIONS, *(change(n, 5, 4) for n in range(changes)))
    judged = judge(plan, inputs(*(point(n) for n in range(of))), NOW)
    assert {name for guard in judged["guard"] for name in holding(guard)} == held


@pytest.mark.parametrize(("zeroes", "held"), [(5, set()), (6, {"zeroed_share"})])
def test_a_plan_that_sends_too_much_of_a_channel_to_zero_waits(zeroes: int, held: set[str]) -> None:
    plan = rows(f.CORRECTIONS, *(change(n, 5, 0) for n in range(zeroes)))
    judged = judge(plan, inputs(*(point(n) for n in range(100))), NOW)
    assert {name for guard in judged["guard"] for name in holding(guard)} == held


@pytest.mark.parametrize(
    ("zeroes", "of", "held"), [(4, 10, set()), (5, 10, {"zeroed_share"}), (5, 20, set()), (6, 20, {"zeroed_share"})]
)
def test_a_small_channel_is_not_emptied_at_once_either(zeroes: int, of: int, held: set[str]) -> None:
    plan = rows(f.CORRECTIONS, *(change(n, 5, 0) for n in range(zeroes)))
    judged = judge(plan, inputs(*(point(n) for n in range(of))), NOW)
    assert {name for guard in judged["guard"] for name in holding(guard)} == held


def zeroed(*numbers: int, minutes_ago: int = 20) -> pl.DataFrame:
    """What the guards let go to zero some time ago."""
    at = NOW - timedelta(minutes=minutes_ago)
    return pl.DataFrame(
        [{"system": "shop", "listing_key": f"l{n}", "location": "", "zeroed_at": at} for n in numbers], schema=ZEROED
    )


@pytest.mark.parametrize(
    ("before", "zeroes", "over", "held"),
    [
        (4, 1, {}, {"zeroed_lately"}),  # the fifth of nineteen: more than a quarter
        (3, 1, {}, set()),  # four numbers are an ordinary day
        (4, 1, {"sold": 5}, set()),  # shoppers took them
        (4, 1, {"sold": 4}, {"zeroed_lately"}),
        (0, 4, {}, set()),
    ],
)
def test_a_channel_is_not_emptied_a_few_numbers_at_a_time(before: int, zeroes: int, over: dict[str, int], held: set[str]) -> None:
    plan = rows(f.CORRECTIONS, *(change(n, 5, 0, **over) for n in range(zeroes)), change(17, 5, 4))
    empty = (point(n, reported=0) for n in range(20, 20 + before))
    given = inputs(*(point(n) for n in range(14)), *empty, zeroed=zeroed(*range(20, 20 + before)))
    judged = judge(plan, given, NOW)
    assert [set(holding(guard)) for guard in judged["guard"]] == [held] * zeroes + [set()]


def test_what_went_to_zero_longer_ago_is_forgotten_and_what_goes_again_counts_once() -> None:
    shop = [point(n) for n in range(14)]
    plan = rows(f.CORRECTIONS, change(0, 5, 0))
    for before in (zeroed(20, 21, 22, 23, minutes_ago=61), zeroed(0, 20, 21, 22), zeroed(20, 20, 21, 22)):
        assert judge(plan, inputs(*shop, zeroed=before), NOW)["state"].to_list() == ["approved"]


def test_on_a_gross_platform_a_number_goes_to_zero_where_only_what_is_reserved_stays() -> None:
    plan = rows(f.CORRECTIONS, *(change(n, 7, 2, shown=5, target=0) for n in range(6)))
    judged = judge(plan, inputs(*(point(n) for n in range(20))), NOW)
    assert {name for guard in judged["guard"] for name in holding(guard)} == {"zeroed_share"}


DOUBT = {"code": "duplicate_sku", "system": "shop", "listing_key": "l0"}


def undone(units: int) -> pl.DataFrame:
    return pl.DataFrame([{"system": "shop", "listing_key": "l0", "location": "", "undone": units}], schema=UNDONE)


@pytest.mark.parametrize(
    ("back", "after", "held"),
    [(-3, 5, {"undone"}), (-3, 4, set()), (-3, 9, {"undone"}), (3, 11, {"undone"}), (3, 9, {"undone"}), (3, 7, set())],
)
def test_what_a_person_took_back_waits_for_a_person_but_a_lower_number_does_not(back: int, after: int, held: set[str]) -> None:
    assert verdict(change(0, 8, after), inputs(point(0), undone=undone(back)))[1] == held


@pytest.mark.parametrize(("offer", "held"), [(9, set()), (8, {"beyond_offer"}), (None, {"beyond_offer"})])
def test_taking_back_never_promises_more_than_there_is_without_a_person(offer: int | None, held: set[str]) -> None:
    assert verdict(change(0, 5, 9, undoes="c1"), inputs(point(0, offer=offer), undone=undone(3)))[1] == held


@pytest.mark.parametrize(
    ("limit", "seen", "given"),
    [
        ({"second_writer_after": 0}, {"returns": 9}, {}),
        ({"frozen_after": 0}, {"stuck": 9}, {}),
        ({"hold_doubted_identity": False}, {}, {"candidates": [DOUBT]}),
        ({"hold_undone": False}, {}, {"undone": undone(3)}),
        ({"two_looks_for_raises": False}, {"unexplained": -2}, {}),
    ],
    ids=lambda said: next(iter(said), "") if isinstance(said, dict) else "",
)
def test_a_channel_may_let_a_guard_go(limit: dict[str, Any], seen: dict[str, Any], given: dict[str, Any]) -> None:
    more = {name: rows(f.CANDIDATES, *rest) if name == "candidates" else rest for name, rest in given.items()}
    watched = inputs(point(0, **seen), **more)
    assert verdict(change(0, 5, 9), watched)[0] == "held"
    lax = watched.limits.with_columns(pl.lit(value).alias(name) for name, value in limit.items())
    assert verdict(change(0, 5, 9), watched._replace(limits=lax)) == ("approved", set())


def test_the_guards_that_hold_are_named_in_their_order() -> None:
    judged = judge(rows(f.CORRECTIONS, change(0, 5, 906, mode="approve")), inputs(point(0)), NOW)
    assert judged.select(held_by()).item().to_list() == ["mode", "change_units"]


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
