import pytest

from invbi_pipeline.domain.findings import FindingInputs
from invbi_pipeline_tests.domain.findings.facts import at, delays, evidence, feeds, found, one, points, refused, values


@pytest.mark.parametrize(
    ("verdict", "code", "severity"),
    [
        ("unreachable", "system_unreachable", "high"),
        ("stale", "feed_stale", "high"),
        ("truncated", "feed_truncated", "critical"),
        ("mass_zero", "feed_mass_zero", "critical"),
    ],
)
def test_a_system_that_is_not_believed_is_told_with_all_it_shows(verdict: str, code: str, severity: str) -> None:
    unwatched = points({"state": "unknown"}, {"state": "unknown", "listing_key": "L2", "reported": 3}, {"system": "other"})
    feed = feeds({"verdict": verdict, "reason": "stock: 10 rows where 20 were expected"}, {"system": "other"})
    row = one(FindingInputs(points=unwatched, feeds=feed, values=values({})), code)
    assert (row["system"], row["units"], row["money"], row["severity"]) == ("web", 8, 12.5, severity)
    assert "10 rows where 20 were expected" in row["cause"]


def test_a_blind_system_is_told_with_its_age() -> None:
    feed = feeds({"verdict": "unreachable", "reason": "connection refused", "blind_since": at(18)})
    row = one(FindingInputs(feeds=feed), "system_unreachable")
    assert row["cause"] == "web has not answered since 09:18 UTC (12 min): connection refused."


def test_refused_rows_are_told_once_a_system_with_their_reasons() -> None:
    rows = refused({"rows": 4}, {"reason": "no key", "dataset": "orders"}, {"system": "till", "rows": 2})
    row = found(FindingInputs(quarantine=rows)).filter(system="web").row(0, named=True)
    assert row["cause"] == "5 rows of web were refused: 4 × quantity is no number (stock); 1 × no key (orders)."
    assert (evidence(row)["datasets"], evidence(row)["refused"], row["units"]) == (["orders", "stock"], 5, None)


def test_refused_rows_name_the_listings_they_are_of_the_first_in_the_sentence_and_a_few_in_the_evidence() -> None:
    many = [{"listing_key": f"L{n:02}", "sku": None if n else "MUG-RED", "rows": 2} for n in range(12)]
    row = one(FindingInputs(quarantine=refused(*many, {"reason": "no key"})), "bad_rows")
    assert row["cause"].endswith("1 × no key (stock). Concerns listing L00 (SKU MUG-RED) and 11 others.")
    named = evidence(row)
    assert named["listings"][:2] == [{"listing_key": "L00", "sku": "MUG-RED"}, {"listing_key": "L01", "sku": None}]
    assert (len(named["listings"]), named["listings_in_all"]) == (10, 12)


def test_the_rows_refused_for_a_fourth_reason_and_more_are_counted_in_the_sentence() -> None:
    row = one(FindingInputs(quarantine=refused(*({"reason": f"reason {n}", "rows": 9 - n} for n in range(5)))), "bad_rows")
    assert row["cause"].endswith("; 7 × reason 2 (stock); 11 for other reasons.")


def test_a_clock_more_than_two_minutes_off_is_told() -> None:
    row = one(FindingInputs(feeds=feeds({"clock_skew_s": -420.0})), "clock_skew")
    assert row["cause"] == "The clock of web is 7 min behind ours."


def test_a_believed_system_whose_clock_is_a_little_off_is_no_finding() -> None:
    assert found(FindingInputs(points=points({}), feeds=feeds({"clock_skew_s": 119.0}))).is_empty()


def test_what_a_system_announced_and_nobody_worked_on_is_old_data() -> None:
    row = one(FindingInputs(points=points({}), feeds=feeds({}, {"system": "other"}), delays=delays({})), "feed_stale")
    said = "12 deliveries from web had waited too long when this run began, the oldest since 09:18 UTC (12 min)"
    assert (row["system"], row["severity"], row["cause"]) == ("web", "high", f"{said}: what we knew of web was that old.")
    assert evidence(row)["waiting"] == 12
    assert "invbi serve" in row["suggested_action"]


def test_old_answers_and_old_announcements_are_one_finding_that_says_both() -> None:
    feed = feeds({"verdict": "stale", "reason": "nothing changed for 9 h", "blind_since": at(18)})
    inputs = FindingInputs(points=points({"state": "unknown"}), feeds=feed)
    alone, both = one(inputs, "feed_stale"), one(inputs._replace(delays=delays({"waiting": 1})), "feed_stale")
    assert both["cause"].startswith(f"{alone['cause']} 1 delivery from web had waited too long")
    assert (both["finding_id"], both["units"]) == (alone["finding_id"], alone["units"])
    assert both["suggested_action"].startswith(alone["suggested_action"])
    assert evidence(both).items() >= evidence(alone).items()


def test_of_a_system_that_does_not_answer_only_that_is_told() -> None:
    seen = found(FindingInputs(feeds=feeds({"verdict": "unreachable"}), delays=delays({})))
    assert seen["code"].to_list() == ["system_unreachable"]


def test_deliveries_of_a_system_that_is_no_longer_configured_are_not_told() -> None:
    assert found(FindingInputs(feeds=feeds({}), delays=delays({"system": "gone"}))).is_empty()
