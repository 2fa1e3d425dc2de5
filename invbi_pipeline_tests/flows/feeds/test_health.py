"""A feed is judged before it is believed: truncated, empty, all zero, silent or gone back in time, it stops alone."""

from datetime import timedelta
from pathlib import Path

import pytest

from invbi_pipeline.domain.words import FeedVerdict
from invbi_pipeline.flows.feeds.health import RULES, judge
from invbi_pipeline.flows.feeds.metrics import Metrics
from invbi_pipeline_tests.flows.feeds.test_ingest import POINTS, Shops, shops
from invbi_pipeline_tests.flows.scripted import START

__all__ = ["shops"]


def _stopped(shops: Shops, verdict: FeedVerdict, because: str) -> None:
    """The shop's read is held to be this; its numbers and cursor stay, and the other shop goes on."""
    cursor, numbers = shops.ctx.state.cursor("uk", "stock"), shops.numbers("uk")

    result = shops.run()

    feed = shops.feed(result, "uk")
    assert (feed["verdict"], shops.feed(result, "de")["verdict"]) == (verdict, FeedVerdict.BELIEVED)
    assert because in feed["reason"]
    assert (shops.ctx.state.cursor("uk", "stock"), shops.numbers("uk")) == (cursor, numbers)
    assert (result.systems["uk"].status, result.not_reconciled) == ("unbelieved", ("uk",))


def test_a_full_read_of_far_fewer_rows_is_truncated(shops: Shops) -> None:
    shops.run()
    shops.clock.at += timedelta(hours=24)
    shops.stock(shops.uk, 5, points=POINTS // 2)

    _stopped(shops, FeedVerdict.TRUNCATED, "30 rows where 60 were expected")


def test_an_empty_read_is_truncated(shops: Shops) -> None:
    shops.run()
    shops.uk.frames["stock"] = []

    _stopped(shops, FeedVerdict.TRUNCATED, "0 rows where 60 were expected")


def test_an_empty_first_read_is_truncated_when_there_are_listings(shops: Shops) -> None:
    shops.uk.frames["stock"] = []

    assert shops.feed(shops.run(), "uk")["verdict"] == FeedVerdict.TRUNCATED


def test_paging_that_was_cut_short_is_truncated(shops: Shops) -> None:
    shops.run()
    shops.uk.complete = False

    _stopped(shops, FeedVerdict.TRUNCATED, "paging did not reach its end")


def _rekeyed(shops: Shops, points: int, changed: int) -> None:
    """The shop has this many codes, and of so many of them a spreadsheet then makes numbers: 00490001 becomes 490001.0."""
    shops.stock(shops.uk, 5, points=points)
    for frame in ("listings", "stock"):
        for n, row in enumerate(shops.uk.frames[frame]):
            row["listing_key"] = f"{490001 + n:08d}"
    shops.run()
    shops.clock.at += timedelta(hours=24)
    for frame in ("listings", "stock"):
        for row in shops.uk.frames[frame][:changed]:
            row["listing_key"] = f"{int(row['listing_key'])}.0"


@pytest.mark.parametrize("points", [40, 4])
def test_a_full_read_whose_codes_all_changed_is_truncated_and_says_how_they_did(shops: Shops, points: int) -> None:
    _rekeyed(shops, points, points)

    because = f"it knows 0 of the {points} codes known before; {points} new ones; e.g. '490001.0' for '00490001'"
    _stopped(shops, FeedVerdict.TRUNCATED, f"stock: {because}")
    assert f"listings: {because}" in shops.feed(shops.run(), "uk")["reason"]


def test_a_read_with_some_new_codes_for_old_ones_is_a_new_season(shops: Shops) -> None:
    _rekeyed(shops, 40, 10)

    assert shops.feed(shops.run(), "uk")["verdict"] == FeedVerdict.BELIEVED


def test_a_list_that_never_named_what_the_stock_names_is_believed(shops: Shops) -> None:
    shops.uk.frames["listings"] = shops.uk.frames["listings"][:20]
    shops.run()
    shops.clock.at += timedelta(hours=24)

    assert shops.feed(shops.run(), "uk")["verdict"] == FeedVerdict.BELIEVED


def test_an_incremental_read_without_what_its_own_orders_moved_is_truncated(shops: Shops) -> None:
    shops.run()
    shops.uk.full = False
    moved = [{"effect_id": f"o{n}", "listing_key": f"k{n}", "kind": "sale", "units": -1} for n in range(30)]
    shops.uk.frames["effects"] = [{**row, "stamped_at": START + timedelta(minutes=1)} for row in moved]
    shops.uk.frames["stock"] = shops.uk.frames["stock"][:10]

    _stopped(shops, FeedVerdict.TRUNCATED, "listings that its own orders moved")


@pytest.mark.parametrize("becomes", [{"quantity": 0}, {"quantity": None, "state": "untracked"}])
def test_numbers_that_all_become_nothing_at_once_are_a_mass_zero(shops: Shops, becomes: dict[str, object]) -> None:
    shops.run()
    for row in shops.uk.frames["stock"][: POINTS // 2]:
        row.update(becomes)

    _stopped(shops, FeedVerdict.MASS_ZERO, "30 numbers above 0 became 0 or untracked")


def test_a_first_read_of_nothing_but_zeros_is_a_mass_zero(shops: Shops) -> None:
    shops.stock(shops.uk, 0)

    assert shops.feed(shops.run(), "uk")["verdict"] == FeedVerdict.MASS_ZERO


def test_numbers_that_are_suddenly_unknown_are_not_believed(shops: Shops) -> None:
    shops.run()
    for row in shops.uk.frames["stock"][: POINTS // 2]:
        row.update({"quantity": None, "state": "unknown"})

    _stopped(shops, FeedVerdict.TRUNCATED, "are gone")


def test_some_numbers_sold_out_are_a_good_day(shops: Shops) -> None:
    shops.run()
    for row in shops.uk.frames["stock"][: POINTS // 10]:
        row["quantity"] = 0

    assert shops.run().systems["uk"].status == "ok"


def test_a_small_shop_is_judged_only_when_all_of_it_is_gone(shops: Shops) -> None:
    shops.stock(shops.uk, 5, points=12)
    shops.run()
    for row in shops.uk.frames["stock"][:8]:
        row["quantity"] = 0
    assert shops.run().systems["uk"].status == "ok"

    shops.stock(shops.uk, 5, points=12)
    shops.run()
    shops.stock(shops.uk, 0, points=12)
    _stopped(shops, FeedVerdict.MASS_ZERO, "became 0 or untracked")


@pytest.mark.parametrize(("points", "status"), [(4, "unbelieved"), (3, "ok")])
def test_of_the_smallest_shops_all_numbers_at_zero_are_believed_where_three_shoppers_may_have_been(
    shops: Shops, points: int, status: str
) -> None:
    shops.stock(shops.uk, 5, points=points)
    shops.run()
    shops.stock(shops.uk, 0, points=points)

    assert shops.run().systems["uk"].status == status


def test_numbers_that_go_back_in_the_platforms_own_time_are_stale(shops: Shops) -> None:
    shops.stock(shops.uk, 5, changed_at=START)
    shops.run()
    shops.stock(shops.uk, 6, changed_at=START - timedelta(hours=1))

    _stopped(shops, FeedVerdict.STALE, "older than what was read before")


@pytest.mark.parametrize(
    ("known_days", "silent_hours", "status"),
    [(8, 40, "ok"), (8, 60, "unbelieved"), (2, 60, "ok"), (2, 90, "unbelieved")],
    ids=["in its rhythm", "out of its rhythm", "a weekend, of which two days say nothing", "longer than a weekend"],
)
def test_a_system_that_is_silent_while_others_move_is_stale(
    shops: Shops, known_days: int, silent_hours: int, status: str
) -> None:
    """Told of each day, it may be silent for two; while less than a week of it is known, for three."""
    for shop in (shops.uk, shops.de):
        shops.stock(shop, 5, changed_at=START)
        for day in range(known_days + 1):
            shops.sale(shop, f"o{day}", day * 24 * 60)
    shops.run()
    shops.clock.at += timedelta(hours=silent_hours)
    shops.sale(shops.de, "later", 1)

    if status == "unbelieved":
        _stopped(shops, FeedVerdict.STALE, "nothing changed for")
    else:
        result = shops.run()
        assert result.systems["uk"].status == status, shops.feed(result, "uk")["reason"]


def test_a_system_that_never_moved_is_not_called_silent(shops: Shops) -> None:
    for shop in (shops.uk, shops.de):
        shops.stock(shop, 5, changed_at=START)
    shops.run()
    shops.clock.at += timedelta(days=3)
    shops.sale(shops.de, "o1", 1)

    assert shops.feed(shops.run(), "uk")["verdict"] == FeedVerdict.BELIEVED


def test_when_everybody_sleeps_nobody_is_stale(shops: Shops) -> None:
    for shop in (shops.uk, shops.de):
        shops.stock(shop, 5, changed_at=START)
        shops.sale(shop, "o1", 60)
    shops.run()
    shops.clock.at += timedelta(hours=30)

    assert {one.status for one in shops.run().systems.values()} == {"ok"}


def test_a_feed_that_is_well_again_is_believed_again(shops: Shops) -> None:
    shops.run()
    shops.stock(shops.uk, 0)
    shops.run()
    shops.stock(shops.uk, 4)

    assert shops.feed(shops.run(), "uk")["verdict"] == FeedVerdict.BELIEVED
    assert shops.numbers("uk") == {4}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.column)
def test_each_rule_can_fail_and_says_why(rule: object, tmp_path: Path) -> None:
    column, limit, floor = (getattr(rule, name) for name in ("column", "limit", "floor"))
    good, bad = Metrics("good", "s", "stock", 1, 10, 0), Metrics("bad", "s", "stock", 1, 10, 0)
    for metrics, value in ((good, 50), (bad, 49 if floor else 51)):
        setattr(metrics, column, 1 if not limit else value)
        if limit:
            setattr(metrics, limit, 50)
    if not limit:
        bad.complete = 0

    said = judge([good, bad])

    assert said["good"].verdict == FeedVerdict.BELIEVED
    assert (said["bad"].verdict, bool(said["bad"].reason)) == (getattr(rule, "verdict", None), True)
