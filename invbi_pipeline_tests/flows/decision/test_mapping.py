"""What a listing may be said to be: a SKU that something beside a mapping knows, and a kit that can be made."""

from collections.abc import Iterator

import pytest

from invbi_pipeline.domain.words import Decision
from invbi_pipeline.errors import ConfigError
from invbi_pipeline.flows.decision.mapping import Subject, decide
from invbi_pipeline_tests.flows.small_shop import SmallShop, small_shop

FILES = {
    "sku_map": "system,listing_key,sku\nshop,k3,NOSUCH-1\n",
    "kits": "kit_sku,component_sku,quantity\nRING,ROUND,1\nROUND,RING,1\nOVER,RING,2\nBOX,k0,2\n",
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallShop]:
    """Whose SKU map names a SKU that nothing else knows, and in whose kits two contain each other."""
    folder = tmp_path_factory.mktemp("mapping")
    for name, text in FILES.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    with small_shop(folder, "".join(f'{name} = "{name}.csv"\n' for name in FILES)) as shop:
        yield shop


def say(shop: SmallShop, sku: str, decision: Decision = Decision.ACCEPTED, listing: str = "k3") -> None:
    ctx = shop.ctx
    decide(ctx.config, ctx.warehouse, ctx.state, Subject("shop", listing, sku), decision, "ana", ctx.clock.now())


@pytest.mark.parametrize("sku", ["NOSUCH-1", "NOSUCH-2"])
def test_a_sku_that_only_a_mapping_names_is_neither_accepted_nor_suggested(shop: SmallShop, sku: str) -> None:
    with pytest.raises(ConfigError, match="Nothing knows the SKU") as refused:
        say(shop, sku)
    assert "NOSUCH" not in refused.value.problems[0][2]


@pytest.mark.parametrize("sku", ["k3", "k0", "BOX"], ids=["listed and counted", "priced", "a kit"])
def test_a_sku_that_is_listed_counted_priced_or_a_kit_is_accepted(shop: SmallShop, sku: str) -> None:
    say(shop, sku)
    assert shop.ctx.state.decisions.all()["sku"][-1] == sku


def test_a_sku_that_the_listing_is_mapped_to_can_be_rejected_though_nothing_knows_it(shop: SmallShop) -> None:
    say(shop, "NOSUCH-1", Decision.REJECTED)
    with pytest.raises(ConfigError, match="Nothing knows"):
        say(shop, "NOSUCH-2", Decision.REJECTED)


@pytest.mark.parametrize(
    ("kit", "why"),
    [("ROUND", "The kits RING, ROUND contain each other"), ("OVER", "The kit OVER contains the kits RING, ROUND")],
)
def test_a_kit_that_cannot_be_made_is_refused_and_the_cycle_is_named(shop: SmallShop, kit: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        say(shop, kit)
