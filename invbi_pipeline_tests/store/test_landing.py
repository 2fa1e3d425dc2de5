"""Landing and retention: every row is accounted for, and the newest word of each thing stays."""

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from invbi_pipeline.channels.protocol import Reading
from invbi_pipeline.domain.words import Dataset
from invbi_pipeline.store.landing import land, prepare
from invbi_pipeline.store.models import run_audit
from invbi_pipeline.store.retention import prune
from invbi_pipeline_tests.flows.scripted import START, wall
from invbi_pipeline_tests.store.landed import Landed


@pytest.fixture
def landed(tmp_path: Path) -> Landed:
    return Landed(tmp_path)


def test_rows_read_are_rows_landed_and_rows_quarantined(landed: Landed) -> None:
    landed.land("stock", [{"listing_key": "a", "quantity": 1}, {"listing_key": "#REF!", "quantity": 2}], 0, full=True)

    assert landed.warehouse.query("SELECT rows, landed, quarantined FROM raw.batches").rows() == [(2, 1, 1)]
    assert landed.warehouse.query("SELECT row_number, reason FROM quarantine.rows").rows() == [
        (2, "listing_key: a spreadsheet error, not a code")
    ]


def test_a_point_whose_number_was_refused_is_unknown_until_a_good_one_comes(landed: Landed) -> None:
    seen = []
    for minute, quantity in enumerate(("38", "1000000000", None, "1.5", "37")):
        rows = [{"listing_key": "a", "location_key": "1", "quantity": quantity}] if quantity else []
        landed.land("stock", rows, minute, full=not minute)
        seen += landed.rows("stg_observations", "listing_key", "location", "state", "quantity")

    unknown = ("a", "soho", "unknown", None)
    assert seen == [("a", "soho", "known", 38), unknown, unknown, unknown, ("a", "soho", "known", 37)]
    counts = landed.warehouse.query("SELECT landed, quarantined FROM raw.batches ORDER BY seq").rows()
    assert counts == [(1, 0), (0, 1), (0, 0), (0, 1), (1, 0)]
    with landed.warehouse.open() as database:
        assert run_audit(database, "audit_raw_landed").is_empty()
        assert run_audit(database, "audit_quarantine_accounted").is_empty()


def test_a_refused_row_beside_a_good_one_of_the_same_point_takes_nothing_from_it(landed: Landed) -> None:
    rows = [{"listing_key": "a", "quantity": quantity} for quantity in ("many", "4")]
    landed.land("stock", rows, 0, full=True)
    assert landed.rows("stg_observations", "listing_key", "state", "quantity") == [("a", "known", 4)]


def test_a_refused_row_whose_listing_cannot_be_read_is_no_point(landed: Landed) -> None:
    landed.land("stock", [{"listing_key": key, "quantity": "many"} for key in ("#REF!", "1.23E+12", None)], 0)
    assert landed.rows("stg_observations", "listing_key") == []


def test_retention_leaves_unknown_what_was_refused(landed: Landed) -> None:
    for minute, quantity in ((0, "5"), (1, "many")):
        landed.land("stock", [{"listing_key": "a", "quantity": quantity}], minute)
    with landed.warehouse.open() as database:
        prune(database, START + timedelta(days=31), keep_days=30)
    assert landed.rows("stg_observations", "listing_key", "state", "quantity") == [("a", "unknown", None)]


def test_landing_a_batch_twice_leaves_it_once(landed: Landed) -> None:
    batch = landed.batch("stock", [{"listing_key": "a", "quantity": 1}], 0, full=True)
    with landed.warehouse.open() as database:
        land(database, [batch], START)
        land(database, [batch], START)

    assert landed.warehouse.query("SELECT count(*) AS n FROM raw.stock")["n"].to_list() == [1]


def test_a_crash_while_landing_leaves_nothing_of_the_batch(landed: Landed) -> None:
    batch = landed.batch("stock", [{"listing_key": "a", "quantity": 1}], 0, full=True)

    def crash() -> None:
        with landed.warehouse.open() as database:
            land(database, [batch], START)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        crash()
    assert landed.warehouse.read("raw.stock").is_empty()
    assert landed.warehouse.read("raw.batches").is_empty()


def test_retention_takes_replaced_rows_and_payloads_and_leaves_the_newest_word(landed: Landed) -> None:
    for minute, quantity in ((0, 5), (1, 4)):
        rows = [{"listing_key": "a", "quantity": quantity}, {"listing_key": "b", "quantity": 9}][: 2 - minute]
        landed.land("stock", rows, minute, full=not minute)
    before = landed.rows("stg_observations", "listing_key", "quantity")

    with landed.warehouse.open() as database:
        deleted = prune(database, START + timedelta(days=31), keep_days=30)

    assert deleted["raw.stock"] == 1
    assert landed.rows("stg_observations", "listing_key", "quantity") == before == [("a", 4), ("b", 9)]
    assert landed.warehouse.query("SELECT payload FROM raw.stock")["payload"].to_list() == [None, None]
    with landed.warehouse.open() as database:
        assert run_audit(database, "audit_raw_landed").is_empty()


def test_retention_leaves_the_last_number_of_each_month(landed: Landed) -> None:
    for day, quantity in ((0, 9), (1, 8), (40, 7), (80, 6)):
        landed.land("stock", [{"listing_key": "a", "quantity": quantity}], 24 * 60 * day, full=True)
    with landed.warehouse.open() as database:
        prune(database, START + timedelta(days=200), keep_days=30)
    assert landed.warehouse.query("SELECT quantity FROM raw.stock ORDER BY 1")["quantity"].to_list() == [6, 7, 8]


def test_what_is_young_is_kept_as_it_is(landed: Landed) -> None:
    landed.land("stock", [{"listing_key": "a", "quantity": 5}], 0, full=True)
    landed.land("stock", [{"listing_key": "a", "quantity": 4}], 1)

    with landed.warehouse.open() as database:
        assert sum(prune(database, START + timedelta(days=29), keep_days=30).values()) == 0
    assert landed.warehouse.query("SELECT payload FROM raw.stock")["payload"].to_list() == ["{}", "{}"]


def test_rows_that_the_channel_put_aside_are_quarantined_with_its_reason(landed: Landed) -> None:
    rejected = pl.DataFrame({"dataset": ["stock"], "row_number": [7], "reason": ["duplicate"], "payload": ["{}"]})
    frames = {"stock": wall("stock", "erp", [{"listing_key": "a", "quantity": 1}])}
    reading = Reading(Dataset.STOCK, frames, "", True, True, START, START, START, rejected=rejected)

    batch = prepare(reading, "erp", "r", "b")

    assert batch.quarantine.select("batch_id", "system", "row_number", "reason").rows() == [("b", "erp", 7, "duplicate")]
