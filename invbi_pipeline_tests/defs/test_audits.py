"""Each audit's check goes red on a planted bad row, shows it with its query, and is green without; blocking ones hold a run."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from invbi_pipeline.definitions import SAMPLE, build
from invbi_pipeline.defs.audits import PLACES
from invbi_pipeline.defs.names import table_key
from invbi_pipeline.store.models import audits, run_models
from invbi_pipeline.store.tables import TABLES
from invbi_pipeline.store.warehouse import Warehouse

_AT = datetime(2026, 9, 1, 9, 0, tzinfo=UTC)
_POINT = {"run_id": "r1", "system": "shop", "listing_key": "1", "location": "warehouse", "state": "agreed"}
_SENT = {**_POINT, "correction_id": "c1", "kind": "set", "to_qty": 3, "state": "accepted", "idempotency_key": "k", "sent_at": _AT}
_BATCH = {"batch_id": "b1", "system": "till", "verdict": "believed", "scope": "sweep", "pruned": False}
Row = Mapping[str, object]


def _reads(closing: int) -> dict[str, list[Row]]:
    """Two stock reads of a till that says it moved nothing in between: 10, then `closing`."""
    times = (_AT, _AT.replace(hour=10))
    reads = [
        {**_BATCH, "batch_id": f"s{n}", "seq": n, "dataset": "stock", "rows": 1, "landed": 1, "quarantined": 0}
        | {"platform_time": at, "began_at": at, "ended_at": at, "is_full": True}
        for n, at in enumerate(times)
    ]
    told = {**reads[1], "batch_id": "m1", "seq": 2, "dataset": "movements", "rows": 0, "landed": 0}
    rows: list[Row] = [
        {"system": "till", "listing_key": "1", "location_key": "L", "state": "known", "quantity": quantity, "batch_id": f"s{n}"}
        | {"row_number": 1}
        for n, quantity in enumerate((10, closing))
    ]
    return {
        "recon.systems": [{"system": "till", "platform": "square", "counts": True}],
        "recon.feeds": [{"system": "till", "read_lag_s": 0}],
        "raw.batches": [*reads, told],
        "raw.stock": rows,
    }


# audit -> tables that hold one bad row, and the same made good
_PLANTED: Mapping[str, tuple[dict[str, list[Row]], dict[str, list[Row]]]] = {
    "audit_gap_identity": (
        {
            "recon.points": [
                {**_POINT, "base": 5, "expected": 5, "reported": 5, "offer": 5, "unexplained": 0, "pending": 0, "gap": 1}
            ]
        },
        {
            "recon.points": [
                {**_POINT, "base": 5, "expected": 5, "reported": 5, "offer": 5, "unexplained": 0, "pending": 0, "gap": 0}
            ]
        },
    ),
    "audit_points_unique": ({"recon.points": [_POINT, _POINT]}, {"recon.points": [_POINT, {**_POINT, "location": "soho"}]}),
    "audit_offers_whole": (
        {"truth.offers": [{"system": "shop", "units": 2, "sellable": 5, "offer": 3}]},
        {"truth.offers": [{"system": "shop", "units": 2, "sellable": 5, "offer": 2}]},
    ),
    "audit_unknown_never_pushed": (
        {"recon.points": [{**_POINT, "state": "unknown"}], "recon.corrections": [_SENT]},
        {"recon.points": [_POINT], "recon.corrections": [_SENT]},
    ),
    "audit_counted_never_set": (
        {"recon.points": [{**_POINT, "state": "counted"}], "recon.corrections": [_SENT]},
        {"recon.points": [_POINT], "recon.corrections": [_SENT]},
    ),
    "audit_corrections_have_receipts": (
        {"recon.corrections": [{**_SENT, "state": "verified", "verified_at": _AT}]},
        {"recon.corrections": [{**_SENT, "state": "verified", "verified_at": _AT, "read_back": 3}]},
    ),
    "audit_quarantine_accounted": (
        {"raw.batches": [{**_BATCH, "rows": 2, "landed": 1, "quarantined": 0}]},
        {"raw.batches": [{**_BATCH, "rows": 1, "landed": 1, "quarantined": 0}]},
    ),
    "audit_raw_landed": (
        {"raw.batches": [{**_BATCH, "rows": 1, "landed": 1, "quarantined": 0}]},
        {
            "raw.batches": [{**_BATCH, "rows": 1, "landed": 1, "quarantined": 0}],
            "raw.stock": [{"system": "till", "listing_key": "1", "location_key": "", "state": "known", "batch_id": "b1"}],
        },
    ),
    "audit_units_conserved": (_reads(closing=8), _reads(closing=10)),
}

Check = Callable[[dict[str, list[Row]], dg.AssetSelection], dg.ExecuteInProcessResult]


@pytest.fixture
def check(tmp_path: Path, instance: dg.DagsterInstance) -> Check:
    path = tmp_path / "invbi.toml"
    path.write_text(SAMPLE.read_text(encoding="utf-8"), encoding="utf-8")

    def run(tables: dict[str, list[Row]], chosen: dg.AssetSelection) -> dg.ExecuteInProcessResult:
        warehouse = Warehouse(tmp_path / "warehouse.duckdb")
        for table, rows in tables.items():
            warehouse.replace(table, pl.DataFrame([dict(row) for row in rows], schema=dict(TABLES[table])))
        run_models(warehouse, ["staging"])
        definitions = dg.Definitions.merge(build(path), dg.Definitions(jobs=[dg.define_asset_job("chosen", chosen)]))
        job = definitions.resolve_job_def("chosen")
        return job.execute_in_process(instance=instance, raise_on_error=False)

    return run


def _key(audit: str) -> dg.AssetCheckKey:
    return dg.AssetCheckKey(table_key(PLACES[audit].table), audit.removeprefix("audit_"))


@pytest.mark.parametrize("audit", sorted(_PLANTED))
def test_a_planted_bad_row_turns_its_check_red_and_is_shown(audit: str, check: Check) -> None:
    (found,) = check(_PLANTED[audit][0], dg.AssetSelection.checks(_key(audit))).get_asset_check_evaluations()
    assert not found.passed
    assert found.severity == PLACES[audit].severity
    assert found.blocking == PLACES[audit].blocking
    assert isinstance(table := found.metadata["rows"], dg.TableMetadataValue)
    assert len(table.records) == found.metadata["bad_rows"].value == 1
    assert "select" in str(found.metadata["query"].value)


@pytest.mark.parametrize("audit", sorted(_PLANTED))
def test_the_same_row_made_good_leaves_it_green(audit: str, check: Check) -> None:
    (found,) = check(_PLANTED[audit][1], dg.AssetSelection.checks(_key(audit))).get_asset_check_evaluations()
    assert found.passed
    assert found.metadata["bad_rows"].value == 0


def test_every_audit_is_planted() -> None:
    assert set(_PLANTED) == {audit.name for audit in audits()}


def test_a_red_identity_stops_the_run_before_the_plan_and_the_push(check: Check) -> None:
    below = dg.AssetSelection.assets(["act", "plan"], ["act", "push"])
    done = check(_PLANTED["audit_gap_identity"][0], dg.AssetSelection.checks(_key("audit_gap_identity")) | below)
    assert not done.success
    started = {event.step_key for event in done.all_events if event.event_type_value == "STEP_START"}
    assert started == {"recon__points_gap_identity"}
