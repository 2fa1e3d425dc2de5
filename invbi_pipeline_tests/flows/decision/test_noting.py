"""Findings are noted twice in a run: what stands is not worked out again, and what a push came to is told at once."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from invbi_pipeline.domain.words import FindingState
from invbi_pipeline.flows.decision.findings import note
from invbi_pipeline.flows.feeds.lease import Lease
from invbi_pipeline.store.inbox import Delivery
from invbi_pipeline_tests.flows.small_shop import SmallShop, small_shop


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallShop]:
    monkeypatch.setenv("SMALL_SHOP_TOKEN", "x")
    with small_shop(tmp_path) as made:
        yield made


def waits(shop: SmallShop, minutes: int) -> None:
    """Let a delivery have waited so long when the next run begins, five minutes from now."""
    came = shop.clock.now() + timedelta(minutes=5 - minutes)
    shop.ctx.state.inbox.receive([Delivery("shop", f"d{minutes}", "orders/create", came, (shop.keys[0],))])


def late(shop: SmallShop) -> list[tuple[str, str, str]]:
    found = shop.ctx.warehouse.read("recon.findings").filter(pl.col("code") == "feed_stale")
    return found.select("system", "state", "cause").rows()


def test_where_nothing_was_sent_the_first_word_stands(shop: SmallShop) -> None:
    first = note(shop.ctx, "r9")
    kept = shop.ctx.warehouse.read("recon.findings")
    assert note(shop.ctx, "r9", first) is first
    assert shop.ctx.warehouse.read("recon.findings").equals(kept)


def test_a_number_that_was_refused_is_unknown_and_told_with_its_listing_until_a_good_one_comes(shop: SmallShop) -> None:
    def stands() -> tuple[str, int | None, list[str]]:
        point = shop.ctx.warehouse.read("recon.points").filter(system="shop", listing_key="k1").row(0, named=True)
        told = shop.ctx.warehouse.read("recon.findings").filter(pl.col("state") != FindingState.RESOLVED, code="bad_rows")
        return point["state"], point["reported"], told["cause"].to_list()

    shop.shop.full = False
    shop.edited("k1", 10**9)
    shop.run()
    too_large = "1 × quantity: number too large or in exponent form (stock)"
    refused = ("unknown", None, [f"1 row of shop was refused: {too_large}. Concerns listing k1 (SKU k1)."])
    assert stands() == refused
    every = shop.shop.frames["stock"]
    shop.shop.frames["stock"] = [row for row in every if row["listing_key"] != "k1"]  # what did not change is not listed
    shop.run()
    assert stands() == refused
    shop.shop.frames["stock"] = every
    shop.edited("k1", 10)
    shop.shop.full = True
    shop.run()
    assert stands() == ("agreed", 10, [])


def test_a_count_that_the_owner_mistyped_leaves_the_shelf_and_what_is_offered_of_it_as_they_were(shop: SmallShop) -> None:
    shop.lies("k1", 10**9)
    shop.run()
    db = shop.ctx.warehouse
    assert db.read("truth.positions").filter(sku="k1").select("on_hand", "available").rows() == [(10, 10)]
    assert db.read("truth.offers").filter(listing_key="k1")["offer"].to_list() == [10]
    points = db.read("recon.points").filter(listing_key="k1").sort("system").select("system", "state", "reported")
    assert points.rows() == [("shop", "agreed", 10), ("till", "counted", None)]


def test_what_was_sent_and_refused_since_is_told_beside_what_stands(shop: SmallShop) -> None:
    first = note(shop.ctx, "r9")
    shop.shop.refused = {"k1"}
    shop.lies("k1", 4)
    shop.run()
    again = note(shop.ctx, "r9", first)
    assert again.open["code"].to_list() == note(shop.ctx, "r9").open["code"].to_list()
    assert "push_failed" in again.open.filter(pl.col("state") != FindingState.RESOLVED)["code"].to_list()


def test_a_delivery_that_a_run_finds_waiting_for_long_is_a_finding_until_none_does(shop: SmallShop) -> None:
    waits(shop, 6)
    shop.lies("k1", 4)  # so that findings are noted twice
    result = shop.run()
    assert result.findings["feed_stale"] == 1
    ((system, state, cause),) = late(shop)
    assert (system, state) == ("shop", "open")
    assert "1 delivery from shop had waited too long when this run began, the oldest since 09:09 UTC (6 min)" in cause
    assert shop.ctx.state.inbox.waiting() == []
    shop.run()
    assert [state for _, state, _ in late(shop)] == [FindingState.RESOLVED]


def test_behind_an_event_process_that_lives_and_does_not_keep_up_it_is_a_finding_too(shop: SmallShop) -> None:
    waits(shop, 60)
    for n in (1, 2):
        shop.clock.at += timedelta(minutes=5 * n)
        assert Lease(shop.ctx.state, shop.clock, "a").take()
        shop.clock.at -= timedelta(minutes=5)
        shop.run()
    assert [(system, state) for system, state, _ in late(shop)] == [("shop", "open")]
    assert len(shop.ctx.state.inbox.waiting()) == 1


def test_what_a_burst_or_the_patience_with_late_orders_lets_wait_is_none(shop: SmallShop) -> None:
    waits(shop, 4)
    assert "feed_stale" not in shop.run().findings
