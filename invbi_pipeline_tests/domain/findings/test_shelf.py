"""Ghost places: numbers that hold the goods of a place the channel may not ship from."""

from datetime import timedelta
from typing import Any

import polars as pl

from invbi_pipeline.domain.findings import FindingInputs
from invbi_pipeline.domain.findings.shelf import ghosts
from invbi_pipeline.domain.frames import LIVES, fit
from invbi_pipeline_tests.domain.findings.facts import at, earlier, offers, points, positions, systems
from invbi_pipeline_tests.domain.findings.facts import found as all_found

HELD = (3, 7, 4, 9, 5, 8, 2, 6)  # of K0, K1, ... in the attic, which the channel may not ship from


def seen(too_many: dict[int, int], held: tuple[int, ...] = HELD, looks: pl.DataFrame | None = None, **point: Any) -> pl.DataFrame:
    """Return the ghosts where some of the channel's listings show so many too many after a drift that counts."""
    listed = [{"listing_key": f"L{n}", "sku": f"K{n}"} for n in range(len(held))]
    wrong = [{**listed[n], "reported": 5 + units, "found": units, "confirmed": units, **point} for n, units in too_many.items()]
    return ghosts(
        FindingInputs(
            points=points(*wrong),
            offers=offers(*({**each, "units": 1} for each in listed)),
            positions=positions(*({"sku": f"K{n}", "location": "attic", "available": units} for n, units in enumerate(held))),
            systems=systems({"sells_from": ["soho"]}),
            earlier=earlier() if looks is None else looks,
        )
    )


def _wrong(too_many: dict[int, int], **point: Any) -> list[dict[str, Any]]:
    shown = {"reported": 5, "confirmed": 0}
    return [
        {"listing_key": f"L{n}", "sku": f"K{n}", **shown, "reported": 5 + units, "found": units, **point}
        for n, units in too_many.items()
    ]


def _listed(wrong: pl.DataFrame, **more: Any) -> FindingInputs:
    listed = [{"listing_key": f"L{n}", "sku": f"K{n}", "units": 1} for n in range(len(HELD))]
    there = [{"sku": f"K{n}", "location": "attic", "available": units} for n, units in enumerate(HELD)]
    where = {"offers": offers(*listed), "positions": positions(*there), "systems": systems({"sells_from": ["soho"]})}
    return FindingInputs(points=wrong, **where, **more)


def _told(inputs: FindingInputs) -> pl.DataFrame:
    return fit(all_found(inputs).with_columns(missed_run=pl.lit(None), returns=pl.lit(0)), LIVES)


def test_several_numbers_that_hold_just_what_lies_in_an_excluded_place_name_it() -> None:
    found = seen({0: 3, 1: 7, 2: 4, 3: 9, 4: 5})
    assert found.select("code", "sku", "units").rows() == [("ghost_location", f"K{n}", HELD[n]) for n in range(5)]
    assert '"ghost":"attic"' in found["evidence"][0]


def test_a_number_that_somebody_changed_at_another_time_says_nothing_for_or_against_the_place() -> None:
    set_at = {n: at(0 if n < 5 else 60) for n in range(6)}
    looked = earlier(*({"listing_key": f"L{n}", "observed_at": at(70), "changed_at": when} for n, when in set_at.items()))
    found = seen({0: 3, 1: 7, 2: 4, 3: 9, 4: 5, 5: 8}, looks=looked, found_at=at(70))
    assert found["sku"].to_list() == [f"K{n}" for n in range(5)]


def test_two_numbers_that_agree_could_be_anybodys_hand() -> None:
    assert seen({0: 3, 1: 7}).is_empty()


def test_where_most_skus_hold_the_same_few_units_agreement_is_an_accident() -> None:
    assert seen({0: 2, 1: 2, 2: 2, 3: 2}, held=(2, 2, 2, 2, 2, 2, 2, 3)).is_empty()


def test_numbers_that_hold_something_else_are_no_ghosts() -> None:
    assert seen({0: 2, 1: 6, 2: 3, 3: 8, 4: 4}).is_empty()


def test_a_place_the_channel_ships_from_is_none() -> None:
    found = FindingInputs(
        points=points(*({"listing_key": f"L{n}", "sku": f"K{n}", "reported": 5 + HELD[n], "found": HELD[n]} for n in range(5))),
        offers=offers(*({"listing_key": f"L{n}", "sku": f"K{n}", "units": 1} for n in range(8))),
        positions=positions(*({"sku": f"K{n}", "location": "attic", "available": HELD[n]} for n in range(8))),
        systems=systems({"sells_from": ["soho", "attic"]}),
    )
    assert ghosts(found).is_empty()


def test_a_number_that_was_on_its_way_elsewhere_agrees_by_all_that_is_above_its_offer() -> None:
    wrong = {n: HELD[n] for n in range(4)}
    found = ghosts(_listed(points(*_wrong(wrong), {"listing_key": "L4", "sku": "K4", "reported": 10, "found": 1, "offer": 5})))
    assert found.select("sku", "units").rows()[-1] == ("K4", 5)


def test_one_more_number_of_a_sitting_that_was_told_is_told_at_once() -> None:
    looked = earlier(*({"listing_key": f"L{n}", "observed_at": at(10), "changed_at": at(9)} for n in range(5)))
    first = _listed(points(*_wrong({n: HELD[n] for n in range(4)}, found_at=at(10))), earlier=looked)
    later = _listed(points(*_wrong({4: 5}, found_at=at(10))), earlier=looked)
    assert ghosts(later).is_empty()
    assert ghosts(later._replace(known=_told(first)))["sku"].to_list() == ["K4"]


def test_a_number_of_the_same_sitting_that_was_judged_and_put_right_a_run_before_is_a_ghost_too() -> None:
    when = [{"listing_key": f"L{n}", "observed_at": at(10), "changed_at": at(7)} for n in range(4)]
    first = _listed(points(*_wrong({3: 9}, found_at=at(10), found_how="taken")), earlier=earlier(*when))
    assert ghosts(first).is_empty()
    right = {"listing_key": "L3", "sku": "K3"}
    rest = points(*_wrong({0: 3, 1: 7, 2: 4}, found_at=at(10)), right)
    later = _listed(rest, earlier=earlier(*when[:3]), known=_told(first))
    assert sorted(ghosts(later)["sku"]) == ["K0", "K1", "K2", "K3"]
    once = later._replace(known=pl.concat([_told(first), _told(later)]).unique("finding_id"))
    assert sorted(ghosts(once)["sku"]) == ["K0", "K1", "K2"]


def test_a_number_that_agrees_but_was_changed_after_a_pause_is_another_hands() -> None:
    def changed_after(seconds: float) -> list[str]:
        when = [{"listing_key": f"L{n}", "observed_at": at(10), "changed_at": at(7) + timedelta(seconds=n)} for n in range(4)]
        last = {"listing_key": "L4", "observed_at": at(10), "changed_at": at(7) + timedelta(seconds=3 + seconds)}
        wrong = _listed(points(*_wrong({n: HELD[n] for n in range(5)}, found_at=at(10))), earlier=earlier(*when, last))
        return sorted(ghosts(wrong)["sku"])

    assert changed_after(15) == [f"K{n}" for n in range(5)]
    assert changed_after(16) == [f"K{n}" for n in range(4)]


def test_a_frozen_listing_is_no_ghost_though_its_number_agrees() -> None:
    assert seen({0: 3, 1: 7, 2: 4, 3: 9}, stuck=1)["sku"].to_list() == ["K0", "K1", "K2", "K3"]
    assert seen({0: 3, 1: 7, 2: 4, 3: 9}, stuck=2).is_empty()


def test_a_listing_that_was_told_to_be_frozen_is_no_ghost_at_a_look_that_cannot_say_so() -> None:
    frozen = _told(FindingInputs(points=points({"listing_key": "L0", "sku": "K0", "stuck": 2, "unexplained": 3})))
    wrong = _listed(points(*_wrong({n: HELD[n] for n in range(6)})))
    assert ghosts(wrong).height == 6
    assert sorted(ghosts(wrong._replace(known=frozen))["sku"]) == [f"K{n}" for n in range(1, 6)]
