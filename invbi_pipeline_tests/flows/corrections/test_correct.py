"""The plan and its intents: what a guard holds by now is not sent, and every step of a correction can be told afterwards."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from invbi_pipeline.domain.corrections.guards import holding
from invbi_pipeline.errors import Unreachable
from invbi_pipeline.flows.accounts.explain import explain
from invbi_pipeline.flows.corrections.push import push
from invbi_pipeline.flows.corrections.switch import pause, resume
from invbi_pipeline_tests.flows.small_shop import SmallShop, small_shop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[SmallShop]:
    with small_shop(tmp_path) as shop:
        yield shop


def away() -> None:
    raise Unreachable("no answer")


def left_approved(shop: SmallShop) -> None:
    """Let a plan be approved and not be sent, since the shop did not answer."""
    shop.shop.sending = away
    shop.lies("k0", 6)
    shop.run()
    assert shop.corrections("approved").height == 1
    shop.shop.sending = lambda: None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('mode = "auto"', 'mode = "approve"'),
        ('mode = "auto"', 'mode = "observe"'),
        ("[business]", "[guards]\nmax_change_units = 1\n[business]"),
    ],
    ids=["approve", "observe", "a tighter guard"],
)
def test_what_the_machine_released_is_judged_again_before_it_is_sent(shop: SmallShop, old: str, new: str) -> None:
    left_approved(shop)
    shop.reload(old, new)
    assert shop.run().pushed.sent == 0
    assert shop.shows("k0") == 10
    assert shop.corrections("approved").is_empty()


def test_what_a_person_released_stays_released_where_a_guard_holds_it(shop: SmallShop) -> None:
    shop.reload("[business]", "[guards]\nmax_change_units = 1\n[business]")
    shop.lies("k0", 6)
    ids = shop.run().planned.corrections["correction_id"].to_list()
    shop.ctx.state.outbox.approve(ids, "ana", shop.clock.now())
    assert shop.run().pushed.sent == 1
    assert shop.shows("k0") == 6


def test_nothing_goes_to_a_system_in_mode_observe_even_where_a_person_released_it(shop: SmallShop) -> None:
    shop.reload('mode = "auto"', 'mode = "observe"')
    shop.lies("k0", 6)
    ids = shop.run().planned.corrections["correction_id"].to_list()
    shop.ctx.state.outbox.approve(ids, "ana", shop.clock.now())
    assert shop.run().pushed.sent == 0
    assert shop.shows("k0") == 10


def test_a_raise_that_waited_too_long_is_not_sent_by_a_push_alone_but_a_lowering_is(shop: SmallShop) -> None:
    shop.reload('mode = "auto"', 'mode = "approve"')
    shop.lies("k0", 40)
    shop.lies("k1", 6)
    shop.run()
    released = shop.corrections("planned")["correction_id"].to_list()
    shop.ctx.state.outbox.approve(released, "ana", shop.clock.now())
    shop.lies("k0", 0)  # sold out since; nobody read it
    shop.clock.at += timedelta(hours=1)
    assert asyncio.run(push(shop.ctx)).outcomes == {"aged": 1, "accepted": 1}
    assert (shop.shows("k0"), shop.shows("k1")) == (10, 6)
    shop.run()
    assert shop.corrections("approved").is_empty()


def test_the_trail_tells_who_decided_what_was_sent_what_came_back_and_what_was_read(shop: SmallShop) -> None:
    shop.reload('mode = "auto"', 'mode = "approve"')
    shop.lies("k0", 6)
    planned = shop.run()
    ids = planned.planned.corrections["correction_id"].to_list()
    shop.ctx.state.outbox.approve(ids, "ana", shop.clock.now(), "counted")
    shop.run()
    (point,) = (p for p in explain(shop.ctx.warehouse, "k0", {}).points if p.point["system"] == "shop")
    told = {row["step"]: row for row in point.trail.iter_rows(named=True)}
    assert list(told) == ["verified", "answered", "sent", "approved", "judged", "planned"]
    assert told["planned"]["who"] == f"run {planned.run_id}"
    assert "observed_at" in told["planned"]["what"]
    assert told["judged"]["who"] == "guards, mode approve"
    assert (told["approved"]["who"], told["approved"]["what"]) == ("ana", "counted")
    assert '"to_qty":6,"compare":10' in told["sent"]["what"]
    assert (told["answered"]["who"], told["answered"]["what"]) == ("shop", '{"ok":true}')
    assert told["verified"]["what"] == "read back 6"


def test_what_the_machine_decided_and_who_paused_it_is_in_the_trail(shop: SmallShop) -> None:
    pause(shop.ctx.state, "shop", "ana", "stock take", shop.clock.now())
    assert resume(shop.ctx.state, "shop", "ben", "", shop.clock.now())
    shop.lies("k0", 6)
    shop.run()
    trail = shop.ctx.warehouse.read("recon.trail")
    machine = trail.filter(pl.col("step") == "approved")
    assert machine["who"].to_list() == ["guards, mode auto"]
    switched = trail.filter(pl.col("correction_id") == "").select("step", "system", "who", "what").sort("step").rows()
    assert switched == [("paused", "shop", "ana", "stock take"), ("resumed", "shop", "ben", "")]


def test_nothing_goes_out_while_paused_and_at_most_the_batch_under_way_after_it(shop: SmallShop) -> None:
    shop.reload("[business]", "[guards]\nmin_points_for_share = 100\n[business]")
    for key in shop.keys:
        shop.lies(key, 6)
    shop.shop.sending = lambda: pause(shop.ctx.state, "", "ana", "", shop.clock.now())
    shop.run()
    assert len(shop.shop.written) == shop.shop.facts.write_batch
    shop.run()
    assert len(shop.shop.written) == shop.shop.facts.write_batch
    resume(shop.ctx.state, "", "ana", "", shop.clock.now())
    shop.shop.sending = lambda: None
    shop.run()
    assert [shop.shows(key) for key in shop.keys] == [6, 6, 6, 6]


@pytest.mark.slow
@pytest.mark.parametrize("edited", [10, 12], ids=["an agreed number", "a hand edit"])
def test_a_listing_that_accepts_and_shows_its_number_for_ever_is_written_to_twice_and_then_left_to_a_person(
    shop: SmallShop, edited: int
) -> None:
    shop.shop.deaf = {"k0"}
    shop.edited("k0", edited)
    shop.lies("k0", 6)
    runs = [shop.run() for _ in range(8)]
    assert sum(run.pushed.sent for run in runs) == 2
    assert runs[-1].findings["frozen_listing"] == 1
    (held,) = shop.corrections("held").iter_rows(named=True)
    assert set(holding(held["guard"])) == {"frozen"}
