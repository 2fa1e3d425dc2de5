"""The marts that tell of the business, on a few lines whose figures can be added up by hand."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest

from invbi_pipeline.domain.frames import KITS, MAPPINGS, POSITIONS, PRICES, RATES
from invbi_pipeline.store.models import run_models
from invbi_pipeline.store.tables import FINDING_CHANGES, POINT_CHANGES, RUNS, SYSTEM_MODES, UNIT_VALUES
from invbi_pipeline_tests.store.landed import Landed

_TABLES = {
    "recon.finding_changes": FINDING_CHANGES,
    "recon.point_changes": POINT_CHANGES,
    "recon.runs": RUNS,
    "recon.systems": SYSTEM_MODES,
    "recon.unit_values": UNIT_VALUES,
    "truth.kits": KITS,
    "truth.mappings": MAPPINGS,
    "truth.positions": POSITIONS,
    "truth.prices": PRICES,
    "truth.rates": RATES,
}
DAY = 24 * 60


class Shop(Landed):
    """A till in New York that sells single mugs, packs of six, and a set of a mug and two cups; it reports in pounds."""

    def __init__(self, tmp_path: Any) -> None:
        super().__init__(tmp_path)
        system = {"system": "till", "platform": "amazon", "counts": True, "sells": True, "mode": "auto"}
        self.keep("recon.systems", {**system, "timezone": "America/New_York", "currency": "GBP"})
        maps = [("mug", "MUG", 1), ("six", "MUG", 6), ("set", "SET", 1), ("cup", "CUP", 1)]
        self.keep("truth.mappings", *({"system": "till", "listing_key": k, "sku": s, "units": n} for k, s, n in maps))
        parts = ({"kit_sku": "SET", "sku": sku, "quantity": n} for sku, n in (("MUG", 1), ("CUP", 2)))
        self.keep("truth.kits", *parts)

    def keep(self, table: str, *rows: dict[str, Any]) -> None:
        """Make these rows all that a table has."""
        self.warehouse.replace(table, pl.DataFrame(list(rows), schema=dict(_TABLES[table])))

    def sells(self, *lines: dict[str, Any], minute: int = 0) -> None:
        """Land order lines: one mug at 10 pounds each, unless said otherwise."""
        at = self.at(minute).isoformat()
        usual = {
            "listing_key": "mug",
            "location_key": "1",
            "state": "fulfilled",
            "quantity": 1,
            "open_quantity": 0,
            "external_id": "",
        }
        usual |= {"line_id": "1", "price": 10.0, "currency": "GBP", "ordered_at": at, "updated_at": at}
        self.land("order_lines", [{**usual, **line} for line in lines], minute)

    def mart(self, name: str, *columns: str) -> list[tuple[Any, ...]]:
        """Build everything and return these columns of one mart, sorted."""
        run_models(self.warehouse)
        return self.warehouse.query(f"SELECT {', '.join(columns)} FROM mart.{name} ORDER BY ALL").rows()


@pytest.fixture
def shop(tmp_path: Any) -> Shop:
    return Shop(tmp_path)


def numbers(shop: Shop, *told: tuple[int, int, int]) -> list[dict[str, Any]]:
    """Return changes of one point: (minute, reported, gap)."""
    usual = {"system": "till", "listing_key": "mug", "location": "soho", "state": "drifted"}
    rows: Sequence[tuple[datetime, int, int]] = [(shop.at(minute), reported, gap) for minute, reported, gap in told]
    return [{**usual, "changed_at": t, "observed_at": t, "reported": n, "raw": n, "gap": gap} for t, n, gap in rows]


def test_an_order_dated_ahead_is_sold_in_no_mart_before_its_time(shop: Shop) -> None:
    shop.sells({"order_id": "now"}, {"order_id": "ahead", "quantity": 8, "ordered_at": shop.at(365 * DAY).isoformat()})
    assert shop.mart("mart_channel_days", "units_sold") == [(1,)]
    assert shop.mart("mart_velocity", "sku", "units_sold")[1:] == [("MUG", 1)]
    shop.sells(minute=366 * DAY)
    assert sum(units for (units,) in shop.mart("mart_channel_days", "units_sold")) == 9


def test_kits_and_packs_are_sold_as_single_units_and_their_money_is_spread(shop: Shop) -> None:
    shop.sells(
        {"order_id": "a", "quantity": 2},
        {"order_id": "b", "listing_key": "six", "price": 50.0},
        {"order_id": "c", "listing_key": "set", "price": 30.0},
    )
    lines = shop.mart("mart_sale_lines", "order_id", "sku", "units", "revenue")
    assert lines == [("a", "MUG", 2, 20.0), ("b", "MUG", 6, 50.0), ("c", "CUP", 2, 20.0), ("c", "MUG", 1, 10.0)]


def test_another_currency_is_converted_and_what_has_no_rate_takes_the_listed_price_or_stays_unpriced(shop: Shop) -> None:
    shop.keep("truth.rates", {"currency": "USD", "rate": 0.8})
    shop.keep("recon.unit_values", {"system": "till", "listing_key": "cup", "sku": "CUP", "price": 7.0})
    shop.sells(
        {"order_id": "a", "currency": "USD"},
        {"order_id": "b", "currency": "EUR"},
        {"order_id": "c", "currency": "EUR", "listing_key": "cup"},
    )
    assert shop.mart("mart_sale_lines", "order_id", "revenue") == [("a", 8.0), ("b", None), ("c", 7.0)]
    assert shop.mart("mart_channel_days", "units_sold", "revenue", "unpriced_units") == [(3, 15.0, 1)]


def test_an_order_that_another_system_imported_counts_where_it_was_born(shop: Shop) -> None:
    modes = [{"system": name, "sells": True, "timezone": "UTC", "currency": "GBP"} for name in ("till", "web")]
    shop.keep("recon.systems", *modes)
    shop.sells({"order_id": "born"})
    with shop.warehouse.open() as db:
        copy = "'web' AS system, 'copy' AS order_id, 'born' AS external_id"
        db.execute(f"INSERT INTO raw.order_lines BY NAME SELECT * REPLACE ({copy}) FROM raw.order_lines")
    assert shop.mart("mart_sale_lines", "system", "order_id") == [("till", "born")]


def test_a_day_ends_when_it_ends_in_the_shop(shop: Shop) -> None:
    late = {"ordered_at": "2026-03-03T03:30:00+00:00"}  # half past ten in the evening in New York
    shop.sells({"order_id": "a", **late}, minute=DAY)
    assert [str(day) for (day,) in shop.mart("mart_sale_lines", "day")] == ["2026-03-02"]


def test_what_a_channel_showed_at_the_end_of_a_day_is_kept_for_the_days_after(shop: Shop) -> None:
    shop.sells({"order_id": "a"}, minute=0)
    shop.sells({"order_id": "b"}, minute=3 * DAY)
    shop.keep("recon.point_changes", *numbers(shop, (0, 9, 0), (5, 7, 0), (2 * DAY, 4, 0)))
    shown = shop.mart("mart_channel_days", "day", "units_sold", "units_shown")
    assert [row[1:] for row in shown] == [(1, 7), (0, 7), (0, 4), (1, 4)]


def test_the_best_sellers_are_those_before_whom_less_than_80_percent_is_earned(shop: Shop) -> None:
    prices = {"a": 70.0, "b": 15.0, "c": 12.0, "d": 3.0, "e": 0.0}
    shop.keep("truth.mappings", *({"system": "till", "listing_key": k, "sku": k, "units": 1} for k in [*prices, "f", "g"]))
    shop.keep("truth.kits")
    lines = [{"order_id": k, "listing_key": k, "price": price} for k, price in prices.items()]
    shop.sells(*lines, {"order_id": "f", "listing_key": "f", "price": None})
    classes = shop.mart("mart_velocity", "sku", "abc_class")
    assert classes == [("a", "A"), ("b", "A"), ("c", "B"), ("d", "C"), ("e", "C"), ("f", "unpriced"), ("g", "C")]


def test_the_rate_is_of_28_days_or_of_all_days_known_where_that_is_less(shop: Shop) -> None:
    shop.sells({"order_id": "a", "quantity": 4})
    shop.sells({"order_id": "b", "quantity": 6}, minute=5 * DAY)
    assert ("MUG", 10, 2.0) in shop.mart("mart_velocity", "sku", "units_sold", "daily_rate")
    shop.sells({"order_id": "c", "quantity": 28}, minute=29 * DAY)
    assert ("MUG", 34, 34 / 28) in shop.mart("mart_velocity", "sku", "units_sold", "daily_rate")


def test_stock_lasts_as_long_as_it_sells_and_what_has_no_cost_is_unpriced_and_not_free(shop: Shop) -> None:
    shop.keep("truth.positions", *({"sku": s, "location": "soho", "on_hand": n} for s, n in (("MUG", 200), ("CUP", 30))))
    shop.keep("truth.prices", {"sku": "MUG", "cost": 4.0, "currency": "GBP"})
    shop.sells({"order_id": "a", "quantity": 2})
    cover = shop.mart("mart_stock_cover", "sku", "on_hand", "days_of_cover", "tied_up", "unpriced_units", "moves")
    assert cover == [("CUP", 30, None, None, 30, "still"), ("MUG", 200, 100.0, 800.0, 0, "fast")]


def test_a_shelf_that_was_never_anchored_is_not_known_which_is_not_none(shop: Shop) -> None:
    shop.keep(
        "truth.positions", {"sku": "MUG", "location": "soho", "on_hand": None}, {"sku": "CUP", "location": "soho", "on_hand": -2}
    )
    shop.sells({"order_id": "a"}, {"order_id": "b", "listing_key": "cup"})
    assert shop.mart("mart_stock_cover", "sku", "on_hand", "moves") == [("CUP", 0, "out"), ("MUG", None, "unknown")]


def test_an_order_cancelled_while_its_sku_was_oversold_counts_against_the_platforms_limit(shop: Shop) -> None:
    known = {"finding_id": "x", "code": "oversold", "sku": "MUG"}
    shop.keep(
        "recon.finding_changes",
        {**known, "state": "open", "changed_at": shop.at(10)},
        {**known, "state": "resolved", "changed_at": shop.at(30)},
    )
    cancelled = {"state": "cancelled", "quantity": 0}
    before, during, long_after = (shop.at(minute).isoformat() for minute in (5, 20, 30 + 2 * DAY))
    shop.sells(
        {"order_id": "a", **cancelled, "updated_at": before},
        {"order_id": "b", **cancelled, "updated_at": during},
        {"order_id": "c", **cancelled, "updated_at": during, "listing_key": "cup"},
        {"order_id": "d", **cancelled, "updated_at": long_after},
    )
    row = shop.mart("mart_cancellations", "orders", "cancelled", "for_want_of_stock", "limit_rate", "window_days", "verdict")
    assert row == [(4, 4, 1, 0.025, 7, "over the limit")]


def test_a_platform_without_a_published_limit_shows_none(shop: Shop) -> None:
    shop.keep("recon.systems", {"system": "till", "platform": "square", "sells": True, "timezone": "UTC", "currency": "GBP"})
    assert shop.mart("mart_cancellations", "limit_rate", "seller_caused_rate", "verdict") == [(None, None, "no orders")]


def test_a_count_is_compared_with_the_number_read_before_and_what_was_booked_since(shop: Shop) -> None:
    shop.keep("recon.point_changes", *numbers(shop, (0, 10, 0), (60, 3, 0)))
    usual = {"listing_key": "mug", "location_key": "1", "order_id": "", "line_id": "", "reference": ""}
    sold = {**usual, "movement_id": "s", "kind": "sale", "units": -2, "occurred_at": shop.at(10).isoformat()}
    counts = [(20, "right", 8, None), (30, "short", 7, None), (40, "told", 5, -3)]
    rows = [
        {**usual, "movement_id": name, "kind": "count", "counted": n, "units": said, "occurred_at": shop.at(m).isoformat()}
        for m, name, n, said in counts
    ]
    shop.land("movements", [sold, *rows], 50)
    assert shop.mart("mart_counts", "movement_id", "difference") == [("right", 0), ("short", -1), ("told", -3)]


def test_each_day_tells_parity_records_units_apart_and_who_ended_the_findings(shop: Shop) -> None:
    figures = '{"comparable": 10, "agreed": 9}'
    runs = [{"run_id": str(n), "started_at": shop.at(n), "ended_at": shop.at(n), "figures": figures} for n in (0, 2 * DAY)]
    shop.keep("recon.runs", *runs)
    shop.keep("recon.point_changes", *numbers(shop, (0, 9, 4), (5, 7, -3), (2 * DAY, 7, 0)))
    machine, people = "corrected by invbi", ("corrected by invbi, released by a person", "mapped by a person")
    ends = [
        (machine, None),
        (machine, "Ana"),
        *((why, None) for why in people),
        ("no longer seen", "Ana"),
        ("no longer seen", None),
    ]
    gone = [
        {"finding_id": str(n), "code": "drift", "state": "resolved", "resolution": why, "owner": who, "changed_at": shop.at(9)}
        for n, (why, who) in enumerate(ends)
    ]
    shop.keep("recon.finding_changes", {"finding_id": "9", "code": "drift", "state": "open", "changed_at": shop.at(1)}, *gone)
    columns = (
        "parity",
        "discrepancy_units",
        "findings_opened",
        "resolved_by_machine",
        "resolved_by_people",
        "resolved_by_itself",
    )
    told = [row[1:] for row in shop.mart("mart_daily_history", "day", *columns)]
    assert told == [(0.9, 3, 1, 2, 3, 1), (None, 3, 0, 0, 0, 0), (0.9, 0, 0, 0, 0, 0)]


def test_the_lag_of_orders_from_before_the_first_read_is_not_told(shop: Shop) -> None:
    shop.keep("recon.runs", {"run_id": "1", "started_at": shop.at(0), "ended_at": shop.at(0), "figures": "{}"})
    shop.sells({"order_id": "old", "ordered_at": (shop.at(0) - timedelta(hours=5)).isoformat()}, minute=0)
    shop.sells({"order_id": "new", "ordered_at": shop.at(6).isoformat()}, minute=10)
    assert shop.mart("mart_daily_history", "lag_p95_s") == [(240.0,)]
