"""DAGSTER_HOME and the command that opens the UI."""

from pathlib import Path

import dagster as dg

from invbi_pipeline.defs.home import prepare_home
from invbi_pipeline.defs.ui import command


def test_a_new_home_has_the_settings_the_product_needs(tmp_path: Path) -> None:
    prepare_home(tmp_path / "home")
    with dg.DagsterInstance.from_config(str(tmp_path / "home")) as instance:
        assert instance.telemetry_enabled is False
        assert instance.nux_enabled is False
        assert instance.get_settings("concurrency")["runs"]["max_concurrent_runs"] == 1
        assert instance.run_monitoring_enabled
        assert instance.get_settings("run_monitoring")["free_slots_after_run_end_seconds"] == 30
        assert not instance.run_retries_enabled
        assert instance.get_settings("run_retries")["retry_on_asset_or_op_failure"] is False


def test_what_a_person_changed_there_is_kept(tmp_path: Path) -> None:
    prepare_home(tmp_path).write_text("telemetry: {enabled: false}\n", encoding="utf-8")
    assert prepare_home(tmp_path).read_text(encoding="utf-8") == "telemetry: {enabled: false}\n"


def test_the_ui_listens_on_loopback_only() -> None:
    words = command(3999)
    assert words[words.index("-h") + 1] == "127.0.0.1"
    assert words[words.index("-p") + 1] == "3999"
