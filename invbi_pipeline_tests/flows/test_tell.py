"""People hear of trouble once, and of its end; a watcher hears every run."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from invbi_pipeline.flows.run import run
from invbi_pipeline.flows.tell import last_ended, silent_for, tell
from invbi_pipeline_tests.alerts.hook import Heard, hook
from invbi_pipeline_tests.flows.small_shop import SmallShop, small_shop

pytestmark = pytest.mark.slow  # each test runs a shop

ALERTS = '[alerts]\nurls = [{ env = "HOOK" }, { env = "DEAD_HOOK" }]\nheartbeat = { env = "WATCHER" }\n'


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Iterator[Heard]:
    """What a webhook and a watcher on loopback hear; a second webhook is not there any more."""
    with hook() as heard:
        monkeypatch.setenv("HOOK", f"json://127.0.0.1:{heard.port}/token")
        monkeypatch.setenv("DEAD_HOOK", "json://127.0.0.1:9/token")
        monkeypatch.setenv("WATCHER", f"http://127.0.0.1:{heard.port}/ping/token")
        yield heard


@pytest.fixture
def shop(tmp_path: Path, heard: Heard) -> Iterator[SmallShop]:
    with small_shop(tmp_path, more=ALERTS) as shop:
        heard.beats.clear()
        yield shop


def test_a_held_plan_is_told_once_and_its_end_once(shop: SmallShop, heard: Heard) -> None:
    shop.lies("k0", 900)
    for _ in range(3):
        shop.run()
    assert heard.titles == ["invbi: 1 correction held by a guard on shop"]
    assert "one change of 890 units is very large" in heard.messages[0]["message"]

    shop.lies("k0", 10)
    for _ in range(6):
        shop.run()
    assert heard.titles[1:] == ["invbi: 1 over"]


def test_what_nobody_heard_is_told_by_the_next_run(shop: SmallShop, heard: Heard) -> None:
    heard.status = 500
    shop.lies("k0", 900)
    shop.run()
    heard.status = 200
    heard.messages.clear()
    shop.run()
    assert heard.titles == ["invbi: 1 correction held by a guard on shop"]


def test_every_run_calls_the_watcher_and_no_log_holds_its_address(
    shop: SmallShop, heard: Heard, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    shop.lies("k0", 900)
    shop.run()
    assert heard.beats == ["/ping/token"]
    assert "alerts.urls.1 did not take the message" in caplog.text
    assert "/token" not in caplog.text


def test_silence_is_noticed_once_it_is_longer_than_it_may_be(shop: SmallShop) -> None:
    ended = last_ended(shop.ctx.state)
    assert ended == shop.clock.now()
    hour = timedelta(hours=1)
    assert silent_for(shop.ctx.config, shop.ctx.state, ended + hour) is None
    assert silent_for(shop.ctx.config, shop.ctx.state, ended + hour * 2) == hour * 2


def test_a_system_that_stays_away_is_told(shop: SmallShop, heard: Heard) -> None:
    for n in range(2):
        shop.ctx.state.failed("till", "no answer", shop.clock.now() + timedelta(minutes=n))
    assert tell(shop.ctx, pl.DataFrame(schema=shop.ctx.warehouse.read("recon.findings").schema))
    assert "till cannot be read since" in heard.titles[-1]


@pytest.mark.parametrize("page", ["dashboard.html", "dashboard.xlsx"])
def test_a_page_that_cannot_be_written_keeps_nobody_from_being_told(shop: SmallShop, heard: Heard, page: str) -> None:
    (shop.path.parent / page).mkdir()
    shop.lies("k0", 900)
    published = asyncio.run(run(shop.ctx)).published
    assert list(published.troubles) == [page.rsplit(".", 1)[1]]
    assert heard.titles == ["invbi: 1 correction held by a guard on shop"]
    assert heard.beats == ["/ping/token"]
