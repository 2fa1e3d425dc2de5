"""The finding of an empty shelf."""

import polars as pl

from invbi_pipeline.domain.findings.inputs import FindingInputs
from invbi_pipeline.domain.findings.phantom import doubted, phantoms
from invbi_pipeline_tests.domain.phantom.shop import listed


def test_a_silent_shelf_is_told_with_its_evidence_and_severity_by_money() -> None:
    row = phantoms(FindingInputs(phantoms=listed(silent={"S00": 24.0}))).row(0, named=True)

    assert (row["code"], row["system"], row["location"], row["sku"], row["units"]) == ("phantom_stock", "till", "soho", "S00", 6)
    assert row["severity"] == "medium"
    assert row["cause"].startswith("The record says 6 of S00 in soho, and the shelf is probably empty (")
    assert '"silent_days":26.0' in row["evidence"]


def test_a_shelf_not_worth_a_count_is_not_told() -> None:
    cheap = listed(silent={"S00": 24.0}).with_columns(money=pl.lit(0.5))

    assert phantoms(FindingInputs(phantoms=cheap)).is_empty()


def test_a_doubt_that_has_not_ended_keeps_its_finding() -> None:
    half = listed(silent={"S00": 24.0}).with_columns(probability=pl.lit(0.3))

    assert doubted(FindingInputs(phantoms=half)).height == 20
    assert phantoms(FindingInputs(phantoms=half)).is_empty()
