from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from invbi_pipeline.domain import frames as f
from invbi_pipeline.domain.findings import CATALOGUE, FindingInputs, lives, over, seen
from invbi_pipeline_tests.domain.findings.facts import (
    NOW,
    at,
    batches,
    candidates,
    corrections,
    feeds,
    listings,
    offers,
    points,
    refused,
    reservations,
)

NOTHING = f.empty(f.FINDINGS)
HIGH = {"reported": 8, "state": "push_due", "gap_looks": 2}


def _step(previous: pl.DataFrame, inputs: FindingInputs, minute: float) -> pl.DataFrame:
    now = at(minute)
    return lives(previous, seen(inputs, now, f"r{minute}", "GBP"), now, f"r{minute}", over(previous, inputs, now))


def _after(previous: pl.DataFrame, **given: pl.DataFrame) -> str:
    """Return the state of the one finding known so far, after a look at 9:50."""
    after = _step(previous, FindingInputs(**given), 50).join(previous, on="finding_id", how="semi")
    return str(after["state"].item())


def _trouble(**given: pl.DataFrame) -> pl.DataFrame:
    return _step(NOTHING, FindingInputs(**given), 30)


def test_what_is_seen_again_keeps_its_first_time_and_moves_its_last() -> None:
    first = _trouble(points=points(HIGH))
    row = _step(first, FindingInputs(points=points({**HIGH, "reported": 9})), 40).row(0, named=True)
    assert (row["finding_id"], row["first_seen"], row["last_seen"]) == (first["finding_id"][0], at(30), at(40))
    assert (row["state"], row["units"], row["run_id"]) == ("open", 4, "r40")


def test_an_acknowledged_finding_stays_so_with_its_owner_and_note() -> None:
    said = {
        "state": "acknowledged",
        "owner": "Ana",
        "acknowledged_by": "Ana",
        "acknowledged_at": NOW,
        "due_at": at(90),
        "note": "!",
    }
    known = _trouble(points=points(HIGH)).with_columns(**{name: pl.lit(value) for name, value in said.items()})
    row = _step(known, FindingInputs(points=points(HIGH)), 40).row(0, named=True)
    assert {name: row[name] for name in said} == said


def test_a_finding_is_resolved_by_a_look_that_covered_it_and_reopened_by_the_next_that_sees_it() -> None:
    known = _trouble(points=points(HIGH))
    gone = _step(known, FindingInputs(points=points({}), feeds=feeds({})), 40)
    assert gone.select("state", "resolution", "last_seen").row(0) == ("resolved", "no longer seen", at(30))
    back = _step(gone, FindingInputs(points=points(HIGH)), 50)
    assert back.select("state", "resolution", "first_seen").rows() == [("reopened", None, at(30))]


def test_a_finding_that_a_verified_correction_ended_says_so() -> None:
    known = _trouble(points=points(HIGH))
    mended = corrections({"verified_at": at(35)})
    gone = _step(known, FindingInputs(points=points({}), feeds=feeds({}), corrections=mended), 40)
    assert gone["resolution"].to_list() == ["corrected by invbi"]


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
    known = _trouble(offers=offers({"pool": -2}), reservations=reservations({}))
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


@settings(max_examples=40, deadline=None)
@given(st.lists(_anything(), min_size=1, max_size=4))
def test_told_twice_is_told_once(story: list[FindingInputs]) -> None:
    known = NOTHING
    for minute, inputs in enumerate(story):
        once = _step(known, inputs, minute)
        assert _step(once, inputs, minute).equals(once)
        assert once["finding_id"].is_unique().all()
        assert set(known["finding_id"]) <= set(once["finding_id"])
        known = once


@settings(max_examples=40, deadline=None)
@given(_anything(), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_nothing(inputs: FindingInputs, dice: Any) -> None:
    mixed = FindingInputs(*(frame.sample(fraction=1, shuffle=True, seed=dice.randrange(1000)) for frame in inputs))
    assert seen(mixed, NOW, "r", "GBP").equals(seen(inputs, NOW, "r", "GBP"))


def test_an_id_depends_on_the_subject_and_the_code_alone() -> None:
    early = seen(FindingInputs(points=points(HIGH)), at(1), "r1", "GBP")
    late = seen(FindingInputs(points=points({**HIGH, "reported": 7}), listings=listings({"price": 3.0})), at(90), "r2", "EUR")
    assert early["finding_id"].to_list() == late["finding_id"].to_list()
