"""One universe from its first look to its last: a calm look, wild ones with a monitor watching each step, then peace.

Safety first: at each step the monitor judges what was done by the worlds' truth. Then liveness (law 8): the faults stop, the lags
pass, and within three further looks (of the last that was left to a person) every reachable point that a push can mend agrees;
the look after plans nothing.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import duckdb
import polars as pl

from invbi_pipeline.cli.bench.chaos.estate import Estate, Retailer, estate
from invbi_pipeline.cli.bench.chaos.feeds import BROKEN, Feeds
from invbi_pipeline.cli.bench.chaos.fuse import Fuse, FusedWarehouse, Killed
from invbi_pipeline.cli.bench.chaos.monitor import Monitor, OnShelf
from invbi_pipeline.cli.bench.chaos.people import People
from invbi_pipeline.cli.bench.chaos.wire import ChaosWire
from invbi_pipeline.cli.bench.leap import LeapClock, LeapLoop
from invbi_pipeline.config import Config
from invbi_pipeline.domain.corrections.guards import held_by
from invbi_pipeline.domain.words import CorrectionState, LocationKind
from invbi_pipeline.flows.context import Context, open_context
from invbi_pipeline.flows.corrections.prove import push_and_prove
from invbi_pipeline.flows.corrections.push import location_keys
from invbi_pipeline.flows.corrections.switch import pause, resume
from invbi_pipeline.flows.run import RunResult, run
from invbi_pipeline.sandbox.world.clock import GO_LIVE
from invbi_pipeline.sandbox.world.truth import Point
from invbi_pipeline.store.models import audits, run_audit

__all__ = ["CRASH", "HAPPENINGS", "Told", "Universe", "tell"]

CRASH: Final = "a crash"
_TWICE: Final = "two pushers at once"
_PAUSED: Final = "a pause in the middle"
HAPPENINGS: Final = (_TWICE, _PAUSED, BROKEN)
CYCLE_S: Final = 300.0
WILD_LOOKS: Final = 3
MOST_LOOKS: Final = 3  # after peace, and after the last time that somebody let something go, until all agree
_MOST_IN_ALL: Final = 1 + WILD_LOOKS + 2 * MOST_LOOKS  # however much is still held
LAGS_S: Final = 3600.0  # longer than any lag of the presets
CALM_CYCLE_S: Final = LAGS_S + 2 * CYCLE_S  # between looks at peace: as late as the storm's latest news, for which a raise waits
WINDOW: Final = timedelta(seconds=CYCLE_S)  # by so much feeds may lag at any time
_CRASHES: Final = 0.5  # chance that the process ends within a wild look
_TWO_PUSHERS: Final = 0.5
# guards that wait for nobody else; at peace no other program writes any more, and no write is lost
_FOR_A_PERSON: Final = ["changed_share", "zeroed_share", "zeroed_lately", "change_units", "second_writer", "frozen"]
_A_PUSHER_RESTS_S: Final = 5.0  # before it looks again at what waits
_PAUSES: Final = 0.15  # chance that one of a retailer's systems is paused within a wild look
_PAUSED_AFTER_S: Final = (0.5, 20.0)
_STEPS: Final = (
    "read: leaving",
    "read: carried out",
    "write: leaving",
    "write: carried out",
    "state: commit",
    "warehouse: open",
    "warehouse: commit",
)
_OF_THE_SYSTEMS: Final = ("audit_units_conserved",)  # what their ledgers say of themselves: not while some are out of order
_ROWS: Final = 100  # of an audit that are looked at
_BOOKS: Final = "SELECT location, sku, on_hand, undecided FROM truth.positions WHERE on_hand IS NOT NULL"


@dataclass(slots=True)
class Told:
    """What came of some seeds."""

    seeds: list[int] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    happened: Counter[str] = field(default_factory=Counter)  # faults, by kind
    judged: Counter[str] = field(default_factory=Counter)  # by predicate
    figures: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0  # of one core

    def add(self, other: "Told") -> None:
        """Add what came of other seeds."""
        self.seeds += other.seeds
        self.violations += other.violations
        self.seconds += other.seconds
        for name in ("happened", "judged", "figures"):
            getattr(self, name).update(getattr(other, name))


class Universe:
    """Some seeds' worlds on one clock, and the processes of invbi that look at them one after the other."""

    def __init__(self, given: Estate) -> None:
        self.config = given.config
        self.retailers = given.retailers
        self.toll: Counter[str] = Counter()
        self.clock = LeapClock(GO_LIVE)
        self.monitor = Monitor(given.retailers, WINDOW)
        self.people = {one.seed: People(one, self.toll) for one in given.retailers}
        self.feeds = {one.seed: Feeds(one, self.toll) for one in given.retailers}
        self.wire = ChaosWire(given.retailers, self.people, self.monitor, self.toll)
        self.dice = random.Random("/".join(str(one.seed) for one in given.retailers))
        self.looks = 0
        self.approved = 0  # corrections, by a person
        self.planned: dict[int, int] = {}
        self.calm_since = GO_LIVE  # a reading of before by a clock that was off says nothing of what lies between
        self._heard = {one.seed: GO_LIVE for one in given.retailers}  # when the look began that last believed all systems of each
        self._steps: Counter[str] = Counter()  # of the last look that came to its end

    def pass_time(self, seconds: float) -> None:
        """Let time pass in every world, with all that happens in it."""
        self.clock = LeapClock(self.clock.now() + timedelta(seconds=seconds))
        for one in self.retailers:
            one.world.advance_to(self.clock.now())
            self.feeds[one.seed].export()

    def look(self, *, crashing: bool = False, two: bool = False, pausing: bool = False) -> None:
        """Run invbi once, as a process of its own; one that ends before is followed by another at once."""
        self.monitor.uneven = self.wire.wild
        for one in self.retailers:  # what happened since is not known yet
            late = timedelta(seconds=self.feeds[one.seed].later_s)
            self.monitor.heard[one.seed] = self._heard[one.seed] - late
        fuse = self.wire.fuse = Fuse(self._blow()) if crashing else Fuse()
        try:
            with fuse.watching():
                self._live(two=two, pausing=pausing)
            self._steps = Counter(fuse.seen)
        except Killed:
            self.toll[f"{CRASH}, {fuse.seen[-1]}"] += 1
            self.wire.fuse = Fuse()
            with self.wire.fuse.watching():
                self._live()
        finally:
            self.wire.fuse = Fuse()
        self.looks += 1

    def _blow(self) -> Callable[[int, str], bool]:
        """Choose a kind of step, and which of them is the last: each kind as likely, however often it is passed."""
        kind = self.dice.choice(_STEPS)
        left = self.dice.randint(1, max(self._steps[kind], len(self.retailers)))

        def blow(n: int, step: str) -> bool:
            nonlocal left
            left -= step == kind
            return left <= 0

        return blow

    def disagreeing(self, one: Retailer) -> list[Point]:
        """Return a retailer's points that a push can mend and that do not show what they should, broken channels aside."""
        points, _ = one.world.correctable()
        return [point for point in points if not point.agrees and point.system != self.feeds[one.seed].broken]

    def _live(self, *, two: bool = False, pausing: bool = False) -> None:
        """Let one process of invbi live."""
        clock = self.clock = LeapClock(self.clock.now())
        runner = asyncio.Runner(loop_factory=LeapLoop)
        loop = runner.get_loop()
        clock.follow(loop)
        self.wire.clock = clock
        try:
            runner.run(self._process(two=two, pausing=pausing))
        finally:
            with suppress(Killed):
                runner.close()
            loop.close()
        self.clock = LeapClock(clock.now())

    async def _process(self, *, two: bool, pausing: bool) -> None:
        began = self.clock.now()
        async with self._opened(0) as ctx:
            running = asyncio.ensure_future(run(ctx, publishing=False))
            beside: list[asyncio.Future[None]] = [asyncio.ensure_future(self._second_pusher(running))] if two else []
            beside += [asyncio.ensure_future(self._pause(ctx, one, running)) for one in self._pausing(pausing)]
            await asyncio.gather(running, *beside)
            result = running.result()
            self.planned = Counter(_seeds(result.planned.corrections))
            self._judge(ctx, set(result.ingested.feeds.filter(pl.col("verdict") == "believed")["system"]), began)

    @asynccontextmanager
    async def _opened(self, which: int) -> AsyncIterator[Context]:
        rng = random.Random(f"{self.looks}/{which}")
        async with open_context(self.config, self.clock, rng, transport=self.wire) as ctx:
            if self.wire.fuse.armed:
                ctx.warehouse = FusedWarehouse(ctx.warehouse.path, ctx.warehouse.wait_s, self.wire.fuse)
            yield ctx

    async def _second_pusher(self, running: "asyncio.Future[RunResult]") -> None:
        """Somebody started a second process, which pushes whatever waits as soon as it waits."""
        async with self._opened(1) as ctx:
            while not running.done():
                await ctx.clock.sleep(0.1)
                if not ctx.state.outbox.in_state(CorrectionState.APPROVED).is_empty():
                    self.toll[_TWICE] += 1
                    await push_and_prove(ctx, ctx.new_id())
                    await ctx.clock.sleep(_A_PUSHER_RESTS_S)

    def _pausing(self, pausing: bool) -> list[Retailer]:
        return [one for one in self.retailers if pausing and self.dice.random() < _PAUSES]

    async def _pause(self, ctx: Context, one: Retailer, running: "asyncio.Future[RunResult]") -> None:
        """A person pauses one of a retailer's systems while invbi is at work."""
        system = self.dice.choice([s for s in one.world.business.systems.values() if s.platform != "files"])
        await ctx.clock.sleep(self.dice.uniform(*_PAUSED_AFTER_S))
        if not running.done():
            pause(ctx.state, system.name, "somebody", "to see what happens", ctx.clock.now())
            self.monitor.paused.add(system.name)
            self.toll[_PAUSED] += 1

    def resume_all(self) -> None:
        """Let sending go on everywhere."""

        async def go_on() -> None:
            async with self._opened(2) as ctx:
                for name in self.monitor.paused:
                    resume(ctx.state, name, "somebody", "", ctx.clock.now())

        if self.monitor.paused:
            asyncio.run(go_on())
            self.monitor.paused.clear()

    def approve_what_is_right(self) -> int:
        """Somebody looks at what is held after much change, foreign or lost writes, and lets go what the shelves say is right.

        Return how many corrections that are.
        """
        points = [point for one in self.retailers for point in one.world.correctable()[0]]
        right = {(point.system, point.listing_key, point.location_key, point.should) for point in points}

        async def approve() -> int:
            async with self._opened(3) as ctx:
                held = ctx.state.outbox.in_state(CorrectionState.HELD)
                theirs = held.filter(held_by().list.set_difference(pl.lit(_FOR_A_PERSON)).list.len() == 0)
                meant = [row["correction_id"] for row in theirs.iter_rows(named=True) if _set_to(ctx, row) in right]
                return len(ctx.state.outbox.approve(meant, "somebody", ctx.clock.now()))

        let_go = asyncio.run(approve())
        self.approved += let_go
        return let_go

    def _judge(self, ctx: Context, believed: set[str], began: datetime) -> None:
        ours = {
            place.name: place.owner
            for one in self.retailers
            for place in one.world.business.places.values()
            if place.kind is not LocationKind.PLATFORM
        }
        with ctx.warehouse.open() as db:
            books = [OnShelf(*row) for row in db.query(_BOOKS).iter_rows() if ours.get(row[0]) in believed]
            bad = {audit.name: run_audit(db, audit, _ROWS) for audit in audits()}
        for name in _OF_THE_SYSTEMS:
            fair = ~pl.col("system").is_in(self._off()) | (pl.col("opened_at") >= self.calm_since)
            bad[name] = bad[name].filter(fair & (not self.wire.wild))
        self.monitor.looked(books, {name: rows.to_dicts() for name, rows in bad.items()}, ctx.clock.now())
        for one in self.retailers:
            if believed.issuperset(one.world.business.systems) and not self.feeds[one.seed].cut_short:
                self._heard[one.seed] = began

    def _off(self) -> list[str]:
        return [name for feeds in self.feeds.values() for name in sorted(feeds.out_of_step)]


def _set_to(ctx: Context, row: Mapping[str, Any]) -> tuple[str, str, str, int]:
    system, place = row["system"], row["location"]
    return system, row["listing_key"], location_keys(ctx, system)[place], row["to_qty"]


def _seeds(corrections: pl.DataFrame) -> list[int]:
    return corrections["system"].str.extract(r"_(\d+)$").cast(pl.Int64).to_list()


def tell(folder: Path, seeds: Iterable[int], preset: str | None = None) -> Told:
    """Tell the story of some seeds, all in one universe, and return what came of it."""
    began = time.process_time()
    with estate(folder, seeds, preset) as given, _kept_open(given.config):
        universe = Universe(given)
        _tell_wild(universe)
        unrest = _tell_peace(universe)
        return Told(
            seeds=[one.seed for one in given.retailers],
            violations=[*map(str, universe.monitor.violations), *unrest],
            happened=universe.toll,
            judged=universe.monitor.judged,
            figures=Counter(looks=universe.looks * len(given.retailers), requests=universe.wire.sent, approved=universe.approved),
            seconds=time.process_time() - began,
        )


@contextmanager
def _kept_open(config: Config) -> Iterator[None]:
    """Keep the warehouse's file open: whoever opens it meanwhile in this process is spared what that costs on a small one.

    Every step is a transaction of its own as ever, and a process that ends here leaves what it had not committed.
    """
    config.data.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(config.data / config.store.warehouse)):
        yield


def _tell_wild(universe: Universe) -> None:
    universe.look()
    universe.wire.wild = True
    for n in range(WILD_LOOKS):
        for one in universe.retailers:
            feeds = universe.feeds[one.seed]
            feeds.change(breaking=n == 0)
            universe.people[one.seed].shut = feeds.broken
            universe.people[one.seed].plan(CYCLE_S)
        universe.pass_time(CYCLE_S)
        dice = universe.dice
        universe.look(crashing=dice.random() < _CRASHES, two=dice.random() < _TWO_PUSHERS, pausing=True)
        universe.resume_all()
    universe.wire.wild = False


def _tell_peace(universe: Universe) -> list[str]:
    for one in universe.retailers:
        universe.feeds[one.seed].heal()
        one.world.freeze()
    universe.pass_time(LAGS_S)
    universe.calm_since = universe.clock.now()
    wrong: dict[int, list[Point]] = {}
    left = MOST_LOOKS
    while left:
        universe.look()
        wrong = {one.seed: points for one in universe.retailers if (points := universe.disagreeing(one))}
        if not wrong:
            break
        let_go = universe.approve_what_is_right()
        left = MOST_LOOKS if let_go and universe.looks < _MOST_IN_ALL else left - 1
        universe.pass_time(CALM_CYCLE_S)
    said = [f"seed {seed}: liveness: {len(points)} numbers are still wrong, first {points[0]}" for seed, points in wrong.items()]
    universe.pass_time(CALM_CYCLE_S)
    universe.look()
    loud = {seed: n for seed, n in universe.planned.items() if seed not in wrong}
    return said + [f"seed {seed}: liveness: all agree, and {n} corrections are planned" for seed, n in loud.items()]
