"""Accept: a person lets a number stand as it is. It becomes the base, and what invbi would send in its place is refused.

From then on changes are reckoned from that number. It stands until it changes again, or what may be sold does: then another
correction is planned and judged like any other.
"""

import json
from datetime import datetime
from typing import Any, Final, NamedTuple

import polars as pl

from invbi_pipeline.domain import points
from invbi_pipeline.domain.corrections.plan import plan as make_plan
from invbi_pipeline.domain.frames import POINT_KEY, TRAIL
from invbi_pipeline.domain.words import CorrectionKind, PointState
from invbi_pipeline.errors import ConfigError
from invbi_pipeline.flows.context import Context
from invbi_pipeline.flows.decision.again import named_again
from invbi_pipeline.flows.decision.mapping import listing_of
from invbi_pipeline.flows.decision.plan_inputs import plan_inputs
from invbi_pipeline.flows.decision.reconcile import compare
from invbi_pipeline.flows.decision.turn import whole_turn
from invbi_pipeline.store.outbox import FLYING, UNSENT
from invbi_pipeline.store.state import State
from invbi_pipeline.store.warehouse import Database

__all__ = ["Number", "accept", "acceptances"]

_KEPT: Final = "accept:"
_KEY: Final = list(POINT_KEY)
_NEVER: Final = {  # states of a number that is never compared, and so cannot be agreed upon
    PointState.COUNTED: ("it is counted there: the other numbers follow from it", "correct it where it is counted"),
    PointState.UNMAPPED: ("it belongs to no SKU", "say which with `invbi map accept SYSTEM LISTING SKU`"),
    PointState.UNTRACKED: ("no stock is kept of it there", "let the system keep its stock"),
    PointState.UNKNOWN: ("what the system says of it is not known or not believed now", "see `invbi findings`, then run again"),
}


class Number(NamedTuple):
    """Which number a person means: `name` is a listing key, a code or a SKU; no `location` is the only one that it stands at."""

    system: str
    name: str
    location: str | None = None


def accept(ctx: Context, number: Number, who: str, note: str = "") -> dict[str, Any]:
    """Make the number that a listing showed when it was last read its base; return its point (POINTS), as it is compared then.

    Corrections of it that wait, and the one that the next plan would make, are kept as refused by this person. No system is
    called. Raises `ConfigError`, with nothing changed, for a number that there is not or that is never compared, and while a push
    to it is under way.
    """
    with whole_turn(ctx), ctx.warehouse.held():
        with ctx.warehouse.open() as db:
            found = _meant(ctx, db, number)
        key = found.select(_KEY)
        said = f"{found['reported'].item()} as it is" + (f": {note}" if note else "")
        _let_go(ctx, key, who, f"accepted {said}")
        with ctx.warehouse.open() as db:
            _remember(db, key, ctx.clock.now())
        run_id = ctx.new_id()
        compare(ctx, run_id)
        with ctx.warehouse.open() as db:
            after = db.read("recon.points").join(key, on=_KEY, how="semi").row(0, named=True)
            wanted = make_plan(plan_inputs(ctx, db), ctx.clock.now(), run_id).join(key, on=_KEY, how="semi")
        ctx.state.outbox.intend(named_again(ctx.state, wanted), ctx.clock.now())
        _let_go(ctx, key, who, f"accepted {said}")
        _keep(ctx.state, after, who, said, ctx.clock.now())
    return after


def acceptances(state: State) -> pl.DataFrame:
    """Return TRAIL of every number that a person accepted."""
    kept = [json.loads(value) for value in state.marks(_KEPT).values()]
    rows = [{**one, "happened_at": datetime.fromisoformat(one["happened_at"]), "correction_id": ""} for one in kept]
    return pl.DataFrame(rows, schema=dict(TRAIL))


def _meant(ctx: Context, db: Database, number: Number) -> pl.DataFrame:
    """Return the point (POINTS, one row) that is meant."""
    every = db.read("recon.points").filter(pl.col("system") == number.system)
    mine = every.filter(pl.col("sku") == number.name)
    if mine["listing_key"].n_unique() != 1:
        key = listing_of(ctx.config, ctx.warehouse, number.system, number.name)
        mine = every.filter(pl.col("listing_key") == key)
    shown = mine.filter(pl.col("raw").is_not_null() | pl.col("state").is_in([str(state) for state in _NEVER]))
    if shown.is_empty():
        what = f"{number.system} has never told a number of {number.name!r}."
        raise _wrong(what, "LISTING", "a listing whose number was read", "run `invbi run`, then see `invbi explain`")
    chosen = shown if number.location is None else shown.filter(pl.col("location") == number.location)
    if chosen.height != 1:
        places = " or ".join(shown["location"].sort())
        what = f"{number.system} shows no number of {number.name!r} at {number.location!r}."
        if number.location is None:
            what = f"{number.system} shows {shown.height} numbers of {number.name!r}."
        raise _wrong(what, "--location", places or "none: its number has no location", "name one, or leave it out")
    state = PointState(chosen["state"].item())
    if state in _NEVER:
        why, mend = _NEVER[state]
        raise _wrong(f"The number of {number.name!r} on {number.system} is not compared: {why}.", "LISTING", "one that is", mend)
    return chosen


def _let_go(ctx: Context, key: pl.DataFrame, who: str, said: str) -> None:
    """Refuse what waits to be sent to a number. Raises `ConfigError` where something is on its way there."""
    outbox = ctx.state.outbox
    ours = outbox.landed_last(key, [*FLYING, *UNSENT]).filter(pl.col("kind") == CorrectionKind.SET)
    waits = ours.filter(pl.col("state").is_in([str(state) for state in UNSENT]))["correction_id"].to_list()
    refused = [] if ours.height > len(waits) else outbox.refuse(waits, who, ctx.clock.now(), said)
    if len(refused) < ours.height:
        what = "A push to that number is under way: nobody knows yet which number it is."
        raise _wrong(what, "LISTING", "a number that nothing is sent to", "run `invbi run`, which reads it back, and look again")


def _remember(db: Database, key: pl.DataFrame, now: datetime) -> None:
    tables = {name: f"recon.{name}" for name in points.Remembered._fields}
    old = points.Remembered(**{name: db.read(table) for name, table in tables.items()})
    new = points.accept(old, db.read("recon.points"), key, now)
    for name, table in tables.items():
        db.replace(table, getattr(new, name))


def _keep(state: State, point: dict[str, Any], who: str, said: str, at: datetime) -> None:
    about = {name: point[name] for name in ("system", "listing_key", "location", "sku")}
    kept = {**about, "step": "accepted", "who": who, "what": said, "happened_at": at.isoformat()}
    state.set_mark("|".join((f"{_KEPT}{at.isoformat()}", *(str(point[name]) for name in _KEY))), json.dumps(kept))


def _wrong(what: str, where: str, expected: str, mend: str) -> ConfigError:
    return ConfigError(f"{what} Nothing was changed.", [(where, expected, mend)])
