"""The page and the mart show the same figures."""

from pathlib import Path

import polars as pl
import pytest

from invbi_pipeline.domain.frames import FINDINGS
from invbi_pipeline.flows.publish import dashboard
from invbi_pipeline.store.models import run_models
from invbi_pipeline.store.warehouse import Warehouse
from invbi_pipeline_tests.dashboard.example import NOW


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    """One SKU oversold on two channels, another on one, a risk, and something unpriced held back."""
    told = [
        ("a", "oversold", "critical", "shop", "MUG", 3, 90.0),
        ("b", "oversold", "critical", "b2b", "MUG", 14, 70.0),
        ("c", "oversold", "critical", "shop", "TEE", 2, None),
        ("d", "oversell_risk", "high", "shop", "CUP", 5, 25.0),
        ("e", "undersell", "medium", "shop", "HAT", 4, None),
    ]
    names = ("finding_id", "code", "severity", "system", "sku", "units", "money")
    quiet = {"currency": "GBP", "location": "", "listing_key": "", "state": "open", "first_seen": NOW}
    rows = [{**quiet, **dict(zip(names, row, strict=True))} for row in told]
    warehouse = Warehouse(tmp_path / "warehouse.duckdb")
    warehouse.replace("recon.findings", pl.DataFrame(rows, schema=dict(FINDINGS)))
    run_models(warehouse)
    return warehouse


def test_an_oversold_sku_counts_once_in_the_mart_on_the_channel_short_of_most(warehouse: Warehouse) -> None:
    over = warehouse.query("SELECT oversell_units, oversell_money, oversell_unpriced FROM mart.mart_overview")
    assert over.rows() == [(14 + 2 + 5, 70.0 + 25.0, 1)]


def test_an_oversold_sku_counts_once_by_code_too(warehouse: Warehouse) -> None:
    found = warehouse.query("SELECT open, units, money, unpriced FROM mart.mart_findings_by_code WHERE code = 'oversold'")
    assert found.rows() == [(3, 14 + 2, 70.0, 1)]


def test_the_page_and_the_mart_say_the_same(warehouse: Warehouse) -> None:
    shown = dashboard(warehouse, title="t", currency="GBP", now=NOW)
    mart = warehouse.query("SELECT * FROM mart.mart_overview").row(0, named=True)
    over, under, found = shown.figures[1:4]
    assert over.value == f"{mart['oversell_units']} units"
    assert over.note.startswith(f"GBP {mart['oversell_money']:.0f} ")
    assert over.note.endswith(f", and {mart['oversell_unpriced']} unpriced")
    assert (under.value, under.note[-10:]) == (f"{mart['undersell_units']} units", f"{mart['undersell_unpriced']} unpriced")
    assert (found.value, found.note) == (f"{mart['open_findings']}", f"{mart['critical_findings']} critical")
