"""The score of detection: what counts as found, as late, as a false alarm, and as an explanation."""

import json
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from invbi_pipeline.cli.bench.detect import _result
from invbi_pipeline.cli.bench.detect.plan import OUTAGES, Deed, plan_deeds
from invbi_pipeline.cli.bench.detect.score import Lags, Look, score
from invbi_pipeline.cli.bench.detect.story import next_tick, put_off

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
CYCLE_S = 300.0
LAGS = Lags({"web": 60.0}, {"web": 3600.0})


def fact(**given: Any) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(("cause", "undetectable", "location", "detail"), "") | {
        "label": "drift", "system": "web", "listing_key": "L1", "sku": "TEE", "other_keys": [], "units": -2, "events": [],
        "implies": [], "at": (START + timedelta(seconds=10)).isoformat(), "ripe_at": None, "ripens": False,
    }  # fmt: skip
    return row | given


def finding(nth: int, **given: Any) -> dict[str, Any]:
    row = {
        "finding_id": "f1", "code": "drift", "system": "web", "listing_key": "L1", "sku": "TEE", "location": "", "units": 2,
        "cause": "", "evidence": "{}", "last_seen": at(nth),
    }  # fmt: skip
    return row | given


def at(nth: int) -> datetime:
    return START + timedelta(seconds=CYCLE_S * nth)


def looks(*found: list[dict[str, Any]], facts: tuple[dict[str, Any], ...] = ()) -> list[Look]:
    return [Look(at(n), at(n) + timedelta(seconds=20), rows, facts, ()) for n, rows in enumerate(found)]


def test_a_fact_is_found_by_its_code_its_thing_and_its_place() -> None:
    one = score([fact()], [], [], looks([], [finding(1)], [], []), LAGS, CYCLE_S).labels["drift"]
    assert (one.planted, one.found, one.false, one.cycles) == (1, 1, 0, [1])


@pytest.mark.parametrize("other", [{"sku": "MUG", "listing_key": "L2"}, {"system": "till"}, {"code": "undersell"}])
def test_a_finding_of_another_thing_place_or_code_finds_nothing_and_is_a_false_alarm(other: dict[str, str]) -> None:
    made = score([fact()], [], [], looks([], [finding(1, **other)], [], []), LAGS, CYCLE_S)
    assert (made.labels["drift"].found, sum(one.false for one in made.labels.values())) == (0, 1)


def test_what_comes_after_the_order_lag_and_two_cycles_is_late() -> None:
    late = looks([], [], [], [], [finding(4)])
    one = score([fact()], [], [], late, LAGS, CYCLE_S).labels["drift"]
    assert (one.found, one.late) == (0, 1)


def test_what_is_no_fact_yet_is_not_asked_for() -> None:
    one = score([fact(ripens=True)], [], [], looks([], [], [], []), LAGS, CYCLE_S).labels["drift"]
    assert (one.planted, one.unripe) == (0, 1)


def test_what_did_not_ripen_is_said_beside_what_nobody_could_see() -> None:
    facts = [fact(ripens=True), fact(sku="MUG", undetectable="nobody listens"), fact(sku="CUP", ripens=True)]
    told = _result(score(facts, [], [], looks([], []), LAGS, CYCLE_S), 1, 1, "", 0.0).figures
    assert told["planted"] == 0
    assert told["undetectable, as the world said"] == 1
    assert told["unripe: no fact before the end, or right by chance"] == 2
    assert "unripe 2" in told["drift"]


def test_what_a_fact_implies_and_what_the_world_says_of_a_number_are_no_false_alarms() -> None:
    said = {"code": "oversell_risk", "system": "web", "location": "", "sku": "TEE"}
    implied = looks([], [finding(1, code="undersell"), finding(1, code="oversell_risk", finding_id="f2")], facts=(said,))
    made = score([fact(implies=["undersell"])], [], [], implied, LAGS, CYCLE_S)
    assert made.false == []


def test_a_finding_that_stays_open_is_raised_once_and_one_that_comes_back_twice() -> None:
    stays = score([fact()], [], [], looks([finding(0)], [finding(1)], [finding(2)]), LAGS, CYCLE_S)
    flaps = score([fact()], [], [], looks([finding(0)], [], [finding(2)]), LAGS, CYCLE_S)
    assert (stays.labels["drift"].alarms, flaps.labels["drift"].alarms) == (1, 2)


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ([{"cause": "duplicate", "units": -2, "events": ["o1"]}], 1),
        ([{"cause": "duplicate", "units": -2, "events": ["o2"]}], 0),
        ([{"cause": "foreign", "units": -2, "events": []}], 0),
    ],
)
def test_a_cause_is_right_when_it_says_the_word_and_names_no_wrong_event(said: list[dict[str, Any]], right: int) -> None:
    evidence = json.dumps({"causes": said, "remainder": 0})
    planted = fact(cause="duplicate", events=["o1"])
    one = score([planted], [], [], looks([], [finding(1, evidence=evidence)], [], []), LAGS, CYCLE_S).labels["drift"]
    assert (one.cause_asked, one.cause_right, one.units_explained) == (1, right, 2 * right)


def test_an_explanation_is_that_of_the_very_number_and_not_of_another_channels_of_the_same_place() -> None:
    def said(cause: str) -> str:
        return json.dumps({"causes": [{"cause": cause, "units": -2, "events": ["o1"]}], "remainder": 0})

    other = finding(1, system="till", location="soho", evidence=said("foreign"))
    mine = finding(1, finding_id="f2", location="soho", evidence=said("duplicate"))
    planted = fact(cause="duplicate", events=["o1"], location="soho")
    assert score([planted], [], [], looks([], [other, mine], [], []), LAGS, CYCLE_S).labels["drift"].cause_right == 1


def test_the_faults_of_a_label_are_spread_over_the_time_and_those_that_need_age_come_early_where_the_platform_tells() -> None:
    labels = ["drift", "ghost_location", "missed_event"]
    deeds = plan_deeds(labels, [], {"web": "shopify", "till": "square"}, 3, random.Random(1))
    for label in ("drift", "ghost_location"):
        assert [int(deed.at // 1200) for deed in deeds if deed.label == label] == [0, 1, 2]
    lost = [deed for deed in deeds if deed.label == "missed_event"]
    assert {(deed.options["system"], deed.at < 900) for deed in lost} == {("web", True)}


def test_deeds_are_three_decoys_a_fault_and_one_outage_of_a_system_at_a_time() -> None:
    deeds = plan_deeds(["drift", *OUTAGES], ["late_order"], {"web": "shopify", "erp": "files"}, 2, random.Random(1))
    faults = [deed for deed in deeds if deed.label]
    assert len([deed for deed in deeds if deed.kind]) == 3 * len(faults)
    for system in ("web", "erp"):
        mine = [(d.at, d.at + float(d.options["minutes"]) * 60) for d in faults if d.options.get("system") == system]
        assert all(ends <= begins for (_, ends), (begins, _) in pairwise(mine))


def test_no_outage_hides_a_number_before_its_finding_is_due() -> None:
    slowest = 22 * 60 + 2 * CYCLE_S  # an order booked ahead, and two cycles
    deeds = plan_deeds(["drift", *OUTAGES], ["late_order"], {"web": "shopify", "erp": "files"}, 20, random.Random(1))
    number, outage = (max(d.at for d in deeds if d.label == "drift"), min(d.at for d in deeds if d.label in OUTAGES))
    assert outage - number >= slowest


def test_a_guard_that_held_a_whole_channel_is_right_where_it_held_the_facts_number_with_the_others() -> None:
    held = finding(1, code="push_held", sku="", listing_key="")
    made = score([fact(implies=["push_held"])], [], [], looks([], [held]), LAGS, CYCLE_S)
    assert made.false == []
    elsewhere = score([fact(implies=["push_held"])], [], [], looks([], [held | {"system": "till"}]), LAGS, CYCLE_S)
    assert [one["code"] for one in elsewhere.false] == ["push_held"]


@pytest.mark.parametrize("label", ["oversell_risk", "drift"])
def test_a_number_that_the_world_says_is_right_at_every_look_is_not_asked_for(label: str) -> None:
    typed = fact(label=label, units=1, implies=["oversell_risk"])
    said = {"code": "oversell_risk", "system": "web", "location": "", "listing_key": "L1", "sku": "TEE", "units": 1}
    one = score([typed], [], [], looks([], [], [], []), LAGS, CYCLE_S).labels[label]
    assert (one.planted, one.unripe) == (0, 1)
    wrong = score([typed], [], [], looks([], [], [], [], facts=(said,)), LAGS, CYCLE_S).labels[label]
    assert (wrong.planted, wrong.found) == (1, 0)


def test_a_change_that_came_to_be_right_after_one_look_is_asked_for_only_where_our_correction_made_it_so() -> None:
    typed = fact(units=1, implies=["oversell_risk"])
    said = ({"code": "oversell_risk", "system": "web", "location": "", "listing_key": "L1", "sku": "TEE", "units": 1},)
    ours = ({"system": "web", "listing_key": "L1", "location": "", "sku": "TEE"},)

    def asked(*wrong: bool, sent: bool = False) -> int:
        seen = [replace(look, facts=said if bad else ()) for look, bad in zip(looks([], [], [], []), wrong, strict=True)]
        seen[1] = replace(seen[1], sent=ours if sent else ())
        return score([typed], [], [], seen, LAGS, CYCLE_S).labels["drift"].planted

    assert asked(False, True, False, False) == 0
    assert asked(False, True, True, False) == 1
    assert asked(False, True, False, False, sent=True) == 1


def test_the_cause_is_asked_of_the_listing_itself_and_not_of_its_skus_other_one() -> None:
    twin = finding(1, listing_key="L2", finding_id="f2", evidence=json.dumps({"causes": [{"cause": "pack"}], "remainder": 0}))
    own = finding(1, evidence=json.dumps({"causes": [{"cause": "foreign"}], "remainder": 0}))
    one = score([fact(cause="foreign")], [], [], looks([], [twin, own], [], []), LAGS, CYCLE_S).labels["drift"]
    assert one.cause_right == 1


def test_the_schedule_keeps_its_five_minutes_whatever_a_run_took_and_leaves_out_what_one_takes_up() -> None:
    took = {0: 1, 20: 1, 299: 1, 300: 1, 301: 2, 900: 3}
    assert {s: (next_tick(START, START + timedelta(seconds=s)) - START) / timedelta(seconds=CYCLE_S) for s in took} == took


def test_what_falls_into_a_run_happens_after_it_at_the_distances_it_was_planned_at() -> None:
    deeds = [Deed(310.0, "drift"), Deed(325.0, "undersell"), Deed(700.0, "drift")]
    assert put_off(START, deeds, START + timedelta(seconds=305)) == START
    began = put_off(START, deeds, START + timedelta(seconds=360))
    assert [(began - START).total_seconds() + deed.at for deed in deeds] == [360, 375, 750]


@pytest.mark.parametrize(("code", "asked"), [("undersell", 0), ("channel_stockout", 1)])
def test_a_stockout_that_was_none_any_more_at_every_look_is_not_asked_for(code: str, asked: int) -> None:
    said = {"code": code, "system": "web", "location": "", "sku": "TEE"}
    stockout = fact(label="channel_stockout", implies=["drift", "undersell"])
    one = score([stockout], [], [], looks([], [], [], [], facts=(said,)), LAGS, CYCLE_S).labels["channel_stockout"]
    assert (one.planted, one.unripe) == (asked, 1 - asked)
