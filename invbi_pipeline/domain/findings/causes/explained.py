"""Points that drifted, with what explains them: one row a point."""

from datetime import datetime
from typing import Final

import polars as pl

from invbi_pipeline.domain.findings.causes import bookings, own, pairs, parts, publishing
from invbi_pipeline.domain.findings.causes.pieces import step_key
from invbi_pipeline.domain.findings.causes.search import search
from invbi_pipeline.domain.findings.causes.sentences import action, sentence, spoken
from invbi_pipeline.domain.findings.causes.steps import changes, steps
from invbi_pipeline.domain.findings.causes.writers import TWICE, returns
from invbi_pipeline.domain.findings.inputs import FindingInputs, of_point
from invbi_pipeline.domain.words import Cause, CorrectionKind

__all__ = ["EXPLAINED", "explained"]

# What is said of each point beside its own columns.
EXPLAINED: Final = (
    "causes",
    "remainder",
    "alternatives",
    "also",
    "first_event",
    "bracket_from",
    "bracket_to",
    "cause",
    "action",
    "twice",
)


def explained(drifted: pl.DataFrame, inputs: FindingInputs, now: datetime) -> pl.DataFrame:
    """Return `drifted` (POINTS with `found` not 0) with `units` (its size) and the columns of `EXPLAINED`.

    causes: list of {cause (words.Cause), units (signed), events (ids), at (UTC)}, whose units and `remainder` come to `found`;
    alternatives: ids of events that would have done just the same, as well or nearly; also: list of {cause, units, events}, what
    else may explain it; first_event: the id of the first event named, or empty; bracket_from,
    bracket_to: the last look that agreed and the first that did not, of the first step; cause: the sentence; action: what a
    person can do; twice: list of the events applied twice, {event, event_kind, event_units, event_at}.
    """
    key = of_point()
    held = inputs.mappings.filter(pl.col("valid_to").is_null())
    changed = changes(inputs.earlier, inputs.effects, inputs.corrections)
    walked = steps(drifted, inputs.earlier, changed, inputs.feeds)
    wandered = pl.concat([changed, walked.select(changed.columns)]).unique([*key, "start", "end"], keep="first")
    named = wandered.join(inputs.points.select(*key, "sku"), on=key).drop_nulls("sku")
    here = inputs.effects.join(walked.select("system").unique(), on="system", how="semi")
    events = own.known_events(walked, here)
    pieces = pl.concat(
        [
            parts.kits(walked, here, held, inputs.kits),
            parts.packs(walked, events, here, held),
            bookings.missing_orders(walked, inputs.movements, inputs.orders, held),
            bookings.own_history(walked, inputs.movements, here, inputs.corrections),
            own.own_events(events),
            pairs.moved(walked, wandered),
            pairs.swapped(walked, events, named, here),
            publishing.pushes(walked, inputs.corrections),
            publishing.stale(walked, inputs.earlier),
            publishing.withheld(walked),
        ]
    )
    likeliest = search(walked, pieces, _moments(walked, events, inputs.corrections))
    found = _second_writers(pairs.both_sides(likeliest, walked), returns(inputs))
    told = found.join(walked.select(*step_key(), "start", "end"), on=step_key()).sort(*key, "step", "at", nulls_last=True)
    first = pl.int_range(pl.len()).over(step_key()) == 0
    said = told.with_columns(spoken(now), also=pl.when(first).then("also"))
    item = pl.struct("cause", "units", "events", "at")
    again = pl.struct(event=pl.col("events").list.first(), event_kind="kind", event_units="units", event_at="at")
    summed = said.group_by(key, maintain_order=True).agg(
        causes=item,
        explained=pl.col("units").sum(),
        alternatives=pl.col("alternatives").explode(keep_nulls=False).unique(maintain_order=True),
        also=pl.col("also").explode(keep_nulls=False),
        first_event=pl.col("events").explode(keep_nulls=False).first(),
        bracket_from=pl.col("start").first(),
        bracket_to=pl.col("end").first(),
        said="said",
        twice=again.filter((pl.col("cause") == Cause.DUPLICATE) & (pl.col("events").list.len() > 0) & ~pl.col("doubted")),
    )
    rows = drifted.join(summed, on=key, how="left").with_columns(
        units=pl.col("found").abs(),
        remainder=pl.col("found") - pl.col("explained").fill_null(0),
        first_event=pl.col("first_event").fill_null(""),
    )
    return rows.with_columns(cause=sentence(), action=action())


def _moments(walked: pl.DataFrame, events: pl.DataFrame, corrections: pl.DataFrame) -> pl.DataFrame:
    """When something that we know of touched each step's number: its own events, and our pushes."""
    sent = corrections.filter((pl.col("kind") == CorrectionKind.SET) & pl.col("sent_at").is_not_null())
    pushed = sent.select(*of_point(), at="sent_at").join(walked.select(step_key()), on=of_point())
    return pl.concat([events.select(*step_key(), "at"), pushed.select(*step_key(), "at")])


def _second_writers(found: pl.DataFrame, back: pl.DataFrame) -> pl.DataFrame:
    """What came back after two of our pushes is no slip of a person's hand. `back`: of `writers.returns`."""
    again = back.select(*of_point(), again=pl.col("returns") >= TWICE)
    writer = (pl.col("cause") == Cause.FOREIGN) & pl.col("again").fill_null(value=False)
    return (
        found.join(again, on=of_point(), how="left")
        .with_columns(cause=pl.when(writer).then(pl.lit(Cause.SECOND_WRITER.value)).otherwise("cause"))
        .drop("again")
    )
