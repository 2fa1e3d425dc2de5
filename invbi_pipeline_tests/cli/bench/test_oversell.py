"""The measurement of overselling: the same shoppers under every arm, what counts as oversold and lost, and our own arm."""

from pathlib import Path

import pytest

from invbi_pipeline.cli.bench.oversell.chart import Spot, draw
from invbi_pipeline.cli.bench.oversell.live import live_day
from invbi_pipeline.cli.bench.oversell.pollers import PERFECT, Polling, replay
from invbi_pipeline.cli.bench.oversell.retailer import Arm
from invbi_pipeline.cli.bench.oversell.score import Day, Total, judge
from invbi_pipeline.sandbox.world.flash import FlashDay, HotItem, Want, flash_day


def day(units: int, *wants: tuple[float, str], phantom: int = 0) -> FlashDay:
    return FlashDay(1, (HotItem(units, phantom),), tuple(Want(at, channel, 0, 1) for at, channel in wants))


ONE_EACH = ((1.0, "a"), (2.0, "b"), (3.0, "c"))


def test_a_seed_is_one_day_and_another_seed_another_one() -> None:
    assert flash_day(7) == flash_day(7)
    assert flash_day(7).wants != flash_day(8).wants


def test_far_more_is_wanted_than_there_is_on_every_channel() -> None:
    sale = flash_day(3)
    wanted = {channel: sum(w.units for w in sale.wants if w.channel == channel) for channel in {w.channel for w in sale.wants}}
    assert sum(wanted.values()) > 2 * sale.items[0].units
    assert len(wanted) == 3
    assert min(wanted.values()) > 20


def test_without_sync_each_channel_sells_the_last_unit() -> None:
    assert judge(day(1, *ONE_EACH), replay(day(1, *ONE_EACH), Polling(None))) == Day(3, sync=2, cancelled=2, could=1)


def test_a_number_without_delay_sells_what_there_is_and_no_more() -> None:
    assert judge(day(2, *ONE_EACH), replay(day(2, *ONE_EACH), PERFECT)) == Day(2, could=2)


def test_a_poller_oversells_until_it_looks() -> None:
    sale = day(1, (1.0, "a"), (9.0, "b"), (11.0, "c"))
    assert [want.channel for want in replay(sale, Polling(10.0))] == ["a", "b"]
    assert [want.channel for want in replay(sale, Polling(10.0), phase=0.5)] == ["a"]


def test_a_buffer_is_never_sold_and_that_is_a_loss() -> None:
    sale = day(2, *ONE_EACH)
    assert judge(sale, replay(sale, Polling(0.0, 1))) == Day(1, lost=1, could=2)


def test_what_the_shelf_never_held_is_not_the_sync_s_fault() -> None:
    sale = day(2, *ONE_EACH, phantom=1)
    assert judge(sale, replay(sale, PERFECT)) == Day(2, shelf=1, cancelled=1, could=1)


def test_what_everyone_can_have_is_not_contested() -> None:
    sale = day(5, *ONE_EACH)
    assert judge(sale, replay(sale, Polling(0.0, 4))) == Day(1)


def test_the_interval_holds_the_rate_and_days_alike_leave_no_doubt() -> None:
    alike, unlike = Total((Day(10, 1),) * 20), Total((Day(10, 0), Day(10, 2)) * 10)
    assert (alike.per_10k, alike.interval) == (1000.0, (1000.0, 1000.0))
    low, high = unlike.interval
    assert low < unlike.per_10k == 1000.0 < high


@pytest.mark.slow
def test_the_chart_names_every_setting(tmp_path: Path) -> None:
    draw([Spot("ours", "1 %", 0.005, 0.4), Spot("polling", "40", 0.05, 360.0)], tmp_path / "frontier.svg")
    drawn = (tmp_path / "frontier.svg").read_text()
    assert all(word in drawn for word in ("<svg", "1 %", "40", "sales lost on contested SKUs"))


@pytest.mark.slow
def test_our_events_sell_hardly_anything_that_is_not_there(tmp_path: Path) -> None:
    whole = flash_day(4)
    sale = FlashDay(4, (HotItem(30),), whole.wants[:120])

    lived = live_day(sale, [Arm("events"), Arm("risk", 100)], tmp_path)

    events, risk = (judge(sale, [one.want for one in lived.sold[name]]) for name in ("events", "risk"))
    assert judge(sale, replay(sale, Polling(1800.0))).sync > 20
    assert events.sync <= 3
    assert risk.sync <= events.sync
    assert risk.lost <= 4
    assert lived.batches > 3
