from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from invbi_pipeline.domain import frames as f
from invbi_pipeline.domain.findings import CATALOGUE, OVER, DueRule, FindingInputs, lives, over, seen, with_said
from invbi_pipeline_tests.domain.findings.facts import (
    NOW,
    at,
    batches,
    candidates,
    corrections,
    feeds,
    listings,
    mappings,
    offers,
    points,
    positions,
    refused,
    reservations,
)

NOTHING = f.empty(f.LIVES)
NOBODY = f.empty(f.SAID)
HIGH = {"reported": 8, "state": "push_due", "gap_looks": 2}


def _step(previous: pl.DataFrame, inputs: FindingInputs, minute: float, said: pl.DataFrame = NOBODY) -> pl.DataFrame:
    now = at(minute)
    return lives(previous, seen(inputs, now, f"r{minute}", "GBP"), now, f"r{minute}", over(previous, inputs, now), said)


def _after(previous: pl.DataFrame, **given: pl.DataFrame) -> str:
    """Return the state of the one finding known so far, after two looks, at 9:50 and at 9:51."""
    once = _step(previous, FindingInputs(**given), 50)
    after = _step(once, FindingInputs(**given), 51).join(previous, on="finding_id", how="semi")
    return str(after["state"].item())


def _said(known: pl.DataFrame, minute: float, **words: str) -> pl.DataFrame:
    """Return SAID: what Ana says at this minute of the one finding known so far."""
    rows = [(known["finding_id"].item(), kind, value, "Ana", at(minute)) for kind, value in words.items()]
    return pl.DataFrame(rows, schema=dict(f.SAID), orient="row")


def _trouble(**given: pl.DataFrame) -> pl.DataFrame:
    return _step(NOTHING, FindingInputs(**given), 30)


def test_what_is_seen_again_keeps_its_first_time_and_moves_its_last() -> None:
    first = _trouble(points=points(HIGH))
    row = _step(first, FindingInputs(points=points({**HIGH, "reported": 9})), 40).row(0, named=True)
    assert (row["finding_id"], row["first_seen"], row["last_seen"]) == (first["finding_id"][0], at(30), at(40))
    assert (row["state"], row["units"], row["run_id"]) == ("open", 4, "r40")


def test_what_a_person_said_outlives_looks_resolution_and_reopening() -> None:
    known = _trouble(points=points(HIGH))
    said = _said(known, 31, acknowledged="", owner="Bo", due=at(90).isoformat(), note="rack 4")
    quiet, loud = FindingInputs(points=points({}), feeds=feeds({})), FindingInputs(points=points(HIGH))
    words = {"owner": "Bo", "due_at": at(90), "note": "rack 4", "acknowledged_by": "Ana", "acknowledged_at": at(31)}
    states = []
    for minute, inputs in ((40, loud), (41, quiet), (42, quiet), (43, loud)):
        known = _step(known, inputs, minute, said)
        states.append(known["state"].item())
        assert {name: known[name].item() for name in words} == words
    assert states == ["acknowledged", "acknowledged", "resolved", "reopened"]


def test_what_comes_back_waits_for_a_person_again() -> None:
    known = _trouble(points=points(HIGH))
    said = _said(known, 31, acknowledged="")
    for minute, point in ((41, {}), (42, {}), (43, HIGH)):
        known = _step(known, FindingInputs(points=points(point), feeds=feeds({})), minute, said)
    again = pl.concat([said, _said(known, 44, acknowledged="")])
    assert _step(known, FindingInputs(points=points(HIGH)), 45, again)["state"].item() == "acknowledged"


def test_the_last_word_counts() -> None:
    known = _trouble(points=points(HIGH))
    said = pl.concat([_said(known, 31, note="rack 4"), _said(known, 32, note="rack 5")])
    assert with_said(known, said)["note"].item() == "rack 5"


@pytest.mark.parametrize(("severity", "days"), [("critical", 0), ("high", 1), ("medium", 3), ("low", 14)])
def test_a_finding_is_due_at_the_end_of_the_day_that_its_severity_allows(severity: str, days: int) -> None:
    wrong = _trouble(points=points(HIGH)).with_columns(severity=pl.lit(severity))
    due = lives(NOTHING, wrong, at(30), "r1", f.empty(OVER), rule=DueRule(zone="America/New_York"))["due_at"].item()
    local = at(30).astimezone(ZoneInfo("America/New_York"))
    assert due.astimezone(local.tzinfo) == local.replace(hour=23, minute=59) + timedelta(days=days)


def test_the_due_time_moves_only_with_the_severity() -> None:
    known = _trouble(points=points(HIGH))
    day = 24 * 60
    later = _step(known, FindingInputs(points=points(HIGH)), 30 + day)
    assert later["due_at"].item() == known["due_at"].item()
    worse = _step(later, FindingInputs(points=points({**HIGH, "offer": 0})), 31 + day)
    assert (worse["severity"].item(), worse["due_at"].item()) == ("critical", known["due_at"].item())
    assert (
        _step(worse, FindingInputs(points=points({**HIGH, "offer": 0})), 31 + 2 * day)["due_at"].item() == worse["due_at"].item()
    )


# S: seen, n: a covered run that did not see it, -: a run that could not look. After each run: o open, X resolved, r reopened.
SEQUENCES = [
    ("Sn", "oo"),
    ("Snn", "ooX"),
    ("SnSnSnSn", "oooooooo"),  # seen every other run: one finding, open all the while
    ("Sn-n", "oooX"),  # a run that could not look says nothing
    ("S---", "oooo"),
    ("SnnS", "ooXr"),
    ("SnnSnSnS", "ooXrrrrr"),
    ("SnnSnn", "ooXrrX"),
    ("Snnnn", "ooXXX"),
]


@pytest.mark.parametrize(("runs", "states"), SEQUENCES)
def test_a_finding_is_over_after_two_covered_runs_without_it(runs: str, states: str) -> None:
    looks = {"S": points(HIGH), "n": points({}), "-": points({"covered": False})}
    known, told = NOTHING, ""
    for minute, run in enumerate(runs, start=30):
        known = _step(known, FindingInputs(points=looks[run], feeds=feeds({})), minute)
        told += {"open": "o", "resolved": "X", "reopened": "r"}[known["state"].item()]
    assert told == states
    assert known["first_seen"].item() == at(30)


@pytest.mark.parametrize(("runs", "states"), [("Sn", "oX"), ("SnS", "oXr"), ("SnSnSnS", "oXrrrrr"), ("SnSnn", "oXrrX")])
def test_a_systems_word_ends_a_finding_at_once_but_not_twice(runs: str, states: str) -> None:
    known, told = NOTHING, ""
    for minute, run in enumerate(runs, start=30):
        verdict = "unreachable" if run == "S" else "believed"
        known = _step(known, FindingInputs(feeds=feeds({"verdict": verdict})), minute)
        told += {"open": "o", "resolved": "X", "reopened": "r"}[known["state"].item()]
    assert told == states


def test_missed_twice_in_one_run_is_missed_once() -> None:
    known = _trouble(points=points(HIGH))
    quiet = FindingInputs(points=points({}), feeds=feeds({}))
    assert _step(_step(known, quiet, 40), quiet, 40)["state"].item() == "open"


def test_a_finding_says_when_it_opened_and_when_it_was_over() -> None:
    known = _trouble(points=points(HIGH))
    for minute in (41, 42):
        known = _step(known, FindingInputs(points=points({}), feeds=feeds({})), minute)
    assert known.select("resolution", "opened_at", "last_seen", "resolved_at").rows() == [
        ("no longer seen", at(30), at(30), at(42))
    ]
    back = _step(known, FindingInputs(points=points(HIGH)), 50)
    assert back.select("state", "resolution", "first_seen", "opened_at", "resolved_at").rows() == [
        ("reopened", None, at(30), at(50), None)
    ]


def test_a_finding_that_a_verified_correction_ended_is_over_at_once_and_says_so() -> None:
    known = _trouble(points=points(HIGH))
    mended = corrections({"send_ended_at": at(34), "verified_at": at(35)})
    gone = _step(known, FindingInputs(points=points({}), feeds=feeds({}), corrections=mended), 40)
    assert gone.select("state", "resolution", "suggested_action").rows() == [("resolved", "corrected by invbi", "")]


def test_a_correction_from_before_the_finding_opened_ends_nothing() -> None:
    known = _trouble(points=points(HIGH))
    gone = _step(known, FindingInputs(points=points({}), feeds=feeds({}), corrections=corrections({})), 40)
    assert gone["state"].item() == "open"


def test_a_raise_that_our_lowering_wiped_was_corrected_by_us_although_it_is_told_of_after_the_push() -> None:
    wiped = {"found": 3, "found_how": "taken", "found_at": at(5), "found_since": at(1)}
    mended = corrections({"sent_at": at(6), "send_ended_at": at(6), "verified_at": at(30)})
    known = _trouble(points=points(wiped), corrections=mended)
    assert set(known["code"]) == {"drift", "oversell_risk"}
    quiet = FindingInputs(points=points({}), feeds=feeds({}), corrections=mended)
    missed = _step(known, quiet, 40)
    assert set(missed["state"]) == {"open"}, "another number of the same sitting may be told of in the next run"
    gone = _step(missed, quiet, 41)
    assert gone.select("state", "resolution").unique().rows() == [("resolved", "corrected by invbi")]


def test_a_correction_from_before_the_number_was_changed_has_mended_nothing() -> None:
    known = _trouble(points=points({"found": 3, "found_how": "taken", "found_at": at(5), "found_since": at(1)}))
    before = corrections({"sent_at": at(4), "send_ended_at": at(4), "verified_at": at(30)})
    for minute in (40, 41):
        known = _step(known, FindingInputs(points=points({}), feeds=feeds({}), corrections=before), minute)
    assert known.select("state", "resolution").rows() == [("resolved", "no longer seen")]


@pytest.mark.parametrize("guard", ['{"mode": "the system is in mode approve"}', '{"change_units": "too large", "mode": "pass"}'])
def test_a_finding_that_a_released_correction_ended_says_that_a_person_released_it(guard: str) -> None:
    known = _trouble(points=points(HIGH))
    mended = corrections({"send_ended_at": at(34), "verified_at": at(35), "guard": guard})
    gone = _step(known, FindingInputs(points=points({}), feeds=feeds({}), corrections=mended), 40)
    assert gone["resolution"].item() == "corrected by invbi, released by a person"


@pytest.mark.parametrize(
    ("point", "state"),
    [
        ({}, "resolved"),
        ({"covered": False}, "open"),
        ({"in_flight": 1}, "open"),
        ({"state": "unknown", "covered": False}, "open"),
        ({"state": "unmapped", "covered": False}, "resolved"),
        ({"listing_key": "L2"}, "resolved"),
    ],
)
def test_a_points_finding_ends_only_by_a_look_at_that_point(point: dict[str, Any], state: str) -> None:
    assert _after(_trouble(points=points(HIGH)), points=points(point), feeds=feeds({})) == state


def test_a_point_that_a_blind_system_did_not_name_keeps_its_finding() -> None:
    assert _after(_trouble(points=points(HIGH)), feeds=feeds({"verdict": "truncated"})) == "open"


def test_a_systems_finding_ends_by_the_word_of_that_system() -> None:
    known = _trouble(feeds=feeds({"verdict": "unreachable"}))
    assert _after(known, feeds=feeds({})) == "resolved"
    assert _after(known, feeds=feeds({"system": "other"})) == "resolved"
    assert _after(known) == "open"


def test_identity_ends_only_while_its_system_is_believed() -> None:
    known = _trouble(candidates=candidates({"code": "unmapped_listing"}))
    assert _after(known, feeds=feeds({})) == "resolved"
    assert _after(known, feeds=feeds({"verdict": "stale"})) == "open"


def test_oversold_ends_only_where_the_pool_is_known_and_its_owners_are_read() -> None:
    known = _trouble(offers=offers({"unpromised": -2}), reservations=reservations({}), positions=positions({}))
    assert _after(known, offers=offers({}), feeds=feeds({})) == "resolved"
    assert _after(known, offers=offers({"falling_only": True}), feeds=feeds({})) == "open"
    assert _after(known, offers=offers({"pool": None}), feeds=feeds({})) == "open"


def test_a_failed_push_stays_open_while_the_next_is_under_way() -> None:
    known = _trouble(corrections=corrections({"state": "rejected"}))
    retry = {"correction_id": "c2", "state": "accepted", "sent_at": at(49.5), "send_ended_at": at(49.5), "verified_at": None}
    assert _after(known, corrections=corrections({"state": "rejected"}, retry), feeds=feeds({})) == "open"
    assert _after(known, corrections=corrections({}), feeds=feeds({})) == "resolved"


def test_a_failed_push_is_not_over_because_it_is_long_ago() -> None:
    known = _trouble(corrections=corrections({"state": "rejected"}))
    assert _after(known, points=points(HIGH), feeds=feeds({})) == "open"
    assert _after(known, points=points({}), feeds=feeds({})) == "resolved"


@pytest.mark.parametrize(
    ("point", "state"),
    [
        ({"reported": 8}, "open"),
        ({"reported": 8, "state": "unknown"}, "open"),
        ({}, "resolved"),
        ({"state": "unmapped"}, "resolved"),
    ],
)
def test_a_hold_is_not_over_because_a_run_planned_nothing(point: dict[str, Any], state: str) -> None:
    waits = {"state": "held", "guard": '{"change_units": "too large"}', "sent_at": None, "verified_at": None}
    held = corrections(waits)
    alone = _trouble(points=points({"reported": 8, "state": "push_due"}), corrections=held)
    dropped = corrections({**waits, "state": "superseded"})
    assert _after(alone, points=points({"state": "push_due", **point}), corrections=dropped, feeds=feeds({})) == state


def test_a_hold_is_not_over_because_an_earlier_push_was_sent_before_it() -> None:
    waits = {
        "state": "held",
        "guard": '{"change_units": "too large"}',
        "sent_at": None,
        "verified_at": None,
        "planned_at": at(15),
    }
    earlier_push = {"correction_id": "c0", "state": "mismatched", "verified_at": None}
    alone = _trouble(points=points({"reported": 8, "state": "push_due"}), corrections=corrections(waits))
    kept = corrections(earlier_push, {**waits, "state": "superseded"})
    assert _after(alone, points=points({"reported": 8, "state": "push_due"}), corrections=kept, feeds=feeds({})) == "open"


def test_refused_rows_are_over_once_their_dataset_was_read_again_in_full() -> None:
    known = _trouble(quarantine=refused({}))
    assert _after(known, batches=batches({})) == "resolved"
    assert _after(known, batches=batches({"is_full": False}, {"dataset": "orders"})) == "open"
    assert _step(known, FindingInputs(), 26 * 60).row(0, named=True)["state"] == "resolved"


def _anything() -> st.SearchStrategy[FindingInputs]:
    number = st.fixed_dictionaries(
        {
            "listing_key": st.sampled_from(["L1", "L2", "L3"]),
            "location": st.sampled_from(["", "soho"]),
            "reported": st.integers(0, 3),
            "offer": st.integers(0, 3),
            "found": st.integers(-2, 2),
            "gap_looks": st.integers(0, 3),
            "in_flight": st.integers(0, 1),
            "returns": st.integers(0, 2),
            "covered": st.booleans(),
            "state": st.sampled_from(["agreed", "drifted", "unknown"]),
        }
    )
    sent = st.fixed_dictionaries(
        {
            "correction_id": st.sampled_from(["a", "b", "c"]),
            "listing_key": st.sampled_from(["L1", "L2"]),
            "state": st.sampled_from(["held", "rejected", "accepted", "verified", "mismatched"]),
        }
    )
    noticed = st.fixed_dictionaries({"code": st.sampled_from(sorted(CATALOGUE)), "listing_key": st.sampled_from(["L1", "L2"])})
    return st.builds(
        lambda p, c, n, v: FindingInputs(
            points=points(*p), corrections=corrections(*c), candidates=candidates(*n), feeds=feeds({"verdict": v})
        ),
        st.lists(number, max_size=5, unique_by=lambda row: (row["listing_key"], row["location"])),
        st.lists(sent, max_size=3, unique_by=lambda row: row["correction_id"]),
        st.lists(noticed, max_size=4),
        st.sampled_from(["believed", "stale"]),
    )


@settings(max_examples=12)
@given(st.lists(_anything(), min_size=1, max_size=4))
def test_told_twice_is_told_once(story: list[FindingInputs]) -> None:
    known = NOTHING
    for minute, inputs in enumerate(story):
        once = _step(known, inputs, minute)
        assert _step(once, inputs, minute).equals(once)
        assert once["finding_id"].is_unique().all()
        assert set(known["finding_id"]) <= set(once["finding_id"])
        known = once


@settings(max_examples=12)
@given(_anything(), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_nothing(inputs: FindingInputs, dice: Any) -> None:
    mixed = FindingInputs(*(frame.sample(fraction=1, shuffle=True, seed=dice.randrange(1000)) for frame in inputs))
    assert seen(mixed, NOW, "r", "GBP").equals(seen(inputs, NOW, "r", "GBP"))


def test_an_id_depends_on_the_subject_and_the_code_alone() -> None:
    early = seen(FindingInputs(points=points(HIGH)), at(1), "r1", "GBP")
    late = seen(FindingInputs(points=points({**HIGH, "reported": 7}), listings=listings({"price": 3.0})), at(90), "r2", "EUR")
    assert early["finding_id"].to_list() == late["finding_id"].to_list()


def test_a_listing_that_belonged_to_nothing_is_no_finding_any_more_in_the_run_that_first_maps_it() -> None:
    known = _trouble(candidates=candidates({"code": "unmapped_listing"}))
    other = mappings({"listing_key": "L2"})
    assert _step(known, FindingInputs(mappings=other, feeds=feeds({})), 50)["state"].item() == "open"
    assert _step(known, FindingInputs(mappings=mappings({})), 50)["state"].item() == "resolved"


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("person", "mapped by a person"),
        ("map", "mapped by a person"),
        ("exact", "no longer seen"),
        ("relisted", "no longer seen"),
    ],
)
def test_a_listing_that_a_person_mapped_says_who_ended_its_finding(how: str, why: str) -> None:
    known = _trouble(candidates=candidates({"code": "near_miss_sku"}))
    gone = _step(known, FindingInputs(mappings=mappings({"how": how}), feeds=feeds({})), 50)
    assert gone.select("state", "resolution").rows() == [("resolved", why)]
