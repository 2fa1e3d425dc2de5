"""Oversold: who competes for the units, who could ship, and whom to disappoint."""

from typing import Any

from invbi_pipeline.domain.findings import FindingInputs
from invbi_pipeline_tests.domain.findings.facts import (
    NOW,
    at,
    evidence,
    found,
    offers,
    one,
    order_lines,
    places,
    positions,
    reservations,
    systems,
    values,
)


def test_more_promises_than_units_is_oversold_once_a_channel_with_the_competing_orders() -> None:
    orders = reservations({"units": 4}, {"system": "amazon", "order_id": "o2", "units": 3, "ordered_at": at(2)})
    there = positions({"on_hand": 5, "free": -2, "available": -2}, {"location": "leeds", "free": 1, "available": 1})
    pools = offers({"unpromised": -2}, {"location": "camden", "unpromised": -2})
    row = one(FindingInputs(offers=pools, reservations=orders, positions=there, values=values({})), "oversold")
    assert (row["units"], row["money"], row["severity"], row["sku"], row["listing_key"]) == (2, 5.0, "critical", "MUG-RED", "")
    assert [order["order_id"] for order in evidence(row)["orders"]] == ["o2", "o1"]
    assert evidence(row)["could_ship"] == [{"location": "leeds", "available": 1}]
    assert row["cause"].startswith("7 units of MUG-RED are promised by 2 order lines, 2 more than web may ship.")


def test_a_pool_below_0_because_of_what_a_policy_withholds_is_not_oversold() -> None:
    inputs = FindingInputs(offers=offers({"pool": -5, "unpromised": 2}), reservations=reservations({}), positions=positions({}))
    assert found(inputs).is_empty()


def test_what_a_policy_lets_a_channel_sell_beyond_its_stock_is_not_oversold() -> None:
    promised = {"reservations": reservations({"units": 7}), "positions": positions({"on_hand": 0, "free": 0, "available": 0})}
    allowed = {"unpromised": -5, "backorder_limit": 5}
    assert found(FindingInputs(offers=offers(allowed), **promised)).is_empty()
    assert one(FindingInputs(offers=offers({**allowed, "unpromised": -7}), **promised), "oversold")["units"] == 2


def test_orders_that_one_place_lacks_and_others_have_are_not_oversold() -> None:
    there = positions({"free": -2, "available": -2}, {"location": "leeds", "free": 9, "available": 9})
    assert found(FindingInputs(offers=offers({"unpromised": 7}), reservations=reservations({}), positions=there)).is_empty()


def test_a_sku_that_no_channel_lists_is_told_without_a_system() -> None:
    inputs = FindingInputs(positions=positions({"free": -1, "available": -1}), reservations=reservations({"units": 6}))
    assert (one(inputs, "oversold")["system"], one(inputs, "oversold")["units"]) == ("", 1)


def test_of_a_sku_that_no_place_keeps_nobody_can_say_how_many_are_missing() -> None:
    nowhere = positions({"on_hand": None, "free": -1, "available": -1})
    assert found(FindingInputs(positions=nowhere, reservations=reservations({}))).is_empty()


def cancelled(*lines: dict[str, Any], short: int = 1, **more: Any) -> list[tuple[str, float | None]]:
    """Return the orders of these reserved lines that are the cheapest to cancel, with their money."""
    keys = ("system", "order_id", "line_id", "units", "ordered_at", "location")
    promised = reservations(*({k: line[k] for k in keys if k in line} for line in lines))
    sold = order_lines(*({k: v for k, v in line.items() if k not in {"units", "ordered_at", "location"}} for line in lines))
    there = {"positions": positions({}), **more}
    inputs = FindingInputs(offers=offers({"unpromised": -short}), reservations=promised, order_lines=sold, **there)
    return [(order["order_id"], order["money"]) for order in evidence(one(inputs, "oversold"))["cheapest_to_cancel"]]


def test_the_order_of_least_money_is_the_cheapest_to_cancel() -> None:
    assert cancelled({"order_id": "dear", "price": 30.0}, {"order_id": "cheap", "price": 5.0}) == [("cheap", 5.0)]


def test_of_equal_money_the_newest_order_is_cancelled_first() -> None:
    assert cancelled({"order_id": "old", "ordered_at": at(1)}, {"order_id": "new", "ordered_at": at(2)}) == [("new", 10.0)]


def test_a_cancel_on_a_marketplace_comes_after_all_others_whatever_its_money() -> None:
    known = systems({}, {"system": "amazon", "platform": "amazon"})
    lines = {"system": "amazon", "order_id": "penny", "price": 0.5}, {"order_id": "own", "price": 90.0}
    assert cancelled(*lines, systems=known) == [("own", 90.0)]


def test_as_many_orders_are_named_as_cover_the_shortage() -> None:
    lines = [{"order_id": f"o{n}", "price": float(n), "units": 2, "open_quantity": 2} for n in (1, 2, 3)]
    assert cancelled(*lines, short=3) == [("o1", 2.0), ("o2", 4.0)]


def test_an_order_whose_units_the_others_cover_is_not_named() -> None:
    sizes = {"small": (1, 1.0), "middle": (10, 10.0), "large": (11, 11.0)}
    lines = [{"order_id": name, "units": n, "open_quantity": n, "price": money / n} for name, (n, money) in sizes.items()]
    assert cancelled(*lines, short=17) == [("middle", 10.0), ("large", 11.0)]


def test_one_order_that_covers_the_shortage_for_no_more_is_cancelled_rather_than_several() -> None:
    small = [{"order_id": name, "price": 10.0} for name in ("small", "other")]
    large = {"order_id": "large", "units": 2, "open_quantity": 2}
    assert cancelled(*small, {**large, "price": 7.5}, short=2) == [("large", 15.0)]
    assert cancelled(*small, {**large, "price": 10.0}, short=2) == [("large", 20.0)]
    assert cancelled(*small, {**large, "price": 10.5}, short=2) == [("other", 10.0), ("small", 10.0)]


def test_an_order_without_a_price_is_unpriced_and_comes_after_those_that_have_one() -> None:
    lines = {"order_id": "blank", "price": None}, {"order_id": "zero", "price": 0.0}, {"order_id": "priced", "price": 50.0}
    assert cancelled(*lines) == [("priced", 50.0)]
    assert cancelled(lines[0]) == [("blank", None)]


def test_what_the_buyer_pays_in_another_currency_is_valued_at_the_listings_price() -> None:
    euros = {"price": 99.0, "currency": "EUR", "open_quantity": 2, "units": 2}
    assert cancelled(euros, values=values({})) == [("o1", 5.0)]


def test_a_place_of_the_channels_own_pool_is_not_left_elsewhere() -> None:
    there = positions({"free": -6, "available": -6}, {"location": "camden", "free": 4, "available": 4}, {"location": "leeds"})
    pool = systems({"sells_from": ["soho", "camden"]})
    inputs = FindingInputs(offers=offers({"unpromised": -2}), reservations=reservations({}), positions=there, systems=pool)
    assert evidence(one(inputs, "oversold"))["could_ship"] == [{"location": "leeds", "available": 5}]


def test_what_lies_where_we_do_not_ship_from_is_not_left_elsewhere() -> None:
    known = places({"location": "fba", "kind": "platform_fc"}, {"location": "office", "sellable": False}, {"location": "leeds"})
    there = positions({"free": -6, "available": -6}, *({"location": name} for name in known["location"]))
    pool = systems({"sells_from": ["soho"]})
    short = FindingInputs(offers=offers({"unpromised": -2}), reservations=reservations({}), positions=there, systems=pool)
    row = one(short._replace(places=known), "oversold")
    assert evidence(row)["could_ship"] == [{"location": "leeds", "available": 5}]
    assert "Left elsewhere: 5 in leeds." in row["cause"]


def test_an_order_held_in_a_place_of_another_pool_does_not_compete() -> None:
    pool = systems({"sells_from": ["soho"]})
    lines = {"order_id": "far", "location": "leeds", "price": 1.0}, {"order_id": "here", "location": "soho"}
    assert cancelled(*lines, systems=pool) == [("here", 10.0)]


def test_the_sentence_and_the_evidence_say_what_a_person_needs_to_decide() -> None:
    known = systems({}, {"system": "amazon", "platform": "amazon"})
    there = positions({"free": -2, "available": -2}, {"location": "leeds", "free": 1, "available": 1})
    two = reservations({"units": 2}, {"system": "amazon", "order_id": "o2", "ordered_at": at(-120)})
    paid = order_lines({"open_quantity": 2}, {"system": "amazon", "order_id": "o2"})
    row = one(
        FindingInputs(offers=offers({"unpromised": -1}), reservations=two, order_lines=paid, positions=there, systems=known),
        "oversold",
    )
    assert row["cause"] == (
        "3 units of MUG-RED are promised by 2 order lines, 1 more than web may ship. Left elsewhere: 1 in leeds. "
        "Cheapest to cancel: order o1 on web (2 units, GBP 20.00)."
    )
    newest, oldest = evidence(row)["orders"]
    assert (newest["money"], newest["marketplace"], newest["age_hours"]) == (20.0, False, 0)
    assert (oldest["marketplace"], oldest["age_hours"]) == (True, (NOW - at(-120)).total_seconds() // 3600)
