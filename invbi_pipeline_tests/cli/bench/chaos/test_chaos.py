"""Whole retailers in a storm: nothing that must never happen does, and when it is over every number is right."""

from collections import Counter

import pytest

from invbi_pipeline.cli.bench.chaos import KINDS, summed_up, told_of
from invbi_pipeline.cli.bench.chaos.monitor import PREDICATES
from invbi_pipeline.cli.bench.chaos.story import Told


@pytest.mark.parametrize("seeds", [range(5, 6), pytest.param(range(1, 21), marks=pytest.mark.slow)], ids=["one", "twenty"])
def test_a_storm_does_no_harm_and_leaves_nothing_wrong(seeds: range) -> None:
    told = told_of(seeds)
    assert told.violations == []
    assert sum(told.happened.values()) > len(seeds) * 10
    assert set(told.judged) <= set(PREDICATES)


def test_a_violation_misses_its_own_target_alone() -> None:
    quiet, unsafe = Told(seeds=[1]), Told(seeds=[1], violations=["seed 1, 11:00:00: never_too_high: 9, of 8"])
    restless = Told(seeds=[1], violations=["seed 1: liveness: 1 numbers are still wrong"])

    missed = [[t.name for t in summed_up(told, "", 1.0).targets if not t.met] for told in (quiet, unsafe, restless)]
    assert missed == [[], ["violations of safety"], ["violations of liveness"]]


def test_of_many_seeds_a_fault_that_never_happened_and_a_predicate_never_asked_are_misses() -> None:
    asked = Counter(PREDICATES)
    all_of_it = Told(seeds=list(range(200)), happened=Counter(KINDS), judged=asked)
    lacking = Told(seeds=list(range(200)), happened=Counter(KINDS[1:]), judged=asked - Counter(PREDICATES[:1]))

    assert [t.name for t in summed_up(all_of_it, "", 1.0).targets if not t.met] == []
    assert [(t.name, t.value) for t in summed_up(lacking, "", 121.0).targets if not t.met] == [
        ("kinds of faults that never happened", 1),
        ("predicates that were never asked", 1),
        ("seconds for 200 seeds", 121.0),
    ]
