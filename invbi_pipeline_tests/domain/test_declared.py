"""The configuration as frames."""

from typing import Any, NamedTuple

from invbi_pipeline.config import Config
from invbi_pipeline.domain.declared import places_frame, systems_frame
from invbi_pipeline.domain.words import Basis, Dataset


class Facts(NamedTuple):
    basis: Basis = Basis.GROSS
    per_location: bool = True
    datasets: frozenset[Dataset] = frozenset({Dataset.STOCK, Dataset.ORDERS})


SHOP = {"platform": "shopify", "roles": ["sells"], "account": "a.myshopify.com"}


def config(**systems: dict[str, Any]) -> Config:
    wms = {
        "platform": "files",
        "roles": ["counts"],
        "absorbs": "imported",
        "default_location": "warehouse",
        "files": {"stock": {"path": "stock.csv", "columns": {}}},
    }
    places = {
        "warehouse": {"kind": "warehouse", "counted_by": "wms", "safety_stock": 2},
        "shop": {"kind": "store", "counted_by": "wms"},
    }
    return Config.model_validate({"business": {"name": "b"}, "systems": {"wms": wms, **systems}, "locations": places})


def row(name: str, **systems: dict[str, Any]) -> dict[str, Any]:
    said = config(**systems)
    return systems_frame(said, dict.fromkeys(said.systems, Facts())).filter(system=name).row(0, named=True)


def test_a_platform_states_its_own_basis_and_what_can_be_read_of_it() -> None:
    found = row("web", web={**SHOP, "sells_from": ["warehouse"]})
    assert (found["basis"], found["has_orders"], found["has_ledger"], found["keys_are_skus"]) == ("gross", True, False, False)


def test_files_declare_their_basis_and_offer_what_the_configuration_names() -> None:
    found = row("wms")
    assert (found["basis"], found["has_orders"], found["has_ledger"], found["keys_are_skus"]) == ("net", False, False, True)
    assert found["sells_from"] == ["shop", "warehouse"]  # what it counts


def test_a_channel_that_names_no_place_may_promise_from_those_it_maps() -> None:
    web = {**SHOP, "locations": {"1": "warehouse", "2": "shop"}}
    assert row("web", web=web)["sells_from"] == ["shop", "warehouse"]
    assert row("web", web={**SHOP, "default_location": "shop"})["sells_from"] == ["shop"]


def test_places_are_told_with_who_counts_them() -> None:
    assert places_frame(config()).rows() == [("shop", "store", "wms", 0, True), ("warehouse", "warehouse", "wms", 2, True)]
