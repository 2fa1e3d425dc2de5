"""The SQL models as a graph, and the folder as a dbt project."""

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from invbi_pipeline.errors import ConfigError
from invbi_pipeline.store.models import FOLDER, audits, models, run_audit, run_models
from invbi_pipeline.store.tables import TABLES
from invbi_pipeline.store.warehouse import Warehouse
from invbi_pipeline_tests.store.landed import Landed

ALL = [*models(), *audits()]


@pytest.mark.parametrize("model", ALL, ids=lambda model: model.name)
def test_every_model_says_its_grain_and_its_purpose(model: object) -> None:
    assert getattr(model, "grain", "")
    assert len(getattr(model, "purpose", "")) > 20


@pytest.mark.parametrize("model", ALL, ids=lambda model: model.name)
def test_every_source_is_a_table_of_the_warehouse(model: object) -> None:
    assert set(getattr(model, "sources", ())) <= set(TABLES)


def test_a_model_comes_after_everything_it_reads() -> None:
    names = [model.name for model in models()]

    assert all(names.index(ref) < names.index(model.name) for model in models() for ref in model.refs)


def test_all_models_build_and_all_audits_hold_on_an_empty_warehouse(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "warehouse.duckdb")

    rows = run_models(warehouse)

    assert rows["mart_overview"] == 1
    with warehouse.open() as database:
        assert [audit.name for audit in audits() if run_audit(database, audit).height] == []


def test_one_schema_can_be_built_alone(tmp_path: Path) -> None:
    built = run_models(Warehouse(tmp_path / "warehouse.duckdb"), ["staging"])

    assert set(built) == {model.name for model in models() if model.table.startswith("staging.")}


def _project(tmp_path: Path, **files: str) -> Path:
    for name, sql in files.items():
        path = tmp_path / "staging" / f"{name}.sql"
        path.parent.mkdir(exist_ok=True)
        path.write_text(sql)
    return tmp_path


def test_a_ref_to_nothing_names_the_file(tmp_path: Path) -> None:
    folder = _project(tmp_path, stg_a="SELECT * FROM {{ ref('stg_b') }}")

    with pytest.raises(ConfigError, match=r"stg_a\.sql does not render: ref\('stg_b'\) names no model"):
        models(folder)


def test_a_circle_is_named(tmp_path: Path) -> None:
    folder = _project(tmp_path, stg_a="SELECT * FROM {{ ref('stg_b') }}", stg_b="SELECT * FROM {{ ref('stg_a') }}")

    with pytest.raises(ConfigError, match="circle: stg_"):
        models(folder)


def test_an_unknown_audit_is_answered_with_those_there_are(tmp_path: Path) -> None:
    with Warehouse(tmp_path / "w.duckdb").open() as database, pytest.raises(ConfigError) as trouble:
        run_audit(database, "audit_gap_identiy")

    assert "audit_gap_identity" in trouble.value.problems[0][1]


@pytest.mark.slow
def test_dbt_builds_the_folder_unchanged_and_gets_the_same_rows(tmp_path: Path) -> None:
    landed = Landed(tmp_path)
    landed.land("listings", [{"listing_key": "a", "raw_sku": "A"}], 0, full=True)
    landed.land("stock", [{"listing_key": "a", "location_key": "1", "quantity": 5}], 0, full=True)
    ours = run_models(landed.warehouse)
    environ = {
        **os.environ,
        "INVBI_WAREHOUSE": str(landed.warehouse.path),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DBT_TARGET_PATH": str(tmp_path / "target"),
        "DBT_LOG_PATH": str(tmp_path / "logs"),
    }
    with duckdb.connect(str(landed.warehouse.path)) as connection:
        connection.execute("DROP SCHEMA staging CASCADE; DROP SCHEMA mart CASCADE")
    dbt = "from dbt.cli.main import cli; cli()"
    command = [sys.executable, "-c", dbt, "build", "--project-dir", str(FOLDER), "--profiles-dir", str(FOLDER), "--no-use-colors"]

    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout[-3000:]
    with landed.warehouse.open() as database:
        assert {model.name: database.count(model.table) for model in models()} == ours
