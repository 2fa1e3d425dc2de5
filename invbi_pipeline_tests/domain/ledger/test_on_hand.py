"""The ledger: containment by id, and what is done about what cannot be decided."""

from typing import Any

import pytest

from invbi_pipeline_tests.domain.small_world import (
    Rows,
    at,
    channel,
    offer_of,
    order,
    place,
    reckon,
    shelves,
    system,
    wms,
    world,
)


def shipped(number: int, when: float, units: int = -1, **facts: Any) -> dict[str, Any]:
    """Return a shipment that the channel `web` tells of."""
    line = {"system": "web", "movement_id": f"o{number}/1/f", "order_id": f"o{number}", "line_id": "1"}
    return {**line, "listing_key": "A", "location": "shop", "units": units, "occurred_at": at(when), **facts}


def till(book: int, opening: int = 10, opened: float = -100, **facts: Any) -> Rows:
    """Return a till that counts one shop, and the channel `web` that sells from it."""
    return world(
        {
            "systems": [system("till", counts=True, **facts)],
            "places": [place("shop", "till")],
            "openings": [{"location": "shop", "sku": "A", "system": "till", "on_hand": opening, "opened_at": at(opened)}],
            "observations": [{"system": "till", "listing_key": "A", "location": "shop", "quantity": book}],
        },
        channel("web", "A", sells_from=["shop"]),
    )


def own(movement_id: str, units: int | None, when: float, **facts: Any) -> Rows:
    row = {"system": "till", "movement_id": movement_id, "listing_key": "A", "location": "shop", "units": units}
    return {"movements": [{**row, "occurred_at": at(when), **facts}]}


def on_hand(rows: Rows) -> tuple[int, int, int]:
    """Return (on hand, undecided, available) of A in the shop."""
    row = reckon(**rows).positions.filter(sku="A", location="shop").row(0, named=True)
    return row["on_hand"], row["undecided"], row["available"]


WEB_ORDERS = {"movements": [shipped(n, when) for n, when in enumerate((-20, -19, -18))]}
OPEN_ORDER = order("web", "o9", "A", 1, "shop")
TILL_SALE = own("t1", -1, -10)


@pytest.mark.parametrize("absorbs", ["at_count", "own", "writeback"])
def test_a_till_that_does_not_hear_of_web_orders_still_holds_them_in_its_number(absorbs: str) -> None:
    rows = world(till(9, absorbs=absorbs), WEB_ORDERS, TILL_SALE, OPEN_ORDER)
    assert on_hand(rows) == (6, 0, 5)


def test_a_physical_count_contains_what_left_before_it() -> None:
    counted = own("c1", None, -5, kind="count", counted=6)
    assert on_hand(world(till(6, absorbs="at_count"), WEB_ORDERS, TILL_SALE, OPEN_ORDER, counted)) == (6, 0, 5)


def test_a_count_newer_than_the_number_is_the_anchor() -> None:
    counted = own("c1", None, 1, kind="count", counted=6)
    later = own("t2", -1, 2)
    rows = world(till(9, absorbs="at_count"), WEB_ORDERS, TILL_SALE, counted, later)
    assert on_hand(rows) == (5, 0, 5)
    assert reckon(**rows).anchors["kind"].to_list() == ["count"]


def test_where_the_owners_number_is_unknown_the_last_anchor_stands_and_not_an_older_count() -> None:
    counted = own("c1", None, -50, kind="count", counted=20)
    rows = world(till(9), counted, own("t2", -1, 2))
    rows["observations"][0] |= {"state": "unknown", "quantity": None}
    last = {"location": "shop", "sku": "A", "system": "till", "on_hand": 9, "anchored_at": at(-1)}
    told = reckon(**world(rows, {"anchors": [last]})).anchors.select("on_hand", "anchored_at", "kind")
    assert told.rows() == [(9, at(-1), "book")]
    contained = world(till(6, absorbs="at_count"), WEB_ORDERS, TILL_SALE, own("c1", None, -5, kind="count", counted=6))
    contained["observations"][0] |= {"state": "unknown", "quantity": None}
    assert on_hand(world(contained, {"anchors": [{**last, "on_hand": 6}]})) == (6, 0, 6)
    older = {**last, "anchored_at": at(-60)}
    assert reckon(**world(rows, {"anchors": [older]})).anchors.select("on_hand", "kind").rows() == [(20, "count")]


def test_a_shipment_close_to_a_count_is_deducted_until_the_booking_lag_has_passed() -> None:
    def count_then(hours: float) -> Rows:
        return own("c1", None, -hours - 0.1, kind="count", counted=6)

    close = {"movements": [shipped(1, -0.75)]}
    assert on_hand(world(till(6, absorbs="at_count"), close, count_then(0.4))) == (6, 1, 5)
    old = {"movements": [shipped(1, -1.75)]}
    assert on_hand(world(till(6, absorbs="at_count"), old, count_then(1.4))) == (6, 0, 6)


def test_at_the_opening_what_is_older_than_the_booking_lag_is_contained_and_what_is_younger_is_undecided() -> None:
    rows = world(
        till(10, opened=0), {"movements": [shipped(1, -1.5), shipped(2, -0.5), shipped(3, -0.4, units=1, kind="return")]}
    )
    result = reckon(**rows)
    assert on_hand(rows) == (10, 1, 9)
    assert result.foreign["state"].to_list() == ["contained", "undecided", "undecided"]
    assert result.unbooked.is_empty()


def test_a_movement_that_the_owner_booked_by_reference_is_contained() -> None:
    booked = own("b1", -1, -17, reference="web/o1/1/f")
    rows = world(till(9, absorbs="writeback"), WEB_ORDERS, booked)
    assert on_hand(rows) == (7, 0, 7)
    assert reckon(**rows).unbooked["movement_ref"].to_list() == ["web/o0/1/f", "web/o2/1/f"]


def test_a_movement_that_the_owner_booked_under_its_order_is_contained_as_far_as_units_were_booked() -> None:
    three = {"movements": [shipped(1, -20, units=-3)]}
    rows = world(till(8, absorbs="imported"), three, own("b1", -2, -15, order_id="o1"))
    assert on_hand(rows) == (7, 0, 7)
    assert reckon(**rows).foreign["missing"].to_list() == [-1]


def test_a_booking_after_the_number_was_read_is_deducted_once() -> None:
    rows = world(till(10, absorbs="imported"), {"movements": [shipped(1, -20)]}, own("b1", -1, 0.5, reference="web/o1/1/f"))
    assert on_hand(rows) == (9, 0, 9)


def test_two_orders_of_one_number_on_two_systems_are_not_taken_for_each_other() -> None:
    twin = shipped(1, -20, system="b2b")
    rows = world(till(9, absorbs="imported"), channel("b2b", "A", sells_from=["shop"]), {"movements": [shipped(1, -20), twin]})
    assert on_hand(world(rows, own("b1", -1, -15, order_id="o1"))) == (7, 0, 7)  # not known whose it is: neither is contained


@pytest.mark.parametrize(("hours", "expected"), [(-0.5, (10, 1, 9)), (-1.5, (10, 0, 10))])
def test_an_importing_owner_without_a_ledger_is_believed_after_its_booking_lag(
    hours: float, expected: tuple[int, int, int]
) -> None:
    rows = world(till(10, absorbs="imported", has_ledger=False), {"movements": [shipped(1, hours)]})
    assert on_hand(rows) == expected


def test_a_restocked_return_that_the_owner_lacks_is_added_and_posted() -> None:
    back = {"movements": [shipped(1, -5, units=1, kind="return", movement_id="r1/1")]}
    result = reckon(**world(till(10, absorbs="writeback"), back))
    assert result.positions["on_hand"].to_list() == [11]
    assert result.unbooked.select("system", "listing_key", "units", "movement_ref").row(0) == ("till", "A", 1, "web/r1/1")


def test_a_post_on_its_way_is_not_asked_for_again_and_stays_deducted() -> None:
    sent = {"posted": [{"system": "till", "movement_ref": "web/o1/1/f", "listing_key": "A", "location": "shop", "units": -1}]}
    rows = world(till(10, absorbs="writeback"), {"movements": [shipped(1, -20)]}, sent)
    rows["posted"][0]["state"] = "ambiguous"
    assert on_hand(rows) == (10, 1, 9)
    assert reckon(**rows).unbooked.is_empty()


def test_a_verified_post_is_booked_where_the_owners_ledger_cannot_be_read() -> None:
    sent = {
        "posted": [
            {
                "system": "till",
                "movement_ref": "web/o1/1/f",
                "listing_key": "A",
                "location": "shop",
                "units": -1,
                "sent_at": at(-1),
            }
        ]
    }
    rows = world(till(9, absorbs="writeback", has_ledger=False), {"movements": [shipped(1, -20)]}, sent)
    assert on_hand(rows) == (9, 0, 9)


def test_a_hand_edit_on_a_channel_is_no_movement_of_the_shelf() -> None:
    assert on_hand(world(till(10), {"movements": [shipped(1, -5, kind="adjustment", units=4)]})) == (10, 0, 10)


def test_a_sale_that_a_channel_booked_without_an_order_is_no_movement_of_the_shelf() -> None:
    by_hand = {"movements": [shipped(1, -1, order_id="", line_id="")]}
    assert on_hand(world(till(10), by_hand)) == (10, 0, 10)


def test_a_late_movement_of_the_owner_counts_whatever_its_time_as_long_as_the_anchor_lacks_it() -> None:
    assert on_hand(world(till(10), own("t1", -2, 0.2), own("t2", 5, 0.3, kind="receipt"))) == (13, 0, 13)


# --- net owners: a shop system whose number is already less its own open orders


def hub(available: int, **facts: Any) -> Rows:
    return {
        "systems": [system("hub", counts=True, sells=True, sells_from=["shop"], basis="net", has_ledger=False, **facts)],
        "places": [place("shop", "hub")],
        "openings": [{"location": "shop", "sku": "A", "system": "hub", "on_hand": 10, "opened_at": at(-100)}],
        "observations": [{"system": "hub", "listing_key": "A", "location": "shop", "quantity": available}],
    }


def sale(order_id: str, when: float, units: int = -1) -> Rows:
    return {
        "effects": [
            {
                "system": "hub",
                "effect_id": f"{order_id}/1/sale",
                "listing_key": "A",
                "location": "shop",
                "units": units,
                "order_id": order_id,
                "stamped_at": at(when),
            }
        ]
    }


def test_an_open_order_that_a_net_number_left_out_is_on_the_shelf_and_reserved() -> None:
    assert on_hand(world(hub(8), order("hub", "o1", "A", 2, "shop"), sale("o1", -3, -2))) == (10, 0, 8)


def test_an_open_order_placed_after_a_net_number_was_read_comes_off_what_is_available() -> None:
    assert on_hand(world(hub(10), order("hub", "o1", "A", 2, "shop", ordered_at=at(1)), sale("o1", 1, -2))) == (10, 0, 8)


def test_an_order_contained_as_a_reservation_is_contained_as_its_shipment_too() -> None:
    gone = {"movements": [shipped(1, 1, system="hub")]}
    assert on_hand(world(hub(9), gone, sale("o1", -3))) == (9, 0, 9)


def test_without_effects_the_declared_basis_decides_and_the_evidence_says_so() -> None:
    rows = world(hub(8), order("hub", "o1", "A", 2, "shop", ordered_at=at(-3)))
    assert on_hand(rows) == (10, 0, 8)
    assert reckon(**rows).reservations["evidence"].to_list() == ["basis"]


def test_an_open_order_for_which_a_telling_owner_applied_nothing_comes_off_what_is_available() -> None:
    assert on_hand(world(hub(10), order("hub", "o1", "A", 2, "shop", ordered_at=at(-3)), sale("o7", -3))) == (10, 0, 8)


def test_an_open_order_at_a_platform_that_has_told_of_no_effect_yet_has_not_touched_its_number() -> None:
    waits = order("hub", "o1", "A", 2, "shop", ordered_at=at(-3))
    assert on_hand(world(hub(10, platform="square"), waits)) == (10, 0, 8)


def test_effects_without_a_line_are_shared_by_the_lines_of_their_listing() -> None:
    lines = world(*(order("hub", "o1", "A", 2, "shop", line_id=line) for line in "xy"))
    applied = sale("o1", -3, -3)
    applied["effects"][0]["line_id"] = ""
    assert on_hand(world(hub(7), lines, applied)) == (10, 0, 6)  # of four open units three are out of the number


def test_a_sale_booked_late_under_its_earlier_time_is_not_in_a_number_read_between() -> None:
    offline = own("adj9", -1, -3, order_id="t9")
    assert on_hand(world(till(10), offline)) == (10, 0, 10)
    stamped = {"effects": [{"system": "till", "effect_id": "adj9", "listing_key": "A", "units": -1, "stamped_at": at(0.5)}]}
    assert on_hand(world(till(10), offline, stamped)) == (9, 0, 9)


def test_a_post_that_bears_the_time_of_the_shipment_is_in_the_number_only_since_it_was_sent() -> None:
    booked = own("adj1", -1, -20, reference="web/o1/1/f")
    sent = {
        "system": "till",
        "movement_ref": "web/o1/1/f",
        "listing_key": "A",
        "location": "shop",
        "units": -1,
        "sent_at": at(0.5),
    }
    rows = world(till(10, absorbs="writeback"), {"movements": [shipped(1, -20)]}, booked, {"posted": [sent]})
    assert on_hand(rows) == (9, 0, 9)


# --- one order, several reports


def test_an_order_that_the_owner_imported_is_reserved_once_and_by_the_owners_word() -> None:
    copies = world(order("web", "o1", "A", 2, "shop"), order("till", "T77", "A", 2, "shop", external_id="o1"))
    result = reckon(**world(till(10), copies))
    assert result.reservations.select("system", "units").rows() == [("till", 2)]


def test_an_order_that_a_third_system_imported_is_reserved_once_where_it_was_born() -> None:
    copies = world(order("web", "o1", "A", 2), order("desk", "D5", "A", 2, "shop", external_id="o1"))
    result = reckon(**world(till(10), channel("desk", "A", sells_from=["shop"]), copies))
    assert result.reservations.select("system", "location", "units").rows() == [("web", "shop", 2)]


def test_a_shipment_told_by_a_copy_of_an_order_moves_nothing_while_the_order_is_still_reserved_where_it_was_born() -> None:
    copies = world(
        order("web", "o1", "A", 2, "shop"),
        order("desk", "D5", "A", 0, "shop", external_id="o1", state="fulfilled", quantity=2),
    )
    gone = {"movements": [shipped(5, -5, units=-2, system="desk", order_id="D5", movement_id="D5/1/f")]}
    assert on_hand(world(till(10), channel("desk", "A", sells_from=["shop"]), copies, gone)) == (10, 0, 8)


def test_of_two_orders_with_the_imported_id_the_nearer_in_time_is_meant_and_the_evidence_says_so() -> None:
    natives = world(order("web", "7", "A", 1, ordered_at=at(-50)), order("b2b", "7", "A", 1, "shop", ordered_at=at(-2)))
    copy = order("till", "T1", "A", 1, "shop", external_id="7", ordered_at=at(-1))
    result = reckon(**world(till(10), channel("b2b", "A", sells_from=["shop"]), natives, copy))
    assert result.reservations.select("system", "evidence").rows() == [("till", "time"), ("web", "identity")]


def test_what_the_owner_booked_before_the_channel_told_of_the_shipment_is_reserved_no_more() -> None:
    rows = world(till(8, absorbs="imported"), order("web", "o1", "A", 3, "shop"), own("b1", -2, -1, order_id="o1"))
    assert on_hand(rows) == (8, 0, 7)


# --- kits and packs


def test_a_kit_shipped_by_a_channel_takes_its_components_off_the_shelf_and_is_posted_as_them() -> None:
    kit = {"kit_rows": [{"kit_sku": "K", "component_sku": c, "quantity": n} for c, n in (("A", 2), ("B", 1))]}
    stock = world(shelves("A", shop=10), {**shelves("B", shop=10), "places": []})
    sold = {"movements": [shipped(1, -5, listing_key="K")]}
    result = reckon(**world(wms(absorbs="writeback"), stock, kit, channel("web", "K", sells_from=["shop"]), sold))
    assert dict(result.positions.select("sku", "on_hand").iter_rows()) == {"A": 8, "B": 9}
    assert result.unbooked.select("listing_key", "units").rows() == [("A", -2), ("B", -1)]


def test_an_owner_that_sells_a_kit_itself_and_books_its_parts_is_believed() -> None:
    kit = {"kit_rows": [{"kit_sku": "K", "component_sku": "A", "quantity": 2}]}
    line = order("till", "k1", "K", 0, "shop", quantity=1, state="fulfilled")
    sold = own("k1/1", -1, -5, listing_key="K", order_id="k1")
    rows = world(till(8), kit, line, sold)
    assert on_hand(rows) == (6, 0, 6)  # the till lowered the kit only
    assert on_hand(world(rows, own("k1/2", -2, -5, order_id="k1"))) == (8, 0, 8)  # it lowered the part too


def test_a_pack_beside_singles_on_the_owner_is_not_counted_twice() -> None:
    pack = {
        "sku_map": [{"system": "till", "listing_key": "A-6", "sku": "A", "units": 6}],
        "observations": [{"system": "till", "listing_key": "A-6", "location": "shop", "quantity": 2}],
    }
    assert on_hand(world(till(20), pack)) == (20, 0, 20)


# --- ties


def feeds(*names: str) -> Rows:
    return {"feeds": [{"system": name} for name in names]}


def test_units_that_no_movement_of_the_owner_explains_are_a_finding_until_a_late_movement_does() -> None:
    rows = world(till(7), own("t1", -1, -10), feeds("till"))
    candidate = reckon(**rows).candidates.row(0, named=True)
    assert (candidate["code"], candidate["units"], candidate["location"]) == ("ledger_untied", -2, "shop")
    assert reckon(**world(rows, own("t2", -2, -50))).candidates.is_empty()


def test_a_count_settles_what_the_ledger_did_not_explain() -> None:
    counted = own("c1", None, -5, kind="count", counted=7)
    assert reckon(**world(till(6), counted, own("t1", -1, -1), feeds("till"))).candidates.is_empty()


def test_more_left_than_was_booked_in_is_a_finding_and_counts_as_nothing() -> None:
    result = reckon(**world(till(1, absorbs="at_count"), WEB_ORDERS))
    assert result.candidates.select("code", "units").rows() == [("negative_on_hand", -2)]
    assert offer_of(result, "web", "A") == 0
