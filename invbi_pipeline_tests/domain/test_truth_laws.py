"""Laws of the truth half, on random small worlds: the same as a naive reference, indifferent to order, and conserving units."""

import random
from typing import Any

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from invbi_pipeline.domain.truth import TruthInputs, truth
from invbi_pipeline_tests.domain.naive import naive_offers
from invbi_pipeline_tests.domain.small_world import (
    NOW,
    Rows,
    at,
    channel,
    inputs,
    order,
    place,
    reckon,
    shelves,
    system,
    wms,
    world,
)

# A truth costs a fifth of a second to plan, however small its world.
unhurried = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])

PLACES = ("p1", "p2", "p3", "p4")
CHANNELS = ("web", "shop")
LISTED = ("A", "B", "A-3", "K", "KK")
RANGES = {
    "share_bp": st.integers(0, 10_000),
    "threshold": st.integers(0, 9),
    "buffer": st.integers(0, 9),
    "buffer_pct_bp": st.integers(0, 5_000),
    "backorder_limit": st.integers(0, 9),
    "min_offer": st.integers(0, 4),
    "max_offer": st.integers(0, 9),
    "safety_stock": st.integers(0, 4),
    "sellable": st.integers(0, 1),
    "ship_in_parts": st.integers(0, 1),
}


@st.composite
def policies(draw: st.DrawFn) -> dict[str, Any]:
    name = draw(st.sampled_from(sorted(RANGES)))
    dates = draw(st.sampled_from([(None, None), (at(-1), at(1)), (at(-2), None), (at(1), None), (None, at(0))]))
    return {
        "name": name,
        "value": draw(RANGES[name]),
        "channel": draw(st.sampled_from(["", "", *CHANNELS])),
        "location": draw(st.sampled_from(["", "", *PLACES])),
        "category": draw(st.sampled_from(["", "", "c"])),
        "sku": draw(st.sampled_from(["", "A", "K", "B"])),
        "valid_from": dates[0],
        "valid_to": dates[1],
    }


@st.composite
def worlds(draw: st.DrawFn) -> Rows:
    rows = world(wms(), {"places": [place(p, "wms", safety_stock=draw(st.integers(0, 3))) for p in PLACES]})
    for sku in "ABC":
        for where in PLACES:
            held = draw(st.one_of(st.none(), st.integers(-3, 25)))
            if held is not None:
                rows = world(rows, {**shelves(sku, **{where: held}), "places": []})
    rows["observations"] = rows.get("observations", [])
    rows["kit_rows"] = [
        {"kit_sku": kit, "component_sku": part, "quantity": draw(st.integers(1, 3))}
        for kit, part in (("K", "A"), ("K", "B"), ("KK", "K"), ("KK", "C"))
    ]
    rows["sku_map"] = [{"listing_key": "A-3", "sku": "A", "units": 3}]
    rows["prices"] = [{"sku": sku, "category": draw(st.sampled_from(["", "c"]))} for sku in (*"ABC", "K", "KK")]
    for name in CHANNELS:
        pool = draw(st.lists(st.sampled_from(PLACES), min_size=1, unique=True))
        rows = world(rows, channel(name, *LISTED, sells_from=pool, per_location=draw(st.booleans())))
    for number in range(draw(st.integers(0, 6))):
        sold = (draw(st.sampled_from(CHANNELS)), f"o{number}", draw(st.sampled_from(LISTED)), draw(st.integers(1, 4)))
        rows = world(rows, order(*sold, draw(st.sampled_from(["", *PLACES]))))
    rows["policies"] = draw(st.lists(policies(), max_size=8))
    return rows


@unhurried
@given(worlds())
def test_the_offers_are_those_of_a_naive_reference(rows: Rows) -> None:
    result = reckon(**rows).offers
    offers = {
        (s, key, where): offer for s, key, where, offer in result.select("system", "listing_key", "location", "offer").iter_rows()
    }
    assert offers == naive_offers(rows, NOW)
    known = result.filter(pl.col("channel_offer").is_not_null()).group_by("system", "listing_key")
    sums = known.agg(pl.col("offer").sum(), pl.col("channel_offer").first())
    assert sums["offer"].to_list() == sums["channel_offer"].to_list()


@unhurried
@given(worlds(), st.integers(0, 2**16))
def test_the_order_of_rows_and_rows_read_twice_change_nothing(rows: Rows, seed: int) -> None:
    dice = random.Random(seed)
    rows = world(rows, shipments(dice))
    mixed = {name: [*several, *dice.sample(several, len(several) // 2)] for name, several in rows.items()}
    for several in mixed.values():
        dice.shuffle(several)
    for one, other in zip(truth(inputs(**rows), NOW), truth(TruthInputs(*inputs(**mixed)), NOW), strict=True):
        assert_frame_equal(one, other)


def shipments(dice: random.Random) -> Rows:
    return {
        "movements": [
            {
                "system": dice.choice(["wms", *CHANNELS]),
                "movement_id": f"m{n}",
                "listing_key": dice.choice(["A", "B", "K"]),
                "location": dice.choice(PLACES),
                "units": dice.choice([-2, -1, 1]),
                "order_id": dice.choice(["", "x1", "x2"]),
                "occurred_at": at(dice.choice([-30, -2, -0.5, 1])),
            }
            for n in range(8)
        ]
    }


EVENTS = st.lists(
    st.tuples(st.sampled_from(["own", "receipt", "foreign", "by reference", "by order", "return", "count"]), st.integers(1, 3)),
    max_size=12,
)


@unhurried
@given(EVENTS, st.sampled_from(["at_count", "own", "writeback", "imported"]), st.integers(0, 12))
def test_opening_and_movements_are_what_is_on_the_shelf(events: list[tuple[str, int]], absorbs: str, unread: int) -> None:
    """A shelf lives through events two hours apart; the owner's number is read before the last `unread` of them."""
    physical = book = 20
    rows: list[dict[str, Any]] = []
    read_at = at(-100 + 2 * max(0, len(events) - unread) + 1)
    number = book
    for n, (what, units) in enumerate(events):
        when = at(-100 + 2 * n + 2)
        own = {"system": "till", "movement_id": f"t{n}", "listing_key": "A", "location": "shop", "occurred_at": when}
        web = {**own, "system": "web", "movement_id": f"w{n}", "units": -units, "order_id": f"o{n}"}
        change = units if what in {"receipt", "return"} else -units
        if what == "count":
            rows.append({**own, "kind": "count", "units": None, "counted": physical})
            book = physical
        elif what in {"own", "receipt"}:
            rows.append({**own, "kind": "sale" if what == "own" else "receipt", "units": change})
            book += change
        elif what == "return":
            rows.append({**web, "kind": "return", "units": change})
        else:
            rows.append(web)
        if what in {"by reference", "by order"}:
            mark = {"reference": f"web/w{n}"} if what == "by reference" else {"order_id": f"o{n}"}
            rows.append({**own, "kind": "adjustment", "units": change, **mark})
            book += change
        physical += change if what != "count" else 0
        number = book if when <= read_at else number
    result = reckon(
        systems=[system("till", counts=True, absorbs=absorbs), system("web", sells=True, sells_from=["shop"])],
        places=[place("shop", "till")],
        openings=[{"location": "shop", "sku": "A", "system": "till", "on_hand": 20, "opened_at": at(-100)}],
        observations=[{"system": "till", "listing_key": "A", "location": "shop", "quantity": number, "observed_at": read_at}],
        movements=rows,
        feeds=[{"system": "till"}],
    )
    shelf = result.shelves.row(0, named=True)
    assert shelf["on_hand"] == physical
    assert shelf["undecided"] == 0
    assert "ledger_untied" not in result.candidates["code"]
