"""Changes that link nothing: most say how many there are, or that one was sold, of things known already.

Who is of which family then stays, and what changed takes its place within it; `incremental.moved_on`, which joins the families
anew, costs several times as much.
"""

from dataclasses import replace
from typing import Final

import polars as pl

from invbi_pipeline.domain.decision import Given
from invbi_pipeline.domain.identity.families import Families
from invbi_pipeline.domain.identity.mappings import line_key
from invbi_pipeline.domain.incremental import Kept, Part, carried, order_families

__all__ = ["moved_on"]

_THING: Final = ["system", "listing_key"]
_PLAIN: Final = frozenset({"observations", "order_lines", "movements", "effects", "returns"})
_MAPPED: Final = [*_THING, "sku"]


def moved_on(kept: Kept, changes: Given, part: Part) -> Kept | None:
    """Return what `incremental.moved_on` would, carrying on; None where a change may link families, or show a system anew.

    That is so for changes of what things are, for things, places or codes never met, and where a mapping came of it.
    """
    if set(changes) - _PLAIN:
        return None
    of = Families(kept.held_things.rows(part.families), kept.held_codes.rows(part.families), kept.marks.fresh.clear())
    after = {name: rows.filter(of.of(name, rows).is_not_null()) for name, rows in carried(part.decided).items()}
    if not (_all_known(kept, changes, of) and _maps_nothing_new(part.given, after)):
        return None
    given = {**{name: part.given[name] for name in changes}, **after}
    whose = {name: of.of(name, rows) for name, rows in given.items()}
    frames = {name: kept.frames[name].moved_on(rows, whose[name], part.families) for name, rows in given.items()}
    sold = {name: part.given[name] for name in ("order_lines", "movements")}
    orders = order_families(sold, {name: of.of(name, rows) for name, rows in sold.items()})
    return replace(kept, frames={**kept.frames, **frames}, orders=kept.orders.moved_on(orders, part.families))


def _all_known(kept: Kept, changes: Given, of: Families) -> bool:
    """Say whether the changes are of things, places and codes, and of systems' kinds of words, that were met before."""
    for name, rows in changes.items():
        key = rows.select("system", line_key() if name == "order_lines" else "listing_key").unique()
        if key.join(of.things, on=_THING, how="anti").height:
            return False
        held = kept.frames[name]
        if name == "observations":
            before = held.rows(of.things["family"].unique())
            if rows.join(before, on=[*_THING, "location"], how="anti").height:
                return False
            continue
        seen = held.rows(kept.witnesses)["system"]
        if rows.filter(~pl.col("system").is_in(seen.implode())).height:
            return False
    if "order_lines" in changes:
        named = changes["order_lines"].select("system", line_key(), code="raw_sku").filter(pl.col("code").fill_null("") != "")
        linked = named.join(of.things, on=_THING).join(of.codes, on=["code", "family"], how="anti")
        return linked.is_empty()
    return True


def _maps_nothing_new(given: Given, after: Given) -> bool:
    same = after["mappings"].select(_MAPPED).unique()
    return same.join(given["mappings"].select(_MAPPED).unique(), on=_MAPPED, how="anti").is_empty()
