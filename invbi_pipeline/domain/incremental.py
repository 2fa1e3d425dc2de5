"""Incremental: after a whole decision the skus that changed are decided anew, with the result of another whole one.

What was given is kept sorted by family (`domain.identity.families`) with each family's offset, so that the rows of some are
found without reading the others. A part is decided from

* all rows of its families, the changes among them,
* the rows of other families that belong to the same orders (an order is known again by all its lines),
* a few *witnesses*: families that show what is true of a whole system (that it tells of its effects, that it has been looked at
  before, that a place of it was ever read, since when it sells),

and only what is decided of the families themselves counts. What is said of whole systems (roles, places, feeds, rules for every
sku) and the passing of time are no changes of skus: they need a whole decision.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Final

import polars as pl

from invbi_pipeline.domain.decision import GIVEN, REMEMBERED, Decided, Given, decide, whole
from invbi_pipeline.domain.identity.families import BY_SKU, BY_THING, Families, families, marks, plain_of
from invbi_pipeline.domain.identity.mappings import line_key
from invbi_pipeline.domain.indexed import Indexed, Looked
from invbi_pipeline.domain.points import MergeResult
from invbi_pipeline.domain.truth import TruthResult

__all__ = [
    "KEYS",
    "Kept",
    "Part",
    "carried",
    "keep",
    "merged",
    "moved_on",
    "order_families",
    "redecide",
    "restated",
    "upserted",
]

_THING: Final = ["system", "listing_key"]
_ORDERED: Final = ("order_lines", "movements")
# What makes a changed row the successor of a kept one.
KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "listings": ("system", "listing_key"),
    "observations": ("system", "listing_key", "location"),
    "order_lines": ("system", "order_id", "line_id", "listing_key"),
    "movements": ("system", "movement_id", "listing_key"),
    "effects": ("system", "effect_id", "listing_key"),
    "returns": ("system", "event_id", "listing_key"),
    "prices": ("sku",),
    "kit_rows": ("kit_sku", "component_sku"),
    "sku_map": ("system", "listing_key"),
    "unavailable": ("location", "sku"),
    "incoming": ("location", "sku"),
}


@dataclass(frozen=True, slots=True)
class Kept:
    """What was given to a whole decision, in reach: each frame `Indexed`, who is of which family, and the witnesses.

    `things`, `codes` and `marks` are those of `Families`, by listing key, plain code and mark; `held_things` and `held_codes` the
    same by family. `orders`: id, family: which families the order of that id touches. `count`: of families there ever were;
    `gone`: those that others took the place of.
    """

    frames: Mapping[str, Indexed]
    things: Looked
    codes: Looked
    marks: Looked
    held_things: Indexed
    held_codes: Indexed
    orders: Looked
    witnesses: pl.Series
    count: int
    gone: pl.Series

    @property
    def families(self) -> Families:
        """Who is of which family now."""
        return Families(*(looked.every(self.gone) for looked in (self.things, self.codes, self.marks)))

    def now(self, found: pl.Series) -> pl.Series:
        """Return, each once, those of the families that no other has taken the place of."""
        return (found.filter(~found.is_in(self.gone.implode())) if len(self.gone) else found).unique()


@dataclass(frozen=True, slots=True)
class Part:
    """What was decided anew: of which families (numbers of `Kept.families`), and what. Names never met before are of them."""

    families: pl.Series
    decided: Decided
    things: pl.DataFrame  # system, listing_key: all that those families hold
    given: Given  # their own rows, the changes among them

    def mine(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the rows of a result (with system, listing_key) that are of the families decided anew."""
        return frame.join(self.things, on=_THING, how="semi", maintain_order="left")


def keep(given: Given, decided: Decided) -> Kept:
    """Index what was `given` (`decision.GIVEN`) to a whole decision, so that `redecide` can find the rows of some skus."""
    said = whole(given)
    of = families(said)
    whose = {name: of.of(name, frame) for name, frame in said.items()}
    count = pl.concat([of.things["family"], of.codes["family"]]).n_unique()
    return Kept(
        frames={name: Indexed.of(frame, whose[name], count) for name, frame in said.items()},
        things=Looked.of(of.things, "listing_key"),
        codes=Looked.of(of.codes, "plain"),
        marks=Looked.of(of.marks, "mark"),
        held_things=Indexed.of(of.things, of.things["family"], count),
        held_codes=Indexed.of(of.codes, of.codes["family"], count),
        orders=Looked.of(order_families(said, whose), "id"),
        witnesses=_witnesses(said, decided, of),
        count=count,
        gone=pl.Series("family", [], dtype=pl.Int64),
    )


def redecide(
    kept: Kept,
    changes: Given,
    now: datetime,
    run_id: str,
    currency: str,
    *,
    tolerance: int = 0,
    telling: bool = True,
) -> Part:
    """Decide anew the families that `changes` touch: rows of the frames in `KEYS`, each in the place of the row of its key.

    `tolerance` and `telling` as for `decide`. Raises `TypeError` for changes of a frame that is not in `KEYS`, and what `decide`
    raises.
    """
    touched, given = _in_reach(kept, changes)
    things = pl.concat(
        [given[n].select("system", line_key() if n == "order_lines" else "listing_key") for n in BY_THING if n in given]
    ).unique()
    own = dict(given)
    beside = kept.witnesses.filter(~kept.witnesses.is_in(touched.implode()))
    ids = pl.concat([_order_ids(given[name]).explode("id") for name in _ORDERED]).filter(pl.col("id") != "").unique()
    others = kept.now(kept.orders.rows(ids["id"])["family"])
    others = others.filter(~others.is_in(pl.concat([touched, beside]).implode()))
    for name, frame in kept.frames.items():
        more = [frame.rows(beside), frame.everybodys()]
        if name in _ORDERED:
            more.append(frame.rows(others).filter(_names_one_of(name, ids["id"])))
        given[name] = pl.concat([given[name], *more])
    decided = decide(given, now, run_id, currency, tolerance=tolerance, telling=telling)
    return Part(touched, decided, things, own)


def carried(decided: Decided) -> dict[str, pl.DataFrame]:
    """Return what a decision hands on to the next one, by the name under which that is given it (`decision.GIVEN`)."""
    kept = {name: getattr(decided.points, name).select(schema.keys()) for name, schema in REMEMBERED.items()}
    truth = {name: getattr(decided.truth, name) for name in ("mappings", "anchors", "openings")}
    return {**kept, **{name: frame.select(GIVEN[name].keys()) for name, frame in truth.items()}}


def restated(kept: Kept, said: Given) -> Kept:
    """Return `kept` with all rows of these frames replaced, where that changes nothing that was decided already.

    What is said of whole systems (feeds), the pushes in flight, and numbers that stand at a later time are such: they count
    from the next time that their families are decided. Rows of things never met are left out.
    """
    frames = dict(kept.frames)
    for name, rows in said.items():
        if name not in BY_THING:
            frames[name] = Indexed.of(rows, pl.Series("family", [None] * rows.height, dtype=pl.Int64), 0)
            continue
        known = kept.things.rows(rows["listing_key"].unique().drop_nulls())
        known = known.filter(~pl.col("family").is_in(kept.gone.implode()))
        whose = rows.join(known, on=_THING, how="inner", maintain_order="left")
        frames[name] = Indexed.of(whose.select(rows.columns), whose["family"], kept.count)
    return replace(kept, frames=frames)


def moved_on(kept: Kept, changes: Given, part: Part, *, carrying: bool = False) -> Kept:
    """Return `kept` as if `changes`, of which `part` was decided, had been given to the whole decision: ready for the next ones.

    With `carrying`, also as if that decision's results had been handed on (`carried`): the next one goes on from them.

    The families that were touched are joined anew, since a change may link them or part them; they get new numbers, and what was
    known under the old ones is not read again.
    """
    touched, given = _in_reach(kept, changes)
    everybodys = {name: frame.everybodys() for name, frame in kept.frames.items()}
    local = families({name: pl.concat([frame, everybodys[name]]) for name, frame in given.items()})
    of = Families(*(frame.with_columns(pl.col("family") + kept.count) for frame in local))
    known = kept.codes.rows(of.codes["plain"].unique())
    elsewhere = known.filter(pl.col("family").is_in(kept.now(known["family"]).implode()) & ~_one_of(touched))
    of = of._replace(codes=of.codes.join(elsewhere, on="code", how="anti"))
    if carrying:
        given |= {name: frame.filter(of.of(name, frame).is_not_null()) for name, frame in carried(part.decided).items()}
    whose = {name: of.of(name, frame) for name, frame in given.items()}
    numbers = pl.concat([of.things["family"], of.codes["family"]])
    witnesses = pl.concat([kept.now(kept.witnesses.filter(~kept.witnesses.is_in(touched.implode()))), _heirs(kept, touched, of)])
    return replace(
        kept,
        frames={name: frame.moved_on(given[name], whose[name], touched) for name, frame in kept.frames.items()},
        things=kept.things.moved_on(of.things, touched),
        codes=kept.codes.moved_on(of.codes, touched),
        marks=kept.marks.moved_on(of.marks, touched),
        held_things=kept.held_things.moved_on(of.things, of.things["family"], touched),
        held_codes=kept.held_codes.moved_on(of.codes, of.codes["family"], touched),
        orders=kept.orders.moved_on(order_families(given, whose), touched),
        witnesses=pl.concat([witnesses, _witnesses({**given, "systems": everybodys["systems"]}, part.decided, of)]).unique(),
        count=max(kept.count, int(str(numbers.max() or 0)) + 1),
        gone=pl.concat([kept.gone, touched]),
    )


def upserted(given: Given, changes: Given) -> dict[str, pl.DataFrame]:
    """Return `given` with each row of `changes` in the place of the rows of its key (`KEYS`), or beside them where it is new."""
    given = {**{name: rows.clear() for name, rows in changes.items()}, **given}
    kept = {
        name: f.join(changes[name], on=list(KEYS[name]), how="anti", nulls_equal=True)
        for name, f in given.items()
        if name in changes
    }
    return {
        name: pl.concat([kept[name], changes[name].select(frame.columns)]) if name in changes else frame
        for name, frame in given.items()
    }


def merged(before: Decided, part: Part, kept: Kept) -> Decided:
    """Return the whole decision: that of `before`, and of `part` where it was decided anew. Rows are in no order.

    What `before` says of whole systems (neither a thing nor a sku is named) stands.
    """
    anew = part.families.implode()

    of = kept.families

    def both(old: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
        stands = old.filter(~_whose(old, of).is_in(anew).fill_null(value=False))
        whose = _whose(new, of)
        return pl.concat([stands, new.filter((whose.is_in(anew) | whose.is_null()) & ~_of_a_system(new))])

    def every(old: tuple[pl.DataFrame, ...], new: tuple[pl.DataFrame, ...]) -> list[pl.DataFrame]:
        return [both(one, other) for one, other in zip(old, new, strict=True)]

    names = [field.name for field in fields(MergeResult)]
    was, is_ = (tuple(getattr(d.points, name) for name in names) for d in (before, part.decided))
    return Decided(
        TruthResult(*every(before.truth, part.decided.truth)),
        MergeResult(*every(was, is_)),
        both(before.findings, part.decided.findings),
        both(before.plan, part.decided.plan),
    )


def _in_reach(kept: Kept, changes: Given) -> tuple[pl.Series, dict[str, pl.DataFrame]]:
    """The families that the changes touch, and all that is given of them, the changes in the place of what they succeed."""
    wrong = sorted(set(changes) - set(KEYS))
    if wrong:
        raise TypeError(f"changes of {wrong[0]} need a whole decision; of skus there are {', '.join(KEYS)}")
    touched = _touched(kept, changes)
    return touched, upserted({name: frame.rows(touched) for name, frame in kept.frames.items()}, changes)


def _touched(kept: Kept, changes: Given) -> pl.Series:
    """The families that the changes name: by their things, by their codes in any spelling, by their barcodes and styles."""
    things = [
        frame.select("system", line_key() if name == "order_lines" else "listing_key")
        for name, frame in changes.items()
        if name in BY_THING or name == "sku_map"
    ]
    said = [frame.select(code=BY_SKU[name]) for name, frame in changes.items() if name in BY_SKU]
    said += [changes[n].select(code=c) for n, c in (("kit_rows", "component_sku"), ("sku_map", "listing_key")) if n in changes]
    said += [changes[n].select(code="raw_sku") for n in ("listings", "order_lines") if n in changes]
    named = pl.concat([pl.DataFrame(schema={"code": pl.String()}), *said, *(t.select(code="listing_key") for t in things)])
    plain = named.drop_nulls().filter(pl.col("code") != "").unique().select(plain=plain_of("code")).unique()
    found = [kept.codes.rows(plain["plain"])["family"]]
    if things:
        met = pl.concat(things).unique().drop_nulls()
        found.append(kept.things.rows(met["listing_key"].unique()).join(met, on=_THING, how="semi")["family"])
    if "listings" in changes:
        found.append(kept.marks.rows(marks(changes["listings"])["mark"].unique())["family"])
    return kept.now(pl.concat([*found, _of_orders_told_anew(kept, changes)]))


def _of_orders_told_anew(kept: Kept, changes: Given) -> pl.Series:
    """The families of orders of which a system tells for the first time: that may say whose they are, or that they are one."""
    told = [_named_orders(changes[name]) for name in _ORDERED if name in changes]
    if not told:
        return kept.gone.clear()
    named = pl.concat(told)
    ids = named["id"].unique()
    families_ = kept.now(kept.orders.rows(ids)["family"])
    known = pl.concat([_named_orders(kept.frames[name].rows(families_)) for name in _ORDERED])
    return kept.orders.rows(named.join(known, on=["system", "id"], how="anti")["id"].unique())["family"]


def _named_orders(frame: pl.DataFrame) -> pl.DataFrame:
    """Return system, id: every id by which a system tells of an order."""
    return frame.select("system").hstack(_order_ids(frame)).explode("id").filter(pl.col("id") != "").unique()


def _heirs(kept: Kept, touched: pl.Series, of: Families) -> pl.Series:
    """The families that hold now what was held by those of the touched ones that were witnesses."""
    were = kept.witnesses.filter(kept.witnesses.is_in(touched.implode()))
    held = pl.concat([kept.frames[name].rows(were).select(_THING) for name in BY_THING]).unique()
    return of.things.join(held, on=_THING, how="semi")["family"]


def _one_of(chosen: pl.Series) -> pl.Expr:
    return pl.col("family").is_in(chosen.implode())


def order_families(given: Given, whose: Mapping[str, pl.Series]) -> pl.DataFrame:
    """Return id, family: which families the orders of these order lines and movements touch."""
    ids = [_order_ids(given[name]).with_columns(family=whose[name]) for name in _ORDERED]
    return pl.concat(ids).explode("id").filter(pl.col("id") != "").drop_nulls().unique()


def _order_ids(frame: pl.DataFrame) -> pl.DataFrame:
    """Return `id`, a list: the ids by which the order of each row may be known."""
    ids = [pl.col(name).fill_null("") for name in ("order_id", "external_id") if name in frame.columns]
    return frame.select(id=pl.concat_list(ids))


def _names_one_of(name: str, ids: pl.Series) -> pl.Expr:
    columns = ("order_id", "external_id") if name == "order_lines" else ("order_id",)
    return pl.any_horizontal(pl.col(column).is_in(ids.implode()) for column in columns)


def _witnesses(said: Given, decided: Decided, of: Families) -> pl.Series:
    """Families that show, for each system, what is asked of it as a whole."""
    sold = said["order_lines"].sort("ordered_at")
    counter = said["movements"].filter(pl.col("units") < 0).sort("occurred_at")
    first = [
        frame.with_columns(family=of.of(name, frame)).drop_nulls("family").unique("system", keep="first", maintain_order=True)
        for name, frame in (("effects", said["effects"]), ("bases", said["bases"]), ("order_lines", sold), ("movements", counter))
    ]
    return pl.concat([*(frame["family"] for frame in first), _of_places(said, decided, of)]).unique()


def _of_places(said: Given, decided: Decided, of: Families) -> pl.Series:
    """One family for each place that a channel with a number per location can give from, as far as it was ever read."""
    split = said["systems"].filter("per_location").select("system")
    held = decided.truth.mappings.filter(pl.col("valid_to").is_null()).join(split, on="system", how="semi")
    here = said["observations"].select(*_THING, "location").unique()
    shown = held.join(here, on=_THING, how="left")
    given = (
        shown.join(decided.truth.anchors.select("sku", anchored="location"), on="sku")
        .filter(pl.col("location").is_null() | (pl.col("location") == pl.col("anchored")))
        .unique(["system", "anchored"], keep="any")
    )
    return of.of("mappings", given).drop_nulls()


def _whose(frame: pl.DataFrame, of: Families) -> pl.Series:
    """The family of each row of a result: of its thing, else of its sku; null for names never met, and for whole systems."""
    nobodys = pl.Series("family", [None] * frame.height, dtype=pl.Int64)
    by_thing = of.of("mappings", frame) if {"system", "listing_key"} <= set(frame.columns) else nobodys
    sku = next((name for name in ("kit_sku", "sku") if name in frame.columns), None)
    by_sku = of.of("anchors", frame.select(pl.col(sku).alias("sku"))) if sku else nobodys
    return by_thing.zip_with(by_thing.is_not_null(), by_sku)


def _of_a_system(frame: pl.DataFrame) -> pl.Expr:
    """Whether a row speaks of a whole system: neither of a thing nor of a sku."""
    names = [pl.col(name).fill_null("") == "" for name in ("listing_key", "kit_sku", "sku") if name in frame.columns]
    return pl.all_horizontal(names)
