"""What happens to goods, told right: each event by what it leaves on hand, reserved and available."""

from invbi_pipeline_tests.domain.shelf.goods import chain, moved, noticed, told, web_moved
from invbi_pipeline_tests.domain.small_world import Rows, at, order, reckon, world

READ = chain(read_at=-48)  # both owners said 10 two days ago
SOLD = web_moved("sale", -2, -40)


def stands(*rows: Rows, location: str = "shop") -> tuple[int, int, int]:
    """Return (on hand, reserved, available) of A in a place."""
    row = reckon(**world(READ, *rows)).positions.filter(sku="A", location=location).row(0, named=True)
    return row["on_hand"], row["reserved"], row["available"]


def web_order(open_units: int, location: str = "shop", **facts: object) -> Rows:
    return order("web", "o1", "A", open_units, location, **{"ordered_at": at(-41), **facts})


def test_a_refund_with_restock_brings_the_units_back_on_the_shelf() -> None:
    assert stands(SOLD) == (8, 0, 8)
    assert stands(SOLD, web_moved("return", 2, -20)) == (10, 0, 10)


def test_a_refund_without_restock_leaves_the_shelf_as_it_is() -> None:
    assert stands(SOLD, told("missing", 2, -20)) == (8, 0, 8)


def test_an_exchange_is_a_return_and_another_sale() -> None:
    assert stands(SOLD, web_moved("return", 2, -20), web_moved("sale", -1, -19, order_id="o2")) == (9, 0, 9)


def test_a_return_to_another_place_enters_the_shelf_where_it_lies() -> None:
    back = web_moved("return", 2, -20, "warehouse")
    assert stands(SOLD, back) == (8, 0, 8)
    assert stands(SOLD, back, location="warehouse") == (12, 0, 12)


def test_a_damaged_return_that_is_written_off_is_nowhere_for_sale() -> None:
    assert stands(SOLD, told("written_off", 2, -20, damaged=True)) == (8, 0, 8)


def test_damaged_goods_that_were_put_back_and_then_booked_as_damage_are_gone() -> None:
    damage = moved("till", "shop", "damage", -2, -19)
    assert stands(SOLD, web_moved("return", 2, -20), damage) == (8, 0, 8)


def test_a_transfer_in_two_legs_leaves_one_shelf_and_then_enters_the_other() -> None:
    out = moved("erp", "warehouse", "transfer_out", -4, -30, reference="T1")
    into = moved("till", "shop", "transfer_in", 4, -15, reference="T1")
    assert (stands(out, location="warehouse"), stands(out)) == ((6, 0, 6), (10, 0, 10))
    assert stands(out, into) == (14, 0, 14)


def test_a_receipt_is_on_the_shelf_once_it_is_booked() -> None:
    assert stands(moved("till", "shop", "receipt", 12, -10)) == (22, 0, 22)


def test_a_count_is_the_shelf_and_what_left_before_it_is_in_it() -> None:
    assert stands(SOLD, moved("till", "shop", "count", None, -10, counted=7)) == (7, 0, 7)


def test_a_pickup_is_held_in_its_shop_until_it_is_collected() -> None:
    assert stands(web_order(2)) == (10, 2, 8)
    assert stands(web_order(0, state="fulfilled"), SOLD) == (8, 0, 8)


def test_a_pickup_that_expired_is_held_no_more() -> None:
    assert stands(web_order(0, state="cancelled")) == (10, 0, 10)


def test_a_part_that_was_shipped_is_gone_and_the_rest_is_still_held() -> None:
    assert stands(web_order(3), web_moved("sale", -2, -40)) == (8, 3, 5)


def test_an_order_split_over_two_places_is_held_by_each_for_its_part() -> None:
    parts = world(web_order(1), web_order(2, "warehouse", line_id="1@warehouse"))
    assert (stands(parts), stands(parts, location="warehouse")) == ((10, 1, 9), (10, 2, 8))


def test_an_order_cancelled_before_it_was_shipped_moved_nothing() -> None:
    assert stands(web_order(0, state="cancelled", quantity=0)) == (10, 0, 10)


def test_more_sold_over_the_counter_than_was_ever_booked_in_is_told_with_its_terms() -> None:
    (found,) = noticed("negative_on_hand", READ, moved("till", "shop", "sale", -12, -5))
    assert found[:3] == ("till", "shop", -2)
    assert (found[3]["anchor"], found[3]["own_after"]) == (10, -12)
