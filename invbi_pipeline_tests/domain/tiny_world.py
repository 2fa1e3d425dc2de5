"""A very small world behind one platform: sales, a late order feed, hand edits, pushes that take their time or get lost.

Each point has its own script. The world alone knows the truth; the merge sees numbers, orders as they become readable, and the
answers to its own pushes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from invbi_pipeline.domain import frames
from invbi_pipeline.domain.points import MergeInputs, MergeResult, merge
from invbi_pipeline.domain.points.inputs import POINT_EFFECTS
from invbi_pipeline.domain.words import Basis, FeedVerdict, Quantity
from invbi_pipeline_tests.domain.points.one_point import at, frame

__all__ = ["Act", "Lags", "Run", "Shelf", "TinyWorld"]

RUN_EVERY = 5.0


@dataclass(frozen=True)
class Act:
    """Something that happens half a minute after `minute`: sale, cancel (here), elsewhere, receipt (offer only), edit, lose."""

    minute: int
    what: str
    units: int = 1
    delay: int = 0  # minutes until the order feed shows it


@dataclass(frozen=True)
class Lags:
    """Minutes."""

    order: int = 0
    visibility: int = 0


@dataclass
class Shelf:
    """One point's truth."""

    key: str
    script: Sequence[Act]
    number: int = 10
    stock: int = 10  # what may be sold, all sales known
    effects: list[dict[str, Any]] = field(default_factory=list)
    pushes: list[dict[str, Any]] = field(default_factory=list)
    landing: list[tuple[datetime, int]] = field(default_factory=list)
    lose_next: bool = False

    def readable(self, now: datetime) -> list[dict[str, Any]]:
        return [e for e in self.effects if e["readable_at"] <= now]

    def offer(self, now: datetime) -> int:
        """What we would offer: the stock, were the sales nobody can read yet not made."""
        return max(0, self.stock - sum(int(e["units"]) for e in self.effects if e["readable_at"] > now))

    def land(self, now: datetime) -> None:
        for when, value in [p for p in self.landing if p[0] <= now]:
            self.number = value
            self.landing.remove((when, value))

    def play(self, act: Act, now: datetime) -> None:
        self.land(now)
        match act.what:
            case "sale" if 0 < act.units <= self.number:
                self._effect(-act.units, act, now)
            case "cancel":
                self._effect(act.units, act, now)
            case "elsewhere":
                self.stock -= act.units
            case "receipt":
                self.stock += act.units
            case "edit":
                self.number = max(0, self.number + act.units)
            case "lose":
                self.lose_next = True
            case _:
                return

    def _effect(self, units: int, act: Act, now: datetime) -> None:
        self.number += units
        self.stock += units
        name = f"{self.key}-{len(self.effects)}"
        row = {"system": "web", "listing_key": self.key, "location": "", "effect_id": name, "units": units}
        self.effects.append({**row, "stamped_at": now, "readable_at": now + timedelta(minutes=act.delay)})


@dataclass(frozen=True)
class Run:
    """One run: what was given, what came out, and the pushes sent: (listing_key, value, raw number, what may be sold)."""

    now: datetime
    inputs: MergeInputs
    result: MergeResult
    sent: list[tuple[str, int, int, int]]


@dataclass
class TinyWorld:
    shelves: list[Shelf]
    lags: Lags = Lags()
    minute: float = 0
    remembered: MergeResult | None = None
    runs: int = 0

    def until(self, minute: float) -> Iterator[Run]:
        """Live until `minute`, reconciling every five minutes."""
        while self.minute < minute:
            yield self.run()
            self.pass_time(RUN_EVERY)

    def pass_time(self, minutes: float) -> None:
        """Let what the scripts say happen in the next minutes."""
        for shelf in self.shelves:
            for act in sorted(shelf.script, key=lambda a: a.minute):
                if self.minute <= act.minute < self.minute + minutes:
                    shelf.play(act, at(act.minute + 0.5))
            shelf.land(at(self.minute + minutes))
        self.minute += minutes

    def inputs(self) -> MergeInputs:
        now = at(self.minute)
        old = self.remembered
        known = {} if old is None else {
            "bases": old.bases, "contained": old.contained, "looks": old.looks, "unjudged": old.unjudged,
        }  # fmt: skip
        keys = [{"system": "web", "listing_key": s.key, "location": ""} for s in self.shelves]
        read = {"observed_at": now, "read_began_at": now, "read_ended_at": now, "state": Quantity.KNOWN.value}
        flights = [p for s in self.shelves for p in s.pushes]
        effects = [e for s in self.shelves for e in s.readable(now)]
        lag = {"order_lag_s": self.lags.order * 60, "read_lag_s": 0, "visibility_lag_s": self.lags.visibility * 60}
        complete = {"orders_complete_to": now - timedelta(minutes=self.lags.order)}
        pairs = list(zip(keys, self.shelves, strict=True))
        return MergeInputs(
            observations=frame(frames.OBSERVATIONS, *({**k, **read, "quantity": s.number} for k, s in pairs)),
            offers=frame(frames.OFFERS, *({**k, "offer": s.offer(now)} for k, s in pairs)),
            mappings=frame(frames.MAPPINGS, *({**k, "sku": s.key, "units": 1} for k, s in pairs)),
            feeds=frame(frames.FEEDS, {"system": "web", "verdict": FeedVerdict.BELIEVED.value, **lag, **complete}),
            systems=frame(frames.SYSTEMS, {"system": "web", "basis": Basis.NET.value}),
            effects=frame(POINT_EFFECTS, *effects),
            flights=frame(frames.FLIGHTS, *flights),
            **known,
        )

    def run(self) -> Run:
        """Read, merge, end the flights, send what is planned (a raise at a first look waits for the order feed)."""
        now = at(self.minute)
        for shelf in self.shelves:
            shelf.land(now)
        given = self.inputs()
        result = merge(given, now, f"r{self.runs}")
        self.remembered, self.runs = result, self.runs + 1
        ended = set(result.flight_ends.filter(pl.col("outcome") != "still")["correction_id"])
        sent = []
        by_key = {row["listing_key"]: row for row in result.points.iter_rows(named=True)}
        for shelf in self.shelves:
            shelf.pushes = [p for p in shelf.pushes if p["correction_id"] not in ended]
            row = by_key[shelf.key]
            held = row["first_look"] and (row["complete_to"] is None or row["complete_to"] < row["first_look_at"])
            if row["target"] is None or (held and row["target"] > row["raw"]):
                continue
            sent.append((shelf.key, row["target"], row["raw"], max(0, shelf.stock)))
            self._push(shelf, row, now)
        return Run(now, given, result, sent)

    def _push(self, shelf: Shelf, row: dict[str, Any], now: datetime) -> None:
        known = {name: row[name] for name in ("system", "listing_key", "location", "known_from", "known_to", "known_units")}
        sent = {"sent_at": now, "send_ended_at": now, "contains_to": now, "state": "accepted"}
        name = f"{shelf.key}-{self.runs}"
        shelf.pushes.append(
            {**known, **sent, "correction_id": name, "target": row["target"], "withheld": row["withhold"], "shown": row["raw"]}
        )
        if shelf.lose_next:
            shelf.lose_next = False
            return
        shelf.landing.append((now + timedelta(minutes=self.lags.visibility), row["send"]))
        shelf.land(now)
