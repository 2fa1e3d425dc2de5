"""Kits: flattening, and what is refused."""

import polars as pl

from invbi_pipeline.domain.kits import Flattened, flatten
from invbi_pipeline_tests.domain.small_world import frame


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
    assert codes(result) == [("kit_cycle", "X"), ("kit_cycle", "Y"), ("kit_unresolved", "OVER")]


def test_a_long_cycle_is_found() -> None:
    ring = [(f"R{n}", f"R{(n + 1) % 9}", 1) for n in range(9)]
    assert {code for code, _ in codes(flat(*ring))} == {"kit_cycle"}


def test_a_component_nobody_knows_is_named_and_keeps_its_row() -> None:
    result = flat(("K", "A", 1), ("K", "Z", 1))
    assert parts(result) == [("K", "A", 1), ("K", "Z", 1)]
    assert result.candidates.collect().row(0, named=True)["evidence"] == '{"missing":["Z"]}'


def test_a_kit_with_a_quantity_of_nothing_is_refused() -> None:
    result = flat(("K", "A", 0), ("K", "B", 1))
    assert (parts(result), codes(result)) == ([], [("kit_unresolved", "K")])
