"""Buffers by risk: the Poisson tail, the rate and the lag it is computed from, and what the offer says of them."""

import json
import math
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from invbi_pipeline.domain.offers.buffers import poisson_buffer
from invbi_pipeline_tests.domain.small_world import Rows, at, channel, offer_of, order, policy, reckon, shelves, wms, world

RISK = policy("buffer_risk_bp", 100, channel="web")
LAGS = {"feeds": [{"system": "web", "visibility_lag_s": 300}, {"system": "shop", "order_lag_s": 3000}]}  # with the cycle: an hour


def smallest(mean: float, risk_bp: int) -> int:
    """The smallest b with P(N > b) < risk, term by term."""
    b = 0
    while True:
        beyond = (math.exp(n * math.log(mean) - mean - math.lgamma(n + 1)) for n in range(b + 1, b + 400))
        if math.fsum(beyond) < risk_bp / 10_000:
            return b
        b += 1


def sold(name: str, sku: str, *units: int, days: float = 28, location: str = "a", **facts: Any) -> Rows:
    """Return shipped orders of these units, the first `days` ago."""
    lines = [
        order(name, f"{name}-{sku}-{n}", sku, one, location, ordered_at=at(-24 * days + 1 + n), state="shipped", **facts)
        for n, one in enumerate(units)
    ]
    rows = world(*lines)
    rows["order_lines"] = [{**line, "open_quantity": 0} for line in rows["order_lines"]]
    return rows


def pool(*skus: str) -> Rows:
    stock = [{**shelves(sku, a=100), **({"places": []} if n else {})} for n, sku in enumerate(skus)]
    return world(wms(), *stock, LAGS, RISK, channel("web", *skus, sells_from=["a"]), channel("shop", *skus, sells_from=["a"]))


def buffer_of(rows: Rows, sku: str = "A") -> int:
    found: int = reckon(**rows).offers.filter(system="web", listing_key=sku)["buffer"].item()
    return found


@pytest.mark.parametrize(
    ("mean", "risk_bp", "units"),
    [
        (0.0, 100, 0),
        (0.005, 100, 0),  # one is sold with a chance of 0.5 %
        (0.02, 100, 1),
        (1.0, 100, 4),
        (1.0, 500, 3),
        (10.0, 100, 18),
        (1_000_000.0, 100, 1_002_327),
    ],
)
def test_the_buffer_is_the_smallest_that_keeps_the_chance_of_more_sales_under_the_risk(
    mean: float, risk_bp: int, units: int
) -> None:
    asked = pl.LazyFrame({"mean": [mean], "buffer_risk_bp": [risk_bp]})
    assert poisson_buffer(asked).collect()["units"].to_list() == [units]


@settings(max_examples=40)
@given(st.lists(st.tuples(st.floats(1e-6, 60), st.integers(1, 9_999)), min_size=1, max_size=20, unique=True))
def test_the_tail_is_that_of_a_term_by_term_sum(asked: list[tuple[float, int]]) -> None:
    rows = poisson_buffer(pl.LazyFrame(asked, schema=["mean", "buffer_risk_bp"], orient="row")).collect()
    assert rows.height == len(asked)
    assert all(units == smallest(mean, risk) for mean, risk, units in rows.select("mean", "buffer_risk_bp", "units").iter_rows())


def test_what_other_channels_sell_within_the_lag_is_kept_back_and_the_offer_says_how_it_was_reckoned() -> None:
    rows = world(pool("A"), sold("shop", "A", *[24] * 14))  # half a unit an hour
    result = reckon(**rows)
    assert offer_of(result, "web", "A") == 100 - smallest(0.5, 100)
    said = json.loads(result.offers.filter(system="web")["policy"].item())
    assert said["buffer"] == "channel=web"
    assert (said["buffer_risk_bp"], said["lag_s"]) == (100, 3600)
    assert said["rate_per_day"] == pytest.approx(12, rel=0.01)


def test_what_the_channel_sells_itself_it_knows_at_once() -> None:
    assert buffer_of(world(pool("A"), sold("web", "A", *[24] * 14))) == 0


def test_what_others_sell_from_places_outside_the_pool_takes_nothing_from_it() -> None:
    far = world(shelves("A", b=100), channel("far", "A", sells_from=["b"]))
    assert buffer_of(world(pool("A"), far, sold("far", "A", *[24] * 14, location="b"))) == 0


def test_orders_that_no_place_holds_yet_count_where_the_pools_share_a_place() -> None:
    two = world(pool("A"), shelves("A", b=1))
    two["systems"] = [{**s, "sells_from": ["a", "b"]} if s["system"] == "shop" else s for s in two["systems"]]
    assert buffer_of(world(two, sold("shop", "A", *[24] * 14, location=""))) == smallest(0.5, 100)


def test_what_a_till_sells_over_its_counter_counts_and_what_it_booked_of_our_orders_does_not_count_twice() -> None:
    sale = {"system": "wms", "kind": "sale", "listing_key": "A", "location": "a", "units": -24}
    counter = [{**sale, "movement_id": f"t{n}", "occurred_at": at(-24 * 28 + 1 + n)} for n in range(7)]
    booked = [{**sale, "movement_id": f"b{n}", "order_id": f"shop-A-{n}", "occurred_at": at(-24 * 28 + 2 + n)} for n in range(7)]
    rows = world(pool("A"), sold("shop", "A", *[24] * 7), {"movements": [*counter, *booked]})
    rows["feeds"] = [*rows["feeds"], {"system": "wms", "order_lag_s": 60}]
    assert buffer_of(rows) == smallest(0.5, 100)


def test_a_channel_that_is_young_is_measured_over_its_own_days() -> None:
    assert buffer_of(world(pool("A"), sold("shop", "A", 24, 24, days=2))) == smallest(48 / 47, 100)


def test_sales_older_than_four_weeks_say_nothing_of_today() -> None:
    assert buffer_of(world(pool("A"), sold("shop", "A", *[24] * 14, days=60))) == 0


def test_a_kit_keeps_back_what_its_busiest_component_asks_for_in_kits() -> None:
    kit = {"kit_rows": [{"kit_sku": "K", "component_sku": c, "quantity": n} for c, n in (("A", 2), ("B", 1))]}
    rows = world(pool("A", "B", "K"), kit, sold("shop", "A", *[24] * 14), sold("shop", "B", 1))
    rows["observations"] = [o for o in rows["observations"] if o["listing_key"] != "K"]
    rows["openings"] = [o for o in rows["openings"] if o["sku"] != "K"]
    assert buffer_of(rows, "K") == math.ceil(smallest(0.5, 100) / 2)


def test_a_risk_gives_way_to_a_narrower_number_and_beats_a_wider_one() -> None:
    rows = world(pool("A"), sold("shop", "A", *[24] * 14))
    assert buffer_of(world(rows, policy("buffer", 7, sku="A"))) == 7
    assert buffer_of(world(rows, policy("buffer", 7))) == smallest(0.5, 100)
