"""Laws 1, 3, 5, 6 and 8 on small random worlds."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from invbi_pipeline.domain.points import merge
from invbi_pipeline_tests.domain.points import naive_points as naive
from invbi_pipeline_tests.domain.tiny_world import Act, Lags, Run, Shelf, TinyWorld

LAST = 40  # minutes of life in a script

calm = ["sale", "sale", "elsewhere", "receipt", "cancel"]
worlds = settings(  # shrinking a world of eight runs takes minutes, and it is the same worlds at every run
    max_examples=8, derandomize=True, suppress_health_check=[HealthCheck.too_slow], phases=[Phase.generate]
)


def scripts(what: list[str]) -> st.SearchStrategy[list[list[Act]]]:
    act = st.builds(
        Act,
        minute=st.integers(0, LAST - 1),
        what=st.sampled_from(what),
        units=st.integers(1, 3),
        delay=st.integers(0, 12),
    ).flatmap(lambda a: st.sampled_from([a, replace(a, units=-a.units)]) if a.what == "edit" else st.just(a))
    return st.lists(st.lists(act, max_size=8), min_size=1, max_size=6)


lags = st.builds(Lags, order=st.sampled_from([0, 12]), visibility=st.sampled_from([0, 3, 8]))


def world(lines: list[list[Act]], lag: Lags) -> TinyWorld:
    if lag.order == 0:
        lines = [[replace(a, delay=0) for a in line] for line in lines]
    return TinyWorld([Shelf(f"L{i}", line) for i, line in enumerate(lines)], lag)


@worlds
@given(scripts([*calm, "edit", "lose"]), lags)
def test_every_gap_is_unexplained_less_pending_and_running_twice_changes_nothing(lines: list[list[Act]], lag: Lags) -> None:
    for run in world(lines, lag).until(LAST):
        assert run.result.broken_identity.is_empty()
        ended = run.result.flight_ends.filter(pl.col("outcome") != "still")
        first = run.result
        again = replace(
            run.inputs,
            bases=first.bases,
            contained=first.contained,
            looks=first.looks,
            unjudged=first.unjudged,
            flights=run.inputs.flights.join(ended, on="correction_id", how="anti"),
        )
        second = merge(again, run.now + timedelta(hours=1), "again")
        for name in ("bases", "contained", "looks", "unjudged"):
            assert getattr(second, name).equals(getattr(first, name)), name
        same = ["gap", "offer", "reported", "confirmed", "withhold", "target", "send", "standing"]
        assert second.points.select(same).equals(first.points.select(same))


@worlds
@given(scripts([*calm, "edit", "lose"]), lags, st.randoms(use_true_random=False))
def test_repeated_and_reordered_events_change_nothing(lines: list[list[Act]], lag: Lags, dice: Any) -> None:
    for run in world(lines, lag).until(LAST):
        rows = list(range(run.inputs.effects.height)) * 2
        dice.shuffle(rows)
        shuffled = replace(run.inputs, effects=run.inputs.effects[rows])
        result = merge(shuffled, run.now, run.result.points["run_id"][0])
        for name in ("points", "bases", "contained", "looks", "unjudged"):
            assert getattr(result, name).equals(getattr(run.result, name)), name


@worlds
@given(scripts([*calm, "lose"]), lags)
def test_our_own_raise_never_offers_a_unit_that_an_unseen_sale_has_taken(lines: list[list[Act]], lag: Lags) -> None:
    for run in world(lines, lag).until(LAST):
        for key, value, raw, may_sell in run.sent:
            assert value <= max(raw, may_sell), (key, run.now)


@pytest.mark.slow
@worlds
@given(scripts([*calm, "edit", "lose"]), lags)
def test_every_point_agrees_within_three_runs_after_the_lags_and_then_nothing_is_planned(
    lines: list[list[Act]], lag: Lags
) -> None:
    small = world(lines, lag)
    for _ in small.until(LAST):
        pass
    for shelf in small.shelves:
        shelf.lose_next = False
    for _ in small.until(LAST + 2 * lag.order + lag.visibility + 6):
        pass
    for _ in range(3):
        small.run()
        small.pass_time(5 + lag.order + lag.visibility)
    assert [s.number for s in small.shelves] == [max(0, s.stock) for s in small.shelves]
    quiet = small.run()
    assert not quiet.sent
    assert set(quiet.result.points["gap"]) == {0}


@pytest.mark.slow
@worlds
@given(scripts(calm), lags)
def test_late_events_end_where_prompt_ones_end(lines: list[list[Act]], lag: Lags) -> None:
    ends = []
    for prompt in (True, False):
        told = [[replace(a, delay=0) for a in line] for line in lines] if prompt else lines
        small = world([[a for a in line if a.what != "sale" or a.units == 1] for line in told], lag)
        for _ in small.until(LAST + 30):
            pass
        assert small.remembered is not None
        ends.append([s.number - max(0, s.stock) for s in small.shelves])
    assert ends[0] == ends[1] == [0] * len(lines)


def naive_flight(row: dict[str, Any]) -> naive.Flight:
    window = None if row["known_from"] is None else (row["known_from"], row["known_to"], row["known_units"])
    return naive.Flight(
        row["correction_id"], row["target"], row["sent_at"], row["send_ended_at"], row["withheld"], window, row["shown"]
    )


def told_naively(run: Run, memories: dict[str, naive.Memory], lag: Lags) -> dict[str, naive.Answer]:
    """What the plain reference says of the same inputs."""
    answers = {}
    complete: datetime = run.inputs.feeds["orders_complete_to"][0]
    offers = dict(run.inputs.offers.select("listing_key", "offer").iter_rows())
    for seen in run.inputs.observations.iter_rows(named=True):
        key = seen["listing_key"]
        mine = pl.col("listing_key") == key
        answers[key] = naive.naive_look(
            memories.get(key, naive.Memory()),
            naive.Look(
                seen=seen["quantity"],
                at=seen["observed_at"],
                began_at=seen["read_began_at"],
                offer=offers[key],
                complete_to=complete,
                effects=tuple(run.inputs.effects.filter(mine).select("effect_id", "units", "stamped_at").iter_rows()),
                flights=tuple(naive_flight(row) for row in run.inputs.flights.filter(mine).iter_rows(named=True)),
                visibility=timedelta(minutes=lag.visibility),
                known_system=bool(memories),
            ),
        )
    return answers


@worlds
@given(scripts([*calm, "edit", "lose"]), lags)
def test_polars_and_the_plain_reference_say_the_same(lines: list[list[Act]], lag: Lags) -> None:
    memories: dict[str, naive.Memory] = {}
    names = ("expected", "offer", "pending", "state", "confirmed", "withheld", "withhold", "standing", "target", "found")
    for run in world(lines, lag).until(LAST + 20):
        answers = told_naively(run, memories, lag)
        memories = {key: answer.memory for key, answer in answers.items()}
        ends = dict(run.result.flight_ends.select("correction_id", "outcome").iter_rows())
        bases = {row["listing_key"]: row for row in run.result.bases.iter_rows(named=True)}
        for row in run.result.points.iter_rows(named=True):
            answer = answers[row["listing_key"]]
            got = {**{name: row[name] for name in names}, "u": row["unexplained"]}
            want = {**{name: getattr(answer, name) for name in names}, "u": answer.u}
            assert got == want, (row["listing_key"], run.now)
            assert {k: ends[k] for k in answer.ends} == answer.ends
            base = answer.memory.base
            assert base is not None
            assert (bases[row["listing_key"]]["base"], bases[row["listing_key"]]["as_of"]) == (base.number, base.as_of)
