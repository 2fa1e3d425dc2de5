"""The dashboard's numbers."""

import polars as pl

from invbi_pipeline.dashboard.build import build
from invbi_pipeline.dashboard.model import SIGNS, Tone
from invbi_pipeline.domain.words import PointState
from invbi_pipeline_tests.dashboard.example import NOW, example_dashboard, example_inputs


def test_parity_counts_only_comparable_points_and_names_its_denominator() -> None:
    parity = example_dashboard().figures[0]
    assert parity.value == "33.3%"
    assert "1 of 3 comparable" in parity.note


def test_units_at_risk_are_summed_apart_for_oversell_and_undersell() -> None:
    over, under = example_dashboard().figures[1:3]
    assert (over.value, under.value) == ("2 units", "4 units")
    assert "GBP 19" in over.note


def test_what_has_no_price_is_said_to_be_unpriced_and_never_shown_as_nothing() -> None:
    inputs = example_inputs()
    unpriced = inputs.findings.with_columns(money=None).cast({"money": float})
    over = build(inputs._replace(findings=unpriced), title="t", currency="GBP", now=NOW).figures[1]
    assert "1 unpriced" in over.note


def test_the_most_pressing_thing_comes_first() -> None:
    todos = example_dashboard().todos
    assert [t.severity for t in todos] == ["high", "high", "medium"]
    assert todos[0].anchor == "f1"


def test_an_empty_shop_has_a_dashboard_too() -> None:
    empty = type(example_inputs())(*(frame.clear() for frame in example_inputs()))
    dashboard = build(empty, title="t", currency="GBP", now=NOW)
    assert dashboard.figures[0].value == "–"
    assert dashboard.todos == []


def test_a_sku_stands_in_one_row_with_what_each_place_shows_and_should() -> None:
    rows = example_dashboard().parity.rows
    row = rows.row(by_predicate=pl.col("sku") == "MUG-RED", named=True)
    assert (row["shopify_uk @ soho shown"], row["shopify_uk @ soho should"]) == (5, 3)
    assert row["amazon_uk state"] == "✓ agrees"


def test_every_state_has_a_sign_a_word_and_a_tone() -> None:
    assert set(SIGNS) == set(PointState)
    assert all(sign.mark and sign.word and sign.tone in Tone for sign in SIGNS.values())
