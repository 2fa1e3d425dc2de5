"""A number that a person accepts as it is: the base, and left alone until it or what may be sold changes."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import polars as pl
import pytest

from invbi_pipeline.errors import ConfigError
from invbi_pipeline.flows.accounts.explain import explain
from invbi_pipeline.flows.corrections.accept import Number, accept
from invbi_pipeline.flows.corrections.correct import note_corrections
from invbi_pipeline.flows.run import RunResult
from invbi_pipeline_tests.flows.small_shop import SmallShop, small_shop

pytestmark = pytest.mark.slow  # it runs a shop nine times

LEFT, FOLLOWS, UNPLANNED, SENDING = "k0", "k1", "k2", "k3"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallShop]:
    """In which somebody took three of some things off the shop's numbers by hand; the corrections wait for a person."""
    with small_shop(tmp_path_factory.mktemp("accept"), skus=6) as shop:
        shop.reload('mode = "auto"', 'mode = "approve"')
        shop.shop.frames["listings"].append({"listing_key": "new", "raw_sku": "new", "title": "New"})
        for key in (LEFT, FOLLOWS, SENDING):
            shop.edited(key, 7)
        for _ in range(3):
            shop.run()
        assert sorted(shop.corrections("planned", "held")["listing_key"]) == [LEFT, FOLLOWS, SENDING]
        yield shop


def base_of(shop: SmallShop, key: str) -> tuple[object, ...]:
    with shop.ctx.warehouse.open() as db:
        bases = db.read("recon.bases").filter(pl.col("system") == "shop", pl.col("listing_key") == key)
    return bases.select("base", "why").row(0)


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (Number("tesco", "k0"), "No system is called"),
        (Number("shop", "k99"), "has no listing"),
        (Number("shop", "new"), "never told a number"),
        (Number("till", "k0"), "counted there"),
        (Number("shop", "k0", "leeds"), "no number of 'k0' at 'leeds'"),
    ],
    ids=lambda said: " ".join(map(str, said)) if isinstance(said, Number) else "",
)
def test_what_cannot_be_accepted_is_told_and_nothing_changes(shop: SmallShop, number: Number, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        accept(shop.ctx, number, "ana")
    assert shop.corrections("dead").is_empty()


def test_while_a_push_is_under_way_nothing_is_accepted(shop: SmallShop) -> None:
    (name,) = shop.corrections("planned", "held").filter(pl.col("listing_key") == SENDING)["correction_id"]
    outbox, now = shop.ctx.state.outbox, shop.clock.now()
    outbox.approve([name], "ben", now)
    outbox.advance(name, "approved", "sending", now, sent_at=now)
    with pytest.raises(ConfigError, match="under way"):
        accept(shop.ctx, Number("shop", SENDING), "ana")
    assert base_of(shop, SENDING)[0] == 10


class Story(NamedTuple):
    """What came of accepting three numbers: the first's point, base and trail at once; then of two runs in mode auto."""

    point: dict[str, Any]
    base: tuple[object, ...]
    trail: pl.DataFrame
    told: RunResult


@pytest.fixture(scope="module")
def accepted(shop: SmallShop) -> Story:
    """One was accepted with its correction waiting, one before anything was planned for it; of one more is sold, later."""
    began = shop.clock.now()
    point = accept(shop.ctx, Number("shop", LEFT), "ana", "the others are damaged")
    base = base_of(shop, LEFT)
    note_corrections(shop.ctx, began)
    (told,) = (one for one in explain(shop.ctx.warehouse, LEFT, {}).points if one.point["system"] == "shop")
    accept(shop.ctx, Number("shop", FOLLOWS), "ana")
    shop.edited(UNPLANNED, 8)
    shop.run(dry_run=True)
    accept(shop.ctx, Number("shop", UNPLANNED), "ana")
    shop.reload('mode = "approve"', 'mode = "auto"')
    shop.lies(FOLLOWS, 9)
    shop.run()
    return Story(point, base, told.trail, shop.run())


def test_an_accepted_number_is_the_base_and_what_waited_for_it_is_refused(shop: SmallShop, accepted: Story) -> None:
    point = accepted.point
    assert (point["state"], point["base"], point["unexplained"], point["pending"]) == ("push_due", 7, 0, 3)
    assert accepted.base == (7, "accepted")
    refused = shop.corrections("dead").filter(pl.col("listing_key") == LEFT)
    assert refused["to_qty"].to_list() == [10]
    decided = shop.ctx.state.outbox.decided(refused["correction_id"].to_list())
    assert decided.select("who", "note").rows() == [("ana", "accepted 7 as it is: the others are damaged")]


def test_explain_tells_who_accepted_it(accepted: Story) -> None:
    said = accepted.trail.filter(pl.col("step") == "accepted")
    assert said.select("who", "what", "correction_id").rows() == [("ana", "7 as it is: the others are damaged", "")]


def test_accepted_numbers_are_left_alone_by_the_next_runs_and_their_findings_end(shop: SmallShop, accepted: Story) -> None:
    assert (shop.shows(LEFT), shop.shows(UNPLANNED)) == (7, 8)
    assert {"drift", "push_held"} & set(accepted.told.findings) == set()


def test_an_accepted_number_follows_again_once_what_may_be_sold_changes(shop: SmallShop, accepted: Story) -> None:
    assert accepted.told.quiet
    assert shop.shows(FOLLOWS) == 9
