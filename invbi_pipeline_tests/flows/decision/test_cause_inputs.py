"""What the search for causes is given to look at, beside what drifted itself."""

import asyncio
from pathlib import Path

import polars as pl
import pytest

from invbi_pipeline.domain.frames import POINTS
from invbi_pipeline.flows.decision.cause_inputs import cause_inputs
from invbi_pipeline.flows.decision.reconcile import stage
from invbi_pipeline.flows.feeds.ingest import ingest
from invbi_pipeline.store.tables import POINT_CHANGES
from invbi_pipeline_tests.channels.shopify.conftest import make_shop
from invbi_pipeline_tests.flows.decision.test_missed_event import _context
from invbi_pipeline_tests.live.door import state_in


def test_what_went_its_own_way_and_was_put_right_since_and_what_sold_twice_under_a_push_is_looked_at_beside_what_drifted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = make_shop(monkeypatch)
    drifted, was_wrong, twice, once, quiet = (shop.item(sku) for sku in "ABCDE")
    for key in (twice, twice, once):
        shop.sell(key, at=shop.soho)
    shop.clock.pass_s(60)
    with state_in(tmp_path) as state:
        ctx = _context(shop, tmp_path, state)
        asyncio.run(ingest(ctx, ctx.new_id()))
        stage(ctx)
        there = {"system": "shopify_uk", "location": "soho", "unexplained": 0, "found": 0, "in_flight": 1}
        points = [{**there, "listing_key": key, "found": int(key == drifted)} for key in (drifted, was_wrong, twice, once, quiet)]
        changes = [{**there, "listing_key": was_wrong, "unexplained": -2, "changed_at": shop.clock.now()}]
        with ctx.warehouse.open() as db:
            frame = pl.DataFrame(points, schema=dict(POINTS))
            db.replace("recon.points", frame)
            db.append("recon.point_changes", pl.DataFrame(changes, schema=dict(POINT_CHANGES)))
            looks = cause_inputs(ctx, db)["earlier"]
            db.replace("recon.points", frame.with_columns(found=pl.lit(0, pl.Int64)))
            pushed = cause_inputs(ctx, db)["earlier"]
    assert set(looks["listing_key"]) == {drifted, was_wrong, twice, once}
    assert set(pushed["listing_key"]) == {twice}
