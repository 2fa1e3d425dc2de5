"""Opening everything a flow needs."""

import asyncio
import random
from pathlib import Path

import pytest

from invbi_pipeline.config import Config, load_config
from invbi_pipeline.errors import AmbiguousWrite, ConfigError, Unreachable
from invbi_pipeline.flows.context import asking, open_context
from invbi_pipeline_tests.flows.scripted import TurnedClock

TOML = """
[business]
name = "x"
[systems.till]
platform = "square"
roles = ["sells"]
secrets.token = { env = "NO_SUCH_TILL_TOKEN" }
[systems.shop]
platform = "shopify"
roles = ["sells"]
account = "x.myshopify.com"
secrets.token = { env = "NO_SUCH_SHOP_TOKEN" }
[systems.erp]
platform = "files"
roles = ["sells"]
files.stock = { path = "stock.csv", columns = { listing_key = "code", quantity = "stock" } }
"""


def _config(folder: Path) -> Config:
    (folder / "invbi.toml").write_text(TOML)
    return load_config(folder / "invbi.toml")


def test_every_missing_secret_is_named_before_anything_is_called(tmp_path: Path) -> None:
    async def opened() -> None:
        async with open_context(_config(tmp_path)):
            pytest.fail("it opened")

    with pytest.raises(ConfigError) as trouble:
        asyncio.run(opened())

    said = str(trouble.value.problems)
    assert "NO_SUCH_TILL_TOKEN" in said
    assert "NO_SUCH_SHOP_TOKEN" in said
    assert not (tmp_path / "state.db").exists()


def test_the_sheets_and_the_alerts_secrets_and_policy_mistakes_are_named_with_those_of_the_systems(tmp_path: Path) -> None:
    (tmp_path / "policies.csv").write_text("channel,name,value\nshpo,buffer,1\n")
    beside = '[policies]\npolicies = "policies.csv"\n[alerts]\nurls = [{ env = "NO_SUCH_ALERT" }]\n'
    beside += '[publish.sheets]\nspreadsheet_id = "x"\ncredentials = { env = "NO_SUCH_SHEET" }\n'
    (tmp_path / "invbi.toml").write_text(TOML + beside)

    async def opened() -> None:
        async with open_context(load_config(tmp_path / "invbi.toml")):
            pytest.fail("it opened")

    with pytest.raises(ConfigError) as trouble:
        asyncio.run(opened())
    said = str(trouble.value.problems)
    for name in ("NO_SUCH_TILL_TOKEN", "NO_SUCH_SHOP_TOKEN", "NO_SUCH_SHEET", "NO_SUCH_ALERT", "policies.csv: row 2, channel"):
        assert name in said


def test_some_systems_can_be_opened_alone(tmp_path: Path) -> None:
    async def opened() -> list[str]:
        async with open_context(_config(tmp_path), TurnedClock(), systems=["erp"]) as ctx:
            return list(ctx.channels)

    assert asyncio.run(opened()) == ["erp"]


def test_a_system_that_is_not_configured_is_answered_with_those_that_are(tmp_path: Path) -> None:
    async def opened() -> None:
        async with open_context(_config(tmp_path), systems=["amazon"]):
            pytest.fail("it opened")

    with pytest.raises(ConfigError, match=r"systems\.amazon"):
        asyncio.run(opened())


def test_ids_come_from_the_clock_and_the_dice_that_were_handed_in(tmp_path: Path) -> None:
    async def ids() -> list[str]:
        async with open_context(_config(tmp_path), TurnedClock(), random.Random(7), systems=["erp"]) as ctx:
            return [ctx.new_id(), ctx.new_id()]

    first, second = asyncio.run(ids())
    assert first.startswith("20260302T090000-")
    assert first != second
    assert asyncio.run(ids()) == [first, second]


def test_what_goes_wrong_while_something_is_written_may_have_been_done() -> None:
    with pytest.raises(AmbiguousWrite, match="TypeError"), asking("shop", writing=True):
        raise TypeError("an answer of another shape")


def test_an_error_that_says_what_to_do_is_left_as_it_is() -> None:
    with pytest.raises(Unreachable, match="no answer"), asking("shop", writing=True):
        raise Unreachable("no answer")
