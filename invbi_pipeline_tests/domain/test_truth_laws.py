"""Laws of the truth half, on random small worlds: the same as a naive reference, indifferent to order, and conserving units."""

import random
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from invbi_pipeline.domain.corrections.guards import DOUBTED
from invbi_pipeline.domain.truth import TruthInputs, truth
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
from invbi_pipeline_tests.reference import Reference

# A truth costs a fifth of a second to plan, however small its world; shrinking one would take minutes.
unhurried = settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow], phases=[Phase.explicit, Phase.generate])
twice = settings(unhurried, max_examples=6)  # for laws of two truths an example

PLACES = ("p1", "p2", "p3", "p4")
CHANNELS = ("web", "shop")
LISTED = ("A", "B", "A-3", "K", "KK")
RANGES = {
    "share_bp": st.integers(0, 10_000),
    "threshold": st.integers(0, 9),
    "buffer": st.integers(0, 9),
    "buffer_pct_bp": st.integers(0, 5_000),
    "buffer_risk_bp": st.integers(1, 5_000),
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
    """Shelves with gaps, kits in kits, packs, two channels whose pools may overlap, orders, their copies, and policies."""
    how = draw(st.sampled_from(["own", "writeback", "at_count", "imported"]))
    ledger = how != "imported" or draw(st.booleans())
    rows = world(
        wms(absorbs=how, has_ledger=ledger), {"places": [place(p, "wms", safety_stock=draw(st.integers(0, 3))) for p in PLACES]}
    )
    for sku in "ABC":
        for where in PLACES:
            held = draw(st.one_of(st.none(), st.integers(-3, 25)))
            if held is not None:
                rows = world(rows, {**shelves(sku, **{where: held}), "places": []})
    read_at, reach = at(draw(st.sampled_from([-5, -0.5]))), at(draw(st.sampled_from([-0.5, 0])))
    rows["observations"] = [{**row, "observed_at": read_at} for row in rows.get("observations", [])]
    rows["openings"] = [{**row, "opened_at": at(-20)} for row in rows.get("openings", [])]
    rows["feeds"] = [{"system": "wms", "stock_read_at": reach, "order_lag_s": 600}]
    rows["feeds"] += [{"system": name, "order_lag_s": 7200, "visibility_lag_s": 60} for name in CHANNELS]
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
        rows = world(rows, sold(draw, number))
    rows["movements"] = draw(st.lists(st.one_of(shipments(), bookings() if ledger else shipments()), max_size=8))
    rows["movements"] = [{**row, "movement_id": f"m{n}"} for n, row in enumerate(rows["movements"])]
    rows["unavailable"] = [{"location": draw(st.sampled_from(PLACES)), "sku": draw(st.sampled_from("ABC")), "units": 2}]
    rows["policies"] = draw(st.lists(policies(), max_size=8))
    return rows


def sold(draw: st.DrawFn, number: int) -> Rows:
    """Return an open order line of one channel, which the other one may have imported."""
    name, where = draw(st.sampled_from(CHANNELS)), draw(st.sampled_from(["", *PLACES]))
    key, units, when = draw(st.sampled_from(LISTED)), draw(st.integers(1, 4)), at(-draw(st.integers(0, 900)))
    line = order(name, f"{name}-{number}", key, units, where, ordered_at=when)
    copied = order(
        CHANNELS[name == CHANNELS[0]], f"copy-{number}", key, units, where, ordered_at=when, external_id=f"{name}-{number}"
    )
    return world(line, copied) if where and draw(st.booleans()) else line


TIMES = st.sampled_from([-30, -20.5, -19, -4.5, -0.2, 0]).map(at)


@st.composite
def shipments(draw: st.DrawFn) -> dict[str, Any]:
    """Return what a channel told of leaving or coming back to a shelf; without an order it was booked by hand."""
    name = draw(st.sampled_from(CHANNELS))
    kind, units = draw(st.sampled_from([("sale", -1), ("sale", -2), ("return", 1)]))
    numbered = draw(st.sampled_from(["", f"{name}-0", f"{name}-1", f"{name}-x"]))
    what = {"kind": kind, "units": units, "order_id": numbered, "listing_key": draw(st.sampled_from(LISTED))}
    return {"system": name, "location": draw(st.sampled_from(PLACES)), "occurred_at": draw(TIMES), **what}


@st.composite
def bookings(draw: st.DrawFn) -> dict[str, Any]:
    """Return what the owner booked: its own, another's by its reference or by its order, or a count of the shelf."""
    row = {
        "system": "wms",
        "listing_key": draw(st.sampled_from("ABC")),
        "location": draw(st.sampled_from(PLACES)),
        "occurred_at": draw(TIMES),
    }
    if draw(st.integers(0, 4)) == 0:
        return {**row, "kind": "count", "units": None, "counted": draw(st.integers(0, 20))}
    of = draw(st.sampled_from(["", "web-0", "web-x", "shop-1"]))
    named = draw(st.sampled_from(["", "", "web/m0", "shop/m1"])) if not of else ""
    kind = draw(st.sampled_from(["sale", "adjustment", "receipt"]))
    return {**row, "kind": kind, "units": draw(st.sampled_from([-3, -1, 2])), "order_id": of, "reference": named}


@unhurried
@given(worlds())
def test_shelves_and_offers_are_those_of_a_plain_reference(rows: Rows) -> None:
    result, reference = reckon(**rows), Reference(rows, NOW)
    shelves_ = ["location", "sku", "on_hand", "undecided", "reserved", "free"]
    found = {row[:2]: row[2:] for row in result.positions.select(shelves_).iter_rows()}
    assert found == {shelf: (p.on_hand, p.undecided, p.reserved, p.free) for shelf, p in reference.positions().items()}
    offers = result.offers.select("system", "listing_key", "location", "offer").iter_rows()
    assert {row[:3]: row[3] for row in offers} == reference.offers()


def test_what_the_owner_booked_at_another_of_its_places_by_name_is_booked_there_and_nowhere_else() -> None:
    shipped = {"system": "web", "movement_id": "m0", "location": "p1", "order_id": "o1", "occurred_at": at(0)}
    named = {"system": "wms", "movement_id": "m1", "location": "p2", "reference": "web/m0", "occurred_at": at(-5)}
    moves = {"movements": [{"kind": "sale", "units": -1, "listing_key": "A", **row} for row in (shipped, named)]}
    rows = world(wms(), shelves("A", p1=9, p2=9), channel("web", "A", sells_from=["p1", "p2"]), moves)
    found = dict(reckon(**rows).positions.select("location", "on_hand").iter_rows())
    assert found == {where: p.on_hand for (where, _), p in Reference(rows, NOW).positions().items()} == {"p1": 9, "p2": 9}


def test_a_shelf_of_which_only_a_count_tells_is_anchored_by_it() -> None:
    count = {"system": "wms", "movement_id": "m0", "location": "p1", "listing_key": "B", "kind": "count", "units": None}
    moves = {"movements": [{**count, "counted": 4, "occurred_at": at(-5)}]}
    rows = world(wms(), shelves("A", p1=9), {"prices": [{"sku": "B"}]}, moves)
    found = dict(reckon(**rows).positions.filter(sku="B").select("location", "on_hand").iter_rows())
    assert found == {where: p.on_hand for (where, sku), p in Reference(rows, NOW).positions().items() if sku == "B"} == {"p1": 4}


def test_without_telling_all_that_stands_against_a_correction_is_noticed_still() -> None:
    rows = world(wms(), shelves("A", p1=25), shelves("B", p1=-2), channel("web", "A", "A-6PK", "B", "K", "U", sells_from=["p1"]))
    rows["listings"] += [
        {"system": "web", "listing_key": "other", "raw_sku": "A"},
        {"system": "web", "listing_key": "unknown", "raw_sku": "Q"},
        {"system": "web", "listing_key": "bad code", "raw_sku": "B", "barcode": "123"},
    ]
    rows["sku_map"] = [{"system": "web", "listing_key": "A-6PK", "sku": "A", "units": 1}]
    rows["sku_map"] += [{"system": "web", "listing_key": "U", "sku": sku} for sku in "AB"]
    rows["kit_rows"] = [
        {"kit_sku": kit, "component_sku": part, "quantity": 1}
        for kit, part in (("X", "Y"), ("Y", "X"), ("Y", "A"), ("K", "Z"), ("K", "A"))
    ]
    rows["observations"] += [{"system": "web", "listing_key": "A-6PK", "quantity": 4}]
    told, untold = truth(inputs(**rows), NOW), truth(inputs(**rows), NOW, telling=False)
    against = told.candidates.filter(told.candidates["code"].is_in(DOUBTED))
    assert {*against["code"]} == {*DOUBTED}
    assert told.candidates.height > against.height == untold.candidates.height
    assert_frame_equal(untold.candidates, against)
    for name, frame, bare in zip(told._fields, told, untold, strict=True):
        if name not in ("candidates", "suggestions"):
            assert_frame_equal(frame, bare)


@twice
@given(worlds(), st.integers(0, 2**16))
def test_the_order_of_rows_and_rows_read_twice_change_nothing(rows: Rows, seed: int) -> None:
    dice = random.Random(seed)
    mixed = {name: [*several, *dice.sample(several, len(several) // 2)] for name, several in rows.items()}
    for several in mixed.values():
        dice.shuffle(several)
    for one, other in zip(truth(inputs(**rows), NOW), truth(TruthInputs(*inputs(**mixed)), NOW), strict=True):
        assert_frame_equal(one, other)


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
