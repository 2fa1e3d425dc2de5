"""While no event process works, what waits in its inbox starts a run for the systems it names, and for nothing else."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

from invbi_pipeline.definitions import build
from invbi_pipeline.defs.absent import absence_sensor
from invbi_pipeline.defs.names import JOB
from invbi_pipeline.flows.feeds.lease import Lease
from invbi_pipeline.store.inbox import Delivery
from invbi_pipeline.store.state import State
from invbi_pipeline_tests.sandbox.serving import HandClock

NOW = datetime.now(UTC)


def tick(config: Path, instance: dg.DagsterInstance) -> dg.RunRequest | dg.SkipReason:
    context = dg.build_sensor_context(instance=instance, definitions=build(config))
    said = absence_sensor(config, sample=False)(context)
    assert isinstance(said, dg.RunRequest | dg.SkipReason)
    return said


def waits(state: State, system: str, number: str, minutes_ago: int = 1) -> None:
    state.inbox.receive([Delivery(system, number, "orders/create", NOW - timedelta(minutes=minutes_ago), order_ids=("7",))])


def test_a_delivery_that_nobody_works_on_starts_a_run_of_its_system_and_of_all_that_follows(
    config: Path, state: State, instance: dg.DagsterInstance
) -> None:
    waits(state, "shop", "d-1", 5)
    waits(state, "shop", "d-2")
    said = tick(config, instance)
    assert isinstance(said, dg.RunRequest)
    assert (said.run_key, said.tags["invbi/systems"]) == ("absent-shop-d-2", "shop")
    chosen = {key.to_user_string() for key in said.asset_selection or ()}
    assert {"shop/stock", "shop/orders", "recon/points", "act/receipts"} <= chosen
    assert not [key for key in chosen if key.startswith("till/")]


def test_what_it_asks_for_is_a_run_that_dagster_can_plan(config: Path, state: State, instance: dg.DagsterInstance) -> None:
    waits(state, "shop", "d-1")
    said = tick(config, instance)
    assert isinstance(said, dg.RunRequest)
    job = build(config).resolve_job_def(JOB).get_subset(asset_selection=set(said.asset_selection or ()))
    steps = {node.name for node in job.nodes}
    assert "ingest_shop" in steps
    assert "ingest_till" not in steps
    assert "dashboard" in steps


def test_an_event_process_that_lives_is_left_to_its_work(config: Path, state: State, instance: dg.DagsterInstance) -> None:
    waits(state, "shop", "d-1")
    lease = Lease(state, HandClock(datetime.now(UTC)), "a")
    assert lease.take()
    assert isinstance(tick(config, instance), dg.SkipReason)
    lease.give_back()
    assert isinstance(tick(config, instance), dg.RunRequest)


def test_where_nothing_waits_nothing_starts(config: Path, state: State, instance: dg.DagsterInstance) -> None:
    assert isinstance(tick(config, instance), dg.SkipReason)
    waits(state, "a_system_of_old", "d-1")
    assert isinstance(tick(config, instance), dg.SkipReason)
    waits(state, "shop", "d-2")
    state.inbox.done(state.inbox.waiting(), NOW)
    assert isinstance(tick(config, instance), dg.SkipReason)


def test_two_systems_that_wait_are_read_in_one_run(config: Path, state: State, instance: dg.DagsterInstance) -> None:
    waits(state, "shop", "d-1")
    waits(state, "till", "d-1", 2)
    said = tick(config, instance)
    assert isinstance(said, dg.RunRequest)
    assert (said.tags["invbi/systems"], said.asset_selection) == ("shop,till", None)


def test_a_system_of_which_thousands_wait_hides_no_other(config: Path, state: State, instance: dg.DagsterInstance) -> None:
    old = NOW - timedelta(hours=3)
    pile = [Delivery("shop", f"d-{n}", "orders/create", old + timedelta(seconds=n)) for n in range(1_001)]
    state.inbox.receive(pile)
    first = tick(config, instance)
    assert isinstance(first, dg.RunRequest)
    assert (first.run_key, first.tags["invbi/systems"]) == ("absent-shop-d-1000", "shop")
    waits(state, "till", "d-1")
    second = tick(config, instance)
    assert isinstance(second, dg.RunRequest)
    assert (second.run_key, second.tags["invbi/systems"]) == ("absent-till-d-1", "shop,till")


def test_what_came_for_a_system_that_is_no_longer_configured_starts_no_run(
    config: Path, state: State, instance: dg.DagsterInstance
) -> None:
    waits(state, "shop", "d-1", 2)
    waits(state, "a_system_of_old", "d-1")
    said = tick(config, instance)
    assert isinstance(said, dg.RunRequest)
    assert said.run_key == "absent-shop-d-1"
