"""Findings on points as the merge itself makes them: what people would be told, look by look."""

import polars as pl

from invbi_pipeline.domain.findings import FindingInputs, seen
from invbi_pipeline_tests.domain.points.one_point import Story, at


def _told(story: Story, minute: float) -> dict[str, int]:
    assert story.remembered is not None
    told = seen(FindingInputs(points=story.remembered.points), at(minute), "r", "GBP")
    return dict(told.select("code", "units").iter_rows())


def test_an_offer_that_fell_and_is_pushed_at_the_first_look_is_never_told() -> None:
    story = Story().agreed(10)
    story.look(10, offer=8, minute=5, complete=5)
    assert _told(story, 5) == {}
    story.send(6).look(8, offer=8, minute=7, complete=7)
    assert _told(story, 7) == {}


def test_an_offer_that_fell_and_is_not_pushed_is_told_at_the_second_look() -> None:
    story = Story().agreed(10)
    story.look(10, offer=8, minute=5, complete=5)
    story.look(10, offer=8, minute=10, complete=10)
    assert _told(story, 10) == {"oversell_risk": 2}


def test_a_late_order_is_never_told() -> None:
    story = Story().agreed(10)
    story.look(9, offer=10, minute=5, complete=3)
    assert _told(story, 5) == {}
    story.order(-1, minute=4).look(9, offer=9, minute=10, complete=10)
    assert _told(story, 10) == {}


def test_an_order_of_the_second_of_the_read_that_is_fed_after_it_is_never_told() -> None:
    story = Story().agreed(10)
    story.look(3, offer=10, minute=5, complete=5)
    assert _told(story, 5) == {}
    story.order(-7, minute=5).look(3, offer=3, minute=10, complete=10)
    assert _told(story, 10) == {}


def test_a_fall_whose_second_look_our_push_took_away_is_told_once_its_sales_never_came() -> None:
    story = Story().agreed(10)
    story.look(7, offer=9, minute=5, complete=5)
    assert _told(story, 5) == {}
    story.send(6).look(6, offer=9, minute=7, complete=7)
    assert _told(story, 7) == {"drift": 3, "undersell": 3}


def test_a_change_that_two_judged_looks_confirm_is_told_as_drift() -> None:
    story = Story().agreed(10)
    story.look(7, offer=10, minute=5, complete=5)
    assert _told(story, 5) == {}
    story.look(7, offer=10, minute=10, complete=10)
    assert _told(story, 10) == {"drift": 3, "undersell": 3}


def test_a_raise_that_our_lowering_wiped_is_told_as_drift_once() -> None:
    story = Story().agreed(10)
    story.look(13, offer=10, minute=5, complete=5)
    story.send(6).look(10, offer=10, minute=7, complete=7)
    assert _told(story, 7) == {"drift": 3}
    story.look(10, offer=10, minute=12, complete=12)
    assert _told(story, 12) == {}


def test_looks_at_a_gap_that_is_mended_say_nothing_of_the_next_one_the_other_way() -> None:
    story = Story().agreed(10)
    for minute in (5, 10):
        story.look(10, offer=13, minute=minute, complete=minute)
    story.send(11).look(13, offer=13, minute=15, complete=12)
    story.look(13, offer=12, minute=20, complete=14)
    assert _told(story, 20) == {}


def test_the_first_judged_look_at_a_whole_system_tells_what_is_wrong() -> None:
    story = Story()
    story.look(9, offer=5, minute=0, complete=0)
    assert _told(story, 0) == {"oversell_risk": 4}


def test_the_first_look_at_a_new_listing_of_a_known_system_tells_nothing() -> None:
    known = Story().agreed(5)
    assert known.remembered is not None
    story = Story()
    others = known.remembered.bases.with_columns(listing_key=pl.lit("L0"))
    story.look(9, offer=5, minute=10, complete=10, bases=others)
    assert _told(story, 10) == {}
