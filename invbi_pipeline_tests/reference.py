"""The truth once more, written for clarity: plain loops that follow design.md, section 3, sentence by sentence (law 6).

Nothing of the package is used. A world is rows by input name (`domain.small_world`). It covers owners on a gross basis whose
ledger is read, or who import orders and show none; an owner's listings are its skus, and an order's copies name its place.
"""

import math
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

__all__ = ["Place", "Reference"]

Row = dict[str, Any]
Rows = dict[str, list[Row]]
Shelf = tuple[str, str]  # location, sku

_DEFAULTS = {"share_bp": 10_000, "threshold": 0, "backorder_limit": 0, "min_offer": 0, "ship_in_parts": 0}
_BUFFERS = {"buffer", "buffer_pct_bp", "buffer_risk_bp"}
_CYCLE_S = 300
_WINDOW = timedelta(days=28)


@dataclass(frozen=True)
class Place:
    """One shelf: on_hand (null: never anchored), the units nobody can decide yet, and what is free."""

    on_hand: int | None
    undecided: int
    reserved: int
    free: int


class Reference:
    """Reckons one world at one moment."""

    def __init__(self, rows: Rows, now: datetime) -> None:
        self.rows = defaultdict(list, rows)
        self.now = now
        self.systems = {row["system"]: row for row in rows["systems"]}
        self.places = {row["location"]: row for row in rows["places"]}
        self.channels = {name: row for name, row in self.systems.items() if row.get("sells")}
        self.category = {row["sku"]: row.get("category", "") for row in self.rows["prices"]}
        self.feeds = {row["system"]: row for row in self.rows["feeds"]}

    # ---------------------------------------------------------------- identity

    def mapped(self, system: str, key: str) -> tuple[str, int]:
        """A listing is units of a sku: as the map says, else one of its own code."""
        for row in self.rows["sku_map"]:
            if row["listing_key"] == key and row.get("system", "") in {"", system}:
                return row["sku"], row.get("units", 1)
        return key, 1

    def parts(self, sku: str) -> dict[str, int]:
        """Components flattened and summed."""
        made_of = [row for row in self.rows["kit_rows"] if row["kit_sku"] == sku]
        if not made_of:
            return {sku: 1}
        total: dict[str, int] = defaultdict(int)
        for row in made_of:
            for part, units in self.parts(row["component_sku"]).items():
                total[part] += units * row["quantity"]
        return dict(total)

    # ---------------------------------------------------------------- on hand

    def anchor(self, shelf: Shelf) -> tuple[int, datetime] | None:
        """The owner's newest number, or a physical count that is newer."""
        where, sku = shelf
        owner = self.places[where]["counted_by"]
        said = [
            (row["quantity"], row.get("observed_at", self.now))
            for row in self.rows["observations"]
            if (row["system"], row["location"], row["listing_key"]) == (owner, where, sku)
        ]
        counts = self.counts(shelf)
        if counts and (not said or counts[-1][0] > said[0][1]):
            return counts[-1][1], counts[-1][0]
        return said[0] if said else None

    def counts(self, shelf: Shelf) -> list[tuple[datetime, int]]:
        """Physical counts of a shelf, the newest last; of two at one moment the lower is the newer."""
        owner = self.places[shelf[0]]["counted_by"]
        rows = (r for r in self.rows["movements"] if r.get("kind") == "count" and r["system"] == owner)
        found = [(r["occurred_at"], r["counted"]) for r in rows if (r["location"], r["listing_key"]) == shelf]
        return sorted(found, key=lambda one: (one[0], -one[1]))

    def own_movements(self, shelf: Shelf) -> list[Row]:
        """What the owner's number learns by itself: its own movements, bookings of others' orders among them."""
        owner = self.places[shelf[0]]["counted_by"]
        rows = (r for r in self.rows["movements"] if r.get("kind", "sale") != "count" and r["system"] == owner)
        return [r for r in rows if (r["location"], r["listing_key"]) == shelf]

    def foreign_movements(self, shelf: Shelf) -> list[Row]:
        """Others' shipments and restocked returns there, in units of the sku; a sale booked by hand, of no order, is none."""
        where, sku = shelf
        owner = self.places[where]["counted_by"]
        found = []
        for row in self.rows["movements"]:
            if row["system"] == owner or row["location"] != where or not row.get("order_id"):
                continue
            if row.get("kind", "sale") not in {"sale", "return"}:
                continue
            whole, pack = self.mapped(row["system"], row["listing_key"])
            units = row["units"] * pack * self.parts(whole).get(sku, 0)
            if units:
                found.append({**row, "units": units, "ref": f"{row['system']}/{row['movement_id']}"})
        return sorted(found, key=lambda r: (r["occurred_at"], r["system"], r["movement_id"], r["listing_key"]))

    def bookings(self, shelf: Shelf) -> tuple[set[str], dict[tuple[str, int], int]]:
        """What the owner booked of others: the references it names at any place of its own, and units by order and direction."""
        foreign = self.foreign_movements(shelf)
        order_of = {row["ref"]: row["order_id"] for row in foreign}
        owner = self.places[shelf[0]]["counted_by"]
        near = [where for where, place in self.places.items() if place["counted_by"] == owner]
        booked = (row for where in near for row in self.own_movements((where, shelf[1])))
        named = {row["reference"] for row in booked if row.get("reference") in order_of}
        known = {line["order_id"] for line in self.rows["order_lines"]} | {
            r["order_id"] for r in self.rows["movements"] if r.get("order_id") and r["system"] in self.channels
        }
        by_order: dict[tuple[str, int], int] = defaultdict(int)
        for row in self.own_movements(shelf):
            if row.get("reference") not in named and row.get("order_id") in known:
                by_order[row["order_id"], _sign(row["units"])] += abs(row["units"])
        return named, by_order

    def missing(self, shelf: Shelf) -> list[tuple[Row, int]]:
        """Each foreign movement and the units of it not booked by the owner: by reference, or by order, the earliest first."""
        named, left = self.bookings(shelf)
        found = []
        for row in self.foreign_movements(shelf):
            if row["ref"] in named:
                continue
            key = row["order_id"], _sign(row["units"])
            booked = min(left.get(key, 0), abs(row["units"]))
            left[key] = left.get(key, 0) - booked
            found.append((row, row["units"] - booked * _sign(row["units"])))
        return found

    def state(self, shelf: Shelf, row: Row) -> str:
        """Whether the anchor contains a foreign movement that was not booked: contained, undecided or lacking."""
        owner = self.systems[self.places[shelf[0]]["counted_by"]]
        lag = timedelta(seconds=owner.get("booking_lag_s", 3600))
        anchor = self.anchor(shelf)
        assert anchor is not None
        reach = max(anchor[1], self.feeds.get(owner["system"], {}).get("stock_read_at", anchor[1]))
        opened = [o["opened_at"] for o in self.rows["openings"] if (o["location"], o["sku"]) == shelf]
        boundary = max([*opened, *(at for at, _ in self.counts(shelf)[-1:])])
        blindly_imports = owner.get("absorbs") == "imported" and not owner.get("has_ledger", True)
        when = row["occurred_at"]
        if when <= boundary - lag:  # a count contains all that left before it
            return "contained"
        if when + lag <= reach and (when <= boundary or blindly_imports):  # its booking lag has passed
            return "contained"
        return "undecided" if when <= boundary or blindly_imports else "lacking"

    def place(self, shelf: Shelf) -> Place:
        """On hand = anchor + every movement the anchor does not contain; free(l) = max(0, on_hand - unavailable) - reserved."""
        reserved = sum(units for (where, sku), units in self.reserved().items() if (where, sku) == shelf)
        anchor = self.anchor(shelf)
        if anchor is None:
            return Place(None, 0, reserved, -reserved)
        on_hand, undecided = anchor[0], 0
        for row in self.own_movements(shelf):
            if row["occurred_at"] > anchor[1]:
                on_hand += row["units"]
        for row, units in self.missing(shelf):
            state = self.state(shelf, row)
            if state == "lacking":
                on_hand += units
            if state == "undecided" and units < 0:
                undecided -= units
        held = sum(r["units"] for r in self.rows["unavailable"] if (r["location"], r["sku"]) == shelf)
        return Place(on_hand, undecided, reserved, max(0, on_hand - undecided - held) - reserved)

    # ---------------------------------------------------------------- reservations

    def reserved(self) -> dict[Shelf, int]:
        """Units of open lines by place ("": none yet) and component. A copy of an order is the same order."""
        found: dict[Shelf, int] = defaultdict(int)
        for (_, where, part), units in self.reservations().items():
            found[where, part] += units
        return found

    def reservations(self) -> dict[tuple[str, str, str], int]:
        """Units by (channel and order, place, component), less what the owner booked as gone beyond the shipments told."""
        found: dict[tuple[str, str, str], int] = defaultdict(int)
        for line in self.rows["order_lines"]:
            if line.get("external_id"):
                continue
            sku, units = self.mapped(line["system"], line["listing_key"])
            where = line.get("location", "")
            if not where and len(self.channels[line["system"]]["sells_from"]) == 1:
                where = self.channels[line["system"]]["sells_from"][0]
            for part, each in self.parts(sku).items():
                found[f"{line['system']}/{line['order_id']}", where, part] += line["open_quantity"] * units * each
        for (order, where, part), units in found.items():
            if where:
                shelf, name = (where, part), order.split("/", 1)[1]
                told = sum(abs(r["units"]) for r, _ in self.missing(shelf) if r["order_id"] == name and r["units"] < 0)
                ahead = max(0, self.bookings(shelf)[1].get((name, -1), 0) - told)
                found[order, where, part] = units - min(ahead, units)
        return found

    # ---------------------------------------------------------------- policies

    def rule(self, names: set[str], channel: str, location: str, sku: str) -> tuple[str, int] | None:
        """The narrowest row that matches and holds: sku before category before location before channel; then the dates."""
        what = {"sku": sku, "category": self.category.get(sku, ""), "location": location, "channel": channel}
        best: tuple[Any, str, int] | None = None
        for row in self.rows["policies"]:
            if row["name"] not in names or any(row.get(s) and row[s] != what[s] for s in what):
                continue
            begins, ends = row.get("valid_from"), row.get("valid_to")
            if (begins and begins > self.now) or (ends and ends <= self.now):
                continue
            narrow = tuple(bool(row.get(s)) for s in what)
            dates = (bool(begins or ends), begins.timestamp() if begins else -math.inf, -ends.timestamp() if ends else -math.inf)
            rank = (narrow, dates, -row["value"], [-ord(c) for c in row["name"]])
            if best is None or rank > best[0]:
                best = (rank, row["name"], row["value"])
        return best and (best[1], best[2])

    def value(self, name: str, channel: str, location: str, sku: str, default: int) -> int:
        said = self.rule({name}, channel, location, sku)
        return said[1] if said else default

    def sells(self, channel: str, where: str, sku: str) -> bool:
        return bool(self.value("sellable", channel, where, sku, self.places[where].get("sellable", True)))

    # ---------------------------------------------------------------- offers

    def available(self, channel: str, shelf: Shelf) -> int:
        """available(l) = free(l) - min(safety, max(0, free)); a place that may not sell gives nothing."""
        where, sku = shelf
        if not self.sells(channel, where, sku):
            return 0
        free = self.place(shelf).free
        safety = self.value("safety_stock", channel, where, sku, self.places[where].get("safety_stock", 0))
        return free - min(safety, max(0, free))

    def unheld(self, channel: str, part: str) -> int:
        """Reservations no location holds yet that this channel's locations may have to ship."""
        mine = set(self.channels[channel]["sells_from"])
        return sum(
            units
            for (order, where, sku), units in self.reservations().items()
            if not where and sku == part and mine & set(self.channels[order.split("/")[0]]["sells_from"])
        )

    def gathered(self, channel: str, sku: str, units: int, *, in_parts: bool) -> int:
        """What the pool's places give: floored to kits and packs in each place and summed, or the components summed first."""
        pool, parts = self.channels[channel]["sells_from"], self.parts(sku)
        gone = {part: self.unheld(channel, part) for part in parts}
        if in_parts:
            together = {part: sum(self.available(channel, (w, part)) for w in pool) - gone[part] for part in parts}
            return min(math.floor(Fraction(together[part], each)) for part, each in parts.items())
        makes = sum(math.floor(Fraction(self.makes(channel, w, sku), units)) * units for w in pool)
        return makes - max(math.ceil(Fraction(gone[part], each)) for part, each in parts.items())

    def makes(self, channel: str, where: str, sku: str) -> int:
        """How many of a sku or kit one place can give."""
        return min(math.floor(Fraction(self.available(channel, (where, p)), each)) for p, each in self.parts(sku).items())

    def buffer(self, channel: str, location: str, sku: str, pool: int, share: Fraction) -> int:
        """A number, a percentage of max(0, pool x share) rounded up, or a risk."""
        said = self.rule(_BUFFERS, channel, location, sku)
        if said is None:
            return 0
        if said[0] == "buffer_pct_bp":
            return math.ceil(max(Fraction(0), pool * share) * Fraction(said[1], 10_000))
        return self.risk(channel, sku, said[1]) if said[0] == "buffer_risk_bp" else said[1]

    def risk(self, channel: str, sku: str, risk_bp: int) -> int:
        """The smallest b, in kits, for which the chance that others sell more within the lag stays under the risk."""
        worst = 0
        for part, each in self.parts(sku).items():
            rate, others = self.rate_elsewhere(channel, part)
            told = max((self.feeds.get(other, {}).get("order_lag_s") or 0 for other in others), default=0)
            lag = told + _CYCLE_S + (self.feeds.get(channel, {}).get("visibility_lag_s") or 0)
            worst = max(worst, math.ceil(_poisson(rate * lag / 86_400, risk_bp / 10_000) / each))
        return worst

    def rate_elsewhere(self, channel: str, part: str) -> tuple[float, set[str]]:
        """Units a day that other channels sold of a component from this pool, and who they are."""
        pool = {w for w in self.channels[channel]["sells_from"] if self.sells(channel, w, part)}
        rate, others = 0.0, set()
        for other, facts in self.systems.items():
            sold = [sale for sale in self.sales(other) if sale[0] <= self.now]
            lately = [sale for sale in sold if sale[0] > self.now - _WINDOW]
            near = set(facts.get("sells_from", [])) & set(self.channels[channel]["sells_from"])
            units = sum(n for _, where, sku, n in lately if sku == part and (where in pool if where else near))
            if other != channel and units:
                first = max(min(sale[0] for sale in sold), self.now - _WINDOW)
                rate += units / max(1.0, (self.now - first) / timedelta(days=1))
                others.add(other)
        return round(rate, 6), others

    def sales(self, system: str) -> list[tuple[datetime, str, str, int]]:
        """What a system sold: its orders (not its copies of others'), and over its counter what belongs to no order."""
        found = []
        for line in self.rows["order_lines"]:
            if line["system"] == system and not line.get("external_id"):
                sku, units = self.mapped(system, line["listing_key"])
                where = line.get("location", "")
                if not where and len(self.channels[system]["sells_from"]) == 1:
                    where = self.channels[system]["sells_from"][0]
                for part, each in self.parts(sku).items():
                    found.append((line.get("ordered_at", self.now), where, part, line["quantity"] * units * each))
        for place in self.places:
            for sku in {row["listing_key"] for row in self.rows["movements"]}:
                for row in self.own_movements((place, sku)) if self.places[place]["counted_by"] == system else []:
                    _, by_order = self.bookings((place, sku))
                    booking = row.get("reference") or (row.get("order_id"), _sign(row["units"])) in by_order
                    if row.get("kind", "sale") == "sale" and row["units"] < 0 and not booking:
                        found.append((row["occurred_at"], place, sku, -row["units"]))
        return found

    def offer(self, channel: str, key: str) -> int | None:
        """sellable(c) = max(0, pool x share - buffer + backorder limit); floor per listing; min and max; null: unknown."""
        sku, units = self.mapped(channel, key)
        pool_of, parts = self.channels[channel]["sells_from"], self.parts(sku)
        for part in parts:
            may = [where for where in pool_of if self.sells(channel, where, part)]
            if may and all(self.anchor((where, part)) is None for where in may):
                return None
        where = pool_of[0] if len(pool_of) == 1 else ""
        rule = {name: self.value(name, channel, where, sku, default) for name, default in _DEFAULTS.items()}
        pool = self.gathered(channel, sku, units, in_parts=bool(rule["ship_in_parts"])) - rule["threshold"]
        share = Fraction(rule["share_bp"], 10_000)
        shared = math.floor(pool * share) if pool > 0 else pool
        sellable = max(0, shared - self.buffer(channel, where, sku, pool, share) + rule["backorder_limit"])
        offer = sellable // units
        offer = 0 if offer < rule["min_offer"] else offer
        most = self.rule({"max_offer"}, channel, where, sku)
        return min(offer, most[1]) if most else offer

    def split(self, channel: str, key: str, offer: int | None) -> dict[str, int | None]:
        """One offer over its places: what is kept back comes from the fullest first, what is promised beyond goes there."""
        sku, units = self.mapped(channel, key)
        pool = self.channels[channel]["sells_from"]
        read = {w for w in pool if self.was_read(channel, w, sku)}
        full = {w: max(0, self.makes(channel, w, sku) // units) if w in read else 0 for w in pool}
        if offer is None:
            return dict.fromkeys(pool)
        order = sorted(pool, key=lambda w: (-full[w], w))
        back = sum(full.values()) - offer
        left = dict(full)
        for w in order:
            taken = min(max(back, 0), left[w])
            left[w] -= taken
            back -= taken
        left[order[0]] += max(0, -back)
        return {w: left[w] if w in read else None for w in pool}

    def was_read(self, channel: str, where: str, sku: str) -> bool:
        """Whether any number of a place was ever read; of a place that may not sell the part is 0 all the same."""
        if not all(self.sells(channel, where, part) for part in self.parts(sku)):
            return True
        listed = [row["listing_key"] for row in self.rows["listings"] if row["system"] == channel]
        every = {part for key in listed for part in self.parts(self.mapped(channel, key)[0])}
        return any(self.anchor((where, part)) is not None for part in every)

    def offers(self) -> dict[tuple[str, str, str], int | None]:
        """(system, listing key, location) -> offer."""
        found: dict[tuple[str, str, str], int | None] = {}
        for listing in self.rows["listings"]:
            name, key = listing["system"], listing["listing_key"]
            if name in self.channels:
                offer = self.offer(name, key)
                split = self.split(name, key, offer) if self.channels[name].get("per_location") else {"": offer}
                found |= {(name, key, where): part for where, part in split.items()}
        return found

    def positions(self) -> dict[Shelf, Place]:
        """Every shelf that is anchored or owes something."""
        counted = [row for row in self.rows["movements"] if row.get("kind") == "count"]
        skus = {row["listing_key"] for row in (*self.rows["observations"], *counted)} | {sku for _, sku in self.reserved()}
        shelves = {(where, sku): self.place((where, sku)) for where in self.places for sku in skus}
        return {shelf: place for shelf, place in shelves.items() if place.on_hand is not None or place.reserved}


def _sign(units: int) -> int:
    return (units > 0) - (units < 0)


def _poisson(mean: float, risk: float) -> int:
    b = 0
    while mean > 0:
        beyond = (math.exp(n * math.log(mean) - mean - math.lgamma(n + 1)) for n in range(b + 1, b + 200))
        if math.fsum(beyond) < risk:
            break
        b += 1
    return b
