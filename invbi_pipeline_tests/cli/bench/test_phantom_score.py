"""The phantom bench's figures, on rankings whose figures are known by hand."""

import numpy as np
import polars as pl
import pytest

from invbi_pipeline.cli.bench.phantom.score import average_precision, brier_skill, score, share_found


def test_a_perfect_ranking_has_average_precision_one() -> None:
    assert average_precision(np.array([0.9, 0.8, 0.1]), np.array([1.0, 1.0, 0.0])) == 1.0


def test_what_is_ranked_alike_is_counted_together() -> None:
    assert average_precision(np.array([0.5] * 4), np.array([1.0, 0.0, 0.0, 0.0])) == pytest.approx(0.25)


def test_hits_at_places_one_and_three_have_average_precision_five_sixths() -> None:
    assert average_precision(np.array([4.0, 3.0, 2.0, 1.0]), np.array([1.0, 0.0, 1.0, 0.0])) == pytest.approx(5 / 6)


def test_saying_the_base_rate_has_no_skill_and_certainty_that_is_right_has_all() -> None:
    empty = np.array([1.0, 0.0, 0.0, 0.0])

    assert brier_skill(np.full(4, 0.25), empty) == pytest.approx(0.0)
    assert brier_skill(empty, empty) == 1.0


def test_the_share_found_is_of_units_on_the_first_twentieth() -> None:
    missing = np.zeros(40)
    missing[0], missing[1], missing[39] = 6.0, 3.0, 3.0

    assert share_found(np.arange(40.0)[::-1].copy(), missing) == pytest.approx(9 / 12)


def test_a_record_of_none_is_no_phantom_and_what_was_not_said_counts_as_full() -> None:
    rows = pl.DataFrame({"book": [0, 2, 5], "units": [0, 0, 5], "probability": [0.9, None, 0.1], "silent_days": [9.0, None, 1.0],
                         "money": [1.0, None, 0.5]})  # fmt: skip

    got = score(rows)

    assert (got.shelves, got.phantoms, got.units) == (2, 1, 2)
    assert got.expected == pytest.approx(0.1)


def test_a_world_without_phantoms_cannot_be_scored() -> None:
    with pytest.raises(ValueError, match="no shelf"):
        score(pl.DataFrame({"book": [1], "units": [1], "probability": [0.1], "silent_days": [1.0], "money": [0.1]}))


def test_the_count_list_is_scored_by_its_money_and_beside_it_by_the_units_expected_to_be_missing() -> None:
    book, empty = [9, 1, *[2] * 18], {0, 1}
    money = [1.0, 5.0, *[0.5] * 18]
    rows = pl.DataFrame({"book": book, "units": [0 if n in empty else 2 for n in range(20)], "probability": [0.5] * 20,
                         "silent_days": [1.0] * 20, "money": money})  # fmt: skip

    got = score(rows)

    assert [got.found, got.found_by_units] == pytest.approx([1 / 10, 9 / 10])
