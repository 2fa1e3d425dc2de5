"""Skus that a channel should list and does not."""

import pytest

from invbi_pipeline_tests.domain.small_world import Rows, channel, policy, reckon, shelves, wms, world


def shop(*sets: Rows) -> list[tuple[str, str, int]]:
    """Return the (system, sku, units) found unlisted where `web` lists A alone and B lies on the shelf."""
    rows = world(wms(), shelves("A", a=5), {**shelves("B", a=3), "places": []}, channel("web", "A", sells_from=["a"]), *sets)
    found = reckon(**rows).candidates.filter(code="unlisted_sku")
    return sorted(found.select("system", "sku", "units").rows())


@pytest.mark.parametrize("wish", [{"channel": "web", "sku": "B"}, {"channel": "web"}, {"sku": "B"}, {"category": "mugs"}])
def test_a_sku_that_its_policy_wants_listed_and_that_is_not_is_told_with_what_could_be_sold(wish: dict[str, str]) -> None:
    assert shop(policy("listed", 1, **wish), {"prices": [{"sku": "B", "category": "mugs"}]}) == [("web", "B", 3)]


def test_without_a_wish_a_channel_may_list_what_it_likes() -> None:
    assert shop(policy("max_offer", 3, channel="web", sku="B")) == []


def test_the_narrower_wish_wins() -> None:
    assert shop(policy("listed", 1, channel="web"), policy("listed", 0, sku="B")) == []


def test_what_is_not_there_need_not_be_listed() -> None:
    sold_out: Rows = {**shelves("C", a=0), "places": []}
    assert shop(policy("listed", 1, channel="web", sku="C"), sold_out) == []


def test_a_listing_of_a_pack_or_off_sale_is_a_listing() -> None:
    pack: Rows = {
        "listings": [{"system": "web", "listing_key": "B6", "raw_sku": "B6", "status": "inactive"}],
        "sku_map": [{"system": "web", "listing_key": "B6", "sku": "B", "units": 6}],
    }
    assert shop(policy("listed", 1, channel="web", sku="B"), pack) == []


def test_a_listing_that_the_platform_deleted_is_none() -> None:
    gone = {"listings": [{"system": "web", "listing_key": "B", "raw_sku": "B", "status": "deleted"}]}
    assert shop(policy("listed", 1, channel="web", sku="B"), gone) == [("web", "B", 3)]
