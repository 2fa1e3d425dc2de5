"""Rows in reach: those of some families, or of some names, as they are now."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from invbi_pipeline.domain.indexed import Indexed, Keyed, Looked


def test_the_rows_of_a_family_are_found_by_its_offset() -> None:
    rows = pl.DataFrame({"sku": ["b", "a", "all", "b"], "n": [1, 2, 3, 4]})
    indexed = Indexed.of(rows, pl.Series("family", [1, 0, None, 1]), 2)
    assert indexed.rows(pl.Series([1]))["n"].to_list() == [1, 4]
    assert indexed.rows(pl.Series([0]))["n"].to_list() == [2]
    assert indexed.everybodys()["n"].to_list() == [3]


def test_families_that_moved_on_show_their_new_rows() -> None:
    rows = pl.DataFrame({"sku": ["a", "b"], "n": [1, 2]})
    indexed = Indexed.of(rows, pl.Series("family", [0, 1]), 2)
    later = indexed.moved_on(pl.DataFrame({"sku": ["b", "b"], "n": [7, 8]}), pl.Series([1, 1]), pl.Series([1]))
    assert later.rows(pl.Series([0, 1]))["n"].to_list() == [1, 7, 8]


def test_rows_are_looked_up_by_name_and_so_are_those_that_came_since() -> None:
    rows = pl.DataFrame({"code": ["b", "a", "b"], "family": [1, 0, 2]})
    looked = Looked.of(rows, "code").moved_on(pl.DataFrame({"code": ["c", "b"], "family": [3, 4]}), pl.Series([1]))
    assert looked.rows(pl.Series(["b", "x"]))["family"].to_list() == [1, 2, 4]
    assert looked.every(pl.Series([1]))["family"].sort().to_list() == [0, 2, 3, 4]


def test_an_empty_frame_takes_rows_in_and_finds_them() -> None:
    rows = pl.DataFrame(schema={"sku": pl.String, "n": pl.Int64})
    indexed = Indexed.of(rows, pl.Series("family", [], dtype=pl.Int64), 2)
    assert indexed.rows(pl.Series([0, 1])).is_empty()
    later = indexed.moved_on(pl.DataFrame({"sku": ["a"], "n": [5]}), pl.Series([2]), pl.Series([0]))
    assert later.rows(pl.Series([1, 2]))["n"].to_list() == [5]


names = st.sampled_from("abcde")


@given(st.lists(names), st.lists(st.tuples(st.sets(names, min_size=1), st.integers(0, 3)), max_size=5), st.sampled_from([1, 400]))
def test_rows_put_in_the_place_of_others_are_found_in_their_order(
    begun: list[str], puts: list[tuple[set[str], int]], times: int
) -> None:
    rows = pl.DataFrame({"code": begun, "n": range(len(begun))}, schema={"code": pl.String, "n": pl.Int64})
    known = {name: rows.filter(code=name)["n"].to_list() for name in "abcde"}
    keyed = Keyed.of(rows, "code")
    for turn, (values, each) in enumerate(puts, 1):  # 400 times as many are sorted in again
        made = [(name, turn * 10_000 + n) for name in sorted(values) for n in range(each * times)]
        keyed = keyed.put(pl.Series(sorted(values)), pl.DataFrame(made, schema=rows.schema, orient="row"))
        known |= {name: [n for code, n in made if code == name] for name in values}
    assert {name: keyed.rows(pl.Series([name]))["n"].to_list() for name in "abcde"} == known
    assert sorted(keyed.every()["n"]) == sorted(n for numbers in known.values() for n in numbers)
