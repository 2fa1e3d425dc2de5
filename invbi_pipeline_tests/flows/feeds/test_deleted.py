"""A listing that was deleted and made anew, on a platform whose feed of changes names only the new one."""

import asyncio
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from invbi_pipeline.channels.protocol import Forgetful
from invbi_pipeline.config import Config
from invbi_pipeline.flows.context import Context, open_stores
from invbi_pipeline.flows.feeds.ingest import ingest
from invbi_pipeline.store.models import run_models
from invbi_pipeline_tests.flows.scripted import ScriptedChannel, TurnedClock


class ForgetfulChannel(ScriptedChannel):
    """Names what is `deleted` only to who asks for it by id."""

    deleted: frozenset[str] = frozenset()

    async def gone(self, listing_keys: Sequence[str]) -> frozenset[str]:
        self.asked.append(("gone", " ".join(listing_keys)))
        return self.deleted & set(listing_keys)


class Shop:
    """One shop that lists k0 ... k59, read once."""

    def __init__(self, folder: Path) -> None:
        system = {"platform": "square", "roles": ["counts", "sells"], "locations": {"1": "soho"}}
        config = Config.model_validate(
            {
                "business": {"name": "x"},
                "systems": {"web": system},
                "locations": {"soho": {"kind": "store", "counted_by": "web"}},
                "path": folder / "invbi.toml",
            }
        )
        clock = TurnedClock()
        self.web = ForgetfulChannel("web", clock)
        self.web.frames = {"listings": [{"listing_key": f"k{n}", "raw_sku": f"S{n}"} for n in range(60)], "stock": []}
        warehouse, state = open_stores(config)
        self.ctx = Context(config, clock, {"web": self.web}, warehouse, state, random.Random(1))
        self.look("r1")

    def look(self, run_id: str, *changed: dict[str, str]) -> dict[str, str]:
        """Read, `changed` alone where given; return the status of every listing known."""
        if changed:
            self.web.frames["listings"], self.web.full = list(changed), False
        asyncio.run(ingest(self.ctx, run_id))
        run_models(self.ctx.warehouse, ["staging"])
        known = self.ctx.warehouse.query("SELECT listing_key, status FROM staging.stg_listings WHERE raw_sku <> ''")
        return dict(known.iter_rows())


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path)
    yield made
    made.ctx.state.close()


def test_a_listing_made_anew_under_another_key_makes_us_ask_for_the_old_one(shop: Shop) -> None:
    assert isinstance(shop.web, Forgetful)
    shop.web.deleted = frozenset({"k1"})
    known = shop.look("r2", {"listing_key": "new", "raw_sku": "S1"})
    assert (known["k1"], known["new"], known["k2"]) == ("deleted", "active", "active")
    assert ("gone", "k1") in shop.web.asked


def test_a_duplicate_of_a_listing_that_is_still_there_deletes_nothing(shop: Shop) -> None:
    known = shop.look("r2", {"listing_key": "new", "raw_sku": "S1"})
    assert (known["k1"], known["new"]) == ("active", "active")


def test_what_was_deleted_once_is_not_asked_for_again(shop: Shop) -> None:
    shop.web.deleted = frozenset({"k1"})
    shop.look("r2", {"listing_key": "new", "raw_sku": "S1"})
    shop.look("r3", {"listing_key": "new", "raw_sku": "S1", "title": "Another title"})
    assert [asked for asked in shop.web.asked if asked[0] == "gone"] == [("gone", "k1")]
