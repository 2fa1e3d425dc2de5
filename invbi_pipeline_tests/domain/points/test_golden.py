"""The golden cases 4 to 8 of the design, each step of each case."""

from invbi_pipeline_tests.domain.points.one_point import Story


def test_converged_and_judged_moves_the_base_and_plans_nothing() -> None:
    story = Story().agreed(10)
    point = story.look(9, offer=9, minute=5, complete=5)
    assert (point["expected"], point["unexplained"], point["pending"], point["gap"]) == (10, -1, -1, 0)
    assert (point["state"], point["target"], story.base["base"]) == ("converged", None, 9)


def test_the_order_stamped_before_a_converged_read_is_already_contained() -> None:
    story = Story().agreed(10)
    story.look(9, offer=9, minute=5, complete=5)
    point = story.order(-1, minute=4).look(9, offer=9, minute=10, complete=10)
    assert (point["state"], point["expected"], point["found"]) == ("agreed", 9, 0)


def test_converged_downwards_and_not_judged_is_taken_as_an_unseen_sale() -> None:
    point = Story().agreed(10).look(9, offer=9, minute=5)
    assert (point["state"], point["withhold"], point["target"]) == ("converged", 1, 8)


def test_an_unseen_sale_is_withheld_from_a_push() -> None:
    point = Story().agreed(10).look(9, offer=8, minute=5)
    assert (point["state"], point["withhold"], point["target"]) == ("diverged", 1, 7)


def test_a_run_after_a_withholding_push_has_nothing_to_do() -> None:
    story = Story().agreed(10)
    story.look(9, offer=8, minute=5)
    point = story.send(6).look(7, offer=8, minute=7)
    assert point["ends"] == {"c1": "verified"}
    assert (point["offer"], point["withheld"], point["gap"], point["target"]) == (7, 1, 0, None)
    assert story.look(7, offer=8, minute=8)["target"] is None


def test_the_order_that_was_withheld_arrives_and_there_is_no_second_push() -> None:
    story = Story().agreed(10)
    story.look(9, offer=8, minute=5)
    story.send(6).look(7, offer=8, minute=7)
    point = story.order(-1, minute=4).look(7, offer=7, minute=10)
    assert (point["state"], point["offer"], point["withheld"], point["target"]) == ("agreed", 7, 0, None)
    point = story.look(7, offer=7, minute=15, complete=15)
    assert (point["state"], point["found"], point["target"]) == ("agreed", 0, None)


def test_a_gross_platform_that_knows_our_order_agrees() -> None:
    story = Story(gross=True).agreed(5).order(-1, minute=4)
    point = story.look(5, offer=4, minute=5, complete=5, reserved=1, own_open=1)
    assert (point["reported"], point["state"], point["target"]) == (4, "agreed", None)


def test_a_gross_platform_is_sent_its_own_open_units_on_top() -> None:
    story = Story(gross=True).agreed(3).order(-1, minute=4)
    point = story.look(3, offer=4, minute=5, complete=5, reserved=1, own_open=1)
    assert (point["reported"], point["target"], point["send"]) == (2, 4, 5)


def test_a_gross_platform_with_an_order_we_have_not_seen_is_left_alone() -> None:
    story = Story(gross=True).agreed(5)
    point = story.look(5, offer=5, minute=5, reserved=1)
    assert (point["reported"], point["withhold"], point["target"]) == (4, 1, None)


def test_a_push_to_a_gross_platform_adds_the_units_withheld_as_unseen() -> None:
    story = Story(gross=True).agreed(6)
    point = story.look(6, offer=5, minute=5, reserved=1)
    assert (point["withhold"], point["target"], point["send"]) == (1, 4, 5)
    point = story.send(6).look(5, offer=5, minute=7, reserved=1)
    assert (point["ends"], point["reported"], point["offer"]) == ({"c1": "verified"}, 4, 4)


def test_a_gross_platform_that_shipped_without_our_seeing_it_gets_the_offer_itself() -> None:
    story = Story(gross=True).agreed(3)
    point = story.look(3, offer=4, minute=5, complete=5, reserved=0, own_open=1)
    assert (point["target"], point["send"]) == (4, 4)


def in_flight() -> Story:
    """Base 5, a push to 8 accepted at minute 10, visible within 10 minutes; then a sale stamped after it, and seen."""
    story = Story(visibility_lag_s=600).agreed(5)
    story.look(5, offer=8, minute=9, complete=9)
    return story.send(10).order(-1, minute=11)


def test_a_push_in_flight_is_waited_for_while_the_old_number_is_read() -> None:
    for number in (5, 4):
        point = in_flight().look(number, offer=7, minute=12, complete=12)
        assert (point["unexplained"], point["target"], point["ends"]) == (0, None, {"c1": "still"})


def test_the_target_less_its_sale_verifies_the_push() -> None:
    story = in_flight()
    point = story.look(7, offer=7, minute=12, complete=12)
    assert (point["ends"], point["state"], story.base["base"]) == ({"c1": "verified"}, "agreed", 7)


def test_a_target_whose_sale_is_not_applied_yet_is_waited_for() -> None:
    story = in_flight()
    point = story.look(8, offer=7, minute=12, complete=12)
    assert (point["unexplained"], point["target"], point["ends"]) == (0, None, {"c1": "still"})


def test_a_target_that_overwrote_the_sale_is_verified_after_the_lag_and_lowered() -> None:
    story = in_flight()
    point = story.look(8, offer=7, minute=25, complete=25)
    assert (point["ends"], point["state"], point["target"]) == ({"c1": "verified"}, "push_due", 7)
    assert story.base["base"] == 8


def test_a_number_that_fits_nothing_is_measured_from_the_newest_target_and_waits_within_the_lag() -> None:
    story = in_flight()
    for minute in (12, 14, 16):
        point = story.look(6, offer=7, minute=minute, complete=minute)
        assert (point["unexplained"], point["ends"]) == (-1, {"c1": "still"})


def test_two_judged_looks_that_fit_nothing_after_the_lag_are_a_mismatch() -> None:
    story = in_flight()
    assert story.look(6, offer=7, minute=25, complete=25)["ends"] == {"c1": "still"}
    point = story.look(6, offer=7, minute=30, complete=30)
    assert point["ends"] == {"c1": "mismatched"}
    assert (story.base["why"], story.base["base"], point["found"]) == ("flight_ended", 8, -1)


def test_the_old_number_after_the_lag_means_that_the_push_did_not_land() -> None:
    story = in_flight()
    point = story.look(5, offer=7, minute=25, complete=25)
    assert (point["ends"], story.base["base"], point["target"]) == ({"c1": "not_landed"}, 5, 7)


def test_two_judged_looks_confirm_a_drift_and_only_then_it_is_raised() -> None:
    story = Story().agreed(10)
    point = story.look(7, offer=10, minute=5, complete=5)
    assert (point["state"], point["confirmed"], point["target"], point["found"]) == ("drifted", 0, None, 0)
    point = story.look(7, offer=10, minute=10, complete=10)
    assert (point["confirmed"], point["target"], point["found"], point["found_how"]) == (-3, 10, -3, "confirmed")


def test_an_edit_upwards_that_our_lowering_wiped_is_found_with_one_judged_look() -> None:
    story = Story().agreed(10)
    point = story.look(13, offer=10, minute=5, complete=5)
    assert (point["target"], point["found"]) == (10, 0)
    point = story.send(6).look(10, offer=10, minute=7, complete=7)
    assert (point["state"], point["found"], point["found_how"], point["target"]) == ("agreed", 3, "taken", None)
    assert story.look(10, offer=10, minute=12, complete=12)["found"] == 0


def test_an_edit_that_our_push_wiped_is_found_though_a_late_order_makes_the_number_look_as_if_nothing_had_happened() -> None:
    story = Story(visibility_lag_s=900).agreed(5)
    assert story.look(6, offer=4, minute=5, complete=3)["target"] == 4
    point = story.send(6).order(-1, minute=4).look(4, offer=4, minute=11, complete=9)
    assert (point["ends"], point["found"], point["found_how"]) == ({"c1": "still"}, 2, "taken")
    story.look(4, offer=4, minute=22, complete=22)
    assert story.look(4, offer=4, minute=27, complete=27)["found"] == 0
