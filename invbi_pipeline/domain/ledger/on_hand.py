"""The ledger: what is on each shelf now. On hand = anchor + every movement the anchor does not contain, whatever its time."""

from typing import Final, NamedTuple

import polars as pl

from invbi_pipeline.domain.frames import OUTSIDE, UNBOOKED
from invbi_pipeline.domain.frames.schema import INT, TEXT, Schema, empty
from invbi_pipeline.domain.ledger.movements import FOREIGN, Moves
from invbi_pipeline.domain.steps import any_row, beside, kept
from invbi_pipeline.domain.words import Absorbs, Basis, CorrectionState, FeedVerdict, MovementKind

__all__ = ["Contained", "Ledger", "contained_lines", "on_hand", "outside", "reach_of", "unbooked"]

_SHELF = ("location", "sku")
_IN_NUMBER: Final[Schema] = {"location": TEXT, "sku": TEXT, "in_number": INT}
_LINES: Final[Schema] = {"system": TEXT, "order_id": TEXT, "line_id": TEXT, "sku": TEXT, "evidence": TEXT}
_JUDGED: Final[Schema] = {**FOREIGN, "missing": INT, "state": TEXT, "why": TEXT, "absorbs": TEXT}
_ON_THE_WAY = [CorrectionState.SENDING, CorrectionState.ACCEPTED, CorrectionState.AMBIGUOUS]


class Ledger(NamedTuple):
    """`shelves`: one row a (location, sku), each term of its on_hand. `foreign`: each foreign movement and what became of it.
    `after`: each of the owner's own movements that its number does not contain.

    shelves: location, sku, system, anchor, kind, anchored_at, in_number (open units the anchor already left out), own_after (the
    owner's movements since), foreign (others' movements it lacks), undecided (units deducted from the offer until it is known
    whether the anchor contains them), on_hand.
    foreign: the columns of `Moves.foreign`, missing (units not booked), state (booked | contained | undecided | lacking), why.
    after: the columns of `Moves.own` and of the shelf's anchor.
    """

    shelves: pl.LazyFrame
    foreign: pl.LazyFrame
    after: pl.LazyFrame


class Contained(NamedTuple):
    """`units`: location, sku, in_number. `lines`: system, order_id, line_id, sku, evidence (identity | basis)."""

    units: pl.LazyFrame
    lines: pl.LazyFrame


def contained_lines(
    lines: pl.LazyFrame,
    effects: pl.LazyFrame,
    anchors: pl.LazyFrame,
    listed: pl.LazyFrame,
    systems: pl.LazyFrame,
    reach: pl.LazyFrame,
) -> Contained:
    """Return the open units that a net owner's number has left out already: they are on the shelf, and reserved.

    By id: the owner applied the line to its number (`effects`) before the anchor. By its declared basis where the owner tells
    of no effects: a line of its own from before the anchor. An owner that imports orders and shows neither orders nor ledger is
    taken to know each order that is older than its booking lag. `reach` is location, sku, reach: how far the owner's word
    reaches.
    """
    net = systems.filter(pl.col("basis") == Basis.NET).select(
        owner="system", lag=pl.duration(seconds="booking_lag_s"), silent=_silent(), imports=_imports()
    )
    shelf = anchors.select(*_SHELF, "anchored_at", owner="system").join(net, on="owner").join(reach, on=_SHELF)
    open_ = kept(lines.filter(pl.col("kept") & (pl.col("open") > 0)).join(shelf, on=_SHELF))
    if not any_row(open_):
        return Contained(empty(_IN_NUMBER).lazy(), empty(_LINES).lazy())
    direct = listed.select("location", "sku", "system", "listing_key")
    own = kept(
        open_.filter(pl.col("system") == pl.col("owner")).join(
            direct, on=["location", "sku", "system", "listing_key"], how="semi"
        )
    )
    others = kept(open_.filter((pl.col("system") != pl.col("owner")) & pl.col("silent") & pl.col("imports")))
    imported = others.with_columns(
        in_number=pl.when(pl.col("ordered_at") + pl.col("lag") <= pl.col("reach")).then(pl.col("open")).otherwise(0),
        evidence=pl.lit("basis"),
    )
    known = [_left_out(own, effects, systems)] if any_row(own) else []
    columns = ["system", "order_id", "line_id", *_SHELF, "in_number", "evidence"]
    both = kept(pl.concat([rows.select(columns) for rows in (*known, imported)]).filter(pl.col("in_number") > 0))
    units = both.group_by(_SHELF).agg(pl.col("in_number").sum())
    return Contained(units, both.select(*_LINES))


def _left_out(own: pl.LazyFrame, effects: pl.LazyFrame, systems: pl.LazyFrame) -> pl.LazyFrame:
    """Add `in_number` and `evidence` to the owner's open lines: by its effects, or by its basis where it tells of none.

    A platform that can be asked for orders tells of their effects, also when there were none yet: an order that waits at a till
    has not touched its number. Of files it is not known before they tell of one.
    """
    asked = systems.filter(pl.col("has_orders") & (pl.col("platform") != "files"))
    tells = pl.concat([effects.select("system"), asked.select("system")]).unique().with_columns(tells=pl.lit(True))
    early = pl.when(pl.col("ordered_at") <= pl.col("anchored_at")).then(pl.col("open")).otherwise(0)
    by_id = pl.col("tells").is_not_null()
    applied_units = pl.min_horizontal("open", pl.col("applied").fill_null(0).clip(lower_bound=0) * pl.col("per"))
    return (
        _applied(own, effects)
        .join(tells, on="system", how="left")
        .with_columns(
            in_number=pl.when(by_id).then(applied_units).otherwise(early),
            evidence=pl.when(by_id).then(pl.lit("identity")).otherwise(pl.lit("basis")),
        )
    )


def _applied(own: pl.LazyFrame, effects: pl.LazyFrame) -> pl.LazyFrame:
    """Add `applied`: the listing units of each line that its effects had taken off the number at `anchored_at`.

    Effects without a line id are those of the order's listing; its lines share them, the first by id before the next.
    """
    orders_and_cancels = effects.filter(pl.col("kind").is_in([MovementKind.SALE, MovementKind.CANCEL]))
    line, listing = ["system", "order_id", "line_id"], ["system", "order_id", "listing_key"]
    nameless = pl.col("line_id").fill_null("") == ""
    taken = -pl.col("units").filter(pl.col("stamped_at") <= pl.col("anchored_at")).sum()

    def by(key: list[str], which: pl.Expr) -> pl.LazyFrame:
        wanted = own.select(*key, "anchored_at").unique()
        return orders_and_cancels.filter(which).join(wanted, on=key).group_by(key).agg(taken=taken)

    earlier = pl.col("open_quantity").cum_sum().over(listing, order_by="line_id") - pl.col("open_quantity")
    return (
        own.join(by(line, ~nameless).rename({"taken": "of_line"}), on=line, how="left")
        .join(by(listing, nameless).rename({"taken": "of_listing"}), on=listing, how="left")
        .with_columns(applied=pl.coalesce("of_line", pl.col("of_listing") - earlier))
    )


def _imports() -> pl.Expr:
    return pl.col("absorbs") == Absorbs.IMPORTED


def _silent() -> pl.Expr:
    return ~pl.col("has_ledger") & ~pl.col("has_orders")


def reach_of(anchors: pl.LazyFrame, feeds: pl.LazyFrame) -> pl.LazyFrame:
    """Return location, sku, reach: the owner's time up to which its number is known: the anchor's, or a later believed read."""
    read = feeds.filter(pl.col("verdict") == FeedVerdict.BELIEVED).select("system", "stock_read_at")
    return anchors.join(read, on="system", how="left").select(*_SHELF, reach=pl.max_horizontal("anchored_at", "stock_read_at"))


def on_hand(
    anchors: pl.LazyFrame,
    openings: pl.LazyFrame,
    moves: Moves,
    contained: Contained,
    lines: pl.LazyFrame,
    effects: pl.LazyFrame,
    posted: pl.LazyFrame,
    systems: pl.LazyFrame,
    reach: pl.LazyFrame,
) -> Ledger:
    """Return what is on each anchored shelf: `Ledger`.

    A foreign movement that is not booked is contained by a physical count, or by the shelf's opening, if it is older by the
    owner's booking lag; within the lag it is undecided until the owner's word reaches past the lag. So is every movement where
    the owner imports orders and its ledger cannot be read. Everything else it lacks until it books it, whatever the time.
    A unit that comes back is added only when it is decided.
    """
    foreign = empty(_JUDGED).lazy()
    if any_row(moves.foreign):
        foreign = kept(_judged(moves.foreign, anchors, openings, lines, posted, systems, reach))
    lacking = foreign.group_by(_SHELF).agg(
        foreign=pl.col("missing").filter(pl.col("state") == "lacking").sum(),
        undecided=-pl.col("missing").filter((pl.col("state") == "undecided") & (pl.col("missing") < 0)).sum(),
    )
    later = kept(_after(moves.own, anchors, effects, systems))
    after = later.group_by("shelf").agg(own_after=pl.col("units").sum())
    terms = ["in_number", "own_after", "foreign", "undecided"]
    shelves = anchors.select(*_SHELF, "system", "kind", "anchored_at", "shelf", anchor="on_hand").collect()
    shelves = beside(beside(shelves, contained.units.collect(), _SHELF), after.collect(), "shelf")
    shelves = (
        beside(shelves, lacking.collect(), _SHELF)
        .drop("shelf")
        .with_columns(pl.col(terms).fill_null(0))
        .with_columns(on_hand=pl.sum_horizontal("anchor", "in_number", "own_after", "foreign"))
    )
    return Ledger(shelves.lazy(), foreign, later)


def outside(ledger: Ledger) -> pl.LazyFrame:
    """Return OUTSIDE: each movement that an anchor does not contain, or may not, so that `explain` can name every one.

    Of a shelf the units of `own` are its own_after, of `lacking` its foreign, of `undecided` (where they left) its undecided.
    """
    own = ledger.after.select(
        *(*_SHELF, "system", "movement_id", "kind", "units", "occurred_at", "order_id"),
        state=pl.lit("own"),
        why=pl.lit("booked later"),
    )
    others = ledger.foreign.filter(pl.col("state").is_in(["lacking", "undecided"]) & (pl.col("missing") != 0)).select(
        *_SHELF,
        "system",
        "movement_id",
        "occurred_at",
        "order_id",
        "state",
        "why",
        units="missing",
        kind=pl.when(pl.col("units") < 0).then(pl.lit(str(MovementKind.SALE))).otherwise(pl.lit(str(MovementKind.RETURN))),
    )
    return pl.concat([own.select(*OUTSIDE), others.select(*OUTSIDE)])


def _after(own: pl.LazyFrame, anchors: pl.LazyFrame, effects: pl.LazyFrame, systems: pl.LazyFrame) -> pl.LazyFrame:
    """Return the owner's movements that its number does not contain: booked later, or of an order it took later."""
    net = systems.filter(pl.col("basis") == Basis.NET).select("system")
    taken = (
        effects.filter((pl.col("kind") == MovementKind.SALE) & (pl.col("units") < 0) & (pl.col("line_id").fill_null("") != ""))
        .join(net, on="system", how="semi")
        .group_by("system", "order_id", "line_id")
        .agg(taken_at=pl.col("stamped_at").min())
    )
    when = pl.when(pl.col("units") < 0).then(pl.coalesce("taken_at", "booked_at")).otherwise("booked_at")
    anchored_at = pl.lit(anchors.select("anchored_at").collect().to_series()).gather("shelf")
    moves = beside(own.collect(), taken.collect(), ["system", "order_id", "line_id"])
    return moves.lazy().with_columns(anchored_at=anchored_at).filter(when > pl.col("anchored_at"))


def _judged(
    foreign: pl.LazyFrame,
    anchors: pl.LazyFrame,
    openings: pl.LazyFrame,
    lines: pl.LazyFrame,
    posted: pl.LazyFrame,
    systems: pl.LazyFrame,
    reach: pl.LazyFrame,
) -> pl.LazyFrame:
    owner = systems.select(
        "absorbs",
        owner="system",
        lag=pl.duration(seconds="booking_lag_s"),
        by_lag=_imports() & ~pl.col("has_ledger"),
        as_reserved=_imports() & _silent() & (pl.col("basis") == Basis.NET),
    )
    ordered = lines.group_by("order_key").agg(pl.col("ordered_at").min())
    sent = (
        posted.filter(pl.col("state").is_in(_ON_THE_WAY))
        .select(owner="system", ref="movement_ref", on_the_way=pl.lit(True))
        .unique()
    )
    when = pl.when("as_reserved").then(pl.coalesce("ordered_at", "occurred_at")).otherwise("occurred_at")
    before = when <= pl.col("boundary")
    clear = when <= pl.col("boundary") - pl.col("lag")
    ripe = when + pl.col("lag") <= pl.col("reach")
    lag = pl.col("by_lag")
    state = (
        pl.when(pl.col("missing") == 0)
        .then(pl.lit("booked"))
        .when(clear | (ripe & (before | lag)))
        .then(pl.lit("contained"))
        .when(before | lag | pl.col("on_the_way").is_not_null())
        .then(pl.lit("undecided"))
        .otherwise(pl.lit("lacking"))
    )
    counted = pl.col("counted_at").is_not_null() & (pl.col("counted_at") >= pl.col("opened_at"))
    why = (
        pl.when(pl.col("missing") == 0)
        .then("how")
        .when(before)
        .then(pl.when(counted).then(pl.lit("count")).otherwise(pl.lit("opening")))
        .when(lag)
        .then(pl.lit("booking lag"))
        .when(pl.col("on_the_way").is_not_null())
        .then(pl.lit("post on its way"))
        .otherwise(pl.lit("not booked"))
    )
    return (
        foreign.join(anchors.select(*_SHELF, "counted_at", owner="system"), on=[*_SHELF, "owner"])
        .join(openings.select(*_SHELF, "opened_at", owner="system"), on=[*_SHELF, "owner"], how="left")
        .join(reach, on=_SHELF, how="left")
        .join(owner, on="owner", how="left")
        .join(ordered, on="order_key", how="left")
        .join(sent, on=["owner", "ref"], how="left")
        .with_columns(missing=pl.col("units") - pl.col("booked"), boundary=pl.max_horizontal("opened_at", "counted_at"))
        .with_columns(state=state.fill_null("lacking"), why=why)
        .select(*FOREIGN, "missing", "state", "why", "absorbs")
    )


def unbooked(foreign: pl.LazyFrame, listed: pl.LazyFrame) -> pl.LazyFrame:
    """Return UNBOOKED: what an owner with absorbs = writeback lacks, in units of its own listing.

    Left out: what is undecided or on its way, a shelf that several of the owner's listings stand for, and units that are no
    whole number of the owner's packs.
    """
    if not any_row(foreign):
        return empty(UNBOOKED).lazy()
    target = listed.filter("alone").select(*_SHELF, "listing_key", owner="system", pack="units")
    return (
        foreign.filter((pl.col("state") == "lacking") & (pl.col("absorbs") == Absorbs.WRITEBACK) & (pl.col("missing") != 0))
        .join(target, on=[*_SHELF, "owner"])
        .filter(pl.col("missing") % pl.col("pack") == 0)
        .select(
            "listing_key",
            "location",
            "sku",
            "occurred_at",
            system="owner",
            units=pl.col("missing") // pl.col("pack"),
            movement_ref="ref",
        )
        .select(*UNBOOKED)
    )
