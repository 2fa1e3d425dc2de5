import polars as pl

from invbi_pipeline.domain.findings import FindingInputs
from invbi_pipeline.domain.frames import LIVES, fit
from invbi_pipeline_tests.domain.findings.causes.drifted import LOWERED, RAISED
from invbi_pipeline_tests.domain.findings.facts import (
    KEY,
    at,
    candidates,
    effects,
    evidence,
    found,
    offers,
    one,
    points,
    positions,
    systems,
)


def test_a_sale_that_a_clock_hides_which_was_set_back_is_no_drift_and_was_not_applied_twice() -> None:
    sold = effects({"units": -3, "stamped_at": at(4.97)})
    inputs = FindingInputs(points=points(LOWERED), effects=sold)
    assert set(found(inputs)["code"]) >= {"drift", "duplicate_event"}
    set_back = pl.DataFrame({"system": ["web"], "set_back_s": [420.0]})
    assert not set(found(inputs._replace(clocks=set_back))["code"]) & {"drift", "duplicate_event"}


def test_a_number_that_nothing_explains_was_changed_by_somebody_else() -> None:
    row = one(FindingInputs(points=points(LOWERED)), "drift")
    assert row["cause"] == (
        "MUG-RED on web (soho) is 3 lower than it should be. 3 units: somebody or another program lowered the number between "
        "09:05 and 09:10 UTC; no order explains it."
    )
    assert row["suggested_action"] == "Find out who changed it, and let the number be corrected."
    assert (row["units"], row["severity"]) == (3, "high")
    said = evidence(row)
    assert said["causes"] == [{"cause": "foreign", "units": -3, "events": [], "at": None}]
    assert (said["remainder"], said["bracket_from"][:19], said["bracket_to"][:19]) == (
        0,
        "2026-01-05T09:05:00",
        "2026-01-05T09:10:00",
    )


def test_a_sentence_names_the_day_where_it_is_not_today() -> None:
    row = one(FindingInputs(points=points({**LOWERED, "found_since": at(-24 * 60)})), "drift")
    assert "between 4 Jan 09:00 and 09:10 UTC" in row["cause"]


def test_an_order_applied_twice_is_told_on_its_own_as_well() -> None:
    sold = effects({"units": -2}, {"effect_id": "o1/2/sale", "units": -1, "line_id": "2"}, {"effect_id": "x", "order_id": "x"})
    inputs = FindingInputs(points=points(LOWERED), effects=sold)
    twice = one(inputs, "duplicate_event")
    assert (evidence(twice)["event"], evidence(twice)["event_units"], twice["units"]) == ("o1", -3, 3)
    assert "3 units: order o1 of 09:07 UTC was applied twice" in one(inputs, "drift")["cause"]
    assert one(inputs, "duplicate_event")["cause"] == "The order o1 of 3 units was applied twice to MUG-RED on web (soho)."
    assert evidence(one(inputs, "drift"))["first_event"] == "o1"


def test_two_orders_applied_twice_are_told_in_one_finding_that_names_both_and_adds_up() -> None:
    sold = effects({}, {"effect_id": "o2/1/sale", "order_id": "o2", "units": -2, "stamped_at": at(8)})
    twice = one(FindingInputs(points=points(LOWERED), effects=sold), "duplicate_event")
    assert twice["units"] == 3
    assert twice["cause"] == ("The order o1 of 1 unit and the order o2 of 2 units were applied twice to MUG-RED on web (soho).")
    assert [(said["event"], said["event_units"]) for said in evidence(twice)["events"]] == [("o1", -1), ("o2", -2)]
    assert evidence(twice)["event"] == "o1", "the first of them"


def test_what_one_point_applied_twice_is_no_other_points() -> None:
    here, there = LOWERED, {**LOWERED, "listing_key": "L2", "sku": "MUG-BLUE"}
    sold = effects({"units": -3}, {"effect_id": "o2/1/sale", "order_id": "o2", "units": -3, "listing_key": "L2"})
    told = found(FindingInputs(points=points(here, there), effects=sold)).filter(pl.col("code") == "duplicate_event")
    said = [(row["listing_key"], row["units"], evidence(row)["event"]) for row in told.sort("listing_key").iter_rows(named=True)]
    assert said == [("L1", 3, "o1"), ("L2", 3, "o2")]


def test_a_change_that_our_own_push_wiped_is_still_told() -> None:
    wiped = {"found": 3, "found_how": "taken", "found_since": at(5), "found_at": at(10)}
    told = found(FindingInputs(points=points(wiped)))
    assert told.select("code", "units").rows() == [("drift", 3)]


def test_nothing_found_is_no_drift_whatever_is_unexplained() -> None:
    late_order = {"reported": 4, "state": "drifted", "unexplained": -1, "judged": False}
    assert found(FindingInputs(points=points(late_order, {**KEY, "listing_key": "L2"}), effects=effects({}))).is_empty()


def test_the_number_of_a_frozen_listing_did_not_drift() -> None:
    codes = found(FindingInputs(points=points({**LOWERED, "stuck": 2})))["code"].to_list()
    assert "frozen_listing" in codes
    assert "drift" not in codes


def test_a_number_that_holds_the_goods_of_an_excluded_place_was_changed_by_that_and_by_nobody() -> None:
    numbers = {"L0": 3, "L1": 7, "L2": 4, "L3": 9, "L4": 5}
    each = [{"listing_key": key, "sku": f"K-{key}"} for key in numbers]
    too_many = [{**RAISED, **one, "reported": 5 + n, "found": n} for one, n in zip(each, numbers.values(), strict=True)]
    attic = [{"sku": one["sku"], "location": "attic", "available": n} for one, n in zip(each, numbers.values(), strict=True)]
    told = found(
        FindingInputs(
            points=points(*too_many), offers=offers(*({**one, "units": 1} for one in each)), positions=positions(*attic),
            systems=systems({"sells_from": ["soho"]}),
        )
    )  # fmt: skip
    of_one = {row["code"]: row for row in told.filter(pl.col("listing_key") == "L1").iter_rows(named=True)}
    drift, ghost = of_one["drift"], of_one["ghost_location"]
    assert drift["cause"] == (
        "K-L1 on web (soho) is 7 higher than it should be: just what lies at attic, from where it may not ship."
    )
    assert drift["suggested_action"] == ghost["suggested_action"]
    assert [one["cause"] for one in evidence(drift)["causes"]] == ["ghost"]


def test_a_listing_counted_in_packs_is_told_once_how_to_mend_it_and_by_its_own_numbers() -> None:
    inputs = FindingInputs(
        points=points({**RAISED, "reported": 60, "found": 55}, {**RAISED, "location": "leeds", "reported": 60, "found": 55})
    )
    row = found(inputs).filter((pl.col("code") == "drift") & (pl.col("location") == "soho")).row(0, named=True)
    assert row["cause"] == (
        "MUG-RED on web (soho) was set to 60 where 5 was right: packs of 12 were taken for single units, or the reverse."
    )
    assert row["suggested_action"] == "Say how many single units this listing sells, and let the number be corrected."


def test_a_ledger_that_seems_untied_since_its_clock_was_set_back_is_not_told_and_one_told_before_goes_on() -> None:
    untied = candidates({"code": "ledger_untied", "system": "till", "listing_key": "", "location": "soho", "sku": "MUG-RED"})
    inputs = FindingInputs(candidates=untied)
    told = found(inputs)
    set_back = inputs._replace(clocks=pl.DataFrame({"system": ["till"], "set_back_s": [420.0]}))
    assert (told["code"].to_list(), found(set_back)["code"].to_list()) == (["ledger_untied"], [])
    before = fit(told.with_columns(missed_run=pl.lit(None), returns=pl.lit(0)), LIVES)
    assert found(set_back._replace(known=before))["code"].to_list() == ["ledger_untied"]
