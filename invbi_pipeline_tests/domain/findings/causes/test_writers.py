"""A writer whom the looks alone give away: no push of ours lasts long enough to be verified."""

import polars as pl

from invbi_pipeline.domain.findings import FindingInputs
from invbi_pipeline_tests.domain.findings.facts import at, corrections, earlier, effects, evidence, found, one, points


def looks(*quantities: int) -> FindingInputs:
    """What a number showed at these looks, five minutes apart; a push from 8 to 5 goes out right after each look at 8."""
    seen = [{"observed_at": at(5 * n), "quantity": quantity} for n, quantity in enumerate(quantities)]
    sent = [n for n, quantity in enumerate(quantities) if quantity == 8]
    pushes = [
        {
            "correction_id": f"c{n}",
            "state": "accepted",
            "shown": 8,
            "target": 5,
            "sent_at": at(5 * n + 1),
            "planned_at": at(5 * n),
        }
        for n in sent
    ]
    last = {"reported": quantities[-1], "observed_at": at(5 * len(quantities))}
    drifted = points({**last, "found": 3, "found_how": "confirmed", "returns": 0})
    return FindingInputs(points=drifted, earlier=earlier(*seen), corrections=corrections(*pushes))


def test_a_number_that_gave_way_to_the_one_before_after_two_pushes_that_landed_has_a_second_writer() -> None:
    row = one(looks(8, 5, 8, 5, 8), "second_writer")
    assert evidence(row)["returns"] == 2


def test_one_push_that_gave_way_could_be_anybodys_hand() -> None:
    assert "second_writer" not in found(looks(8, 5, 8))["code"].to_list()


def test_a_number_that_never_moved_since_our_last_pushes_has_no_writer_whatever_became_of_them() -> None:
    inputs = looks(8, 8, 8, 8)
    returned = inputs.points.with_columns(returns=pl.lit(2, pl.Int64()))
    assert "second_writer" not in found(inputs._replace(points=returned))["code"].to_list()


def test_pushes_that_were_never_seen_to_land_prove_no_writer() -> None:
    assert "second_writer" not in found(looks(8, 8, 8, 8))["code"].to_list()


def test_a_writer_who_sets_the_number_back_every_other_look_of_twelve_is_told_and_blamed() -> None:
    twelve = looks(*[8, 5] * 5, 5, 8)
    assert evidence(one(twelve, "second_writer"))["returns"] == 5
    assert "another program raised the number again" in one(twelve, "drift")["cause"]


def test_a_hand_before_and_one_after_a_push_that_was_lost_are_no_program() -> None:
    pushes = corrections(
        {"sent_at": at(1), "shown": 6, "target": 5},
        {"correction_id": "c2", "sent_at": at(11), "shown": 7, "target": 5, "state": "mismatched"},
    )
    seen = earlier(*({"observed_at": at(5 * n), "quantity": quantity} for n, quantity in enumerate((6, 5, 7, 3, 3))))
    twice = points({"reported": 3, "found": -2, "found_how": "confirmed", "returns": 2})
    said = found(FindingInputs(points=twice, earlier=seen, corrections=pushes))
    assert "second_writer" not in said["code"].to_list()
    assert "somebody or another program lowered" in said.row(0, named=True)["cause"]


def test_a_number_set_anew_after_each_push_has_a_writer_who_is_quicker_than_our_looks() -> None:
    inputs = looks(8, 8, 8)
    anew = pl.col("observed_at").dt.offset_by("-1m")
    assert evidence(one(inputs._replace(earlier=inputs.earlier.with_columns(changed_at=anew)), "second_writer"))["returns"] == 2


def test_a_number_that_an_order_set_anew_has_no_writer() -> None:
    inputs = looks(8, 8, 8)
    anew = inputs.earlier.with_columns(changed_at=pl.col("observed_at").dt.offset_by("-1m"))
    sold_and_cancelled = effects({"stamped_at": at(4)}, {"effect_id": "x", "units": 1, "stamped_at": at(4)})
    said = found(inputs._replace(earlier=anew, effects=sold_and_cancelled))
    assert "second_writer" not in said["code"].to_list()


def test_pushes_that_the_channel_refused_say_nothing_of_a_writer() -> None:
    inputs = looks(8, 8, 8)
    anew = inputs.earlier.with_columns(changed_at=pl.col("observed_at").dt.offset_by("-1m"))
    refused = inputs.corrections.with_columns(state=pl.lit("rejected"))
    assert "second_writer" not in found(inputs._replace(earlier=anew, corrections=refused))["code"].to_list()


def test_a_moment_at_which_all_numbers_were_set_anew_is_the_platforms_own_doing() -> None:
    inputs = looks(8, 8, 8)
    anew = inputs.earlier.with_columns(changed_at=pl.col("observed_at").dt.offset_by("-1m"))
    others = [anew.with_columns(listing_key=pl.lit(f"other {n}")) for n in range(5)]
    assert "second_writer" not in found(inputs._replace(earlier=pl.concat([anew, *others])))["code"].to_list()


def test_a_number_set_anew_may_be_an_orders_doing_until_all_orders_are_told() -> None:
    inputs = looks(8, 8, 8)
    anew = inputs.earlier.with_columns(changed_at=pl.col("observed_at").dt.offset_by("-1m"))
    behind = inputs.points.with_columns(complete_to=pl.lit(at(9), pl.Datetime("us", "UTC")))
    assert "second_writer" not in found(inputs._replace(earlier=anew, points=behind))["code"].to_list()


def test_a_number_that_bore_a_later_time_before_its_systems_clock_was_set_back_was_not_set_anew() -> None:
    inputs = looks(8, 8, 8)
    anew = inputs.earlier.with_columns(changed_at=pl.col("observed_at").dt.offset_by("-1m"))
    back = pl.DataFrame({"system": ["web"], "set_back_s": [420.0]})
    assert "second_writer" not in found(inputs._replace(earlier=anew, clocks=back))["code"].to_list()


def test_an_order_of_the_very_moment_of_a_look_that_does_not_show_it_yet_is_no_writer() -> None:
    inputs = looks(8, 5, 8, 5, 5)
    assert "second_writer" not in found(inputs._replace(effects=effects({"stamped_at": at(20)})))["code"].to_list()
    assert "second_writer" in found(inputs._replace(effects=effects({"stamped_at": at(18)})))["code"].to_list()
