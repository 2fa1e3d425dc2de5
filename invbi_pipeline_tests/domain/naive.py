"""The offer arithmetic once more, naively: plain loops over rows, nothing shared with the package. For the laws only."""

import math
from datetime import datetime
from fractions import Fraction
from typing import Any

__all__ = ["naive_offers"]

Rows = dict[str, list[dict[str, Any]]]
_LOCAL = {"sellable", "safety_stock"}
_DEFAULTS = {"share_bp": 10_000, "threshold": 0, "buffer": 0, "backorder_limit": 0, "min_offer": 0, "ship_in_parts": 0}


def _parts(rows: Rows, sku: str) -> dict[str, int]:
    """Return what one unit of the sku is made of."""
    made_of = [r for r in rows.get("kit_rows", []) if r["kit_sku"] == sku]
    if not made_of:
        return {sku: 1}
    total: dict[str, int] = {}
    for row in made_of:
        for part, units in _parts(rows, row["component_sku"]).items():
            total[part] = total.get(part, 0) + units * row["quantity"]
    return total


def _rule(rows: Rows, names: set[str], now: datetime, **what: str) -> tuple[str, int] | None:
    """Return name and value of the policy row that wins."""
    best: tuple[Any, str, int] | None = None
    for row in rows.get("policies", []):
        if row["name"] not in names or any(row.get(s) and row[s] != what[s] for s in what):
            continue
        if (row.get("valid_from") and row["valid_from"] > now) or (row.get("valid_to") and row["valid_to"] <= now):
            continue
        narrow = tuple(bool(row.get(s)) for s in ("sku", "category", "location", "channel"))
        dated = bool(row.get("valid_from") or row.get("valid_to"))
        begins = row["valid_from"].timestamp() if row.get("valid_from") else -math.inf
        ends = row["valid_to"].timestamp() if row.get("valid_to") else math.inf
        rank = (narrow, dated, begins, -ends, -row["value"], [-ord(c) for c in row["name"]])
        if best is None or rank > best[0]:
            best = (rank, row["name"], row["value"])
    return best and (best[1], best[2])


def _mapped(rows: Rows, system: str, key: str) -> tuple[str, int]:
    for row in rows.get("sku_map", []):
        if row["listing_key"] == key and row.get("system", "") in {"", system}:
            return row["sku"], row.get("units", 1)
    return key, 1


def naive_offers(rows: Rows, now: datetime) -> dict[tuple[str, str, str], int | None]:
    """Return (system, listing_key, location) -> offer, in worlds without movements whose owner `wms`, gross, was just read."""
    places = {p["location"]: p for p in rows["places"]}
    category = {p["sku"]: p.get("category", "") for p in rows.get("prices", [])}
    held = {(o["location"], o["listing_key"]): o["quantity"] for o in rows["observations"] if o["system"] == "wms"}
    channels = {s["system"]: s for s in rows["systems"] if s.get("sells")}
    reserved: dict[tuple[str, str], int] = {}
    nowhere: dict[tuple[str, str], int] = {}
    for line in rows.get("order_lines", []):
        sku, units = _mapped(rows, line["system"], line["listing_key"])
        where = line.get("location", "")
        if not where and len(channels[line["system"]]["sells_from"]) == 1:
            where = channels[line["system"]]["sells_from"][0]
        for part, each in _parts(rows, sku).items():
            book, key = (reserved, (where, part)) if where else (nowhere, (line["system"], part))
            book[key] = book.get(key, 0) + line["open_quantity"] * units * each
    offers: dict[tuple[str, str, str], int | None] = {}
    for listing in rows["listings"]:
        name, key = listing["system"], listing["listing_key"]
        if name not in channels:
            continue
        system = channels[name]
        sku, units = _mapped(rows, name, key)
        parts = _parts(rows, sku)
        pool_of = list(system["sells_from"])
        may: dict[str, bool] = {}
        makes: dict[str, int] = {}
        given: dict[tuple[str, str], int] = {}
        anchored = dict.fromkeys(parts, False)
        for where in pool_of:
            for part in parts:
                what = {"channel": name, "location": where, "category": category.get(part, ""), "sku": part}
                sells = _rule(rows, {"sellable"}, now, **what)
                may[where] = may.get(where, True) and (bool(sells[1]) if sells else places[where].get("sellable", True))
                sells_this = bool(sells[1]) if sells else places[where].get("sellable", True)
                safe = _rule(rows, {"safety_stock"}, now, **what)
                safety = safe[1] if safe else places[where].get("safety_stock", 0)
                free = max(0, held.get((where, part), 0)) - reserved.get((where, part), 0)
                given[where, part] = free - min(safety, max(0, free)) if sells_this else 0
                anchored[part] |= sells_this and (where, part) in held
                anchored[part] |= not any(_sells(rows, now, name, w, part, category, places) for w in pool_of)
            makes[where] = min(math.floor(Fraction(given[where, part], each)) for part, each in parts.items())
        unheld = {
            part: sum(u for (other, p), u in nowhere.items() if p == part and set(channels[other]["sells_from"]) & set(pool_of))
            for part in parts
        }
        what = {
            "channel": name,
            "location": pool_of[0] if len(pool_of) == 1 else "",
            "category": category.get(sku, ""),
            "sku": sku,
        }
        rule = {n: (_rule(rows, {n}, now, **what) or (n, d))[1] for n, d in _DEFAULTS.items()}
        if rule["ship_in_parts"]:
            pool = min(
                math.floor(Fraction(sum(given[w, part] for w in pool_of) - unheld[part], each)) for part, each in parts.items()
            )
        else:
            pool = sum(math.floor(Fraction(makes[w], units)) * units for w in pool_of)
            pool -= max(math.ceil(Fraction(unheld[part], each)) for part, each in parts.items())
        pool -= rule["threshold"]
        share = Fraction(rule["share_bp"], 10_000)
        said = _rule(rows, {"buffer", "buffer_pct_bp"}, now, **what)
        buffer = 0 if said is None else said[1]
        if said is not None and said[0] == "buffer_pct_bp":
            buffer = math.ceil(max(Fraction(0), pool * share) * Fraction(said[1], 10_000))
        sellable = max(0, (math.floor(pool * share) if pool > 0 else pool) - buffer + rule["backorder_limit"])
        offer: int | None = math.floor(Fraction(sellable, units))
        assert offer is not None
        offer = 0 if offer < rule["min_offer"] else offer
        most = _rule(rows, {"max_offer"}, now, **what)
        offer = min(offer, most[1]) if most else offer
        if not all(anchored.values()):
            offer = None
        if not system.get("per_location"):
            offers[name, key, ""] = offer
            continue
        read = {w for w in pool_of if not may[w] or any((w, p) in held for p in _everything(rows, name, _parts))}
        full = {w: max(0, math.floor(Fraction(makes[w], units))) if w in read else 0 for w in pool_of}
        order = sorted(pool_of, key=lambda w: (-full[w], w))
        spread = dict(full)
        if offer is not None:
            back = sum(full.values()) - offer
            for w in order:
                taken = min(max(back, 0), spread[w])
                spread[w] -= taken
                back -= taken
            spread[order[0]] += max(0, offer - sum(full.values()))
        for w in pool_of:
            offers[name, key, w] = spread[w] if w in read and offer is not None else None
    return offers


def _sells(
    rows: Rows, now: datetime, channel: str, where: str, part: str, category: dict[str, str], places: dict[str, Any]
) -> bool:
    said = _rule(rows, {"sellable"}, now, channel=channel, location=where, category=category.get(part, ""), sku=part)
    return bool(said[1]) if said else bool(places[where].get("sellable", True))


def _everything(rows: Rows, name: str, parts_of: Any) -> set[str]:
    """Return every component that any listing of the channel is made of."""
    keys = [listing["listing_key"] for listing in rows["listings"] if listing["system"] == name]
    return {part for key in keys for part in parts_of(rows, _mapped(rows, name, key)[0])}
