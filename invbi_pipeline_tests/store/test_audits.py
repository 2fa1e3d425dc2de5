"""Every audit goes red when what it watches for is planted, and returns exactly the bad rows."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from invbi_pipeline.domain.frames import CORRECTIONS, OFFERS, POINTS
from invbi_pipeline.store.models import run_audit, run_models
from invbi_pipeline.store.tables import SYSTEM_MODES
from invbi_pipeline_tests.flows.scripted import START
from invbi_pipeline_tests.store.landed import Landed


@pytest.fixture
def landed(tmp_path: Path) -> Landed:
    return Landed(tmp_path)


def _bad(landed: Landed, audit: str) -> pl.DataFrame:
    run_models(landed.warehouse, ["staging"])
    with landed.warehouse.open() as database:
        return run_audit(database, audit)


def _point(**more: Any) -> pl.DataFrame:
    good = {"run_id": "r", "system": "shop", "listing_key": "k", "location": "", "base": 10, "expected": 10, "reported": 9}
    row = {**good, "offer": 8, "unexplained": -1, "pending": -2, "gap": 1, "state": "diverged", **more}
    return pl.DataFrame([row], schema=dict(POINTS))


def _correction(**more: Any) -> pl.DataFrame:
    good = {"correction_id": "c", "run_id": "r", "kind": "set", "system": "shop", "listing_key": "k", "location": ""}
    sent = {"state": "verified", "idempotency_key": "i", "read_back": 8, "sent_at": START, "verified_at": START}
    return pl.DataFrame([{**good, **sent, **more}], schema=dict(CORRECTIONS))


def test_a_gap_that_is_not_unexplained_less_pending_is_found(landed: Landed) -> None:
    landed.warehouse.replace("recon.points", pl.concat([_point(), _point(listing_key="bad", gap=2)]))

    assert _bad(landed, "audit_gap_identity")["listing_key"].to_list() == ["bad"]


def test_a_point_that_stands_twice_is_found(landed: Landed) -> None:
    landed.warehouse.replace("recon.points", pl.concat([_point(), _point(), _point(listing_key="once")]))

    assert _bad(landed, "audit_points_unique").rows() == [("shop", "k", "", 2)]


def test_a_counted_number_that_was_set_is_found_and_a_post_is_not(landed: Landed) -> None:
    landed.warehouse.replace("recon.points", _point(state="counted"))
    landed.warehouse.replace("recon.corrections", pl.concat([_correction(), _correction(correction_id="p", kind="post")]))

    assert _bad(landed, "audit_counted_never_set")["correction_id"].to_list() == ["c"]


def test_a_push_onto_an_unknown_number_is_found(landed: Landed) -> None:
    landed.warehouse.replace("recon.points", _point(state="unknown"))
    landed.warehouse.replace("recon.corrections", _correction())

    assert _bad(landed, "audit_unknown_never_pushed")["point_state"].to_list() == ["unknown"]


def test_a_number_that_became_unknown_after_the_push_is_no_fault_of_it(landed: Landed) -> None:
    later = _correction()["sent_at"][0] + timedelta(seconds=1)
    landed.warehouse.replace("recon.points", _point(state="unknown", observed_at=later))
    landed.warehouse.replace("recon.corrections", _correction())

    assert _bad(landed, "audit_unknown_never_pushed").is_empty()


@pytest.mark.parametrize("lack", [{"read_back": None}, {"verified_at": None}, {"idempotency_key": ""}])
def test_a_correction_without_its_proof_is_found(landed: Landed, lack: dict[str, Any]) -> None:
    landed.warehouse.replace("recon.corrections", pl.concat([_correction(), _correction(correction_id="bad", **lack)]))

    assert _bad(landed, "audit_corrections_have_receipts")["correction_id"].to_list() == ["bad"]


def test_an_offer_above_what_policy_allows_is_found(landed: Landed) -> None:
    good = {"system": "shop", "listing_key": "k", "location": "", "units": 2, "sellable": 9, "offer": 4}
    bad = [{**good, "listing_key": "pool", "offer": 5}, {**good, "listing_key": "limit", "max_offer": 3}]
    landed.warehouse.replace("truth.offers", pl.DataFrame([good, *bad], schema=dict(OFFERS)))

    assert sorted(_bad(landed, "audit_offers_whole")["listing_key"]) == ["limit", "pool"]


def test_a_row_that_vanished_between_read_and_landing_is_found(landed: Landed) -> None:
    landed.land("stock", [{"listing_key": "a", "quantity": 1}, {"listing_key": "b", "quantity": "1.5"}], 0, full=True)
    assert _bad(landed, "audit_raw_landed").is_empty()
    assert _bad(landed, "audit_quarantine_accounted").is_empty()

    with landed.warehouse.open() as database:
        database.execute("DELETE FROM raw.stock")
        database.execute("DELETE FROM quarantine.rows")

    assert _bad(landed, "audit_raw_landed")["landed"].to_list() == [1]
    assert _bad(landed, "audit_quarantine_accounted")["quarantined"].to_list() == [1]


def test_an_owners_number_that_moved_without_a_movement_is_found_with_its_remainder(landed: Landed) -> None:
    counting = {"system": "till", "platform": "square", "mode": "observe", "counts": True, "sells": True, "max_age_s": 1800}
    landed.warehouse.replace("recon.systems", pl.DataFrame([counting], schema=dict(SYSTEM_MODES)))
    keys = ("tied", "untied")
    landed.land("stock", [{"listing_key": k, "location_key": "1", "quantity": 10} for k in keys], 0, full=True)
    landed.land("stock", [{"listing_key": k, "location_key": "1", "quantity": 8} for k in keys], 60, full=True)
    sale = {"movement_id": "m", "location_key": "1", "kind": "sale", "occurred_at": START + timedelta(minutes=30)}
    moved = [{**sale, "listing_key": "tied", "units": -2}, {**sale, "listing_key": "untied", "units": -1}]
    landed.land("movements", moved, 60)

    found = _bad(landed, "audit_units_conserved")

    assert found.select("listing_key", "opening", "moved", "closing", "remainder").rows() == [("untied", 10, -1, 8, -1)]
