"""One point, told as a story: what was read, which orders arrived, what was pushed. The rules are tested through it."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from invbi_pipeline.domain import frames
from invbi_pipeline.domain.points import MergeInputs, MergeResult, merge
from invbi_pipeline.domain.points.inputs import POINT_EFFECTS
from invbi_pipeline.domain.words import Basis, FeedVerdict, Quantity

__all__ = ["KEY", "START", "Story", "at", "frame"]

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
KEY = {"system": "web", "listing_key": "L1", "location": "shop"}


def at(minutes: float) -> datetime:
    """Return the time `minutes` after the story began."""
    return START + timedelta(minutes=minutes)


def frame(schema: frames.Schema, *rows: dict[str, Any]) -> pl.DataFrame:
    """Return `rows` as a frame of `schema`; what a row does not say is null."""
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=dict(schema))


@dataclass
class Story:
    """A point's past as the merge remembers it, and what a test lets happen next. Times are minutes after the start."""

    read_lag_s: int = 0
    visibility_lag_s: int = 0
    gross: bool = False
    verdict: str = FeedVerdict.BELIEVED.value
    effects: list[dict[str, Any]] = field(default_factory=list)
    flights: list[dict[str, Any]] = field(default_factory=list)
    remembered: MergeResult | None = None
    last: dict[str, Any] = field(default_factory=dict)

    def agreed(self, number: int, minute: float = 0) -> "Story":
        """Both sides agree on `number`, the order feed being complete."""
        self.look(number, offer=number, minute=minute, complete=minute)
        return self

    def order(self, units: int, minute: float, name: str = "") -> "Story":
        """The order feed brings an effect stamped at `minute`."""
        effect_id = name or f"e{len(self.effects)}"
        self.effects.append({**KEY, "effect_id": effect_id, "kind": "sale", "units": units, "stamped_at": at(minute)})
        return self

    def send(self, minute: float, name: str = "c1", state: str = "accepted") -> "Story":
        """What the last look planned is sent; the platform accepts it at `minute`, or its answer is not known."""
        return self.fly(self.last["target"], minute, name, shown=self.last["reported"], state=state, **{
            n: self.last[n] for n in ("withhold", "known_from", "known_to", "known_units")
        })  # fmt: skip

    def fly(self, target: int, minute: float, name: str = "c1", **known: Any) -> "Story":
        """A push to `target`, accepted at `minute`."""
        contains = self.last["observed_at"] if self.gross else at(minute)
        self.flights.append(
            {
                **KEY, "correction_id": name, "target": target, "contains_to": contains, "withheld": known.pop("withhold", 0),
                "sent_at": at(minute), "send_ended_at": at(minute), "state": "accepted", "known_units": 0, **known,
            }
        )  # fmt: skip
        return self

    def inputs(
        self, reported: int | None, offer: int | None, minute: float, complete: float | None, reserved: int, own_open: int,
        read_began: float | None, mapped: bool,
    ) -> MergeInputs:  # fmt: skip
        began = at(minute if read_began is None else read_began)
        state = Quantity.KNOWN if reported is not None else Quantity.UNKNOWN
        seen = {**KEY, "state": state.value, "quantity": reported, "reserved": reserved, "observed_at": at(minute)}
        lags = {"order_lag_s": 0, "read_lag_s": self.read_lag_s, "visibility_lag_s": self.visibility_lag_s}
        done = None if complete is None else at(complete)
        old = self.remembered
        known = {} if old is None else {
            "bases": old.bases, "contained": old.contained, "looks": old.looks, "unjudged": old.unjudged,
        }  # fmt: skip
        return MergeInputs(
            observations=frame(frames.OBSERVATIONS, {**seen, "read_began_at": began, "read_ended_at": began}),
            offers=frame(frames.OFFERS, {**KEY, "offer": offer, "own_open": own_open}),
            mappings=frame(frames.MAPPINGS, {**KEY, "sku": "SKU", "units": 1} if mapped else {}).drop_nulls("system"),
            feeds=frame(frames.FEEDS, {**KEY, "verdict": self.verdict, "orders_complete_to": done, **lags}),
            systems=frame(frames.SYSTEMS, {**KEY, "basis": Basis.GROSS if self.gross else Basis.NET}),
            effects=frame(POINT_EFFECTS, *self.effects),
            flights=frame(frames.FLIGHTS, *self.flights),
            **known,
        )

    def look(
        self, reported: int | None, offer: int | None, minute: float, complete: float | None = None, *, reserved: int = 0,
        own_open: int = 0, read_began: float | None = None, mapped: bool = True, **changes: Any,
    ) -> dict[str, Any]:  # fmt: skip
        """Read the number, merge, remember; end the flights that ended; return the point as a row.

        `complete`: up to when the order feed is complete; None: not at all.
        """
        given = self.inputs(reported, offer, minute, complete, reserved, own_open, read_began, mapped)
        result = merge(replace(given, **changes), at(minute), f"r{minute}")
        assert result.broken_identity.is_empty()
        self.remembered = result
        ended = result.flight_ends.filter(pl.col("outcome") != "still")["correction_id"].to_list()
        self.flights = [f for f in self.flights if f["correction_id"] not in ended]
        self.last = result.points.row(0, named=True)
        self.last["ends"] = dict(result.flight_ends.select("correction_id", "outcome").iter_rows())
        return self.last

    @property
    def base(self) -> dict[str, Any]:
        assert self.remembered is not None
        return self.remembered.bases.row(0, named=True)
