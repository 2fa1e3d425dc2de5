"""Returns: what is told of goods that came back, against what was booked."""

from invbi_pipeline_tests.domain.shelf.goods import chain, moved, noticed, told, web_moved
from invbi_pipeline_tests.domain.small_world import at

LATE, EARLY = -30, -20  # hours; a day is given


def test_goods_received_and_not_put_anywhere_within_a_day_are_a_finding() -> None:
    assert noticed("return_not_restocked", chain(), told("received", 2, EARLY)) == []
    (found,) = noticed("return_not_restocked", chain(), told("received", 2, LATE))
    assert found[:3] == ("web", "shop", 2)
    assert found[3]["returns"] == ["r1"]


def test_a_damaged_return_is_not_to_be_restocked() -> None:
    binned = told("written_off", 2, LATE + 1, damaged=True)
    assert noticed("return_not_restocked", chain(), told("received", 2, LATE), binned) == []


def test_a_return_of_which_a_part_was_restocked_leaves_the_rest() -> None:
    (found,) = noticed("return_not_restocked", chain(), told("received", 3, LATE), told("restocked", 1, LATE + 2))
    assert found[2] == 2


def test_goods_that_never_came_are_not_to_be_restocked() -> None:
    assert noticed("return_not_restocked", chain(), told("received", 1, LATE), told("missing", 1, LATE + 1)) == []


def test_a_count_of_the_shelf_since_holds_what_came_back() -> None:
    count = moved("till", "shop", "count", None, LATE + 5, counted=11)
    assert noticed("return_not_restocked", chain(), told("received", 1, LATE), count) == []


def test_money_given_back_without_goods_says_nothing() -> None:
    assert noticed("return_not_restocked", chain(), web_moved("sale", -1, -50)) == []


def test_a_return_that_the_owner_booked_under_the_order_is_settled() -> None:
    booked = moved("till", "shop", "return", 2, LATE + 3, order_id="o1")
    assert noticed("return_not_restocked", chain(), told("received", 2, LATE), booked) == []


def test_what_the_owner_booked_of_an_earlier_return_of_the_order_does_not_settle_the_next_one() -> None:
    earlier = moved("till", "shop", "return", 2, LATE - 100, order_id="o1")
    (found,) = noticed("return_not_restocked", chain(), told("received", 1, LATE), earlier)
    assert found[:3] == ("web", "shop", 1)
    before_it_was_marked = moved("till", "shop", "return", 1, LATE - 2, order_id="o1")
    assert noticed("return_not_restocked", chain(), told("received", 1, LATE), earlier, before_it_was_marked) == []


def test_a_restocked_return_that_an_importing_owner_never_booked_is_a_finding() -> None:
    back = web_moved("return", 1, LATE, "warehouse")
    (found,) = noticed("return_not_restocked", chain(), back)
    assert found[:3] == ("erp", "warehouse", 1)
    assert found[3]["taken_by"] == "web"
    imported = moved("erp", "warehouse", "return", 1, LATE + 1, reference="web/o1/1/return")
    assert noticed("return_not_restocked", chain(), back, imported) == []


def test_an_owner_that_never_hears_of_others_is_not_blamed_for_it() -> None:
    assert noticed("return_not_restocked", chain(absorbs="at_count"), web_moved("return", 1, LATE)) == []


COUNTS = (moved("till", "shop", "count", None, -30, counted=10), moved("till", "shop", "count", None, -10, counted=10))
RESTOCK = moved("till", "shop", "return", 2, -20)


def test_a_return_booked_without_a_receipt_and_missed_at_the_next_count_is_a_finding() -> None:
    (found,) = noticed("restock_without_return", chain(), *COUNTS, RESTOCK)
    assert found[:3] == ("till", "shop", 2)
    assert (found[3]["before"], found[3]["booked"], found[3]["counted"]) == (10, 2, 10)


def test_a_count_that_finds_the_returned_goods_clears_the_booking() -> None:
    found = moved("till", "shop", "count", None, -10, counted=12)
    assert noticed("restock_without_return", chain(), COUNTS[0], RESTOCK, found) == []


def test_a_booking_that_names_its_order_has_its_receipt() -> None:
    named = moved("till", "shop", "return", 2, -20, order_id="o1")
    assert noticed("restock_without_return", chain(), *COUNTS, named) == []


def test_a_booking_for_which_a_channel_tells_of_goods_has_its_receipt() -> None:
    assert noticed("restock_without_return", chain(), *COUNTS, RESTOCK, told("received", 2, -21)) == []


def test_a_theft_alone_does_not_make_a_return_doubtful() -> None:
    short = moved("till", "shop", "count", None, -10, counted=11)
    assert noticed("restock_without_return", chain(), COUNTS[0], RESTOCK, short) == []


def test_a_return_told_in_a_past_that_is_news_no_more_is_left_alone() -> None:
    assert noticed("return_not_restocked", chain(), told("received", 1, -24 * 40)) == []
    assert at(-24 * 40) < at(0)
