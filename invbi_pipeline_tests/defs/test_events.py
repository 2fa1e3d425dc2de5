"""What the event process did between two looks is observed on the feeds it read and on the points, each piece of work once."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

from invbi_pipeline.defs.events import events_sensor
from invbi_pipeline.store.inbox import Delivery
from invbi_pipeline.store.state import State

NOW = datetime.now(UTC)
HOUR_AGO = (NOW - timedelta(hours=1)).isoformat()


def look(config: Path, instance: dg.DagsterInstance, cursor: str | None) -> dg.SensorResult:
    said = events_sensor(config, sample=False)(dg.build_sensor_context(instance=instance, cursor=cursor))
    assert isinstance(said, dg.SensorResult)
    return said


def observed(said: dg.SensorResult) -> dict[str, dict[str, object]]:
    assert all(isinstance(event, dg.AssetObservation) for event in said.asset_events)
    return {e.asset_key.to_user_string(): {k: v.value for k, v in e.metadata.items()} for e in said.asset_events}


def work(state: State, number: str, *, system: str = "shop", minutes_ago: int = 10, took_s: float = 2.0) -> None:
    at = NOW - timedelta(minutes=minutes_ago)
    delivery = Delivery(system, number, "a/topic", at, ("L1", "L2") if number != "d-3" else (), ("7",))
    state.inbox.receive([delivery])
    state.inbox.done([delivery], at + timedelta(seconds=took_s))


def test_deliveries_that_were_done_are_observed_on_what_they_concern(
    config: Path, state: State, instance: dg.DagsterInstance
) -> None:
    work(state, "d-1")
    work(state, "d-2", took_s=4.0)
    work(state, "d-3", took_s=1.0)  # an order alone
    told = observed(look(config, instance, HOUR_AGO))
    assert set(told) == {"shop/stock", "shop/orders", "recon/points"}
    assert (told["shop/stock"]["deliveries"], told["shop/stock"]["read_again"]) == (2, 2)
    assert (told["shop/orders"]["deliveries"], told["shop/orders"]["seconds_to_done_most"]) == (3, 4.0)
    assert told["recon/points"]["deliveries"] == 3


def test_each_piece_of_work_is_observed_once(config: Path, state: State, instance: dg.DagsterInstance) -> None:
    work(state, "d-1")
    first = look(config, instance, HOUR_AGO)
    work(state, "d-2", minutes_ago=0, took_s=-1.0)  # done while we look: at the next look it is seen whole
    assert observed(look(config, instance, first.cursor)) == {}
    assert first.asset_events


def test_the_first_look_tells_nothing_of_old(config: Path, state: State, instance: dg.DagsterInstance) -> None:
    work(state, "d-1")
    said = look(config, instance, None)
    assert (observed(said), bool(said.cursor)) == ({}, True)


def test_what_waits_and_what_is_of_no_system_any_more_is_not_observed(
    config: Path, state: State, instance: dg.DagsterInstance
) -> None:
    state.inbox.receive([Delivery("shop", "d-9", "a/topic", NOW - timedelta(minutes=5), ("L1",))])
    work(state, "d-1", system="a_system_of_old")
    assert observed(look(config, instance, HOUR_AGO)) == {}
