"""The score: planted facts against raised findings, in plain Python, so that nobody need believe it.

A finding matches a planted fact by code, sku (or listing) and system or location. A raised finding is right when it matches a
planted fact or what that fact implies, something ordinary life made true, or what the world itself says of that number at that
moment; anything else is a false alarm, whatever it was that led to it.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final

__all__ = ["Lags", "Look", "Score", "score"]

Row = Mapping[str, Any]
_FREE_CYCLES: Final = 2  # beyond the channel's order lag
_SHOWN: Final = frozenset({"oversell_risk", "undersell", "channel_stockout"})  # facts of a number as it stands beside its offer
_CHANGED: Final = frozenset({"drift", "duplicate_event"})
_OF_OWNERS: Final = frozenset({"ledger_untied", "restock_without_return"})  # wait for what the owner has yet to book


@dataclass(frozen=True, slots=True)
class Look:
    """One run: when it began and ended, what it found, what the world said was true, and the naive alarms."""

    at: datetime
    ended_at: datetime
    found: Sequence[Row]  # FINDINGS rows: those open after it, and those it raised and saw mended
    facts: Sequence[Row]  # the world's, before and after the run
    naive: Sequence[Row]  # system, listing_key, sku: the numbers that differ by more than the tolerance
    sent: Sequence[Row] = ()  # system, listing_key, location, sku: the numbers that it corrected


@dataclass(frozen=True, slots=True)
class Lags:
    """By system, seconds: how late its order feed is (measured, sweeps included), and how late an owner books."""

    orders: Mapping[str, float]
    booking: Mapping[str, float]

    def patience(self, fact: Row, cycle_s: float) -> timedelta:
        """Return how long a fact may stay unseen."""
        lag = self.orders.get(fact["system"], 0.0)
        if fact["label"] in _OF_OWNERS:
            lag = max(lag, self.booking.get(fact["system"], 0.0))
        return timedelta(seconds=lag + _FREE_CYCLES * cycle_s)


@dataclass(slots=True)
class Label:
    """The score of one label. `cycles` and `minutes`: of each found one, until it was seen.

    Of what the world was asked to plant, `planted` was asked for of the findings; not so what it called `undetectable`, nor what
    is `unripe`: no fact before the end or its time not up by then, or by chance what the number should have been.
    """

    planted: int = 0
    found: int = 0
    late: int = 0
    undetectable: int = 0
    unripe: int = 0
    cause_asked: int = 0
    cause_right: int = 0
    units: int = 0
    units_explained: int = 0
    points: int = 0
    points_explained: int = 0
    alarms: int = 0  # raised findings of this code
    false: int = 0  # of those
    naive_found: int = 0
    cycles: list[int] = field(default_factory=list)
    minutes: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Score:
    """The score of one or more worlds. `missed` and `false` name each case, for whoever wants to look."""

    labels: dict[str, Label] = field(default_factory=lambda: defaultdict(Label))
    missed: list[dict[str, Any]] = field(default_factory=list)
    false: list[dict[str, Any]] = field(default_factory=list)
    wrong_causes: list[dict[str, Any]] = field(default_factory=list)
    decoys: int = 0
    decoys_tripped: int = 0
    naive_alarms: int = 0
    naive_right: int = 0

    def add(self, other: "Score") -> None:
        """Add another world's score."""
        for code, theirs in other.labels.items():
            mine = self.labels[code]
            for name in Label.__slots__:
                setattr(mine, name, getattr(mine, name) + getattr(theirs, name))
        for name in ("missed", "false", "wrong_causes"):
            getattr(self, name).extend(getattr(other, name))
        for name in ("decoys", "decoys_tripped", "naive_alarms", "naive_right"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


def score(
    planted: Sequence[Row],
    natural: Sequence[Row],
    decoys: Sequence[Row],
    looks: Sequence[Look],
    lags: Lags,
    cycle_s: float,
) -> Score:
    """Score one world. `planted`, `natural`, `decoys`: the world's rows; `lags`: of each system."""
    made = Score()
    for fact in planted:
        _recall(made, fact, looks, lags.patience(fact, cycle_s))
    known = [*planted, *natural]
    for n, finding in _raised(looks):
        label = made.labels[finding["code"]]
        label.alarms += 1
        if not _right(finding, n, known, looks):
            label.false += 1
            made.false.append({"cycle": n, **_named(finding)})
    tripped = {(f["system"], f["sku"]) for f in made.false}
    made.decoys = len(decoys)
    made.decoys_tripped = sum((d["system"], d["sku"]) in tripped for d in decoys)
    _naive(made, planted, looks)
    return made


def _recall(made: Score, fact: Row, looks: Sequence[Look], patience: timedelta) -> None:
    label = made.labels[fact["label"]]
    if fact["undetectable"]:
        label.undetectable += 1
        return
    ripe = _ripe(fact, looks[0].at)
    if ripe is None or looks[-1].at < ripe + patience:  # not a fact yet, or its time is not up
        label.unripe += 1
        return
    label.planted += 1
    later = ((n, look) for n, look in enumerate(looks) if look.ended_at >= ripe)
    seen = next((n for n, look in later if any(_shows(finding, fact, look) for finding in look.found)), None)
    label.naive_found += any(_about(alarm, fact) for look in looks if ripe <= look.at <= ripe + patience for alarm in look.naive)
    if seen is None and _was_right(fact, looks, ripe, ripe + patience):
        label.planted -= 1
        label.unripe += 1
        return
    if seen is None:
        made.missed.append({"why": "not found", **_planted(fact)})
    else:
        first = next(k for k, look in enumerate(looks) if look.at >= ripe or k == seen)
        label.cycles.append(seen - first + 1)
        label.minutes.append(max(0.0, (looks[seen].at - ripe).total_seconds() / 60))
        if looks[seen].at > ripe + patience:
            label.late += 1
            made.missed.append({"why": f"late: after {label.minutes[-1]:.0f} min", **_planted(fact)})
        else:
            label.found += 1
    if fact["cause"]:
        _explained(made, label, fact, looks, ripe)


def _was_right(fact: Row, looks: Sequence[Look], ripe: datetime, due: datetime) -> bool:
    """Say whether the world itself says that a changed number is what it should be, before enough looks could tell of it.

    What may be sold can come to just that number before anybody looks: both sides made the same change (`converged`), of which
    nothing is to be told (design.md, section 2). Only of labels that make a number wrong at once, by what they imply; and where
    the label itself is a fact of the number, that fact is asked for: a 0 that a cancelled order raised is no stockout any more.
    A change is told after two looks, or after one where our own correction took the second one away: it may come to be right
    after the first.
    """
    then = [look for look in looks if ripe <= look.ended_at and look.at <= due]
    shown = fact["label"] in _SHOWN
    wanted = {fact["label"]} if shown else _SHOWN

    def wrong(look: Look) -> bool:
        return any(t["code"] in wanted and t["sku"] == fact["sku"] and _same_place(t, fact) for t in look.facts)

    if shown:
        return not any(map(wrong, then))
    twice = any(wrong(one) and wrong(next_) for one, next_ in pairwise(then))
    wiped = any(wrong(look) and any(_about(row, fact) for row in look.sent) for look in then)
    return fact["label"] in _CHANGED and not _SHOWN.isdisjoint(fact["implies"]) and not twice and not wiped


def _ripe(fact: Row, first: datetime) -> datetime | None:
    """Return when it was a fact: what happened before anybody looked counts from the first look."""
    said = fact["ripe_at"] if fact["ripens"] else fact["at"]
    return max(datetime.fromisoformat(said), first) if said else None


def _shows(finding: Row, fact: Row, look: Look) -> bool:
    return finding["code"] == fact["label"] and _about(finding, fact) and finding["last_seen"] >= look.at


def _about(finding: Row, fact: Row) -> bool:
    """Say whether they have the same subject: sku or listing, and system or location."""
    keys = {fact["listing_key"], *fact["other_keys"]} - {""}
    same_thing = not (fact["sku"] or keys) or finding["sku"] == fact["sku"] != "" or finding["listing_key"] in keys
    same_place = finding["system"] == fact["system"] or finding.get("location", "") == fact["location"] != ""
    return same_thing and same_place


def _explained(made: Score, label: Label, fact: Row, looks: Sequence[Look], ripe: datetime) -> None:
    """Judge the explanation that a drift finding gives of a planted change."""
    units = abs(fact["units"] or 0)
    drifts = [f for look in looks if look.ended_at >= ripe for f in look.found if f["code"] == "drift" and _about(f, fact)]
    drifts = [f for f in drifts if f["system"] == fact["system"]]
    drifts = [f for f in drifts if not fact["location"] or f["location"] in ("", fact["location"])]
    drifts.sort(key=lambda f: bool(fact["listing_key"]) and f["listing_key"] != fact["listing_key"])  # the sku may have a twin
    label.cause_asked += 1
    label.points += 1
    label.units += units
    evidence = json.loads(drifts[0]["evidence"]) if drifts else {}
    causes = evidence.get("causes") or []
    named = {str(event) for cause in causes for event in cause.get("events", ())}
    wrong_event = bool(fact["events"]) and not named <= set(fact["events"])
    right = any(cause["cause"] == fact["cause"] for cause in causes) and not wrong_event
    label.cause_right += right
    left = abs(int(evidence.get("remainder") or 0))
    if right and not left:
        label.points_explained += 1
    label.units_explained += units if right and not left else max(0, units - left) if right else 0
    if not right:
        made.wrong_causes.append({"said": causes, "sentence": drifts[0]["cause"] if drifts else "", **_planted(fact)})


def _raised(looks: Sequence[Look]) -> Iterable[tuple[int, Row]]:
    """Every time a finding came up: told by this run and not open before it."""
    before: set[str] = set()
    for n, look in enumerate(looks):
        now = {finding["finding_id"]: finding for finding in look.found}
        yield from ((n, finding) for key, finding in now.items() if key not in before)
        before = set(now)


def _right(finding: Row, n: int, known: Sequence[Row], looks: Sequence[Look]) -> bool:
    code = finding["code"]
    for fact in known:
        said = code in (fact["label"], *fact["implies"]) and (_about(finding, fact) or _holds_all(finding, fact))
        if said and datetime.fromisoformat(fact["at"]) <= looks[n].ended_at:
            return True
    told = (fact for look in looks[max(0, n - 1) : n + 1] for fact in look.facts)
    return any(fact["code"] == code and fact["sku"] == finding["sku"] and _same_place(finding, fact) for fact in told)


def _holds_all(finding: Row, fact: Row) -> bool:
    """Say whether a guard held a whole channel, the fact's number with the others: that is told once, of no number."""
    of_channel = finding["code"] == "push_held" and not (finding["sku"] or finding["listing_key"])
    return of_channel and finding["system"] == fact["system"]


def _same_place(finding: Row, fact: Row) -> bool:
    return finding["system"] in ("", fact["system"]) or finding["location"] == fact["location"] != ""


def _naive(made: Score, planted: Sequence[Row], looks: Sequence[Look]) -> None:
    before: set[tuple[str, str, str]] = set()
    for look in looks:
        now = {(a["system"], a["listing_key"], a.get("location", "")): a for a in look.naive}
        for key, alarm in now.items():
            if key not in before:
                made.naive_alarms += 1
                made.naive_right += any(_about(alarm, p) and datetime.fromisoformat(p["at"]) <= look.ended_at for p in planted)
        before = set(now)


def _planted(fact: Row) -> dict[str, Any]:
    return {k: fact[k] for k in ("label", "system", "sku", "listing_key", "location", "units", "at", "cause", "events", "detail")}


def _named(finding: Row) -> dict[str, Any]:
    return {
        k: finding[k] for k in ("code", "system", "sku", "listing_key", "location", "units", "cause", "evidence", "finding_id")
    }
