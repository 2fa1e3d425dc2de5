"""Bridges: one SKU's numbers as an accountant writes them down, line by line, each with its units, its source and its rule.

Every line is an amount to add, and every sum is that of all lines since the last sum and of that sum itself: what is printed can
be added up again, by people and by programs.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import polars as pl

from invbi_pipeline.flows.accounts.explain import ExplainedPoint, Explanation

__all__ = ["Bridge", "Line", "bridges", "followed", "merge_bridge", "offer_bridge", "shelf_bridges", "shelf_lines"]

_BP: Final = 10_000  # basis points in one


@dataclass(frozen=True, slots=True)
class Line:
    """An amount (`units`, signed) or, where `is_sum`, what all amounts so far come to."""

    what: str
    units: int
    source: str = ""
    rule: str = ""
    is_sum: bool = False


@dataclass(frozen=True, slots=True)
class Bridge:
    """From where a number starts to what it comes to."""

    title: str
    lines: tuple[Line, ...]


def followed(lines: Iterable[Line]) -> bool:
    """Say whether every sum is what its lines come to."""
    at = 0
    for line in lines:
        if line.is_sum and line.units != at:
            return False
        at = line.units if line.is_sum else at + line.units
    return True


def bridges(found: Explanation) -> list[Bridge]:
    """Return every bridge of a SKU: its shelves (of a kit: its components'), then each number's offer and comparison."""
    told = list(shelf_bridges(found))
    for point in found.points:
        where = f"{point.point['system']}{' @ ' + point.point['location'] if point.point['location'] else ''}"
        name = f"{where}, listing {point.point['listing_key']}"
        told += [
            Bridge(f"{what} on {name}", lines)
            for what, lines in (
                ("Offer", tuple(offer_bridge(point, found))),
                ("Comparison", tuple(merge_bridge(point))),
            )
            if lines
        ]
    return told


def shelf_bridges(found: Explanation) -> Iterator[Bridge]:
    """Yield one bridge a shelf: from the owner's number to what is available there."""
    held = found.components if found.components.height else found.positions
    for title, lines in shelf_lines(held, found.shelves, found.outside, found.reservations):
        yield Bridge(title, lines)


def shelf_lines(
    positions: pl.DataFrame, shelves: pl.DataFrame, outside: pl.DataFrame, reservations: pl.DataFrame
) -> Iterator[tuple[str, tuple[Line, ...]]]:
    """Yield title and lines of each shelf of POSITIONS, SHELVES, OUTSIDE and RESERVATIONS."""
    for place in positions.drop_nulls("location").iter_rows(named=True):
        same = (pl.col("location") == place["location"]) & (pl.col("sku") == place["sku"])
        shelf, moved, reserved = (frame.filter(same) for frame in (shelves, outside, reservations))
        yield f"{place['sku']} at {place['location']}", tuple(_shelf(place, shelf, moved, reserved))


def _shelf(place: Mapping[str, Any], shelf: pl.DataFrame, outside: pl.DataFrame, reserved: pl.DataFrame) -> Iterator[Line]:
    if shelf.height:
        yield from _on_hand(shelf.row(0, named=True), outside)
    else:
        yield Line("never counted there", 0, rule="a shelf without an anchor gives nothing")
    left = (place["on_hand"] or 0) - place["undecided"] - place["unavailable"]
    yield Line("on hand", place["on_hand"] or 0, is_sum=True)
    for row in outside.filter((pl.col("state") == "undecided") & (pl.col("units") < 0)).iter_rows(named=True):
        yield Line(
            f"{_kind(row)}, undecided", row["units"], _movement(row), f"it may be in the owner's number already: {row['why']}"
        )
    if place["unavailable"]:
        yield Line("unavailable", -place["unavailable"], rule="damaged or set aside: counted, not for sale")
    if left < 0:
        yield Line("below 0 counts as 0", -left, rule="nobody can hold less than nothing")
    for row in reserved.iter_rows(named=True):
        source = f"{row['system']} order {row['order_id']} line {row['line_id']}, {_time(row['ordered_at'])}"
        yield Line("reserved", -row["units"], source, f"counted once: by {row['evidence']}")
    yield Line("free", place["free"], is_sum=True)
    safety = min(place["safety_stock"], max(0, place["free"]))
    if place["safety_stock"]:
        yield Line("safety stock", -safety, rule=f"{place['safety_stock']} kept back, never more than is free")
    yield Line("available", place["available"], is_sum=True)


def _on_hand(shelf: Mapping[str, Any], outside: pl.DataFrame) -> Iterator[Line]:
    how = "a physical count: what left before is gone" if shelf["kind"] == "count" else "its book number: what it has booked"
    yield Line("anchor", shelf["anchor"], f"{shelf['system']}, {_time(shelf['anchored_at'])}", how)
    if shelf["in_number"]:
        yield Line(
            "open orders its number has left out", shelf["in_number"], shelf["system"], "still on the shelf; reserved below"
        )
    for row in outside.filter(pl.col("state") != "undecided").iter_rows(named=True):
        rule = "booked after the anchor" if row["state"] == "own" else f"{shelf['system']} lacks it: {row['why']}"
        yield Line(_kind(row), row["units"], _movement(row), rule)


def _kind(row: Mapping[str, Any]) -> str:
    return str(row["kind"]).replace("_", " ")


def _movement(row: Mapping[str, Any]) -> str:
    order = f", order {row['order_id']}" if row["order_id"] else ""
    return f"{row['system']}/{row['movement_id']}{order}, {_time(row['occurred_at'])}"


def offer_bridge(explained: ExplainedPoint, found: Explanation) -> Iterator[Line]:
    """Yield the lines from what is available to the offer; none where nothing is offered.

    What divides or caps is told as what it takes away, so that every sum can be added up.
    """
    offer, point = explained.offer, explained.point
    if not offer or offer["offer"] is None:
        return
    held, pool = offer["held_nowhere"] or 0, offer["pool"]
    yield from _gathered(explained, found)
    if held:
        nowhere = found.reservations.filter(pl.col("location") == "")["order_id"].unique().sort().to_list()
        orders = f"orders {', '.join(nowhere)}" if nowhere else "open orders"
        yield Line("reserved, held nowhere yet", -held, orders, "no place is named; this channel's places may have to ship them")
    if offer["threshold"]:
        yield Line("threshold", -offer["threshold"], rule=_who(explained, "threshold"))
    yield Line("pool", pool, is_sum=True)
    shared = pool * offer["share_bp"] // _BP if pool > 0 else pool
    if shared != pool:
        yield Line(f"share {offer['share_bp'] / 100:g} %", shared - pool, rule=f"rounded down; {_who(explained, 'share_bp')}")
    if offer["buffer"]:
        yield Line("buffer", -offer["buffer"], *_buffer(explained))
    if offer["backorder_limit"]:
        yield Line("backorder limit", offer["backorder_limit"], rule=_who(explained, "backorder_limit"))
    left = shared - offer["buffer"] + offer["backorder_limit"]
    if left < 0:
        yield Line("below 0 is 0", -left, rule="nothing is promised that there is not")
    yield Line("sellable", offer["sellable"], is_sum=True)
    yield from _listed(explained)
    shown = point["offer"] if point["offer"] is not None else offer["offer"]
    if offer["offer"] != shown:
        yield Line("withheld", shown - offer["offer"], rule="sales not seen yet, kept back until they are")
    yield Line("offer", shown, is_sum=True)


def _gathered(explained: ExplainedPoint, found: Explanation) -> Iterator[Line]:
    offer, kit = explained.offer, bool(found.components.height)
    total = offer["pool"] + offer["threshold"] + (offer["held_nowhere"] or 0)
    made = "as many as its scarcest component is enough for" if kit else "the shelf's available units"
    if (offer["units"] or 1) > 1:
        made += f", in whole packs of {offer['units']}"
    if explained.places and None not in explained.places.values():
        for place, units in explained.places.items():
            yield Line(f"available at {place}", units or 0, "the shelf above", made)
        return
    who = _who(explained, "safety_stock")
    yield Line(f"available in {', '.join(explained.places) or 'no place'}", total, "the shelves above", f"safety stock: {who}")


def _buffer(explained: ExplainedPoint) -> tuple[str, str]:
    policy = explained.policy
    made = []
    if policy.get("buffer_pct_bp"):
        made.append(f"{policy['buffer_pct_bp'] / 100:g} % rounded up")
    if policy.get("buffer_risk_bp"):
        rate, lag = policy.get("rate_per_day") or 0.0, policy.get("lag_s") or 0
        made.append(f"risk {policy['buffer_risk_bp'] / 100:g} % that others sell more at {rate:.2f} a day within {lag:.0f} s")
    if policy.get("blind"):
        made.append(f"{policy['blind']} of them for an owner that cannot be read")
    return "", "; ".join([*made, _who(explained, "buffer")])


def _listed(explained: ExplainedPoint) -> Iterator[Line]:
    """Yield what is between the sellable units and this listing's offer: its pack, least and most, the other places' parts."""
    offer, point = explained.offer, explained.point
    pack, left = offer["units"] or 1, offer["sellable"]
    if pack > 1:
        yield Line(f"{left} unit{'s' * (left != 1)} in listings of {pack}", left // pack - left, rule="whole listings only")
        left //= pack
    if left and left < (offer["min_offer"] or 0):
        yield Line(f"below the least of {offer['min_offer']}", -left, rule=_who(explained, "min_offer"))
        left = 0
    if offer["max_offer"] is not None and left > offer["max_offer"]:
        yield Line(f"above the most of {offer['max_offer']}", offer["max_offer"] - left, rule=_who(explained, "max_offer"))
        left = offer["max_offer"]
    if point["location"]:
        outside = (
            "" if not explained.places or point["location"] in explained.places else f"; {point['location']} is not in its pool"
        )
        if left != offer["offer"]:
            yield Line("offered at its other places", offer["offer"] - left, rule=f"split by what each place has{outside}")


def merge_bridge(explained: ExplainedPoint) -> Iterator[Line]:
    """Yield the lines from the base to the gap; none where there is no base to compare with."""
    point, effects = explained.point, explained.effects
    if point["base"] is None or point["expected"] is None:
        return
    why = str(explained.base.get("why") or "").replace("_", " ")
    version = explained.base.get("version")
    source = f"{why}, {_time(explained.base.get('as_of'))}" + (f", version {version}" if version else "")
    yield Line("base", point["base"], source, "both sides agreed on it")
    since = point["expected"] - point["base"]
    if effects.height and int(effects["units"].sum()) == since:
        for row in effects.iter_rows(named=True):
            order = f", order {row['order_id']}" if row["order_id"] else ""
            applied = f"{row['effect_id']}{order}, {_time(row['stamped_at'])}"
            yield Line(_kind(row), row["units"], applied, "applied there after the base")
    elif since:
        yield Line("events since, net", since, rule="compared with a push in flight, or with 0 for less")
    yield Line("expected", point["expected"], is_sum=True)
    if point["reported"] is None or point["unexplained"] is None:
        return
    read = f"{point['system']}, {_time(point['observed_at'])}"
    yield Line("unexplained", point["unexplained"], rule="what was changed there and nothing we know explains")
    yield Line("reported", point["reported"], read, is_sum=True)
    if point["gap"] is not None:
        yield Line("less the offer", -(point["reported"] - point["gap"]), rule=f"offer - expected = pending {point['pending']}")
        yield Line("gap", point["gap"], rule="unexplained - pending", is_sum=True)


def _who(explained: ExplainedPoint, name: str) -> str:
    who = explained.policy.get(name) or "default"
    return f"policy: {who}" if who != "default" else "default"


def _time(at: datetime | None) -> str:
    return "-" if at is None else f"{at:%Y-%m-%d %H:%M:%S} UTC"
