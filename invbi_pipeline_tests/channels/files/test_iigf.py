"""One seller's real reports: every row of each file is loaded, a duplicate, or rejected with its reason."""

import asyncio
from collections import Counter
from functools import lru_cache
from pathlib import Path

import polars as pl

from invbi_pipeline.channels.files import FilesChannel
from invbi_pipeline.channels.protocol import Reading
from invbi_pipeline.config import load_config
from invbi_pipeline.domain.words import Dataset
from invbi_pipeline_tests.channels.files.exports import Noon
from invbi_pipeline_tests.shared import shared

CONFIG = Path(__file__).parents[2] / "real" / "iigf.toml"


@lru_cache
def read(system: str, dataset: Dataset) -> Reading:
    shared("data/iigf")
    config = load_config(CONFIG)
    return asyncio.run(FilesChannel(system, config.systems[system], config.folder, Noon()).read(dataset))


def reasons(reading: Reading) -> Counter[str]:
    assert reading.rejected is not None
    return Counter(reading.rejected["reason"])


def test_the_stock_report_has_9173_usable_rows_of_9271() -> None:
    reading = read("warehouse_report", Dataset.STOCK)
    stock = reading.frames["stock"].with_columns(pl.col("quantity").cast(pl.Int64))
    assert reasons(reading) == {"blank listing_key": 83, "broken cell in listing_key: #REF!": 15}
    assert stock.height == 9_271 - 83 - 15
    assert stock["listing_key"].n_unique() == 9_169
    assert (stock["quantity"].sum(), (stock["quantity"] == 0).sum(), stock["quantity"].min()) == (242_369, 537, 0)


def test_four_codes_of_the_stock_report_keep_both_of_their_numbers() -> None:
    stock = read("warehouse_report", Dataset.STOCK).frames["stock"]
    twice = stock.group_by("listing_key").agg(pl.col("quantity")).filter(pl.col("quantity").list.n_unique() > 1)
    assert twice.height == 4
    assert sorted(dict(twice.iter_rows())["PJNE3404-KR-4XL"]) == ["0", "23"]
    listings = read("warehouse_report", Dataset.LISTINGS).frames["listings"]
    assert listings.filter(pl.col("listing_key").is_in(twice["listing_key"].to_list())).height == 8


def test_the_marketplace_orders_lose_only_their_six_exact_repeats() -> None:
    reading = read("amazon_in", Dataset.ORDERS)
    lines = reading.frames["order_lines"]
    assert reasons(reading) == {"duplicate: repeats another row in every mapped column": 6}
    assert lines.height == 128_975 - 6
    assert lines["order_id"].n_unique() == 120_378
    assert lines["listing_key"].n_unique() == 7_195
    assert lines.select("order_id", "line_id").n_unique() == lines.height
    repeats = lines.filter(pl.col("line_id") != pl.col("listing_key"))
    assert repeats.height == 7 - 6


def test_every_status_of_the_marketplace_is_one_of_our_states() -> None:
    lines = read("amazon_in", Dataset.ORDERS).frames["order_lines"]
    assert reasons(read("amazon_in", Dataset.ORDERS)).total() == 6
    # Waiting for Pick Up 281 and Shipping 8 are open; Cancelled 18,332 less three of the repeats; the rest left the shelf.
    assert Counter(lines["state"]) == {"pending": 658, "open": 289, "cancelled": 18_332 - 3, "fulfilled": 109_696 - 3}


def test_cancelled_units_are_taken_and_given_back() -> None:
    effects = read("amazon_in", Dataset.ORDERS).frames["effects"].with_columns(pl.col("units").cast(pl.Int64))
    units = dict(effects.group_by("kind").agg(pl.col("units").sum()).iter_rows())
    assert Counter(effects["kind"])["cancel"] in {5_630, 5_631}
    assert units["cancel"] in {5_656, 5_657}
    assert -116_649 <= units["sale"] <= -116_643


def test_five_codes_with_two_asin_are_listings_twice() -> None:
    listings = read("amazon_in", Dataset.LISTINGS).frames["listings"]
    assert listings.height == 7_195 + 5
    assert listings["product_id"].n_unique() == 7_190


def test_the_second_ledger_is_the_last_of_four_stacked_tables() -> None:
    reading = read("second_ledger", Dataset.STOCK)
    told = reasons(reading)
    table_d = reading.frames["stock"].height + told.total() - told["outside the table: above its header row"]
    assert table_d == 17_756
    assert told["blank listing_key"] == 17
    assert told["outside the table: above its header row"] == 19_676  # every line above the fourth table's header
    assert reading.frames["stock"]["listing_key"].is_unique().all()


def test_no_customer_of_the_files_reaches_the_wall() -> None:
    for system, dataset in (("amazon_in", Dataset.ORDERS), ("second_ledger", Dataset.STOCK)):
        reading = read(system, dataset)
        assert reading.rejected is not None
        for frame in (*reading.frames.values(), reading.rejected):
            assert not frame["payload"].str.contains("CUSTOMER-|MUMBAI|postal").any()
