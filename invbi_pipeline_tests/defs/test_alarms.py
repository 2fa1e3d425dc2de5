"""A failed run is told to the configured addresses, with its error's own words."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from invbi_pipeline.config import load_config
from invbi_pipeline.definitions import SAMPLE
from invbi_pipeline.defs.alarms import failure_message, failure_sensor, silence_sensor
from invbi_pipeline.defs.names import JOB
from invbi_pipeline.flows.context import open_stores
from invbi_pipeline_tests.alerts.hook import hook


@dg.op
def read_the_till() -> None:
    raise dg.Failure("The environment variable SQUARE_TOKEN is not set.")


@dg.job(name=JOB)
def broken() -> None:
    read_the_till()


def _evaluate(config: Path, instance: dg.DagsterInstance) -> object:
    result = broken.execute_in_process(instance=instance, raise_on_error=False)
    context = dg.build_run_status_sensor_context(
        sensor_name="tell_of_failed_runs",
        dagster_event=result.get_run_failure_event(),
        dagster_instance=instance,
        dagster_run=result.dagster_run,
    ).for_run_failure()
    return failure_sensor(config)(context)


def test_a_failed_run_is_told_with_its_error(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "invbi.toml"
    path.write_text(SAMPLE.read_text(encoding="utf-8") + '\n[alerts]\nurls = [{ env = "ALERT_URL" }]\n', encoding="utf-8")
    with hook() as heard:
        monkeypatch.setenv("ALERT_URL", f"json://127.0.0.1:{heard.port}/")
        _evaluate(path, instance)
    assert len(heard.messages) == 1
    assert "read_the_till: The environment variable SQUARE_TOKEN is not set." in heard.messages[0]["message"]


def test_without_an_address_it_says_so(instance: dg.DagsterInstance) -> None:
    said = _evaluate(SAMPLE, instance)
    assert isinstance(said, dg.SkipReason)


ENDED = datetime(2026, 9, 1, 9, tzinfo=UTC)


def _listens(path: Path, minutes: int, cursor: str = "") -> tuple[str, str]:
    """Let the sensor listen so long after the last run has ended; return what it says, and its cursor."""
    context = dg.build_sensor_context(cursor=cursor)
    said = silence_sensor(path, sample=False, now=lambda: ENDED + timedelta(minutes=minutes))(context)
    assert isinstance(said, dg.SkipReason)
    return said.skip_message or "", context.cursor or ""


def test_a_loop_that_falls_silent_is_told_once_and_its_return_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "invbi.toml"
    path.write_text(SAMPLE.read_text(encoding="utf-8") + '\n[alerts]\nurls = [{ env = "ALERT_URL" }]\n', encoding="utf-8")
    _, state = open_stores(load_config(path))
    state.set_mark("run.ended", ENDED.isoformat())
    state.close()
    with hook() as heard:
        monkeypatch.setenv("ALERT_URL", f"json://127.0.0.1:{heard.port}/")
        assert _listens(path, 30) == ("The last run ended at 2026-09-01 09:00 UTC.", "")
        assert heard.messages == []
        said, cursor = _listens(path, 90)
        assert said.endswith("too long ago.")
        assert _listens(path, 95, cursor)[1] == cursor
        assert len(heard.messages) == 1
        assert "No run has ended for 90 minutes, since 2026-09-01 09:00 UTC" in heard.messages[0]["message"]
        assert _listens(path, 30, cursor)[1] == ""
    assert len(heard.messages) == 2
    assert "The loop runs again" in heard.titles[1]


def test_what_no_address_took_is_told_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "invbi.toml"
    path.write_text(SAMPLE.read_text(encoding="utf-8") + '\n[alerts]\nurls = [{ env = "ALERT_URL" }]\n', encoding="utf-8")
    _, state = open_stores(load_config(path))
    state.set_mark("run.ended", ENDED.isoformat())
    state.close()
    monkeypatch.setenv("ALERT_URL", "json://127.0.0.1:9/")
    assert _listens(path, 90)[1] == ""


def test_before_the_first_run_there_is_no_silence(tmp_path: Path) -> None:
    path = tmp_path / "invbi.toml"
    path.write_text(SAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    assert _listens(path, 90) == ("No run has ended yet.", "")


def test_the_message_names_what_failed_and_stays_short() -> None:
    message = failure_message("__ASSET_JOB", "0123456789abcdef", ["points: " + "x" * 5000])
    assert message.title == "invbi: A run of __ASSET_JOB failed"
    assert len(message.body) < 2000
    assert "01234567" in message.body
