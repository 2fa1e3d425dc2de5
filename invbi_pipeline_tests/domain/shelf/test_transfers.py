"""Transfers: two legs, their documents, and what is missing between them."""

from invbi_pipeline_tests.domain.shelf.goods import chain, moved, noticed
from invbi_pipeline_tests.domain.small_world import Rows, at, channel, place, system

CODE = "transfer_not_received"
LONG_AGO, LATELY = -80, -60  # hours; three days are given


def out(units: int, hours: float = LONG_AGO, document: str = "T1") -> Rows:
    return moved("erp", "warehouse", "transfer_out", -units, hours, reference=document)


def into(units: int, hours: float = LONG_AGO + 15, document: str = "T1") -> Rows:
    return moved("till", "shop", "transfer_in", units, hours, reference=document)


def test_units_that_left_and_never_came_in_are_missing_once_their_transit_is_over() -> None:
    assert noticed(CODE, chain(), out(4, LATELY)) == []
    (found,) = noticed(CODE, chain(), out(4))
    assert found[:3] == ("erp", "warehouse", 4)
    assert found[3]["transfers"] == ["T1"]


def test_a_transfer_in_two_legs_is_well() -> None:
    assert noticed(CODE, chain(), out(4), into(4)) == []


def test_a_transfer_received_in_part_leaves_the_remainder() -> None:
    (found,) = noticed(CODE, chain(), out(4), into(3))
    assert (found[2], found[3]["sent"], found[3]["received_at"]) == (1, 4, ["shop"])


def test_what_is_missing_of_one_transfer_is_not_made_good_by_another() -> None:
    (found,) = noticed(CODE, chain(), out(4), out(4, LONG_AGO - 5, "T2"), into(4, document="T2"))
    assert (found[2], found[3]["transfers"]) == (4, ["T1"])


def test_legs_without_a_document_are_matched_by_sku_the_oldest_first() -> None:
    assert noticed(CODE, chain(), out(4, document=""), into(4, document="")) == []
    (found,) = noticed(CODE, chain(), out(4, LONG_AGO - 5, ""), out(2, document=""), into(4, document=""))
    assert found[2] == 2


def test_where_a_place_is_counted_by_a_system_without_a_ledger_the_other_leg_cannot_be_missed() -> None:
    hub = {"systems": [system("hub", counts=True, has_ledger=False)], "places": [place("depot", "hub")]}
    assert noticed(CODE, chain(), hub, {"feeds": [{"system": "hub"}]}, out(4)) == []


def test_while_the_receiving_ledger_is_not_read_past_the_transit_nothing_is_missing() -> None:
    blind = chain()
    blind["feeds"] = [{"system": "erp"}, {"system": "till", "orders_complete_to": at(-20)}]
    assert noticed(CODE, blind, out(4)) == []


def test_another_channel_changes_nothing() -> None:
    assert len(noticed(CODE, chain(), channel("more", "A", sells_from=["shop"]), out(4))) == 1
