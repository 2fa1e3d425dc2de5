"""What the Square channel writes, and what it says of each row."""

import asyncio
from datetime import datetime, timedelta

import pytest

from invbi_pipeline.channels.protocol import Write
from invbi_pipeline.domain.words import CorrectionKind, Dataset
from invbi_pipeline.sandbox.contract import Line
from invbi_pipeline_tests.channels.square.till import Till, till


def to(shop: Till, n: int, quantity: int, occurred_at: datetime | None = None) -> Write:
    name = f"c{n}"
    return Write(name, CorrectionKind.SET, shop.keys[n], shop.places[0], quantity, None, f"key-{name}", occurred_at=occurred_at)


def post(shop: Till, delta: int, reference: str) -> Write:
    return Write("p", CorrectionKind.POST, shop.keys[0], shop.places[0], delta, None, f"key-{reference}", reference=reference)


def number(shop: Till, n: int = 0) -> int | None:
    return shop.account.number(shop.keys[n], shop.places[0])


def test_a_set_is_accepted_and_read_back() -> None:
    shop = till()
    (result,) = asyncio.run(shop.write(to(shop, 0, 4)))
    back = asyncio.run(shop.channel.read_back([(shop.keys[0], shop.places[0])]))
    assert (result.correction_id, result.outcome, number(shop)) == ("c0", "accepted", 4)
    assert result.answered_at is not None
    assert '"quantity":"4"' in result.answer
    assert back.frames["stock"]["quantity"].to_list() == ["4"]


def test_a_set_bears_the_time_of_its_truth_so_that_a_later_sale_still_lowers_it() -> None:
    shop = till()
    measured = shop.clock.now()
    shop.clock.pass_by(minutes=2)
    shop.account.order([Line(shop.keys[0], 3)], shop.places[0], pos=True)
    shop.clock.pass_by(minutes=1)
    asyncio.run(shop.write(to(shop, 0, 8, measured)))
    assert number(shop) == 8 - 3


def test_a_truth_from_the_future_or_of_last_week_is_stamped_within_what_square_takes() -> None:
    shop = till()
    for n, days in enumerate((1, -7)):
        (result,) = asyncio.run(shop.write(to(shop, n, 4, shop.clock.now() + timedelta(days=days))))
        assert result.outcome == "accepted"


def test_an_unchanged_count_is_still_counted() -> None:
    shop = till()
    asyncio.run(shop.write(to(shop, 0, 4)))
    shop.account.order([Line(shop.keys[0], 1)], shop.places[0], pos=True)
    shop.clock.pass_by(minutes=1)
    asyncio.run(shop.write(Write("again", CorrectionKind.SET, shop.keys[0], shop.places[0], 4, None, "another key")))
    assert number(shop) == 4


def test_a_post_moves_units_by_its_delta_and_carries_its_reference() -> None:
    shop = till()
    asyncio.run(shop.write(post(shop, -2, "shopify_uk/1/2/3")))
    asyncio.run(shop.write(post(shop, 1, "shopify_uk/r/2")))
    movements = asyncio.run(shop.channel.read(Dataset.MOVEMENTS)).frames["movements"]
    rows = movements.select("kind", "units", "reference").rows()
    assert rows == [("sale", "-2", "shopify_uk/1/2/3"), ("return", "1", "shopify_uk/r/2")]
    assert number(shop) == 9
    assert asyncio.run(shop.channel.read(Dataset.ORDERS)).frames["effects"].is_empty()


def test_the_same_rows_sent_again_are_done_once() -> None:
    shop = till()
    write = post(shop, -2, "shopify_uk/1/2/3")
    first, again = asyncio.run(shop.write(write)), asyncio.run(shop.write(write))
    assert [first[0].outcome, again[0].outcome] == ["accepted", "accepted"]
    assert number(shop) == 8


def test_one_bad_row_never_fails_its_batch() -> None:
    shop = till(items=250)
    shop.account.wire.reject_writes = {shop.keys[7], shop.keys[130]}
    results = asyncio.run(shop.write(*[to(shop, n, 3) for n in range(249)]))
    rejected = {result.correction_id for result in results if result.outcome == "rejected"}
    assert rejected == {"c7", "c130"}
    assert len(results) == len({result.correction_id for result in results}) == 249
    assert [number(shop, n) for n in (6, 7, 8, 130, 248)] == [3, 10, 3, 10, 3]


def test_a_culprit_that_square_does_not_name_is_found_by_halving() -> None:
    shop = till(items=9)
    bad = Write("bad", CorrectionKind.SET, shop.keys[0], "", 3, None, "bad")
    results = asyncio.run(shop.write(bad, *[to(shop, n, 3) for n in range(1, 8)]))
    assert {r.correction_id for r in results if r.outcome == "rejected"} == {"bad"}
    assert sum(r.outcome == "accepted" for r in results) == 7


@pytest.mark.parametrize(
    ("faults", "outcome", "left"),
    [
        (["429"], "accepted", 4),
        (["500"], "accepted", 4),
        (["500_after"], "accepted", 4),  # the same key: done once
        (["200_errors"], "accepted", 4),
        (["cut"], "accepted", 4),
        (["429"] * 6, "retry", 10),
        (["500_after"] * 6, "ambiguous", 4),
        (["timeout_after"] * 6, "ambiguous", 4),
        (["token_expired"], "retry", 10),
    ],
)
def test_a_fault_has_one_of_three_results(faults: list[str], outcome: str, left: int) -> None:
    shop = till()
    shop.account.wire.fail_next = list(faults)
    (result,) = asyncio.run(shop.write(to(shop, 0, 4)))
    assert (result.outcome, number(shop)) == (outcome, left)
    assert "EAAA" not in result.message


def test_a_key_that_was_used_with_another_body_is_settled_by_reading() -> None:
    shop = till()
    first = asyncio.run(shop.write(to(shop, 0, 4)))
    shop.clock.pass_by(minutes=5)
    again = asyncio.run(shop.write(to(shop, 0, 4)))  # the same correction, stamped anew
    assert [first[0].outcome, again[0].outcome] == ["accepted", "ambiguous"]


def test_a_post_whose_answer_was_lost_is_looked_for_before_anything_is_sent_again() -> None:
    shop = till()
    shop.account.wire.fail_next = ["500_after", "timeout_after"]
    (result,) = asyncio.run(shop.write(post(shop, -2, "shopify_uk/1/2/3")))
    assert (result.outcome, number(shop)) == ("ambiguous", 8)
    assert shop.account.wire.fail_next == ["timeout_after"]  # it was sent once
