"""An order whose webhook the platform lost, with a real receiver at the door: the sweep finds it, and it is told in the end."""

import asyncio
import random
from pathlib import Path

import polars as pl
import pytest

from invbi_pipeline.config import Config
from invbi_pipeline.domain.findings import FindingInputs
from invbi_pipeline.domain.findings.events import missed
from invbi_pipeline.flows.context import Context
from invbi_pipeline.flows.decision.cause_inputs import cause_inputs
from invbi_pipeline.flows.decision.reconcile import stage, systems_frame
from invbi_pipeline.flows.feeds.ingest import ingest
from invbi_pipeline.live.receiver import create_app
from invbi_pipeline.store.state import State
from invbi_pipeline.store.warehouse import Warehouse
from invbi_pipeline_tests.channels.shopify.conftest import Shop, make_shop
from invbi_pipeline_tests.live.door import PUBLIC, post, state_in


def _context(shop: Shop, folder: Path, state: State) -> Context:
    sells = {"platform": "shopify", "roles": ["sells", "counts"], "account": "a.myshopify.com"}
    shops = {"shopify_uk": {**sells, "locations": {shop.warehouse: "warehouse", shop.soho: "soho"}}}
    places = {name: {"kind": "store", "counted_by": "shopify_uk"} for name in ("warehouse", "soho")}
    said = {"business": {"name": "x"}, "systems": shops, "locations": places, "path": folder / "invbi.toml"}
    return Context(
        Config.model_validate(said),
        shop.clock,
        {"shopify_uk": shop.channel},
        Warehouse(folder / "w.duckdb"),
        state,
        random.Random(1),
    )


def _missed(ctx: Context) -> pl.DataFrame:
    asyncio.run(ingest(ctx, ctx.new_id()))
    stage(ctx)
    with ctx.warehouse.open() as db:
        inputs = FindingInputs(systems=systems_frame(ctx), **cause_inputs(ctx, db))
    return missed(inputs, ctx.clock.now())


def test_an_order_whose_webhook_was_lost_is_told_once_the_platform_tries_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = make_shop(monkeypatch)
    key = shop.item("A")
    with state_in(tmp_path) as state:
        ctx = _context(shop, tmp_path, state)
        app = create_app(ctx.channels, state, ctx.clock, PUBLIC)
        shop.account.on_webhook(lambda _, headers, body: _delivered(post(app, "shopify_uk", headers, body)))
        shop.subscribe("ORDERS_CREATE")
        shop.sell(key, at=shop.soho)
        shop.clock.pass_s(600)
        shop.account.wire.drop_webhooks = True
        lost = shop.sell(key, at=shop.soho)
        shop.account.wire.drop_webhooks = False
        shop.clock.pass_s(3 * 3600)
        assert _missed(ctx).is_empty()
        shop.clock.pass_s(2 * 3600)
        told = _missed(ctx)
    assert told["units"].to_list() == [1]
    assert lost in told["evidence"].item()


def _delivered(status: int) -> None:
    assert status == 200
