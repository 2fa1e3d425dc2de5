"""What to do first: one line a trouble."""

import polars as pl

from invbi_pipeline.dashboard.build import build
from invbi_pipeline.dashboard.model import FINDINGS_TAB, Dashboard
from invbi_pipeline_tests.dashboard.example import NOW, example_inputs


def dashboard(*findings: tuple[str, str, str, str, str, int | None, float | None, str]) -> Dashboard:
    """Build it from (finding_id, severity, code, system, "sku listing_key", units, money, cause)."""
    rows = [
        (key, severity, code, system, "", *subject.split(), "", units, money, cause, "Mend it.", NOW, "open", "", NOW, "")
        for key, severity, code, system, subject, units, money, cause in findings
    ]
    frame = pl.DataFrame(rows, schema=dict(FINDINGS_TAB), orient="row")
    return build(example_inputs()._replace(findings=frame), title="t", currency="GBP", now=NOW)


def test_findings_about_one_point_are_one_line_led_by_the_one_that_says_why() -> None:
    risk = ("a", "high", "oversell_risk", "shop", "MUG 11", 3, 9.0, "MUG shows 3 too many.")
    why = ("b", "high", "push_failed", "shop", "MUG 11", 3, 9.0, "The correction of MUG was refused.")
    (todo,) = dashboard(risk, why).todos
    assert (todo.text, todo.anchor) == ("The correction of MUG was refused. (also oversell risk)", "b")


def test_one_oversold_sku_on_two_channels_is_one_line_and_its_units_are_counted_once() -> None:
    one = ("a", "critical", "oversold", "shop", "MUG 11", 14, 70.0, "14 more MUG than shop may ship.")
    two = ("b", "critical", "oversold", "b2b", "MUG 12", 14, 70.0, "14 more MUG than b2b may ship.")
    shown = dashboard(one, two)
    assert [t.text for t in shown.todos] == ["14 more MUG than shop may ship. (also b2b)"]
    assert shown.figures[1].value == "14 units"
    assert shown.codes.select("open", "units", "money").rows() == [(2, 14, 70.0)]


def test_the_same_code_on_one_system_is_one_line_that_names_the_first() -> None:
    lines = [(f"f{n}", "high", "drift", "shop", f"S{n} {n}", 1, 10.0 * n, f"S{n} drifted.") for n in (1, 2, 3)]
    (todo,) = dashboard(*lines).todos
    assert todo.text == "3 × drift on shop (GBP 60). First: S3 drifted."


def test_what_nothing_is_known_of_is_no_zero_among_the_codes() -> None:
    unpriced = ("a", "high", "duplicate_sku", "shop", "MUG 11", None, None, "Two listings carry one code.")
    assert dashboard(unpriced).codes.select("units", "money").rows() == [(None, None)]


def test_parity_is_never_rounded_up_to_everything() -> None:
    many = pl.concat([example_inputs().matrix.filter(pl.col("state") == "agreed")] * 9_999)
    inputs = example_inputs()._replace(matrix=pl.concat([many, example_inputs().matrix]))
    assert build(inputs, title="t", currency="GBP", now=NOW).figures[0].value == "99.9%"
