"""The outbox: intents first, every move by compare-and-set, newer intents in place of unsent older ones."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from random import Random
from threading import Barrier
from typing import Any

import polars as pl
import pytest

from invbi_pipeline.domain.frames import CORRECTIONS
from invbi_pipeline.domain.words import CorrectionState as S
from invbi_pipeline.store.outbox import MOVES, Outbox

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


def _correction(target: int, version: str = "v1", state: str = S.PLANNED, **more: Any) -> pl.DataFrame:
    row = {
        "correction_id": f"c-{version}-{target}",
        "run_id": "r1",
        "kind": "set",
        "system": "shop",
        "listing_key": "k",
        "location": "soho",
        "to_qty": target,
        "target": target,
        "state": state,
        "idempotency_key": f"shop/k/soho/{version}/{target}",
        "planned_at": NOW,
    }
    return pl.DataFrame([{**row, **more}], schema=dict(CORRECTIONS))


def test_an_intent_comes_back_as_it_was_stored(outbox: Outbox) -> None:
    intent = _correction(6, guard='{"age": "pass"}', money_at_risk=1.5)

    assert outbox.intend(intent, NOW) == ["c-v1-6"]
    assert outbox.in_state(S.PLANNED).equals(intent)


def test_the_same_intent_twice_is_one_correction(outbox: Outbox) -> None:
    outbox.intend(_correction(6), NOW)

    assert outbox.intend(_correction(6), NOW) == []
    assert outbox.counts() == {S.PLANNED: 1}


def test_a_newer_intent_supersedes_an_unsent_older_one_of_its_point(outbox: Outbox) -> None:
    outbox.intend(_correction(6), NOW)
    outbox.intend(_correction(7), NOW)

    assert outbox.in_state(S.SUPERSEDED)["correction_id"].to_list() == ["c-v1-6"]
    assert outbox.in_state(S.PLANNED)["correction_id"].to_list() == ["c-v1-7"]


def test_an_intent_superseded_before_it_was_sent_lives_again_when_it_is_right_again(outbox: Outbox) -> None:
    for target in (6, 7, 6):
        outbox.intend(_correction(target), NOW)

    assert outbox.in_state(S.PLANNED)["target"].to_list() == [6]


def test_from_five_to_six_to_five_are_two_corrections(outbox: Outbox) -> None:
    for version, target in (("v1", 6), ("v2", 5)):
        outbox.intend(_correction(target, version), NOW)
        name = f"c-{version}-{target}"
        outbox.advance(name, S.PLANNED, S.SENDING, NOW, sent_at=NOW)
        outbox.advance(name, S.SENDING, S.ACCEPTED, NOW)

    assert outbox.open_flights()["target"].to_list() == [6, 5]


def test_a_newer_intent_does_not_touch_what_is_in_flight(outbox: Outbox) -> None:
    outbox.intend(_correction(6), NOW)
    outbox.advance("c-v1-6", S.PLANNED, S.SENDING, NOW)

    outbox.intend(_correction(5), NOW)

    assert outbox.counts() == {S.SENDING: 1, S.PLANNED: 1}


def test_a_held_plan_that_passes_its_guards_now_is_planned(outbox: Outbox) -> None:
    outbox.intend(_correction(6, state=S.HELD, guard='{"age": "too old"}'), NOW)

    assert outbox.intend(_correction(6, guard='{"age": "pass"}', run_id="r2"), NOW + timedelta(minutes=5)) == []
    assert outbox.in_state(S.PLANNED).select("run_id", "guard").rows() == [("r1", '{"age": "pass"}')]


def test_two_workers_never_send_the_same_correction(outbox: Outbox) -> None:
    outbox.intend(_correction(6), NOW)

    assert outbox.advance("c-v1-6", S.PLANNED, S.SENDING, NOW)
    assert not outbox.advance("c-v1-6", S.PLANNED, S.SENDING, NOW)


def test_a_move_sets_its_fields_and_the_state_of_the_row(outbox: Outbox) -> None:
    outbox.intend(_correction(6), NOW)
    outbox.advance("c-v1-6", S.PLANNED, S.SENDING, NOW, sent_at=NOW)
    outbox.advance("c-v1-6", S.SENDING, S.ACCEPTED, NOW)
    outbox.advance("c-v1-6", S.ACCEPTED, S.VERIFIED, NOW, read_back=6, verified_at=NOW)

    row = outbox.by_id(["c-v1-6"]).row(0, named=True)
    assert (row["state"], row["sent_at"], row["read_back"], row["verified_at"]) == (S.VERIFIED, NOW, 6, NOW)


def test_a_verified_correction_is_done_for_good(outbox: Outbox) -> None:
    with pytest.raises(ValueError, match="never goes from verified to sending"):
        outbox.advance("c", S.VERIFIED, S.SENDING, NOW)


def test_a_move_names_only_columns_that_corrections_have(outbox: Outbox) -> None:
    outbox.intend(_correction(6), NOW)

    with pytest.raises(ValueError, match="no column 'colour'"):
        outbox.advance("c-v1-6", S.PLANNED, S.SENDING, NOW, colour="red")


def test_plans_that_a_run_no_longer_makes_are_withdrawn(outbox: Outbox) -> None:
    outbox.intend(_correction(6), NOW)
    outbox.intend(_correction(9, listing_key="l", correction_id="kept", idempotency_key="l"), NOW)

    assert outbox.withdraw(NOW, ["shop"], keep=["kept"]) == ["c-v1-6"]
    assert outbox.in_state(S.PLANNED)["correction_id"].to_list() == ["kept"]


def test_a_person_approves_or_refuses_only_what_is_not_sent(outbox: Outbox) -> None:
    outbox.intend(_correction(6, state=S.HELD), NOW)

    assert outbox.approve(["c-v1-6", "nobody"], "Ada", NOW, "checked the shelf") == ["c-v1-6"]
    assert outbox.refuse(["c-v1-6"], "Ada", NOW) == ["c-v1-6"]
    assert outbox.counts() == {S.DEAD: 1}


def test_posts_that_may_have_landed_are_known_as_posted(outbox: Outbox) -> None:
    post = _correction(-2, kind="post", movement_ref="shop/o1/l1/f1", system="till")
    outbox.intend(post, NOW)
    assert outbox.posted().is_empty()

    outbox.advance("c-v1--2", S.PLANNED, S.SENDING, NOW, sent_at=NOW)

    assert outbox.posted().select("system", "movement_ref", "units", "state").rows() == [("till", "shop/o1/l1/f1", -2, S.SENDING)]


def test_every_state_has_its_moves() -> None:
    assert set(MOVES) == set(S)


def test_what_moved_nothing_is_approved_again_and_dead_after_so_many_attempts(outbox: Outbox) -> None:
    outbox.intend(_correction(6, state=S.APPROVED), NOW)
    ends = []
    for _ in range(3):
        outbox.advance("c-v1-6", S.APPROVED, S.SENDING, NOW, sent_at=NOW)
        dead = outbox.turn_away("c-v1-6", NOW, {"answered": "busy", "sent_at": NOW}, most=3)
        row = outbox.in_state().row(0, named=True)
        ends.append((dead, row["state"], row["answered"], row["sent_at"]))
    assert ends == [(False, "approved", "busy", None)] * 2 + [(True, "dead", "busy", NOW)]


def test_an_outage_is_no_attempt_in_vain(outbox: Outbox) -> None:
    outbox.intend(_correction(6, state=S.APPROVED), NOW)
    for _ in range(9):
        outbox.advance("c-v1-6", S.APPROVED, S.SENDING, NOW, sent_at=NOW)
        assert not outbox.turn_away("c-v1-6", NOW, {}, most=None)
    outbox.advance("c-v1-6", S.APPROVED, S.SENDING, NOW, sent_at=NOW)
    assert not outbox.turn_away("c-v1-6", NOW, {}, most=2)
    assert outbox.counts() == {S.APPROVED: 1}


def test_what_left_lately_is_told_by_when_it_was_sent(outbox: Outbox) -> None:
    for n, hours, system in ((6, 30, "shop"), (7, 2, "shop"), (8, 2, "till")):
        intent = _correction(n, listing_key=f"k{n}", idempotency_key=f"k{n}", state=S.APPROVED, system=system)
        outbox.intend(intent, NOW)
        outbox.advance(f"c-v1-{n}", S.APPROVED, S.SENDING, NOW, sent_at=NOW - timedelta(hours=hours))
    assert outbox.sent_since("shop", NOW - timedelta(days=1))["to_qty"].to_list() == [7]


def test_of_two_intents_of_one_point_in_one_plan_the_later_stands(outbox: Outbox) -> None:
    outbox.intend(pl.concat([_correction(6), _correction(7)]), NOW)
    assert outbox.in_state(S.PLANNED)["to_qty"].to_list() == [7]
    assert outbox.in_state(S.SUPERSEDED)["to_qty"].to_list() == [6]


def test_of_many_workers_at_once_each_correction_is_taken_by_one(outbox: Outbox) -> None:
    some = [_correction(n, listing_key=f"k{n}", idempotency_key=f"k{n}", state=S.APPROVED) for n in range(12)]
    names = outbox.intend(pl.concat(some), NOW)
    together = Barrier(4)

    def takes(seed: int) -> list[str]:
        mine = Random(seed).sample(names, len(names))
        together.wait()
        return [name for name in mine if outbox.advance(name, S.APPROVED, S.SENDING, NOW, sent_at=NOW)]

    with ThreadPoolExecutor(4) as workers:
        taken = [name for mine in workers.map(takes, range(4)) for name in mine]
    assert sorted(taken) == sorted(names)
