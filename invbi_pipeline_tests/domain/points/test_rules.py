"""Single rules of the three-way merge, each told as one point's story."""

from datetime import timedelta

import polars as pl
import pytest

from invbi_pipeline.domain import frames
from invbi_pipeline.domain.frames import POINTS, empty
from invbi_pipeline.domain.points import MergeInputs, Remembered, accept, flights, merge
from invbi_pipeline.domain.points.inputs import GRAIN
from invbi_pipeline.domain.words import FeedVerdict, Quantity
from invbi_pipeline_tests.domain.points.one_point import KEY, Story, at, frame

# --- states ---------------------------------------------------------------------------------------------------------------


def test_an_agreed_point_moves_its_base_to_the_new_look() -> None:
    story = Story().agreed(10).order(-2, minute=3)
    point = story.look(8, offer=8, minute=5, complete=5)
    assert (point["state"], point["base"], point["expected"]) == ("agreed", 10, 8)
    assert (story.base["base"], story.base["as_of"]) == (8, at(5) - GRAIN), "the second of the look is not over"


def test_a_sale_elsewhere_makes_a_push_due_and_the_base_still_moves() -> None:
    story = Story().agreed(10)
    point = story.look(10, offer=9, minute=5)
    assert (point["state"], point["target"], story.base["observed_at"]) == ("push_due", 9, at(5))


@pytest.mark.parametrize(("state", "quantity"), [(Quantity.UNTRACKED, None), (Quantity.UNKNOWN, None)])
def test_what_is_not_a_number_is_never_compared_as_zero(state: Quantity, quantity: int | None) -> None:
    story = Story().agreed(10)
    given = story.inputs(quantity, 5, 5, 5, 0, 0, None, mapped=True)
    seen = given.observations.with_columns(state=pl.lit(state.value))
    point = story.look(quantity, offer=5, minute=5, complete=5, observations=seen)
    assert (point["state"], point["reported"], point["gap"], point["target"]) == (state.value, None, None, None)


def test_a_listing_without_sku_is_unmapped() -> None:
    point = Story().look(4, offer=None, minute=0, mapped=False)
    assert (point["state"], point["target"], point["base"]) == ("unmapped", None, None)


def test_a_point_whose_offer_is_unknown_is_unoffered_and_still_keeps_its_base() -> None:
    story = Story()
    point = story.look(4, offer=None, minute=0, complete=0)
    assert (point["state"], point["target"], story.base["base"]) == ("unoffered", None, 4)


def test_a_number_that_a_system_counts_is_shown_and_never_pushed() -> None:
    places = frame(frames.PLACES, {"location": KEY["location"], "counted_by": KEY["system"]})
    point = Story().look(4, offer=9, minute=0, complete=0, places=places)
    assert (point["state"], point["raw"], point["target"]) == ("counted", 4, None)


def test_a_number_without_location_is_counted_where_its_system_counts_its_default_location() -> None:
    system = frame(frames.SYSTEMS, {"system": "web", "counts": True, "default_location": "shop"})
    places = frame(frames.PLACES, {"location": "shop", "counted_by": "web"})
    given = Story().inputs(4, None, 0, 0, 0, 0, None, mapped=True)
    seen = given.observations.with_columns(location=pl.lit(""))
    point = Story().look(4, offer=None, minute=0, observations=seen, systems=system, places=places)
    assert (point["location"], point["state"]) == ("", "counted")


def test_a_channel_that_tells_no_orders_is_judged_once_the_owners_had_time_to_book_them() -> None:
    owner = {"system": "erp", "counts": True, "booking_lag_s": 600}
    systems = frame(frames.SYSTEMS, {"system": "web", "has_orders": False, "counts": False}, owner)
    story = Story()
    found = []
    for minute in (0, 5, 20, 35, 50):
        feed = frame(frames.FEEDS, {"system": "web", "verdict": "believed", "stock_read_at": at(minute)})
        point = story.look(12 if minute else 10, offer=10, minute=minute, systems=systems, feeds=feed)
        found.append((point["confirmed"], point["target"]))
    assert found == [(0, None), (0, None), (0, 10), (2, 10), (2, 10)]


def test_platform_fulfilled_stock_is_shown_and_never_pushed() -> None:
    listing = frame(frames.LISTINGS, {**KEY, "status": "active", "fulfilment": "platform"})
    point = Story().look(4, offer=9, minute=0, complete=0, listings=listing)
    assert (point["state"], point["target"]) == ("counted", None)


def test_a_feed_that_is_not_believed_leaves_the_last_numbers_and_plans_nothing() -> None:
    story = Story().agreed(10)
    story.verdict = FeedVerdict.TRUNCATED.value
    point = story.look(3, offer=8, minute=5, complete=5)
    assert (point["state"], point["reported"], point["target"], point["covered"]) == ("unknown", 3, None, False)
    assert (story.base["base"], story.base["observed_at"]) == (10, at(0))


def test_an_offer_that_was_never_observed_is_unknown() -> None:
    given = Story().inputs(4, 9, 0, 0, 0, 0, None, mapped=True)
    unseen = MergeInputs(empty(frames.OBSERVATIONS), given.offers, given.mappings, given.feeds)
    point = merge(unseen, at(0), "r").points.row(0, named=True)
    assert (point["state"], point["offer"], point["target"]) == ("unknown", 9, None)


# --- rules 1 to 5 -----------------------------------------------------------------------------------------------------------


def test_a_number_below_zero_compares_as_zero_and_the_base_keeps_it() -> None:
    story = Story().agreed(1).order(-2, minute=3)
    point = story.look(-1, offer=0, minute=5, complete=5)
    assert (point["state"], point["reported"], point["raw"], story.base["base"]) == ("agreed", 0, -1, -1)


def test_an_effect_within_the_read_lag_may_or_may_not_be_in_the_number() -> None:
    for number in (10, 9):
        story = Story(read_lag_s=60).agreed(10).order(-1, minute=4.5)
        point = story.look(number, offer=9, minute=5, complete=5)
        assert (point["unexplained"], point["target"]) == (0, None)


def test_an_effect_outside_the_read_lag_must_be_in_the_number() -> None:
    point = Story(read_lag_s=60).agreed(10).order(-1, minute=3).look(10, offer=9, minute=5, complete=5)
    assert (point["unexplained"], point["state"]) == (1, "drifted")


def test_an_effect_stamped_after_the_read_is_not_expected_in_it_and_not_pushed() -> None:
    point = Story().agreed(10).order(-1, minute=7).look(10, offer=9, minute=5, complete=5)
    assert (point["unexplained"], point["pending"], point["target"]) == (0, -1, None)


def test_a_sale_in_the_second_of_the_last_look_and_after_its_read_is_no_drift() -> None:
    story = Story().agreed(10).agreed(10, minute=5).order(-1, minute=5)
    point = story.look(9, offer=9, minute=10, complete=10)
    assert (point["state"], point["unexplained"]) == ("agreed", 0)


def test_a_sale_in_the_second_of_the_last_look_and_in_its_number_is_contained_though_it_moves_nothing_any_more() -> None:
    story = Story().agreed(10).order(-1, minute=5)
    assert story.look(9, offer=9, minute=5, complete=5)["state"] == "agreed"
    point = story.look(9, offer=9, minute=10, complete=10)
    assert (point["state"], point["unexplained"]) == ("agreed", 0)


def test_a_look_is_judged_later_against_the_base_it_was_read_against() -> None:
    story = Story().agreed(10)
    story.look(7, offer=10, minute=5)
    point = story.look(7, offer=10, minute=10, complete=6)
    assert (point["confirmed"], story.remembered is not None and story.remembered.looks["unexplained"][0]) == (0, -3)
    point = story.look(7, offer=10, minute=15, complete=11)
    assert (point["confirmed"], point["target"]) == (-3, 10)


def test_two_judged_looks_of_opposite_sign_confirm_nothing() -> None:
    story = Story().agreed(10)
    story.look(7, offer=10, minute=5, complete=5)
    point = story.look(12, offer=10, minute=10, complete=10)
    assert (point["confirmed"], point["found"]) == (0, 0)


def test_two_judged_looks_confirm_the_smaller_of_the_two() -> None:
    story = Story().agreed(10)
    story.look(7, offer=10, minute=5, complete=5)
    point = story.look(8, offer=10, minute=10, complete=10)
    assert (point["confirmed"], point["found"], point["target"]) == (-2, -2, 10)


def test_a_pure_drift_upwards_is_lowered_once_judged_and_not_before() -> None:
    story = Story().agreed(10)
    assert story.look(13, offer=10, minute=5)["target"] is None
    assert story.look(13, offer=10, minute=10, complete=10)["target"] == 10


def test_converged_upwards_moves_the_base_unjudged() -> None:
    story = Story().agreed(10)
    point = story.look(12, offer=12, minute=5)
    assert (point["state"], point["target"], story.base["base"], story.base["why"]) == ("converged", None, 12, "converged")


# --- rules 6 and 7 ----------------------------------------------------------------------------------------------------------


def test_withheld_units_that_never_arrive_are_released_and_found_once_the_feed_is_complete() -> None:
    story = Story().agreed(10)
    story.look(9, offer=8, minute=5)
    story.send(6).look(7, offer=8, minute=7)
    point = story.look(7, offer=8, minute=15, complete=15)
    assert (point["found"], point["offer"], point["withheld"], point["target"]) == (-1, 8, 0, 8)


def test_an_effect_after_the_read_does_not_explain_what_the_read_bore() -> None:
    story = Story().agreed(10)
    story.look(9, offer=8, minute=5)
    story.send(6).look(7, offer=8, minute=7)
    point = story.order(-1, minute=5.5).look(7, offer=7, minute=8)
    assert (point["withheld"], point["offer"], point["target"]) == (1, 6, 6)


def test_a_lowering_never_waits_for_a_push_in_flight() -> None:
    story = Story(visibility_lag_s=600).agreed(5)
    story.look(5, offer=8, minute=5, complete=5)
    assert story.send(6).look(5, offer=6, minute=7, complete=7)["target"] == 6


def test_a_second_raise_waits_until_the_flight_ends() -> None:
    story = Story(visibility_lag_s=600).agreed(5)
    story.look(5, offer=8, minute=5, complete=5)
    assert story.send(6).look(5, offer=9, minute=7, complete=7)["target"] is None
    assert story.look(8, offer=9, minute=8, complete=8)["target"] == 9


def test_no_raise_follows_a_push_until_the_orders_are_complete_up_to_its_read_back() -> None:
    story = Story(visibility_lag_s=600).agreed(5)
    story.look(5, offer=8, minute=5, complete=5)
    assert story.send(6).look(8, offer=9, minute=7, complete=6)["target"] is None
    assert story.look(8, offer=9, minute=10, complete=8)["target"] == 9


def test_a_number_written_over_our_push_is_raised_at_the_look_that_ends_it_where_orders_are_told_late() -> None:
    """Orders are complete two minutes short of each look: two judged looks take three, and the third sees the same number."""
    story = Story(visibility_lag_s=120).agreed(10)
    story.look(10, offer=8, minute=5, complete=3)
    story.send(6).order(-1, minute=7)  # within the visibility lag: our number may have wiped it out
    for minute in (10, 15):
        point = story.look(4, offer=7, minute=minute, complete=minute - 2)
        assert point["ends"] == {"c1": "still"}
        assert point["target"] is None
    point = story.look(4, offer=7, minute=20, complete=18)
    assert point["ends"] == {"c1": "mismatched"}
    assert point["target"] == 7


def test_a_number_back_where_it_was_before_our_push_is_raised_at_the_third_look_where_orders_are_told_late() -> None:
    """Our push landed, somebody lowered it by one, and a sale made it what it was: it seems that nothing landed."""
    story = Story(visibility_lag_s=60).agreed(1)
    story.look(1, offer=3, minute=5, complete=5)
    story.send(6).order(-1, minute=9)
    point = story.look(1, offer=3, minute=65, complete=63)
    assert point["ends"] == {"c1": "still"}
    point = story.look(1, offer=3, minute=125, complete=123)
    assert point["ends"] == {"c1": "not_landed"}
    point = story.look(1, offer=3, minute=185, complete=183)
    assert (point["confirmed"], point["unexplained"], point["target"], point["gap_looks"]) == (1, 1, 3, 3)


@pytest.mark.parametrize(("minute", "unexplained"), [(10, 0), (125, 1)], ids=["while it may show", "once it would show"])
def test_a_sale_after_a_push_that_did_not_land_is_in_the_number_once_the_push_would_show(minute: float, unexplained: int) -> None:
    """5 with a sale would be 4: until the lag is past it may not be applied yet; later the 5 holds a unit nobody knows of."""
    story = Story(visibility_lag_s=900).agreed(5)
    story.look(5, offer=8, minute=1, complete=1)
    story.send(2).order(-1, minute=5)
    assert story.look(5, offer=7, minute=minute)["unexplained"] == unexplained


def test_of_two_pushes_the_one_that_is_read_is_held_against_the_sales_of_its_own_lag_once_both_would_show() -> None:
    """The older one landed, the newer did not: a sale within the lag of the newer, and not of the older, is in the number."""
    story = Story(visibility_lag_s=600).agreed(9)
    story.look(9, offer=7, minute=1, complete=1)
    story.send(2, "c1")
    story.look(9, offer=3, minute=3, complete=3)
    story.send(11, "c2").order(-1, minute=15)
    assert story.look(7, offer=2, minute=20)["unexplained"] == 0
    assert story.look(7, offer=2, minute=60)["unexplained"] == 1


def test_a_read_begun_before_the_last_send_ended_is_not_compared() -> None:
    story = Story().agreed(5)
    story.look(5, offer=8, minute=5, complete=5)
    point = story.send(6).look(8, offer=8, minute=7, complete=7, read_began=5.5)
    assert (point["ends"], story.base["base"], point["target"]) == ({"c1": "still"}, 5, None)


def test_of_several_flights_the_newest_target_read_ends_them_all() -> None:
    story = Story(visibility_lag_s=600).agreed(9)
    story.look(9, offer=8, minute=5, complete=5)
    story.send(6, "c1").look(9, offer=6, minute=7, complete=7)
    point = story.send(8, "c2").look(6, offer=6, minute=9, complete=9)
    assert point["ends"] == {"c1": "superseded", "c2": "verified"}


def test_a_lost_push_is_not_called_lost_before_the_orders_are_complete() -> None:
    story = Story().agreed(7)
    story.look(7, offer=8, minute=5, complete=5)
    point = story.send(6).look(7, offer=8, minute=10, complete=5)
    assert (point["ends"], point["target"]) == ({"c1": "still"}, None)
    point = story.look(7, offer=8, minute=15, complete=11)
    assert (point["ends"], point["target"]) == ({"c1": "not_landed"}, 8)
    assert story.base["lost"] == 1


def test_a_push_over_a_drifted_number_that_stays_as_it_was_is_lost_and_not_overwritten() -> None:
    story = Story().agreed(10)
    for minute in (5, 10):
        story.look(7, offer=10, minute=minute, complete=minute)
    story.send(minute=11)
    point = story.look(7, offer=10, minute=12, complete=12)
    assert point["ends"] == {"c1": "not_landed"}
    assert (story.base["base"], story.base["lost"], point["unexplained"], point["found"]) == (10, 1, -3, -3)


def test_two_pushes_that_one_number_outlives_say_that_it_is_frozen() -> None:
    story = Story().agreed(10)
    for minute in (5, 10):
        story.look(13, offer=10, minute=minute, complete=minute)
    story.send(11, "c1").look(13, offer=9, minute=12, complete=11)
    story.send(13, "c2")
    point = story.look(13, offer=9, minute=20, complete=20)
    assert (set(point["ends"].values()), story.base["lost"], point["stuck"]) == ({"not_landed"}, 2, 2)


@pytest.mark.parametrize("shown", [10, 13], ids=["over an agreed number", "over a drifted number"])
def test_a_push_of_unknown_outcome_that_did_not_land_says_nothing_of_the_listing(shown: int) -> None:
    story = Story().agreed(10)
    for minute in (10, 30, 50):
        story.look(shown, offer=8, minute=minute, complete=minute)
        story.send(minute + 1, f"c{minute}", state="ambiguous")
        point = story.look(shown, offer=8, minute=minute + 10, complete=minute + 10)
        assert (set(point["ends"].values()), story.base["lost"], point["stuck"]) == ({"not_landed"}, 0, 0)


def test_of_a_push_of_unknown_outcome_and_an_accepted_one_only_that_counts_as_lost() -> None:
    story = Story().agreed(10)
    for minute in (5, 10):
        story.look(13, offer=10, minute=minute, complete=minute)
    story.send(11, "c1", state="ambiguous").look(13, offer=9, minute=12, complete=11)
    story.send(13, "c2").look(13, offer=9, minute=20, complete=20)
    assert story.base["lost"] == 1


def outlived(number: int) -> Story:
    """Base 10; a number that stays as it is after two pushes."""
    story = Story().agreed(10)
    story.look(number, offer=8, minute=5, complete=5)
    for minute in (10, 20):
        story.send(minute, f"c{minute}").look(number, offer=8, minute=minute + 5, complete=minute + 5)
    return story


@pytest.mark.parametrize("number", [10, 13], ids=["an agreed one", "a drifted one"])
def test_a_number_that_outlived_two_pushes_stays_frozen_while_it_stands_still(number: int) -> None:
    story = outlived(number)
    for minute in (30, 40, 50):
        assert story.look(number, offer=8, minute=minute, complete=minute)["stuck"] == 2


@pytest.mark.parametrize("number", [10, 13], ids=["an agreed one", "a drifted one"])
def test_a_frozen_number_that_moves_again_is_frozen_no_more(number: int) -> None:
    story = outlived(number)
    assert story.look(12, offer=8, minute=30, complete=30)["stuck"] == 0
    assert story.look(12, offer=8, minute=40, complete=40)["stuck"] == 0


def test_a_push_that_lands_long_after_it_was_called_lost_is_taken_back_at_the_first_judged_look() -> None:
    story = Story(visibility_lag_s=900).agreed(10)
    story.look(10, offer=8, minute=5, complete=5)
    assert story.send(6, "feed", state="ambiguous").look(10, offer=8, minute=30, complete=30)["ends"] == {"feed": "not_landed"}
    story.send(31, "patch").look(8, offer=8, minute=33, complete=33)
    story.look(8, offer=7, minute=60, complete=60)
    story.send(61, "lower").look(7, offer=7, minute=62, complete=62)
    point = story.look(8, offer=7, minute=90, complete=90)  # what the feed set
    assert (point["unexplained"], point["target"], point["returns"]) == (1, 7, 1)


def test_two_looks_that_agree_only_once_the_feed_caught_up_are_found_though_our_lowering_made_the_number_right() -> None:
    story = Story().agreed(10)
    story.look(13, offer=10, minute=5, complete=0)
    story.look(13, offer=10, minute=10, complete=5)
    point = story.look(10, offer=10, minute=15, complete=12)
    assert (point["state"], point["found"]) == ("agreed", 3)


def test_a_look_that_waited_says_nothing_anew_of_what_two_looks_had_confirmed_before_our_push() -> None:
    story = Story().agreed(10)
    for minute, complete in ((5, 5), (10, 10), (15, 12)):
        point = story.look(7, offer=10, minute=minute, complete=complete)
    assert (point["found"], point["found_how"], point["target"]) == (-3, "confirmed", 10)
    point = story.send(16).look(10, offer=10, minute=17, complete=14)
    assert (point["ends"], point["found"]) == ({"c1": "verified"}, 0)
    assert story.look(10, offer=10, minute=22, complete=22)["found"] == 0


def test_a_second_look_that_waited_says_nothing_anew_of_what_our_push_took_away() -> None:
    story = Story().agreed(10)
    story.look(13, offer=10, minute=5, complete=5)
    story.look(13, offer=10, minute=8, complete=6)
    point = story.send(9).look(10, offer=10, minute=12, complete=7)
    assert (point["found"], point["found_how"]) == (3, "taken")
    assert [story.look(10, offer=10, minute=minute, complete=minute - 9)["found"] for minute in (16, 20)] == [0, 0]


def test_a_look_the_other_way_that_our_push_wiped_is_found_beside_what_was_confirmed() -> None:
    story = Story().agreed(10)
    for minute, number, complete in ((5, 7, 5), (10, 7, 10), (15, 13, 12)):
        story.look(number, offer=10, minute=minute, complete=complete)
    story.send(16).look(10, offer=10, minute=17, complete=14)
    point = story.look(10, offer=10, minute=22, complete=22)
    assert (point["found"], point["found_how"]) == (3, "taken")


def test_a_later_edit_that_our_push_wiped_is_found_though_one_like_it_was_mended_before() -> None:
    story = Story().agreed(10)
    story.look(13, offer=10, minute=5, complete=5)
    story.send(6).look(10, offer=10, minute=7, complete=7)
    story.look(10, offer=10, minute=12, complete=12)
    story.look(12, offer=9, minute=17, complete=14)
    story.send(18, "c2").look(9, offer=9, minute=19, complete=14)
    point = story.look(9, offer=9, minute=24, complete=24)
    assert (point["found"], point["found_how"]) == (2, "taken")


def test_an_older_observation_is_never_compared_with_a_newer_base() -> None:
    story = Story().agreed(10)
    story.look(9, offer=9, minute=10, complete=10)
    story.look(9, offer=9, minute=15, complete=15)
    point = story.look(10, offer=9, minute=5, complete=15)
    assert (point["target"], story.base["base"]) == (None, 9)


# --- rule 9 and what is remembered --------------------------------------------------------------------------------------


def test_a_first_look_takes_the_number_as_base_and_says_that_a_raise_is_one_of_a_first_look() -> None:
    story = Story()
    point = story.look(3, offer=5, minute=0)
    assert (point["state"], point["unexplained"], point["target"], point["first_look"]) == ("first_look", 0, 5, True)
    assert point["first_look_at"] == at(0)


def test_a_gap_at_the_first_look_of_a_system_persists_at_once_and_at_a_new_listing_it_does_not() -> None:
    assert Story().look(3, offer=5, minute=0, complete=0)["gap_looks"] == 2
    others = frame(frames.BASES, {**KEY, "listing_key": "old", "base": 1, "as_of": at(0), "observed_at": at(0)})
    assert Story().look(3, offer=5, minute=0, complete=0, bases=others)["gap_looks"] == 1


def test_a_verified_push_ends_the_first_look() -> None:
    story = Story()
    story.look(3, offer=5, minute=0, complete=0)
    assert story.send(1).look(5, offer=5, minute=2, complete=2)["first_look"] is False


def test_the_list_of_contained_effects_is_folded_once_the_feed_is_complete() -> None:
    story = Story().agreed(10).order(-1, minute=3)
    story.look(9, offer=9, minute=5)
    assert story.remembered is not None
    assert story.remembered.contained.height == 1
    story.look(9, offer=9, minute=10, complete=10)
    assert story.remembered.contained.is_empty()


def test_what_was_known_of_points_nobody_mentions_is_kept() -> None:
    other = frame(frames.BASES, {**KEY, "listing_key": "gone", "base": 1, "as_of": at(0), "observed_at": at(0)})
    story = Story()
    story.look(3, offer=3, minute=0, complete=0, bases=other)
    assert story.remembered is not None
    assert story.remembered.bases["listing_key"].to_list() == ["L1", "gone"]


def test_a_number_that_returns_after_two_of_our_pushes_is_counted_twice() -> None:
    story = Story().agreed(10)
    for minute in (10, 40):
        story.look(14, offer=10, minute=minute, complete=minute)
        story.send(minute + 1, f"c{minute}").look(10, offer=10, minute=minute + 2, complete=minute + 2)
    assert story.look(14, offer=10, minute=70, complete=70)["returns"] == 2


def test_a_push_that_was_never_verified_counts_for_no_second_writer() -> None:
    story = Story().agreed(10)
    story.look(12, offer=10, minute=10, complete=10)
    story.send(11, "c1").look(10, offer=10, minute=12, complete=12)
    assert story.look(12, offer=10, minute=20, complete=20)["returns"] == 1
    story.send(21, "c2").look(8, offer=10, minute=22, complete=22)
    assert [story.look(8, offer=10, minute=minute, complete=minute)["returns"] for minute in (30, 40, 50)] == [1, 1, 1]


def test_a_number_that_no_effect_moves_any_more_is_stuck() -> None:
    story = Story().agreed(10).order(-1, minute=2).order(-1, minute=3)
    assert story.look(10, offer=8, minute=5, complete=5)["stuck"] == 0  # without a version the next look may yet show it
    assert story.look(10, offer=8, minute=10, complete=10)["stuck"] == 2


def accepted(story: Story) -> Remembered:
    """What is remembered once a person accepted the number that the story's last look read."""
    old = story.remembered
    assert old is not None
    return accept(Remembered(old.bases, old.contained, old.looks, old.unjudged), old.points, pl.DataFrame([KEY]), at(20))


def test_a_person_who_accepts_a_number_makes_it_the_base() -> None:
    story = Story().agreed(10)
    story.look(7, offer=10, minute=5, complete=5)
    after = accepted(story)
    assert after.bases.select("base", "why", "as_of").rows() == [(7, "accepted", at(5))]


def test_a_number_below_zero_is_accepted_as_it_is() -> None:
    story = Story().agreed(10)
    story.look(-2, offer=10, minute=5, complete=5)
    assert accepted(story).bases["base"].to_list() == [-2]


def test_no_look_before_the_acceptance_speaks_against_the_number() -> None:
    story = Story().agreed(10)
    story.look(7, offer=10, minute=5, complete=5)
    story.look(7, offer=10, minute=10, complete=5)
    assert story.remembered is not None
    assert (story.remembered.looks["unexplained"][0], story.remembered.unjudged.height) == (-3, 1)
    after = accepted(story)
    assert (after.looks.select("unexplained", "confirmed", "looks").row(0), after.unjudged.height) == ((0, 0, 0), 0)


def test_open_sets_become_flights_and_a_gross_one_contains_what_its_read_contained() -> None:
    pushed = {
        **KEY,
        "correction_id": "c",
        "kind": "set",
        "state": "accepted",
        "target": 4,
        "observed_at": at(5),
        "sent_at": at(6),
    }
    rows = frame(frames.CORRECTIONS, pushed, {**pushed, "correction_id": "d", "state": "verified"})
    for basis, contains in (("net", at(6)), ("gross", at(5))):
        flying = flights(rows, frame(frames.SYSTEMS, {"system": "web", "basis": basis}))
        assert flying.select("correction_id", "contains_to").rows() == [("c", contains)]


def test_points_have_the_declared_columns_in_their_order() -> None:
    story = Story().agreed(1)
    assert story.remembered is not None
    assert dict(story.remembered.points.schema) == dict(POINTS)
    assert story.remembered.points["observed_at"][0] - at(0) == timedelta(0)
