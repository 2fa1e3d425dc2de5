"""Unsellable units: damaged goods among those for sale."""

from invbi_pipeline_tests.domain.shelf.goods import chain, moved, noticed, told

CODE = "unsellable_counted"


def test_goods_returned_as_damaged_and_put_back_on_sale_are_a_finding() -> None:
    (found,) = noticed(CODE, chain(), told("restocked", 2, -5, damaged=True))
    assert found[:3] == ("web", "shop", 2)
    assert found[3]["returns"] == ["r1"]


def test_fit_goods_put_back_on_sale_are_none() -> None:
    assert noticed(CODE, chain(), told("restocked", 2, -5)) == []
    assert noticed(CODE, chain(), told("restocked", 2, -5, damaged=False)) == []


def test_damaged_goods_that_were_not_put_back_are_none() -> None:
    assert noticed(CODE, chain(), told("written_off", 2, -5, damaged=True)) == []


def test_what_was_since_booked_as_damaged_is_over() -> None:
    back = told("restocked", 2, -5, damaged=True)
    (found,) = noticed(CODE, chain(), back, moved("till", "shop", "damage", -1, -4))
    assert found[2] == 1
    assert noticed(CODE, chain(), back, moved("till", "shop", "damage", -2, -4)) == []


def test_a_count_of_the_shelf_settles_it() -> None:
    back = told("restocked", 2, -5, damaged=True)
    assert noticed(CODE, chain(), back, moved("till", "shop", "count", None, -3, counted=9)) == []
