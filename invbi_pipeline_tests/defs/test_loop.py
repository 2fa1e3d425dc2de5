"""The whole job on a small emulated retailer: everything in reach, the till out of reach, and what a waiting delivery starts."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from dagster._serdes import serialize_value

from invbi_pipeline.config import load_config
from invbi_pipeline.definitions import build
from invbi_pipeline.defs.absent import absence_sensor
from invbi_pipeline.defs.ingest import BELIEVED
from invbi_pipeline.defs.names import EQUALITY, JOB
from invbi_pipeline.flows.context import open_stores
from invbi_pipeline.store.inbox import Delivery, Inbox
from invbi_pipeline.store.warehouse import Warehouse
from invbi_pipeline_tests.defs.retailer import retailer


@dataclass(frozen=True, slots=True)
class Runs:
    """Three runs of the job: `all_well`, `till_away`, and the one that the sensor `asked` for as nobody worked on a delivery."""

    definitions: dg.Definitions
    instance: dg.DagsterInstance
    all_well: dg.ExecuteInProcessResult
    till_away: dg.ExecuteInProcessResult
    asked: dg.ExecuteInProcessResult
    waiting: list[str]
    secrets: dict[str, str]
    data: Path
    printed: str


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    folder = tmp_path_factory.mktemp("retailer")
    home = tmp_path_factory.mktemp("dagster")
    with (
        dg.DagsterInstance.ephemeral(tempdir=str(home)) as instance,
        retailer(folder) as shop,
        _environment(shop.secrets),
    ):
        definitions = build(shop.config)
        all_well = definitions.resolve_job_def(JOB).execute_in_process(instance=instance, raise_on_error=False)
        _cut_off(shop.config, "till")
        till_away = definitions.resolve_job_def(JOB).execute_in_process(instance=instance, raise_on_error=False)
        request = _asked_for(shop.config, instance, "shopify_uk")
        asked = definitions.resolve_job_def(JOB).execute_in_process(
            instance=instance, asset_selection=list(request.asset_selection or ()), raise_on_error=False
        )
        waiting = [one.delivery_id for one in _inbox(shop.config).waiting()]
        printed = "".join(path.read_text(errors="replace") for path in home.rglob("*") if path.is_file())
        yield Runs(definitions, instance, all_well, till_away, asked, waiting, shop.secrets, folder, printed)


def _inbox(config: Path) -> Inbox:
    return open_stores(load_config(config))[1].inbox


def _asked_for(config: Path, instance: dg.DagsterInstance, system: str) -> dg.RunRequest:
    """A delivery of a system waits, no event process works: return the run that the sensor asks for."""
    _inbox(config).receive([Delivery(system, "d-1", "orders/create", datetime.now(UTC), order_ids=("7",))])
    said = absence_sensor(config, sample=False)(dg.build_sensor_context(instance=instance, definitions=build(config)))
    assert isinstance(said, dg.RunRequest)
    return said


def _cut_off(config: Path, system: str) -> None:
    """Let a system's address lead to a port where nobody listens."""
    text = config.read_text(encoding="utf-8")
    start = text.index(f"[systems.{system}]")
    address = text[text.index('base_url = "', start) :].split('"')[1]
    config.write_text(text.replace(f'"{address}"', '"http://127.0.0.1:9/till"'), encoding="utf-8")


def _materialized(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = {}
    for event in result.get_asset_materialization_events():
        one = event.step_materialization_data.materialization
        found[one.asset_key.to_user_string()] = {name: value.value for name, value in one.metadata.items()}
    return found


def _checks(result: dg.ExecuteInProcessResult, name: str) -> dict[str, dg.AssetCheckEvaluation]:
    return {one.asset_key.to_user_string(): one for one in result.get_asset_check_evaluations() if one.check_name == name}


def test_every_asset_is_materialized(runs: Runs) -> None:
    assert runs.all_well.success
    every = {key.to_user_string() for key in runs.definitions.resolve_asset_graph().get_all_asset_keys()}
    assert set(_materialized(runs.all_well)) == every


def test_every_check_says_something_and_is_green(runs: Runs) -> None:
    told = {one.asset_check_key: one for one in runs.all_well.get_asset_check_evaluations()}
    assert set(told) == set(runs.definitions.resolve_asset_graph().asset_check_keys) - {EQUALITY}  # it has its own job
    assert [key.to_user_string() for key, one in told.items() if not one.passed] == []


def test_a_read_tells_its_numbers_under_stable_keys(runs: Runs) -> None:
    told = _materialized(runs.all_well)["till/orders"]
    assert {"rows", "quarantined", "requests", "seconds", "order_lag_s", "age_s", "dagster/row_count"} <= set(told)
    assert told["rows"] == told["dagster/row_count"]
    assert all(isinstance(told[name], int | float) for name in ("rows", "requests", "seconds", "age_s"))


def test_tables_tell_their_rows_and_columns(runs: Runs) -> None:
    told = _materialized(runs.all_well)
    assert told["recon/points"]["rows"] == Warehouse(runs.data / "warehouse.duckdb").query("FROM recon.points").height
    columns = told["mart/mart_freshness"]["dagster/column_schema"]
    assert isinstance(columns, dg.TableSchema)
    assert "system" in {column.name for column in columns.columns}


def test_the_dashboard_is_written_where_its_asset_says(runs: Runs) -> None:
    told = _materialized(runs.all_well)
    for name in ("publish/html", "publish/xlsx"):
        assert Path(str(told[name]["place"])).stat().st_size > 1000
    assert str(told["publish/sheet"]["place"]).startswith("http")


def test_a_run_of_dagster_is_a_run_of_invbi(runs: Runs) -> None:
    rows = Warehouse(runs.data / "warehouse.duckdb").query("FROM recon.runs ORDER BY run_id")
    dagsters = (runs.all_well, runs.till_away, runs.asked)
    assert all(run_id.endswith(run.run_id[:10]) for run_id, run in zip(rows["run_id"], dagsters, strict=True))
    assert rows["exit_code"].to_list()[0] in (0, 4)


def test_a_system_out_of_reach_does_not_fail_the_others(runs: Runs) -> None:
    assert runs.till_away.success
    told = _materialized(runs.till_away)
    assert {key for key in told if key.startswith("till/")} == set()
    assert {"shopify_uk/stock", "amazon_uk/orders", "erp/stock", "recon/points", "act/receipts", "publish/html"} <= set(told)


def test_a_delivery_that_waits_has_its_system_read_and_everything_decided_anew(runs: Runs) -> None:
    assert runs.asked.success
    told = set(_materialized(runs.asked))
    assert {"shopify_uk/stock", "shopify_uk/orders", "recon/points", "act/receipts", "publish/html"} <= told
    assert not [key for key in told if key.startswith(("till/", "amazon_uk/", "erp/"))]
    assert runs.waiting == []


def test_its_checks_go_red_with_the_reason_and_its_age(runs: Runs) -> None:
    checks = {key: one for key, one in _checks(runs.till_away, BELIEVED).items() if not one.passed}
    reasons = {key: one.description for key, one in checks.items()}
    assert set(reasons) == {"till/listings", "till/stock", "till/orders", "till/movements"}, reasons
    assert all(one.severity == dg.AssetCheckSeverity.ERROR for one in checks.values())
    observed = {
        event.asset_key.to_user_string(): event.asset_observation_data.asset_observation
        for event in runs.till_away.get_asset_observation_events()
        if event.asset_key is not None
    }
    assert "till" in str(observed["till/stock"].description)
    assert float(str(observed["till/stock"].metadata["age_s"].value)) >= 0


def test_the_last_good_numbers_of_a_silent_system_are_kept(runs: Runs) -> None:
    warehouse = Warehouse(runs.data / "warehouse.duckdb")
    kept = warehouse.query("SELECT count(*) AS n FROM staging.stg_observations WHERE system = 'till'")
    assert kept["n"][0] > 0


def test_no_event_and_no_log_holds_a_secret(runs: Runs) -> None:
    told = [serialize_value(entry) for run in (runs.all_well, runs.till_away) for entry in runs.instance.all_logs(run.run_id)]
    told += [repr(runs.definitions.resources), json.dumps(runs.printed)]
    assert len(runs.secrets) >= 8
    assert [name for name, value in runs.secrets.items() if any(value in text for text in told)] == []


def test_the_search_for_secrets_would_find_one(runs: Runs) -> None:
    told = [serialize_value(entry) for entry in runs.instance.all_logs(runs.all_well.run_id)]
    assert any(str(runs.data) in text for text in told)
