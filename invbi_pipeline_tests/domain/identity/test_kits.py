"""Kits: flattening, and what is refused."""

import json

import polars as pl

from invbi_pipeline.domain.identity.kits import Flattened, flatten
from invbi_pipeline_tests.domain.small_world import Rows, channel, frame, order, reckon, shelves, wms, world


def flat(*rows: tuple[str, str, int], known: str = "ABC") -> Flattened:
    kit_rows = frame("kit_rows", *({"kit_sku": k, "component_sku": c, "quantity": n} for k, c, n in rows))
    return flatten(kit_rows, pl.LazyFrame({"sku": list(known)}))


def parts(result: Flattened) -> list[tuple[str, str, int]]:
    return result.kits.collect().rows()


def codes(result: Flattened) -> list[tuple[str, str]]:
    return sorted(result.candidates.select("code", "sku").collect().rows())


def test_a_nested_kit_is_flattened_and_repeated_components_are_summed() -> None:
    result = flat(("K", "A", 2), ("K", "SUB", 3), ("SUB", "A", 1), ("SUB", "B", 2))
    assert parts(result) == [("K", "A", 5), ("K", "B", 6), ("SUB", "A", 1), ("SUB", "B", 2)]
    assert codes(result) == []


def test_a_row_given_twice_for_one_component_is_summed() -> None:
    assert parts(flat(("K", "A", 1), ("K", "A", 2))) == [("K", "A", 3)]


def test_a_kit_that_contains_itself_is_refused_and_so_is_one_above_it() -> None:
    result = flat(("X", "Y", 1), ("Y", "X", 1), ("Y", "A", 1), ("OVER", "X", 2), ("K", "A", 1))
    assert parts(result) == [("K", "A", 1)]
    assert codes(result) == [("kit_cycle", "X"), ("kit_unresolved", "OVER")]


def test_a_kit_above_refused_ones_names_the_cycle_that_it_leads_into() -> None:
    refused = ("X", "Y", 1), ("Y", "X", 1), ("S", "S", 1), ("N", "A", 0)
    result = flat(*refused, ("MID", "X", 2), ("TOP", "MID", 1), ("TOP", "S", 1), ("OF0", "N", 1))
    told = result.candidates.filter(code="kit_unresolved").collect().sort("sku")
    assert dict(told.select("sku", "cause").iter_rows()) == {
        "MID": "The kit MID contains the kits X, Y, which contain each other.",
        "N": "The kit N is made of A, of which too little is known.",
        "OF0": "The kit OF0 contains the kit N, which cannot be resolved.",
        "TOP": "The kit TOP contains the kit S, which contains itself, and the kits X, Y, which contain each other.",
    }


def test_a_kit_that_multiplies_beyond_any_stock_is_unresolved_and_so_is_one_above_it() -> None:
    most = 999_999_999
    result = flat(("TOP", "K", most), ("K", "MID", most), ("MID", "A", most), ("S", "A", most), ("S", "A", 1), ("FEW", "B", most))
    assert parts(result) == [("FEW", "B", most), ("MID", "A", most)]
    told = result.candidates.collect().sort("sku")
    assert dict(told.select("sku", "cause").iter_rows()) == {
        name: f"The kit {name} comes to more than 999,999,999 of A." for name in ("K", "S", "TOP")
    }
    assert set(told["code"]) == {"kit_unresolved"}


def test_each_cycle_is_told_once_with_all_its_kits() -> None:
    result = flat(("X", "Y", 1), ("Y", "X", 1), ("P", "Q", 1), ("Q", "P", 1), ("P", "X", 1), ("S", "S", 1))
    told = result.candidates.filter(code="kit_cycle").collect()
    assert [(row["sku"], json.loads(row["evidence"])["kits"]) for row in told.sort("sku").iter_rows(named=True)] == [
        ("P", ["P", "Q"]),
        ("S", ["S"]),
        ("X", ["X", "Y"]),
    ]


def test_a_long_cycle_is_found() -> None:
    ring = [(f"R{n}", f"R{(n + 1) % 9}", 1) for n in range(9)]
    assert codes(flat(*ring)) == [("kit_cycle", "R0")]


def test_a_component_nobody_knows_is_named_and_keeps_its_row() -> None:
    result = flat(("K", "A", 1), ("K", "Z", 1))
    assert parts(result) == [("K", "A", 1), ("K", "Z", 1)]
    assert result.candidates.collect().row(0, named=True)["evidence"] == '{"missing":["Z"]}'


def test_a_kit_with_a_quantity_of_nothing_is_refused() -> None:
    result = flat(("K", "A", 0), ("K", "B", 1))
    assert (parts(result), codes(result)) == ([], [("kit_unresolved", "K")])


def gift_set(title: str, *, sold: bool = True) -> Rows:
    """Return a shop with a sku X on its price list that no system counts."""
    rows = world(wms(), shelves("A", a=3), channel("web", "X", sells_from=["a"]), {"prices": [{"sku": "X"}]})
    rows["listings"][0]["title"] = title
    return world(rows, order("web", "o1", "X", 1) if sold else {})


def unresolved(rows: Rows) -> list[str]:
    return reckon(**rows).candidates.filter(code="kit_unresolved")["sku"].to_list()


def test_a_set_that_sold_and_of_which_nobody_said_what_is_in_it_is_unresolved() -> None:
    assert unresolved(gift_set("Gift set of three")) == ["X"]


def test_a_set_with_components_that_never_sold_or_that_somebody_counts_is_no_trouble() -> None:
    said = {"kit_rows": [{"kit_sku": "X", "component_sku": "A", "quantity": 1}]}
    assert unresolved(world(gift_set("Gift set"), said)) == []
    assert unresolved(gift_set("Gift set", sold=False)) == []
    assert unresolved(gift_set("Blue mug")) == []
    assert unresolved(world(gift_set("Gift set"), {**shelves("X", a=2), "places": []})) == []
