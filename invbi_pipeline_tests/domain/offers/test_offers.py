"""Offers: the golden cases of the design, and the deductions one by one."""

import json
from datetime import timedelta

import pytest

from invbi_pipeline_tests.domain.small_world import (
    NOW,
    at,
    channel,
    offer_of,
    order,
    place,
    policy,
    reckon,
    shelves,
    system,
    wms,
    world,
)

FOUR = ["a", "b", "c", "d"]


def test_safety_is_kept_back_in_each_shop_an_excluded_place_adds_nothing_and_the_threshold_comes_off() -> None:
    stock = shelves("A", safety=5, a=20, b=10, c=10, d=10)
    apart = shelves("A", e=50)
    result = reckon(**world(wms(), stock, apart, channel("web", "A", sells_from=FOUR), policy("threshold", 10)))
    assert offer_of(result, "web", "A") == 20


def test_a_place_that_may_not_sell_adds_nothing() -> None:
    rows = world(wms(), shelves("A", a=20), shelves("A", b=50), channel("web", "A", sells_from=["a", "b"]))
    result = reckon(**world(rows, policy("sellable", 0, location="b")))
    assert offer_of(result, "web", "A") == 20


def test_queued_units_that_no_location_holds_come_off_the_pool() -> None:
    stock = shelves("A", safety=2, a=40, b=20, c=20, d=20)
    result = reckon(**world(wms(), stock, channel("web", "A", sells_from=FOUR), order("web", "o1", "A", 5)))
    assert offer_of(result, "web", "A") == 87
    assert result.offers["held_nowhere"].to_list() == [5]


def test_five_orders_of_five_units_leave_seventy_five_of_a_hundred() -> None:
    five = [order("web", f"o{n}", "A", 5, "a") for n in range(5)]
    result = reckon(**world(wms(), shelves("A", a=100), channel("web", "A", sells_from=["a"]), *five))
    assert offer_of(result, "web", "A") == 75


@pytest.mark.parametrize(("buffer", "offer"), [(0, 2), (1, 1)])
def test_a_kit_is_limited_by_its_scarcest_component_and_its_buffer_is_applied_once(buffer: int, offer: int) -> None:
    kit = {"kit_rows": [{"kit_sku": "K", "component_sku": c, "quantity": n} for c, n in (("A", 2), ("B", 3))]}
    stock = world({**shelves("A", a=7), "places": []}, shelves("B", a=7))
    result = reckon(**world(wms(), stock, kit, channel("web", "K", sells_from=["a"]), policy("buffer", buffer, sku="K")))
    assert offer_of(result, "web", "K") == offer


@pytest.mark.parametrize(("sold", "minutes_ago", "kits"), [(4, 1, 2), (5, 119, 3), (5, 120, 0), (0, 1, 0)])
def test_a_number_knows_what_was_sold_of_it_lately_on_all_channels(sold: int, minutes_ago: int, kits: int) -> None:
    """Two of A make a kit: what shoppers took of A ends kits too."""
    kit = {"kit_rows": [{"kit_sku": "K", "component_sku": "A", "quantity": 2}]}
    stock = world(wms(), shelves("A", a=9), kit, channel("web", "K", sells_from=["a"]), channel("shop", "A", sells_from=["a"]))
    orders = [order("shop", "o1", "A", sold, "a", ordered_at=NOW - timedelta(minutes=minutes_ago))] if sold else []
    offers = {row["system"]: row["sold"] for row in reckon(**world(stock, *orders)).offers.iter_rows(named=True)}
    assert offers == {"web": kits, "shop": sold if kits else 0}


def test_the_buffer_of_a_component_is_not_the_kits() -> None:
    kit = {"kit_rows": [{"kit_sku": "K", "component_sku": "A", "quantity": 2}]}
    rows = world(wms(), shelves("A", a=7), kit, channel("web", "K", sells_from=["a"]), policy("buffer", 5, sku="A"))
    assert offer_of(reckon(**rows), "web", "K") == 3


@pytest.mark.parametrize(("in_parts", "offer"), [(0, 0), (1, 1)])
def test_a_kit_whose_components_lie_apart_is_made_only_where_an_order_may_ship_in_parts(in_parts: int, offer: int) -> None:
    kit = {"kit_rows": [{"kit_sku": "K", "component_sku": c, "quantity": 1} for c in "AB"]}
    stock = world(shelves("A", a=1), shelves("B", b=1))
    rows = world(wms(), stock, kit, channel("web", "K", sells_from=["a", "b"]), policy("ship_in_parts", in_parts))
    assert offer_of(reckon(**rows), "web", "K") == offer


def test_safety_withholds_what_is_there_and_never_what_is_not() -> None:
    shops = {f"s{n}": 0 for n in range(10)}
    stock = world(shelves("A", safety=2, **shops), shelves("A", w=15))
    result = reckon(**world(wms(), stock, channel("web", "A", sells_from=[*shops, "w"])))
    assert offer_of(result, "web", "A") == 15


@pytest.mark.parametrize(
    ("held", "reserved", "policies", "offer"),
    [
        (100, 0, {"share_bp": 2900}, 29),
        (0, 3, {"backorder_limit": 5}, 2),
        (9, 0, {"backorder_limit": 5, "max_offer": 10}, 10),
        (0, 30, {"buffer_pct_bp": 1000}, 0),
        (0, 3, {"share_bp": 5000, "backorder_limit": 5}, 2),  # a negative pool takes no share
        (7, 0, {"share_bp": 5000}, 3),
        (7, 0, {"share_bp": 5000, "buffer_pct_bp": 1000}, 2),  # a tenth of 3.5, rounded up
        (3, 0, {"min_offer": 4}, 0),
        (4, 0, {"min_offer": 4}, 4),
    ],
)
def test_the_rules_come_in_their_order(held: int, reserved: int, policies: dict[str, int], offer: int) -> None:
    rows = world(wms(), shelves("A", a=held), channel("web", "A", sells_from=["a"]))
    rules = [policy(name, value) for name, value in policies.items()]
    owing = [order("web", "o1", "A", reserved, "a")] if reserved else []
    assert offer_of(reckon(**world(rows, *rules, *owing)), "web", "A") == offer


def test_a_pack_is_floored_in_each_place_and_split_where_it_lies() -> None:
    pack = {"sku_map": [{"system": "web", "listing_key": "A-6", "sku": "A", "units": 6}]}
    rows = world(wms(), shelves("A", a=5, b=7), pack, channel("web", "A-6", sells_from=["a", "b"], per_location=True))
    result = reckon(**rows)
    assert [offer_of(result, "web", "A-6", place_) for place_ in "ab"] == [0, 1]
    assert result.offers["channel_offer"].to_list() == [1, 1]


def test_what_is_promised_can_ship_from_a_safety_stock_and_from_places_that_no_whole_pack_fills() -> None:
    sold = channel("web", "A", sells_from=["a", "b"]), order("web", "o1", "A", 4)
    pack = {"sku_map": [{"system": "web", "listing_key": "A", "sku": "A", "units": 6}]}
    withheld = reckon(**world(wms(), shelves("A", safety=5, a=5), shelves("A", b=0), *sold)).offers
    packed = reckon(**world(wms(), shelves("A", a=5), shelves("A", b=5), *sold, pack)).offers
    assert [withheld.select("pool", "unpromised").row(0), packed["unpromised"].item()] == [(-4, 1), -14]


def test_a_pool_of_which_no_place_was_ever_anchored_has_no_known_offer() -> None:
    places = {"places": [place("a", "wms")]}
    known = {"prices": [{"sku": "A"}]}
    result = reckon(**world(wms(), places, known, channel("web", "A", sells_from=["a"]), order("web", "o1", "A", 1, "a")))
    assert offer_of(result, "web", "A") is None


def test_a_place_never_anchored_adds_nothing_while_its_reservations_count() -> None:
    rows = world(wms(), shelves("A", a=5), {"places": [place("b", "wms")]}, channel("web", "A", sells_from=["a", "b"]))
    assert offer_of(reckon(**world(rows, order("web", "o1", "A", 2, "b"))), "web", "A") == 3


def test_an_unknown_number_is_not_zero() -> None:
    rows = world(wms(), shelves("A", a=5), channel("web", "A", sells_from=["a"]))
    rows["observations"][0] |= {"state": "unknown", "quantity": None}
    assert offer_of(reckon(**rows), "web", "A") is None


def test_a_shelf_that_was_not_read_keeps_its_last_anchor_and_its_movements() -> None:
    rows = world(wms(), shelves("A", a=5), channel("web", "A", sells_from=["a"]), {"prices": [{"sku": "A"}]})
    rows["observations"] = []
    last = {"anchors": [{"location": "a", "sku": "A", "system": "wms", "on_hand": 8, "anchored_at": at(-5)}]}
    own = {"mappings": [{"system": "wms", "listing_key": "A", "sku": "A"}]}
    gone = {"movements": [{"system": "wms", "movement_id": "1", "listing_key": "A", "location": "a", "units": -2}]}
    assert offer_of(reckon(**world(rows, last, own, gone)), "web", "A") == 6


def test_while_an_owner_is_blind_the_offer_only_falls_and_keeps_back_what_may_sell_unseen() -> None:
    rows = world(wms(), shelves("A", a=50), channel("web", "A", sells_from=["a"]))
    sold = [
        {"system": "wms", "movement_id": str(n), "listing_key": "A", "location": "a", "units": -1, "occurred_at": at(-24 * n)}
        for n in range(1, 28)
    ]
    blind = {"feeds": [{"system": "wms", "verdict": "unreachable", "blind_since": at(-24 * 3)}], "movements": sold}
    result = reckon(**world(rows, blind))
    assert result.offers["falling_only"].to_list() == [True]
    assert offer_of(result, "web", "A") == 50 - 3  # 27 sold in 28 days, blind for three


def test_a_number_at_a_place_the_channel_may_not_promise_from_should_be_nothing() -> None:
    rows = world(wms(), shelves("A", a=5, b=9), channel("web", "A", sells_from=["a"], per_location=True))
    shown = {"observations": [{"system": "web", "listing_key": "A", "location": p, "quantity": 9} for p in "ab"]}
    result = reckon(**world(rows, shown))
    assert [offer_of(result, "web", "A", place_) for place_ in "ab"] == [5, 0]


def test_what_a_platform_fulfils_and_what_a_system_counts_get_no_offer() -> None:
    rows = world(wms(), shelves("A", a=5), channel("web", "A", sells_from=["a"]))
    rows["listings"][0]["fulfilment"] = "platform"
    hub = {
        "systems": [system("hub", counts=True, sells=True, sells_from=["h"], per_location=True)],
        "places": [place("h", "hub")],
        "listings": [{"system": "hub", "listing_key": "A", "raw_sku": "A"}],
        "observations": [{"system": "hub", "listing_key": "A", "location": "h", "quantity": 3}],
    }
    assert reckon(**world(rows, hub)).offers.is_empty()


def test_reservations_of_one_channel_come_off_the_pool_of_another_that_shares_a_place() -> None:
    rows = world(wms(), shelves("A", a=9, b=9, c=9), channel("web", "A", sells_from=["a", "b"]))
    far = world(rows, channel("near", "A", sells_from=["b", "c"]), channel("far", "A", sells_from=["c"]))
    result = reckon(**world(far, order("web", "o1", "A", 4)))
    assert [offer_of(result, s, "A") for s in ("web", "near", "far")] == [14, 14, 9]


def test_own_open_units_that_the_pool_deducted_are_told_in_listing_units() -> None:
    pack = {"sku_map": [{"system": "web", "listing_key": "A-2", "sku": "A", "units": 2}]}
    rows = world(wms(), shelves("A", a=9), pack, channel("web", "A-2", "A", sells_from=["a"], basis="gross"))
    result = reckon(**world(rows, order("web", "o1", "A-2", 1, "a"), order("web", "o2", "A", 3, "a")))
    assert dict(result.offers.select("listing_key", "own_open").iter_rows()) == {"A": 3, "A-2": 1}
    assert result.offers["pool"].to_list() == [4, 4]


def test_the_offer_says_which_policy_won() -> None:
    rows = world(wms(), shelves("A", a=9), channel("web", "A", sells_from=["a"]))
    result = reckon(**world(rows, policy("buffer", 1), policy("buffer", 2, channel="web"), policy("safety_stock", 3, sku="A")))
    said = json.loads(result.offers["policy"].item())
    assert (said["buffer"], said["max_offer"], said["safety_stock"]) == ("channel=web", "default", "a: sku=A")
    assert offer_of(result, "web", "A") == 4
