"""Rows in reach: those of some families, or of some names, as they are now."""

import polars as pl

from invbi_pipeline.domain.indexed import Indexed, Looked


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
