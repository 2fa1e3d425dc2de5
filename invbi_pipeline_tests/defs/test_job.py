"""The schedule and the drop folder: what starts a run, and what does not."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from invbi_pipeline.definitions import SAMPLE, build
from invbi_pipeline.defs.inbox import inbox_sensor
from invbi_pipeline.defs.job import loop_schedule
from invbi_pipeline.defs.names import JOB

_NOW = 2_000_000_000.0


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    return tmp_path / "inbox"


def _drop(inbox: Path, name: str, text: str, at: float = _NOW - 60) -> None:
    inbox.mkdir(exist_ok=True)
    (inbox / name).write_text(text, encoding="utf-8")
    os.utime(inbox / name, (at, at))


def _tick(inbox: Path, instance: dg.DagsterInstance, cursor: str | None = None) -> dg.SensorResult | dg.SkipReason:
    sensor = inbox_sensor(inbox, sample=False, now=lambda: _NOW)
    said = sensor(dg.build_sensor_context(instance=instance, cursor=cursor))
    assert isinstance(said, dg.SensorResult | dg.SkipReason)
    return said


def _requested(said: dg.SensorResult | dg.SkipReason) -> tuple[str, str]:
    """Return the run key and the cursor of a tick that started a run."""
    assert isinstance(said, dg.SensorResult)
    assert said.run_requests is not None
    (request,) = said.run_requests
    assert request.run_key is not None
    assert said.cursor is not None
    return request.run_key, said.cursor


def _busy(instance: dg.DagsterInstance) -> None:
    instance.create_run_for_job(build(SAMPLE).resolve_job_def(JOB), status=dg.DagsterRunStatus.STARTED)


def test_a_dropped_file_starts_a_run_once(inbox: Path, instance: dg.DagsterInstance) -> None:
    _drop(inbox, "stock.csv", "a,5")
    _, cursor = _requested(_tick(inbox, instance))
    assert isinstance(_tick(inbox, instance, cursor), dg.SkipReason)


def test_a_touched_file_starts_nothing(inbox: Path, instance: dg.DagsterInstance) -> None:
    _drop(inbox, "stock.csv", "a,5")
    _, cursor = _requested(_tick(inbox, instance))
    _drop(inbox, "stock.csv", "a,5", at=_NOW - 30)
    said = _tick(inbox, instance, cursor)
    assert isinstance(said, dg.SensorResult)
    assert not said.run_requests


def test_a_content_that_comes_back_is_a_new_run(inbox: Path, instance: dg.DagsterInstance) -> None:
    keys, cursor = [], None
    for n, text in enumerate(("a,5", "a,6", "a,5")):
        _drop(inbox, "stock.csv", text, at=_NOW - 60 + n)
        key, cursor = _requested(_tick(inbox, instance, cursor))
        keys.append(key)
    assert len(set(keys)) == 3


def test_a_tick_whose_cursor_was_lost_asks_for_the_same_run(inbox: Path, instance: dg.DagsterInstance) -> None:
    _drop(inbox, "stock.csv", "a,5")
    assert _requested(_tick(inbox, instance))[0] == _requested(_tick(inbox, instance))[0]


def test_the_cursor_only_counts_up(inbox: Path, instance: dg.DagsterInstance) -> None:
    _drop(inbox, "stock.csv", "a,5")
    _, first = _requested(_tick(inbox, instance))
    _drop(inbox, "more.csv", "b,1")
    _, second = _requested(_tick(inbox, instance, first))
    assert json.loads(first)["changes"] < json.loads(second)["changes"]


@pytest.mark.parametrize("name", [".stock.csv.swp", "stock.csv.part", "~$stock.xlsx"])
def test_an_unfinished_file_is_not_seen(name: str, inbox: Path, instance: dg.DagsterInstance) -> None:
    _drop(inbox, name, "a,5")
    assert isinstance(_tick(inbox, instance), dg.SkipReason)


def test_a_file_that_is_still_being_written_is_waited_for(inbox: Path, instance: dg.DagsterInstance) -> None:
    _drop(inbox, "stock.csv", "a,5", at=_NOW - 1)
    said = _tick(inbox, instance)
    assert isinstance(said, dg.SkipReason)
    assert "written" in str(said.skip_message)


def test_a_file_dropped_during_a_run_is_read_after_it(inbox: Path, instance: dg.DagsterInstance) -> None:
    _busy(instance)
    _drop(inbox, "stock.csv", "a,5")
    said = _tick(inbox, instance)
    assert isinstance(said, dg.SkipReason)
    assert "under way" in str(said.skip_message)


def test_an_empty_or_missing_folder_starts_nothing(inbox: Path, instance: dg.DagsterInstance) -> None:
    assert isinstance(_tick(inbox, instance), dg.SkipReason)


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance on disk: a schedule's context opens it by reference."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as made:
        yield made


def test_the_schedule_starts_a_run(stored: dg.DagsterInstance) -> None:
    said = loop_schedule(sample=False)(dg.build_schedule_context(instance=stored))
    assert isinstance(said, dg.RunRequest)
    assert said.tags["invbi/why"] == "schedule"


def test_the_schedule_never_starts_a_second_run_beside_one(stored: dg.DagsterInstance) -> None:
    _busy(stored)
    said = loop_schedule(sample=False)(dg.build_schedule_context(instance=stored))
    assert isinstance(said, dg.SkipReason)


def test_on_the_sample_configuration_nothing_runs_and_it_says_why(inbox: Path, instance: dg.DagsterInstance) -> None:
    _drop(inbox, "stock.csv", "a,5")
    ticks = [
        loop_schedule(sample=True)(dg.build_schedule_context(instance=instance)),
        inbox_sensor(inbox, sample=True)(dg.build_sensor_context(instance=instance)),
    ]
    assert all(isinstance(said, dg.SkipReason) and "invbi init" in str(said.skip_message) for said in ticks)


def test_what_the_product_needs_is_switched_on() -> None:
    definitions = build(SAMPLE)
    assert {s.name: s.default_status for s in definitions.schedules or []} == {
        "every_five_minutes": dg.DefaultScheduleStatus.RUNNING,
        "equality_every_hour": dg.DefaultScheduleStatus.RUNNING,
    }
    assert {s.name: s.default_status for s in definitions.sensors or []} == {
        "inbox": dg.DefaultSensorStatus.RUNNING,
        "event_process_absent": dg.DefaultSensorStatus.RUNNING,
        "event_process_works": dg.DefaultSensorStatus.RUNNING,
        "tell_of_failed_runs": dg.DefaultSensorStatus.RUNNING,
        "tell_of_silence": dg.DefaultSensorStatus.RUNNING,
    }
