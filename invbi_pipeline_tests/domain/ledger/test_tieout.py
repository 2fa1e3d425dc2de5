"""The tie-out: opening + movements = closing per place and business day, the remainder named and derived anew each time."""

import random
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from invbi_pipeline.domain.ledger.tieout import (
    KINDS,
    MARKS,
    MOVES,
    SHELF,
    business_days,
    daily,
    entries,
    lines,
    steady,
    tie_out,
    untold,
)

LONDON = ZoneInfo("Europe/London")
SOHO = ("till", "soho", "TEE", "V1")


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


def marks(*seen: tuple[datetime, int], counts: tuple[tuple[datetime, int], ...] = ()) -> pl.LazyFrame:
    rows = [(*SOHO, when, number, False, when, when) for when, number in seen]
    rows += [(*SOHO, when, number, True, when, when) for when, number in counts]
    return pl.LazyFrame(rows, schema=dict(MARKS), orient="row")


def moves(*told: tuple[datetime, str, int]) -> pl.LazyFrame:
    return pl.LazyFrame([(*SOHO, *one, f"m{n}", "") for n, one in enumerate(told)], schema=dict(MOVES), orient="row")


def tied(marked: pl.LazyFrame, moved: pl.LazyFrame, days: pl.DataFrame) -> list[dict[str, object]]:
    found = tie_out(entries(marked, moved), days.lazy()).collect()
    return [{name: value for name, value in row.items() if value or name in ("opening", "closing")} for row in found.to_dicts()]


def november(first: int, last: int, ends: time = time(0)) -> pl.DataFrame:
    return business_days({"soho": (LONDON, ends)}, date(2026, 11, first), date(2026, 11, last))


def figures(row: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in row.items() if name not in SHELF}


def test_opening_and_movements_by_kind_come_to_the_closing() -> None:
    moved = moves((at(2, 11), "sale", -3), (at(2, 12), "receipt", 5), (at(2, 13), "damage", -1))
    (row,) = tied(marks((at(1, 9), 10), (at(2, 20), 11)), moved, november(2, 2))
    assert figures(row) == {"day": date(2026, 11, 2), "opening": 10, "sale": -3, "receipt": 5, "damage": -1, "closing": 11}


def test_what_no_movement_tells_is_the_remainder_and_a_late_movement_mends_it() -> None:
    seen, moved = marks((at(2, 9), 10), (at(2, 20), 7)), moves((at(2, 11), "sale", -1))
    (before,) = tied(seen, moved, november(2, 2))
    (after,) = tied(seen, pl.concat([moved, moves((at(2, 12), "transfer_out", -2))]), november(2, 2))
    assert (before["unexplained"], before["closing"]) == (-2, 7)
    assert "unexplained" not in after
    assert (after["transfer_out"], after["closing"]) == (-2, 7)


def test_the_remainder_is_told_with_the_two_reads_between_which_it_arose() -> None:
    ledger = entries(marks((at(2, 9), 10), (at(2, 12), 10), (at(2, 15), 8), (at(2, 18), 8)), moves())
    (jump,) = untold(ledger, november(2, 2).lazy()).collect().to_dicts()
    assert (jump["since"], jump["at"], jump["units"]) == (at(2, 12), at(2, 15), -2)


def test_a_count_that_does_not_say_its_difference_is_given_it() -> None:
    seen = marks((at(2, 9), 10), (at(2, 20), 6), counts=((at(2, 15), 7),))
    (row,) = tied(seen, moves((at(2, 11), "sale", -1), (at(2, 16), "sale", -1)), november(2, 2))
    assert (row["sale"], row["count"], row["closing"]) == (-2, -2, 6)
    assert "unexplained" not in row


def test_before_four_in_the_morning_it_is_still_the_day_before() -> None:
    moved = moves((at(3, 2), "sale", -1), (at(3, 4), "sale", -2))
    second, third = tied(marks((at(2, 9), 10)), moved, november(2, 3, time(4)))
    assert (second["day"], second["sale"], second["closing"]) == (date(2026, 11, 2), -1, 9)
    assert (third["opening"], third["sale"]) == (9, -2)


def test_a_day_is_the_places_own_and_not_the_worlds() -> None:
    zones = {"soho": (LONDON, time(0)), "tokyo": (ZoneInfo("Asia/Tokyo"), time(0))}
    days = business_days(zones, date(2026, 11, 2), date(2026, 11, 2))
    assert dict(days.select("location", "starts_at").iter_rows()) == {"soho": at(2, 0), "tokyo": at(1, 15)}


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 10, 26), 24)])
def test_a_day_on_which_the_clocks_change_is_an_hour_shorter_or_longer(day: date, hours: int) -> None:
    (row,) = business_days({"soho": (LONDON, time(0))}, day, day).to_dicts()
    assert row["ends_at"] - row["starts_at"] == timedelta(hours=hours)


@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 10, 25)])
def test_days_follow_one_another_also_where_the_clocks_change_as_the_day_ends(day: date) -> None:
    days = business_days({"soho": (LONDON, time(1, 30))}, day - timedelta(days=2), day + timedelta(days=2))
    assert (days["ends_at"][:-1] == days["starts_at"][1:]).all()
    assert (days["ends_at"] > days["starts_at"]).all()


def test_a_sale_in_the_hour_that_comes_twice_is_of_one_day_only() -> None:
    days = business_days({"soho": (LONDON, time(1, 30))}, date(2026, 10, 24), date(2026, 10, 25))
    twice = [datetime(2026, 10, 25, hour, 45, tzinfo=UTC) for hour in (0, 1)]  # 01:45 summer time, then 01:45 winter time
    found = tied(marks((datetime(2026, 10, 23, 9, tzinfo=UTC), 10)), moves(*((when, "sale", -1) for when in twice)), days)
    assert [(row["day"], row.get("sale", 0)) for row in found] == [(date(2026, 10, 24), 0), (date(2026, 10, 25), -2)]


def test_a_shelf_first_read_within_the_period_is_reckoned_back_to_its_opening() -> None:
    moved = moves((at(2, 10), "sale", -2), (at(4, 10), "receipt", 5))
    (row,) = tied(marks((at(3, 9), 8)), moved, november(2, 2))
    assert (row["opening"], row["sale"], row["closing"]) == (10, -2, 8)


def test_a_read_of_which_it_is_not_sure_what_it_contains_is_passed_over() -> None:
    sale = moves((at(2, 11), "sale", -1))
    blurred = (*SOHO, at(2, 11), 10, False, at(2, 10, 59), at(2, 11, 1))  # the sale is stamped then, and not in the number yet
    seen = pl.concat([marks((at(2, 9), 10), (at(2, 20), 9)), pl.LazyFrame([blurred], schema=dict(MARKS), orient="row")])
    assert untold(entries(seen, sale), november(2, 2).lazy()).collect()["units"].to_list() == [1, -1]
    assert untold(entries(steady(seen, sale), sale), november(2, 2).lazy()).collect().is_empty()
    only = pl.LazyFrame([blurred], schema=dict(MARKS), orient="row")
    assert steady(only, sale).collect().height == 1


def test_a_month_is_the_sum_of_its_days_in_units_and_at_cost() -> None:
    moved = moves((at(2, 11), "sale", -3), (at(9, 11), "sale", -2), (at(9, 12), "receipt", 4))
    days = tie_out(entries(marks((at(1, 9), 10), (at(10, 9), 8)), moved), november(1, 30).lazy())
    costs = pl.LazyFrame({"sku": ["TEE"], "cost": [2.5]})
    (month,) = lines(days, ("system", "location"), costs).collect().to_dicts()
    by_day = daily(days).collect()
    assert (month["opening"], month["sale"], month["receipt"], month["unexplained"], month["closing"]) == (10, -5, 4, -1, 8)
    assert (month["money_of_opening"], month["money_of_unexplained"], month["uncosted"]) == (25.0, -2.5, 0)
    assert by_day["closing"][-1] == 8
    assert by_day["opening"].to_list()[1:] == by_day["closing"].to_list()[:-1]
    assert lines(days, ("system", "location"), costs.filter(pl.lit(value=False))).collect()["uncosted"].item() == 1


@pytest.mark.parametrize("seed", range(20))
def test_every_day_ties_and_every_closing_is_what_a_slow_reckoning_says(seed: int) -> None:
    dice = random.Random(seed)
    told = [(at(2, 1) + timedelta(minutes=dice.randrange(9000)), dice.choice(KINDS[:-1]), dice.randint(-4, 4)) for _ in range(25)]
    seen = sorted({at(2, 1) + timedelta(minutes=dice.randrange(9000)): dice.randint(0, 30) for _ in range(6)}.items())
    days = november(2, 8, time(dice.randrange(6)))
    found = tie_out(entries(marks(*seen), moves(*told)), days.lazy()).collect()
    assert (found["opening"] + found.select(pl.sum_horizontal(KINDS)).to_series() == found["closing"]).all()
    for row in found.to_dicts():
        ends = days.filter(pl.col("day") == row["day"])["ends_at"].item()
        assert row["closing"] == slow(seen, told, ends), row


def slow(seen: list[tuple[datetime, int]], told: list[tuple[datetime, str, int]], until: datetime) -> int:
    """Return the number just before `until`: of the last read before it, and what moved since; or of the first, taken back."""
    earlier = [mark for mark in seen if mark[0] < until]
    if earlier:
        when, number = earlier[-1]
        return number + sum(units for moved, _, units in told if when < moved < until)
    when, number = seen[0]
    return number - sum(units for moved, _, units in told if until <= moved <= when)
