"""The rules of the three-way merge for one point, in plain Python, as slowly and plainly as they read (law 6).

Written from the design's rules, not from the Polars code: times are datetimes, an effect is (id, units, stamped_at).
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

__all__ = ["Answer", "Base", "Flight", "Look", "Memory", "naive_look"]

GRAIN = timedelta(seconds=1)
Effect = tuple[str, int, datetime]


@dataclass(frozen=True)
class Base:
    number: int
    as_of: datetime
    observed_at: datetime
    extra: frozenset[str] = frozenset()  # contained although stamped after as_of
    blur: tuple[datetime, datetime] | None = None
    sent_at: datetime | None = None
    unsure_to: datetime | None = None
    withheld: int = 0
    withheld_until: datetime | None = None
    window: tuple[datetime, datetime, int] | None = None  # which effects explain withheld units: from, to, known sum


@dataclass(frozen=True)
class Flight:
    name: str
    target: int
    sent_at: datetime
    send_ended_at: datetime
    withheld: int = 0
    window: tuple[datetime, datetime, int] | None = None
    shown: int | None = None


@dataclass(frozen=True)
class Candidate:
    name: str
    number: int
    as_of: datetime
    extra: frozenset[str]
    blur: tuple[datetime, datetime] | None
    absolute: datetime | None
    flight: Flight | None
    sends: tuple[datetime, datetime] | None = None  # within which a send may have written over an effect


@dataclass(frozen=True)
class Kept:
    at: datetime
    reach: datetime
    seen: int
    u: int
    gap: int
    since: datetime | None
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True)
class Streak:
    u: int = 0
    confirmed: int = 0
    at: datetime | None = None
    since: datetime | None = None
    previous_at: datetime | None = None
    looks: int = 0
    gap: int = 0
    gap_looks: int = 0


@dataclass(frozen=True)
class Memory:
    base: Base | None = None
    streak: Streak = Streak()
    kept: Kept | None = None


@dataclass(frozen=True)
class Look:
    seen: int
    at: datetime
    began_at: datetime  # our clock
    offer: int
    complete_to: datetime | None
    effects: tuple[Effect, ...]
    flights: tuple[Flight, ...]
    read_lag: timedelta = timedelta(0)
    visibility: timedelta = timedelta(0)
    known_system: bool = True  # other points of this system have bases


@dataclass
class Answer:
    memory: Memory
    expected: int = 0
    offer: int = 0
    u: int = 0
    pending: int = 0
    state: str = ""
    confirmed: int = 0
    withheld: int = 0
    withhold: int = 0
    standing: int = 0
    target: int | None = None
    found: int = 0
    ends: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    candidate: Candidate
    rank: int
    u: int
    exact: bool
    doubtful: bool
    perhaps: bool
    nominal: int
    final: int
    later: int
    nearest: int

    @property
    def fits(self) -> bool:
        return self.u == 0


def sign(n: int) -> int:
    return (n > 0) - (n < 0)


def contains(c: Candidate, effect: Effect) -> bool:
    return effect[2] <= c.as_of or effect[0] in c.extra


def try_candidate(
    c: Candidate, rank: int, seen: int, at: datetime, reach: datetime, read_lag: timedelta,
    effects: tuple[Effect, ...],
) -> Verdict:  # fmt: skip
    """What the candidate comes to: surely, at least, at most (rule 5)."""
    low = high = c.number
    nominal = final = c.number
    doubtful = in_doubt = False
    later = 0
    for effect in effects:
        name, units, stamp = effect
        fresh = at - read_lag < stamp <= reach + GRAIN
        sent = c.sends is not None and c.sends[0] < stamp <= c.sends[1]
        blurred = c.blur is not None and c.blur[0] < stamp <= c.blur[1] and name not in c.extra
        inside = contains(c, effect)
        if not inside:
            final += units
            if stamp <= at:
                nominal += units
            else:
                later += units
        perhaps = (not inside and stamp <= reach + GRAIN and (fresh or sent or blurred)) or (inside and blurred)
        undone = inside and not blurred and fresh and stamp <= at and (c.absolute is None or stamp > c.absolute)
        if perhaps:
            low, high = low + min(0, units), high + max(0, units)
        elif undone:
            low, high = low - max(0, units), high - min(0, units)
        elif not inside and stamp <= at:
            low, high = low + units, high + units
        in_doubt = in_doubt or perhaps
        doubtful = doubtful or (fresh and (perhaps or undone))
    shown = max(0, seen)
    u = shown - min(max(shown, 0, low), max(0, high))
    return Verdict(c, rank, u, shown == max(0, nominal), doubtful, in_doubt, nominal, final, later, min(max(seen, low), high))


def best(verdicts: list[Verdict]) -> Verdict:
    return min(verdicts, key=lambda v: (abs(v.u), -v.rank))


def unexplained_withheld(units: int, window: tuple[datetime, datetime, int] | None, effects: tuple[Effect, ...]) -> int:
    if units == 0 or window is None:
        return 0
    arrived = sum(u for _, u, t in effects if window[0] < t <= window[1]) - window[2]
    return min(units, max(0, units + arrived))


def add_look(
    streak: Streak, at: datetime, u: int, gap: int, since: datetime | None, push_at: datetime | None, old: bool
) -> Streak:
    """The two-look rule. `old`: the base has moved since this look, so that it says nothing of the present."""
    pushed = push_at is not None and streak.at is not None and streak.at <= push_at <= at
    again = streak.looks > 0 and u != 0 and sign(u) == sign(streak.u) and not pushed
    result = replace(streak, at=at if streak.at is None else max(at, streak.at))
    if not old:
        if again:
            smaller = sign(u) * min(abs(u), abs(streak.u))
            result = replace(result, u=u, confirmed=smaller, looks=streak.looks + 1, previous_at=streak.at)
        else:
            result = replace(result, u=u, confirmed=0, looks=int(u != 0), since=since, previous_at=None)
    if push_at is None or push_at < at:
        more = streak.gap_looks > 0 and sign(gap) == sign(streak.gap) and not pushed
        count = 0 if gap == 0 else streak.gap_looks + 1 if more else 2 if since is None else 1
        result = replace(result, gap=gap, gap_looks=count)
    return result


def naive_look(memory: Memory, look: Look) -> Answer:
    """Compare one number with its base, its flights and its offer, rule by rule."""
    base, streak, effects = memory.base, memory.streak, look.effects
    flights = tuple(sorted(look.flights, key=lambda f: (f.sent_at, f.name)))
    vis = max(look.visibility, GRAIN)
    sends = (flights[0].sent_at, flights[-1].sent_at + vis) if flights else None
    complete = look.complete_to is not None and look.complete_to >= look.at
    found = 0

    # the look that waited for the order feed (rule 5)
    kept, lost_at_look = memory.kept, False
    if kept is not None and look.complete_to is not None and look.complete_to >= kept.reach:
        verdict = best([
            try_candidate(c, i if kept.candidates[0].flight is None else i + 1, kept.seen, kept.at, kept.reach, look.read_lag,
                          effects)
            for i, c in enumerate(kept.candidates)
        ])  # fmt: skip
        moved = base is not None and base.observed_at >= kept.at
        push_at = base.sent_at if base else None
        told_before = sign(streak.u) == sign(verdict.u) and kept.since is not None and streak.since == kept.since
        if verdict.u and moved and push_at is not None and push_at >= kept.at and not told_before:
            found = verdict.u
        known = streak.confirmed
        streak = add_look(streak, kept.at, verdict.u, kept.gap - kept.u + verdict.u, kept.since, push_at, moved)
        if streak.confirmed and not known:
            found = streak.confirmed
        if flights and verdict.fits and verdict.rank < len(flights) and kept.at > flights[-1].sent_at + vis:
            lost_at_look = True
        kept = None

    # candidates (rule 7)
    # once all pushes would show, had they landed, a candidate that is read was the last to be written
    settled = sends is not None and look.at > sends[1]
    options: list[tuple[int, Candidate]] = []
    if base is not None:
        options.append(
            (0, Candidate("", base.number, base.as_of, base.extra, base.blur, base.sent_at, None, None if settled else sends))
        )
    for rank, f in enumerate(flights, 1):
        doubt = (f.sent_at, f.sent_at + vis) if settled else sends
        options.append((rank, Candidate(f.name, f.target, f.sent_at, frozenset(), None, f.sent_at, f, doubt)))
    first = not options
    if first:
        options.append((0, Candidate("", look.seen, look.at, frozenset(), None, None, None)))
    verdicts = [try_candidate(c, r, look.seen, look.at, look.at, look.read_lag, effects) for r, c in options]
    v = best(verdicts)
    compared = all(look.began_at >= f.send_ended_at for f in flights) and (base is None or look.at >= base.observed_at)
    judged_now = complete and compared and (streak.at is None or look.at > streak.at)
    judged = compared and (complete or (streak.looks > 0 and sign(streak.u) == sign(v.u) and abs(streak.u) >= abs(v.u)))
    base_left = unexplained_withheld(base.withheld, base.window, effects) if base else 0
    newest = flights[-1] if flights else None
    newest_left = unexplained_withheld(newest.withheld, newest.window, effects) if newest else 0
    held_until = base.withheld_until if base else None
    arrived = held_until is not None and look.complete_to is not None and look.complete_to >= held_until
    offer = max(0, look.offer - (newest_left if newest else 0 if arrived else base_left))

    # how the flights end
    end = ""
    if newest and compared:
        late = look.at > newest.sent_at + vis
        misfits = (judged_now and streak.looks >= 1 and streak.at is not None and streak.at > newest.sent_at) or (
            streak.looks >= 2 and streak.previous_at is not None and streak.previous_at > newest.sent_at
        )
        judged_late = judged_now or (streak.looks >= 1 and streak.at is not None and streak.at > newest.sent_at + vis)
        unmoved = base is not None and judged_late and look.seen == newest.shown
        alone = sum(w.fits for w in verdicts) == 1 and newest.target != newest.shown
        if v.rank == len(flights) and v.fits and (late or alone) and (v.exact or (late and not v.doubtful)):
            end = "verified"
        elif v.rank < len(flights) and v.fits and late and (complete or lost_at_look):
            end = "not_landed"
        elif not v.fits and late and unmoved:
            end = "unmoved"
        elif not v.fits and late and misfits:
            end = "mismatched"
        else:
            end = "still"
    ends = {}
    for rank, f in enumerate(flights, 1):
        if end in ("", "still"):
            ends[f.name] = "still"
        elif end == "unmoved":
            ends[f.name] = "not_landed"
        elif end == "not_landed" and rank >= v.rank:
            ends[f.name] = "verified" if rank == v.rank else "not_landed"
        else:
            ends[f.name] = end if f is newest else "superseded"

    # how the base moves (rule 4)
    move = ""
    shown = max(0, look.seen)
    blur_past = base is not None and base.blur is not None and base.blur[1] <= look.at - look.read_lag
    if compared:
        if first:
            move = "first"
        elif end == "verified" or (end in ("not_landed", "mismatched") and v.exact):
            move = "full"
        elif end == "mismatched" and shown == offer:
            move = "converged"
        elif end in ("not_landed", "mismatched"):
            move = "candidate"
        elif not flights and (v.exact or (v.fits and blur_past and not v.doubtful)):
            move = "full"
        elif not flights and v.u != 0 and shown == offer and (judged or v.u > 0):
            move = "converged"
    landed = v.candidate.flight if move in ("full", "candidate") else None
    new = base
    if move:
        as_of = v.candidate.as_of
        if move in ("first", "converged"):
            as_of = look.at
        elif move == "full" and look.complete_to is not None:
            as_of = max(as_of, min(look.complete_to, look.at) - GRAIN)
        blur = base.blur if base else None
        if landed:
            blur = (landed.sent_at, landed.sent_at + vis)
        elif move in ("first", "converged"):
            blur = (look.at - look.read_lag, look.at + GRAIN)
        if blur is not None and blur[1] <= as_of:
            blur = None
        extra: set[str] = set()
        if move == "full":
            since_doubt = as_of if blur is None else min(as_of, blur[0])
            extra = {n for n, _, t in effects if as_of < t <= look.at and not contains(v.candidate, (n, 0, t))}
            extra |= {n for n, _, t in effects if since_doubt < t <= look.at and base is not None and n in base.extra}
            if blur is not None and base is not None and look.at > base.observed_at:
                extra |= {n for n, _, t in effects if blur[0] < t <= look.at}
        elif move == "candidate" and base is not None and not landed:
            extra = set(base.extra)
        old = base or Base(0, as_of, look.at)
        doubted = move == "converged" or (move == "full" and landed) or (move != "first" and v.perhaps)
        as_judged = end == "mismatched" and not judged_now and streak.looks > 0 and streak.u == v.u
        read_at = streak.at if as_judged else look.at
        new = Base(
            number=v.candidate.number if move == "candidate" else look.seen,
            as_of=as_of,
            observed_at=look.at,
            extra=frozenset(extra),
            blur=blur,
            sent_at=landed.sent_at if landed else old.sent_at,
            unsure_to=read_at if doubted else old.unsure_to,
            withheld=landed.withheld if landed else old.withheld,
            withheld_until=landed.sent_at if landed else old.withheld_until,
            window=landed.window if landed else old.window,
        )

    # what our own push took away (rule 5), or hides while it cannot be said that it landed
    gone = end == "verified" or (end == "still" and v.fits and newest is not None and newest.sent_at < look.at)
    if gone and newest and streak.looks == 1 and streak.at is not None and newest.sent_at >= streak.at:
        found = streak.u

    # what stays withheld (rule 6)
    flying = newest is not None and end in ("", "still")
    left = newest_left if flying or landed else base_left
    until = None if new is None else new.withheld_until
    over = not flying and until is not None and look.complete_to is not None and look.complete_to >= until
    unarrived, left = (left, 0) if over else (0, left)
    if new is not None and not flying and left == 0:
        new = replace(new, withheld=0)
    offer = max(0, look.offer - left)
    if not found and unarrived:
        found = -unarrived

    # what the number comes to by itself
    waits = flying and (not compared or v.rank < len(flights))
    if waits:
        standing = verdicts[-1].final
    elif move == "converged" or (not flying and not v.doubtful and (v.candidate.blur is None or blur_past)):
        standing = look.seen + v.later
    else:
        standing = look.seen + v.final - v.nearest
    standing = max(0, standing)

    since = None if base is None and not look.known_system else (base.observed_at if base else look.at)
    if end == "unmoved" and v.rank > 0 and not judged_now:  # the last judged look was held against a push that is lost
        streak = replace(streak, u=verdicts[0].u, confirmed=0, looks=int(verdicts[0].u != 0), previous_at=None)
    if judged_now:
        streak = add_look(streak, look.at, v.u, standing - offer, since, new.sent_at if new else None, False)
    if move in ("full", "converged", "first"):
        streak = replace(streak, confirmed=0, looks=0)
    expected = shown - v.u
    pending = offer - expected
    u = v.u if compared and move not in ("full", "converged", "first") else 0
    if streak.confirmed and sign(streak.confirmed) == sign(v.u) and u:
        found = streak.confirmed
    drifted_only = u > 0 and pending == 0 and not judged
    if v.u == pending and judged:
        u = 0
    unseen = max(0, min(0, streak.confirmed) - u) if u < 0 else 0
    withhold = max(left, unseen) if waits else left + unseen
    wanted = max(0, look.offer - withhold)
    if flying and unseen > (left if waits else 0):
        wanted = min(wanted, shown)
    target = None
    if wanted < standing and (compared or flying) and not drifted_only:
        target = wanted
    unsure_to = new.unsure_to if new else None
    unsure = unsure_to is not None and (look.complete_to is None or look.complete_to < unsure_to)
    if wanted > standing and compared and not flying and not unsure:
        target = wanted

    # a look that could not be judged yet
    waiting = compared and not complete and (streak.at is None or look.at > streak.at)
    older = flying and v.rank < len(flights)
    if kept is None and waiting and (v.u != 0 or standing != offer or older):
        stand, held = (options[:1], verdicts[0]) if end == "unmoved" else (options, v)
        kept = Kept(look.at, look.at, look.seen, held.u, standing - offer, since, tuple(c for _, c in stand))

    if first:
        state = "first_look"
    elif v.u == 0:
        state = "agreed" if pending == 0 else "push_due"
    elif pending == 0:
        state = "drifted"
    else:
        state = "converged" if v.u == pending else "diverged"
    return Answer(
        Memory(new, streak, kept), expected, offer, v.u, pending, state, streak.confirmed, left, withhold, standing, target,
        found, ends,
    )  # fmt: skip
