"""Ingest: every system at once, the wall, the verdict, the landing, the cursors."""

import asyncio
import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from invbi_pipeline.config import Config
from invbi_pipeline.domain.frames import empty
from invbi_pipeline.domain.words import Dataset, FeedVerdict
from invbi_pipeline.errors import BadAnswer, InvbiError, Refused, Unreachable
from invbi_pipeline.flows.context import Context, open_context, open_stores
from invbi_pipeline.flows.feeds.ingest import IngestResult, believe_next, data_docs, ingest, land_points
from invbi_pipeline.flows.feeds.standing import note_visibility_lag
from invbi_pipeline.store.models import run_audit, run_models
from invbi_pipeline.store.tables import BATCHES
from invbi_pipeline_tests.flows.scripted import START, ScriptedChannel, TurnedClock

POINTS = 60


class Shops:
    """Two shops and the runs that read them, five minutes apart."""

    def __init__(self, folder: Path) -> None:
        system: dict[str, Any] = {"platform": "square", "roles": ["sells"], "locations": {"1": "soho"}}
        config = {
            "business": {"name": "x"},
            "systems": {"uk": system, "de": {**system, "roles": ["counts", "sells"]}},
            "locations": {"soho": {"kind": "store", "counted_by": "de"}},
            "path": folder / "invbi.toml",
        }
        self.clock = TurnedClock()
        self.uk, self.de = ScriptedChannel("uk", self.clock), ScriptedChannel("de", self.clock)
        for shop in (self.uk, self.de):
            self.stock(shop, 5)
        loaded = Config.model_validate(config)
        warehouse, state = open_stores(loaded)
        self.ctx = Context(loaded, self.clock, {"uk": self.uk, "de": self.de}, warehouse, state, random.Random(1))
        self.runs = 0

    def stock(self, shop: ScriptedChannel, quantity: int | None, points: int = POINTS, **more: Any) -> None:
        """Let the shop list this many things with this number each."""
        keys = [f"k{n}" for n in range(points)]
        shop.frames["listings"] = [{"listing_key": key, "raw_sku": key} for key in keys]
        shop.frames["stock"] = [{"listing_key": key, "location_key": "1", "quantity": quantity, **more} for key in keys]

    def sale(self, shop: ScriptedChannel, order: str, minutes_ago: float) -> None:
        at = self.clock.now() - timedelta(minutes=minutes_ago)
        effect = {"effect_id": f"{order}/1/sale", "listing_key": "k1", "location_key": "1", "kind": "sale", "units": -1}
        shop.frames.setdefault("effects", []).append({**effect, "stamped_at": at})

    def run(self, run_id: str = "") -> IngestResult:
        self.clock.at += timedelta(minutes=5) if self.runs else timedelta(0)
        self.runs += 1
        result = asyncio.run(ingest(self.ctx, run_id or f"r{self.runs}"))
        run_models(self.ctx.warehouse, ["staging"])
        return result

    def feed(self, result: IngestResult, system: str) -> dict[str, Any]:
        return next(row for row in result.feeds.iter_rows(named=True) if row["system"] == system)

    def numbers(self, system: str) -> set[int | None]:
        sql = "SELECT DISTINCT quantity FROM staging.stg_observations WHERE system = $system"
        return set(self.ctx.warehouse.query(sql, {"system": system})["quantity"])


@pytest.fixture
def shops(tmp_path: Path) -> Iterator[Shops]:
    made = Shops(tmp_path)
    yield made
    made.ctx.state.close()


def test_a_first_run_reads_everything_in_the_order_that_judging_needs(shops: Shops) -> None:
    result = shops.run()

    assert shops.uk.asked == [("listings", ""), ("stock", ""), ("orders", "")]
    assert {one.status for one in result.systems.values()} == {"ok"}
    feed = shops.feed(result, "uk")
    assert (feed["verdict"], feed["stock_read_at"], feed["orders_complete_to"]) == (FeedVerdict.BELIEVED, START, START)


def test_the_next_run_goes_on_from_the_cursors(shops: Shops) -> None:
    shops.run()
    shops.uk.asked.clear()
    shops.run()

    assert {since for _, since in shops.uk.asked} == {START.isoformat()}


def test_after_a_day_everything_is_read_again_so_that_absence_is_seen(shops: Shops) -> None:
    shops.run()
    shops.clock.at += timedelta(hours=24)
    shops.uk.asked.clear()
    shops.run()

    assert [(dataset, bool(since)) for dataset, since in shops.uk.asked] == [
        ("listings", False),
        ("stock", False),
        ("orders", True),
    ]


@pytest.mark.parametrize(
    ("trouble", "status"), [(Unreachable("no answer"), "unreachable"), (Refused("401: the token is not valid"), "refused")]
)
def test_a_system_out_of_reach_leaves_the_other_and_its_own_last_word(shops: Shops, trouble: InvbiError, status: str) -> None:
    shops.run()
    shops.uk.trouble[Dataset.STOCK] = trouble
    shops.stock(shops.de, 4)

    result = shops.run()

    assert (result.systems["uk"].status, result.systems["de"].status) == (status, "ok")
    assert result.not_reconciled == ("uk",)
    assert (shops.numbers("uk"), shops.numbers("de")) == ({5}, {4})
    feed = shops.feed(result, "uk")
    assert (feed["verdict"], feed["blind_since"]) == (FeedVerdict.UNREACHABLE, shops.clock.now())
    assert str(trouble) in feed["reason"]


def test_an_answer_that_breaks_our_own_code_stops_its_system_alone_and_its_text_is_not_told(shops: Shops) -> None:
    shops.run()
    shops.uk.trouble[Dataset.STOCK] = KeyError("shpat_what_the_platform_said")
    shops.stock(shops.de, 4)

    result = shops.run()

    assert (result.systems["uk"].status, result.systems["de"].status) == ("broken", "ok")
    assert (shops.numbers("uk"), shops.numbers("de")) == ({5}, {4})
    reason = result.systems["uk"].reason
    assert "KeyError in read" in reason
    assert "shpat" not in reason


def test_an_answer_that_is_cut_is_told_as_a_feed_cut_short(shops: Shops) -> None:
    shops.run()
    shops.uk.trouble[Dataset.STOCK] = BadAnswer("stock.csv.gz is a cut gzip file")

    result = shops.run()

    assert result.systems["uk"].status == "broken"
    assert result.not_reconciled == ("uk",)
    assert shops.numbers("uk") == {5}
    assert shops.feed(result, "uk")["verdict"] == FeedVerdict.TRUNCATED


def test_a_system_is_blind_from_its_first_failure_until_it_answers(shops: Shops) -> None:
    shops.run()
    shops.uk.trouble[Dataset.ORDERS] = Unreachable("no answer")
    first = shops.feed(shops.run(), "uk")["blind_since"]
    assert shops.feed(shops.run(), "uk")["blind_since"] == first

    shops.uk.trouble.clear()

    assert shops.feed(shops.run(), "uk")["blind_since"] is None


def test_a_read_that_failed_moves_no_cursor(shops: Shops) -> None:
    shops.run()
    before = shops.ctx.state.cursor("uk", "orders")
    shops.uk.trouble[Dataset.ORDERS] = Unreachable("no answer")
    shops.run()

    assert shops.ctx.state.cursor("uk", "orders") == before


def test_reading_the_same_twice_is_reading_it_once(shops: Shops) -> None:
    shops.sale(shops.uk, "o1", 3)
    shops.run()
    shops.run()

    counted = shops.ctx.warehouse.query("SELECT count(*) AS n, sum(units) AS units FROM staging.stg_effects")
    assert counted.rows() == [(1, -1)]


def test_a_run_that_is_completed_after_a_crash_lands_beside_what_was_there(shops: Shops) -> None:
    shops.run("again")
    shops.run("again")

    ids = shops.ctx.warehouse.query("SELECT batch_id FROM raw.batches WHERE system = 'uk' AND dataset = 'stock' ORDER BY seq")
    assert ids["batch_id"].to_list() == ["again.uk.stock", "again.uk.stock#2"]


def test_a_warehouse_that_was_moved_away_is_filled_from_the_start(shops: Shops) -> None:
    shops.run()
    shops.ctx.warehouse.replace_where("raw.batches", empty(BATCHES), "system = 'uk'")
    shops.uk.asked.clear()
    shops.run()

    assert {since for _, since in shops.uk.asked} == {""}


def test_an_export_that_is_still_the_same_file_lands_once(tmp_path: Path) -> None:
    (tmp_path / "stock.csv").write_text("code,stock\nA,5\nB,x\n")
    files = {"stock": {"path": "stock.csv", "columns": {"listing_key": "code", "quantity": "stock"}}}
    systems = {"erp": {"platform": "files", "roles": ["counts"], "default_location": "store", "files": files}}
    places = {"store": {"kind": "warehouse", "counted_by": "erp"}}
    config = {"business": {"name": "x"}, "systems": systems, "locations": places, "path": tmp_path / "invbi.toml"}

    async def twice() -> list[IngestResult]:
        async with open_context(Config.model_validate(config), TurnedClock()) as ctx:
            return [await ingest(ctx, "r1"), await ingest(ctx, "r2")]

    first, second = (result.systems["erp"] for result in asyncio.run(twice()))
    assert (first.rows, first.quarantined, first.status) == (3, 1, "ok")
    assert (second.rows, second.quarantined, second.status) == (0, 0, "ok")


def test_bad_rows_go_to_quarantine_and_the_rest_goes_on(shops: Shops) -> None:
    shops.uk.frames["stock"][3]["quantity"] = "1.5"

    result = shops.run()

    assert result.quarantined.rows() == [("uk", "stock", "quantity: fractional quantity", 1)]
    assert result.systems["uk"].status == "ok"
    with shops.ctx.warehouse.open() as database:
        assert run_audit(database, "audit_quarantine_accounted").is_empty()


def test_the_order_lag_is_the_longest_way_seen_lately_and_at_least_the_floor(shops: Shops) -> None:
    shops.sale(shops.uk, "old", 10_000)
    shops.run()
    assert shops.feed(shops.run(), "uk")["order_lag_s"] == 60

    shops.sale(shops.uk, "late", minutes_ago=-2)  # stamped in 2 minutes, read in 5
    assert shops.feed(shops.run(), "uk")["order_lag_s"] == 180
    shops.clock.at += timedelta(hours=25)
    assert shops.feed(shops.run(), "uk")["order_lag_s"] == 60


def test_what_was_sold_while_nobody_looked_is_not_late(shops: Shops) -> None:
    shops.run()
    shops.clock.at += timedelta(hours=8)
    shops.sale(shops.uk, "overnight", minutes_ago=300)
    assert shops.feed(shops.run(), "uk")["order_lag_s"] == 60
    shops.clock.at += timedelta(hours=8)
    shops.sale(shops.uk, "missed", minutes_ago=500)  # 20 minutes before the look before, which could have shown it
    assert shops.feed(shops.run(), "uk")["order_lag_s"] == 1200


def test_the_visibility_lag_is_the_longest_noted_lately(shops: Shops) -> None:
    shops.run()
    note_visibility_lag(shops.ctx, "uk", timedelta(seconds=200))
    note_visibility_lag(shops.ctx, "uk", timedelta(seconds=100))

    result = shops.run()

    assert (shops.feed(result, "uk")["visibility_lag_s"], shops.feed(result, "de")["visibility_lag_s"]) == (200, 60)


def test_a_read_back_is_the_newest_word_on_its_points(shops: Shops) -> None:
    shops.run()
    shops.stock(shops.uk, 9)
    reading = asyncio.run(shops.uk.read_back([("k1", "1")]))

    rows = land_points(shops.ctx, "r1", reading, "uk")

    assert rows.select("listing_key", "location", "quantity").rows() == [("k1", "soho", 9)]
    run_models(shops.ctx.warehouse, ["staging"])
    assert shops.numbers("uk") == {5, 9}


def test_one_system_can_be_read_alone_and_the_others_keep_their_verdict(shops: Shops) -> None:
    shops.run()
    shops.de.asked.clear()

    result = asyncio.run(ingest(shops.ctx, "alone", ["uk"]))

    assert (list(result.systems), shops.de.asked) == (["uk"], [])
    assert shops.feed(result, "de")["verdict"] == FeedVerdict.BELIEVED


def test_a_system_never_read_is_not_believed(shops: Shops) -> None:
    result = asyncio.run(ingest(shops.ctx, "alone", ["uk"]))

    feed = shops.feed(result, "de")
    assert (feed["verdict"], feed["reason"]) == (FeedVerdict.UNREACHABLE, "never read")


def test_a_person_can_vouch_for_a_feed_once(shops: Shops) -> None:
    shops.run()
    shops.clock.at += timedelta(hours=24)
    shops.stock(shops.uk, 5, points=POINTS // 4)
    assert shops.run().systems["uk"].status == "unbelieved"

    believe_next(shops.ctx, "uk", "Ada")

    result = shops.run()
    assert result.systems["uk"].status == "ok"
    assert "Ada vouched for it" in result.batches.filter(dataset="stock", system="uk")["reason"][0]
    assert shops.ctx.state.mark("believe:uk") == ""


def test_raw_is_kept_for_the_configured_time_and_of_a_month_the_last_number_without_its_payload(shops: Shops) -> None:
    for _ in range(3):
        shops.run()
        shops.clock.at += timedelta(minutes=5)
    shops.clock.at += timedelta(days=31)
    shops.run()

    sql = "SELECT payload IS NULL AS bare, count(*) AS n FROM raw.stock WHERE system = 'uk' GROUP BY ALL ORDER BY ALL"
    assert shops.ctx.warehouse.query(sql).rows() == [(False, POINTS), (True, POINTS)]


def test_data_docs_show_what_was_judged(shops: Shops) -> None:
    shops.run()

    page = Path(data_docs(shops.ctx, "r1"))

    assert page == shops.ctx.config.data / "data_docs" / "index.html"
    assert "feed health" in page.read_text()
