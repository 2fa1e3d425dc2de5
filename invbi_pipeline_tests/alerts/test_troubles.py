"""Which troubles there are: what is alike is one."""

from datetime import UTC, datetime
from typing import Any

import polars as pl

from invbi_pipeline.alerts.troubles import troubles
from invbi_pipeline.domain.frames import FINDINGS, empty
from invbi_pipeline.store.state import BREAKER_ROWS

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
READ = pl.DataFrame(schema=BREAKER_ROWS)


def findings(*rows: dict[str, Any]) -> pl.DataFrame:
    plain = {"state": "open", "severity": "high", "system": "shop", "cause": "Three too many.", "suggested_action": "Look."}
    some = [{**plain, "finding_id": f"f{n}", **row} for n, row in enumerate(rows)]
    return pl.concat([empty(FINDINGS), pl.DataFrame(some)], how="diagonal_relaxed")


def test_critical_findings_of_one_code_on_one_system_are_one_trouble() -> None:
    critical = {"code": "oversold", "severity": "critical"}
    one, other = troubles(findings(critical, critical, {**critical, "system": "b2b"}, {"code": "drift"}), READ)
    assert (one.title, other.title) == ("2 × oversold on shop (critical)", "1 × oversold on b2b (critical)")
    assert one.members == {"f0", "f1"}
    assert "Three too many. Look." in one.text


def test_held_plans_and_dead_letters_of_a_system_are_told_with_the_next_command() -> None:
    held, failed = troubles(findings({"code": "push_held"}, {"code": "push_held"}, {"code": "push_failed"}), READ)
    assert held.title == "2 corrections held by a guard on shop"
    assert failed.title == "1 correction refused or given up on shop"
    assert "invbi approve" in held.text
    assert "invbi replay" in failed.text


def test_a_held_channel_counts_all_the_corrections_that_wait_there() -> None:
    (held,) = troubles(findings({"code": "push_held", "evidence": '{"corrections":181}'}, {"code": "push_held"}), READ)
    assert held.title == "181 corrections held by a guard on shop"


def test_what_is_over_is_no_trouble_and_what_somebody_looks_after_needs_no_alert() -> None:
    assert troubles(findings({"code": "push_held", "state": "resolved"}), READ) == []
    (known,) = troubles(findings({"code": "push_held", "state": "acknowledged"}), READ)
    assert known.members == set()


def test_a_system_is_blind_once_it_failed_twice_in_a_row() -> None:
    rows = [{"system": "till", "failures": n, "blind_since": NOW, "reason": "no answer"} for n in (1, 2)]
    (blind,) = troubles(findings(), pl.DataFrame(rows, schema=BREAKER_ROWS))
    assert blind.title == "till cannot be read since 2026-03-02 12:00 UTC"
    assert "no answer" in blind.text


def test_listings_of_which_the_same_is_said_are_one_line_that_names_them() -> None:
    alike = [{"code": "push_held", "listing_key": f"L{n}"} for n in range(6)]
    other = {"code": "push_held", "listing_key": "L9", "cause": "One too many.", "money": 5.0}
    (held,) = troubles(findings(*alike[:2], other), READ)
    assert held.lines == ("One too many. Look.", "Three too many. Look. (2 times: listings L0, L1)")
    (many,) = troubles(findings(*alike), READ)
    assert many.lines == ("Three too many. Look. (6 times: listings L0, L1, L2 and 3 more)",)


def test_lines_beyond_the_first_five_are_counted_with_all_that_is_alike() -> None:
    different = [{"code": "push_failed", "cause": f"No. {n} failed."} for n in range(5)]
    alike = {"code": "push_failed", "cause": "The last ones failed."}
    (failed,) = troubles(findings(*different, alike, alike), READ)
    assert (len(failed.lines), failed.lines[-1]) == (6, "and 2 more")


def test_what_only_waits_for_a_person_is_not_grave() -> None:
    held, failed = troubles(findings({"code": "push_held"}, {"code": "push_failed"}), READ)
    assert (held.grave, failed.grave) == (False, True)
