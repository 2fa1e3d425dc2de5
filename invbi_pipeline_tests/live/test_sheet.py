"""The sheet follows the receipts: what a correction has changed stands there, and where nothing was proved nothing is asked."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import gspread
import pytest

from invbi_pipeline.dashboard.sheets import open_spreadsheet
from invbi_pipeline.errors import Unreachable
from invbi_pipeline.flows.publish import publish
from invbi_pipeline.live.sheet import Follower
from invbi_pipeline.sandbox.sheets import SheetsService
from invbi_pipeline_tests.flows.small_shop import small_shop
from invbi_pipeline_tests.sandbox.serving import HandClock, serving

SHEET = """
[publish]
xlsx = ""
html = ""
[publish.sheets]
spreadsheet_id = "sandbox-parity"
credentials = {{ env = "SHEET" }}
base_url = "{address}"
"""


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("SHEET", "secret")
    with serving(SheetsService(HandClock(), "secret").app) as address:
        yield address


def corrections(sheet: gspread.Spreadsheet) -> list[list[str]]:
    return sheet.worksheet("Corrections").get_all_values()[1:]


def test_a_receipt_is_in_the_sheet_after_the_next_publication_and_then_nothing_is_asked(address: str, tmp_path: Path) -> None:
    with small_shop(tmp_path, SHEET.format(address=address)) as shop:
        follower = Follower(shop.ctx)
        shop.clock.at += timedelta(minutes=1)
        assert not follower.publish()
        shop.lies(shop.keys[0], 4)
        shop.run()
        assert shop.corrections("verified").height == 1
        assert follower.publish()
        (row,) = corrections(open_spreadsheet("sandbox-parity", "secret", address))
        assert {"shop", shop.keys[0], "10", "4"} <= set(row)
        shop.clock.at += timedelta(minutes=1)
        assert not follower.publish()


def test_a_sheet_that_cannot_be_written_has_the_receipt_when_it_can(address: str, tmp_path: Path) -> None:
    with small_shop(tmp_path, SHEET.format(address="http://127.0.0.1:9")) as shop:
        follower = Follower(shop.ctx)
        shop.lies(shop.keys[0], 4)
        shop.run()
        with pytest.raises(Unreachable):
            follower.publish()
        shop.reload("http://127.0.0.1:9", address)
        shop.clock.at += timedelta(minutes=1)
        assert follower.publish()
        assert len(corrections(open_spreadsheet("sandbox-parity", "secret", address))) == 1


def test_a_receipt_that_a_stopped_process_had_not_published_is_published_by_the_next_one_and_only_once(
    address: str, tmp_path: Path
) -> None:
    with small_shop(tmp_path, SHEET.format(address=address)) as shop:
        first = Follower(shop.ctx)
        shop.lies(shop.keys[0], 4)
        shop.run()
        assert first.publish()
        shop.lies(shop.keys[1], 3)
        shop.run()  # proved, and killed before its next publication
        shop.clock.at += timedelta(minutes=5)
        assert Follower(shop.ctx).publish()
        rows = corrections(open_spreadsheet("sandbox-parity", "secret", address))
        assert [{key for key in row if key in shop.keys} for row in rows] == [{shop.keys[1]}, {shop.keys[0]}]
        assert not Follower(shop.ctx).publish()


def test_before_anything_was_published_a_receipt_is_not_forgotten_either(address: str, tmp_path: Path) -> None:
    with small_shop(tmp_path, SHEET.format(address=address)) as shop:
        assert not Follower(shop.ctx).publish()
        shop.lies(shop.keys[0], 4)
        shop.run()
        shop.clock.at += timedelta(minutes=5)
        assert Follower(shop.ctx).publish()


def test_what_a_run_has_published_is_not_published_again_at_a_start(address: str, tmp_path: Path) -> None:
    with small_shop(tmp_path, SHEET.format(address=address)) as shop:
        shop.lies(shop.keys[0], 4)
        shop.run()
        published = asyncio.run(publish(shop.ctx))
        assert published.troubles == {}
        assert not Follower(shop.ctx).publish()
        shop.lies(shop.keys[1], 3)
        shop.run()
        shop.reload(address, "http://127.0.0.1:9")
        assert list(asyncio.run(publish(shop.ctx)).troubles) == ["sheet"]
        shop.reload("http://127.0.0.1:9", address)
        assert Follower(shop.ctx).publish()


def test_what_a_run_publishes_shows_the_receipts_that_came_while_it_worked(address: str, tmp_path: Path) -> None:
    with small_shop(tmp_path, SHEET.format(address=address)) as shop:
        shop.lies(shop.keys[0], 4)
        shop.run()
        (correction,) = shop.corrections("verified")["correction_id"]
        with shop.ctx.warehouse.open() as db:  # as if it had been proved after the run's own word of it
            db.query("UPDATE recon.corrections SET state = 'accepted' WHERE correction_id = ?", [correction])
        asyncio.run(publish(shop.ctx))
        assert not Follower(shop.ctx).publish()
        (row,) = corrections(open_spreadsheet("sandbox-parity", "secret", address))
        assert any("verified" in cell for cell in row), row
