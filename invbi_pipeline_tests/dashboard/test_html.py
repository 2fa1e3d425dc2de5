"""The page: one file, nothing from outside becomes markup, and a browser agrees that it can be read by everybody."""

import re
from pathlib import Path

import polars as pl
import pytest

from invbi_pipeline.dashboard.build import build
from invbi_pipeline.dashboard.html import render_html, write_html
from invbi_pipeline_tests.browser import open_page
from invbi_pipeline_tests.dashboard.example import NOW, UNSEEN, example_dashboard, example_inputs


def test_the_page_needs_nothing_but_itself() -> None:
    page = render_html(example_dashboard())
    assert "<script" not in page
    assert not re.findall(r'(?:src|href)="(?!#)[^"]*"', page)


def test_text_from_outside_is_escaped() -> None:
    page = render_html(example_dashboard())
    assert "<b>Outfitters" not in page
    assert "&lt;b&gt;Outfitters" in page


def test_characters_that_are_not_seen_never_reach_the_page_raw() -> None:
    inputs = example_inputs()
    evil = inputs.findings.with_columns(title=pl.lit(UNSEEN), cause=pl.lit(UNSEEN))
    page = render_html(build(inputs._replace(findings=evil), title=UNSEEN, currency="GBP", now=NOW))
    assert not set(UNSEEN) & set(page) - set("Mug")
    assert "M\ufffdug\ufffd\ufffd" in page


def test_a_long_reason_waits_behind_its_verdict() -> None:
    page = render_html(example_dashboard())
    assert '<details><summary title="read 12 of 400 rows">truncated</summary>read 12 of 400 rows</details>' in page


def test_codes_are_written_in_words() -> None:
    page = render_html(example_dashboard())
    assert "unmapped listing" in page
    assert "unmapped_listing" not in page
    assert "oversell_risk" not in page


def test_colour_is_never_the_only_sign_of_a_state() -> None:
    page = render_html(example_dashboard())
    assert "≠ drifted" in page
    assert "→ push due" in page


def test_the_charts_are_part_of_the_page() -> None:
    assert render_html(example_dashboard()).count("<svg") == 4


def test_an_old_page_is_replaced_at_once(tmp_path: Path) -> None:
    path = tmp_path / "dashboard.html"
    path.write_text("old", encoding="utf-8")
    write_html(example_dashboard(), path)
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.slow
def test_the_overview_is_seen_without_scrolling_and_everybody_can_read_it(tmp_path: Path) -> None:
    from axe_playwright_python.sync_playwright import Axe

    path = tmp_path / "dashboard.html"
    write_html(example_dashboard(), path)
    with open_page(path.as_uri(), width=1280, height=800) as page:
        for table in ("#exceptions .scroll", "#corrections .scroll"):
            room = page.locator(table).evaluate("e => e.clientWidth - e.scrollWidth")
            assert room >= 0, table
        for part in ("ul.figures >> nth=0", "ol.todo", "svg >> nth=0", "svg >> nth=1"):
            box = page.locator(part).bounding_box()
            assert box is not None
            assert box["y"] + box["height"] < 800, part
        found = Axe().run(page).response["violations"]
    assert [v["id"] for v in found if v["impact"] in {"serious", "critical"}] == []
