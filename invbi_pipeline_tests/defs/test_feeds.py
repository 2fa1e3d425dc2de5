"""What the analyst sees of one feed: rows put aside, a file that is not there, and a loop that ends all the same."""

from collections.abc import Callable, Sequence
from pathlib import Path

import dagster as dg
import pytest

from invbi_pipeline.definitions import build
from invbi_pipeline.defs.ingest import BELIEVED
from invbi_pipeline.defs.names import JOB

_CONFIG = """
[business]
name = "One warehouse"
[locations.warehouse]
kind = "warehouse"
counted_by = "wms"
[systems.wms]
platform = "files"
roles = ["counts"]
default_location = "warehouse"
[systems.wms.files.stock]
path = "stock.csv"
columns = { listing_key = "code", quantity = "units" }
constants = { location_key = "" }
"""

Run = Callable[..., dg.ExecuteInProcessResult]
_READ = [dg.AssetKey(["wms", "listings"]), dg.AssetKey(["wms", "stock"])]


@pytest.fixture
def run(tmp_path: Path, instance: dg.DagsterInstance) -> Run:
    """Run the job, or of it only these assets."""
    path = tmp_path / "invbi.toml"
    path.write_text(_CONFIG, encoding="utf-8")

    def job(chosen: Sequence[dg.AssetKey] | None = None) -> dg.ExecuteInProcessResult:
        return (
            build(path).resolve_job_def(JOB).execute_in_process(instance=instance, raise_on_error=False, asset_selection=chosen)
        )

    return job


def _feed(result: dg.ExecuteInProcessResult, dataset: str) -> dg.AssetCheckEvaluation:
    key = dg.AssetKey(["wms", dataset])
    (found,) = [one for one in result.get_asset_check_evaluations() if (one.asset_key, one.check_name) == (key, BELIEVED)]
    return found


def test_rows_put_aside_are_shown_with_their_reason_and_the_query(tmp_path: Path, run: Run) -> None:
    (tmp_path / "stock.csv").write_text("code,units\nMUG,4\nTEE,2.5\nCAP,7\n", encoding="utf-8")
    found = _feed(run(_READ), "stock")
    table = found.metadata["quarantined_rows"]
    assert found.passed
    assert isinstance(table, dg.TableMetadataValue)
    (row,) = table.records
    assert row.data["row_number"] == 3
    assert "TEE" in str(row.data["payload"])
    assert row.data["reason"]
    assert "quarantine.rows" in str(found.metadata["query"].value)
    assert found.metadata["rows"].value == 2


def test_a_loop_with_nothing_in_reach_still_ends_and_says_why(run: Run) -> None:
    result = run()
    assert result.success
    found = _feed(result, "stock")
    assert not found.passed
    assert "stock.csv" in str(found.description)
    reached = {event.asset_key.to_user_string() for event in result.get_asset_materialization_events() if event.asset_key}
    assert {"staging/stg_batches", "recon/findings", "act/receipts", "publish/html"} <= reached
    assert "wms/stock" not in reached


def test_a_feed_that_comes_back_is_green_again(tmp_path: Path, run: Run) -> None:
    assert not _feed(run(_READ), "stock").passed
    (tmp_path / "stock.csv").write_text("code,units\nMUG,4\n", encoding="utf-8")
    result = run(_READ)
    assert _feed(result, "stock").passed
    assert {event.asset_key for event in result.get_asset_materialization_events()} == set(_READ)
