"""Guards: what stands between a plan and a shop (design.md section 5). Each says "pass" or why it holds; every verdict is kept.

A lowering is never held for being uncertain: only what could harm a shop that is right (a mass change, a very large change, an
identity in doubt, a second writer, a person who took it back, a pause, the mode) holds it.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Protocol

import polars as pl

from invbi_pipeline.domain.corrections.repacked import REPACKED
from invbi_pipeline.domain.frames import CANDIDATES, CORRECTIONS, FEEDS, POINT_KEY, POINTS, UTC, empty
from invbi_pipeline.domain.words import COMPARABLE, CorrectionKind, CorrectionState, FeedVerdict, Mode

__all__ = [
    "DOUBTED",
    "GUARDS",
    "LETS_GO",
    "LIMITS",
    "UNDONE",
    "ZEROED",
    "GuardInputs",
    "Limits",
    "aged",
    "goes_lower",
    "held_by",
    "holding",
    "judge",
    "limits_frame",
    "unsold_zeros",
]

LETS_GO: Final = "pass"
_KEY: Final = list(POINT_KEY)
_BP: Final = 10_000
DOUBTED: Final = ("ambiguous_mapping", "duplicate_sku", "pack_mismatch", "kit_unresolved", "kit_cycle")
_FEW: Final = 5  # numbers that go to zero at once: less is an ordinary day, even of a small channel
_SOME: Final = 10  # numbers that change at once: less may well be the half of a small channel's
_SEVERAL: Final = 2  # numbers that fell without an order: one may be a hand edit, several at once look like orders that are late
_SWEEP: Final = timedelta(minutes=1)  # two looks need not be as far apart as the slowest order was late


class Limits(Protocol):
    """The limits of one channel; `config.GuardConfig` has them."""

    @property
    def max_changed_share_bp(self) -> int: ...
    @property
    def max_zeroed_share_bp(self) -> int: ...
    @property
    def min_points_for_share(self) -> int: ...
    @property
    def max_change_units(self) -> int: ...
    @property
    def hold_first_look_raises(self) -> bool: ...
    @property
    def two_looks_for_raises(self) -> bool: ...
    @property
    def late_orders_s(self) -> float: ...
    @property
    def max_changed_small_bp(self) -> int: ...
    @property
    def max_zeroed_small_bp(self) -> int: ...
    @property
    def zeroed_within_s(self) -> float: ...
    @property
    def hold_stale_owner(self) -> bool: ...
    @property
    def hold_doubted_identity(self) -> bool: ...
    @property
    def second_writer_after(self) -> int: ...
    @property
    def frozen_after(self) -> int: ...
    @property
    def hold_undone(self) -> bool: ...


LIMITS: Final = {  # one row a system
    "system": pl.String(),
    "max_changed_share_bp": pl.Int64(),
    "max_zeroed_share_bp": pl.Int64(),
    "min_points_for_share": pl.Int64(),
    "max_change_units": pl.Int64(),
    "hold_first_look_raises": pl.Boolean(),
    "two_looks_for_raises": pl.Boolean(),
    "late_orders_s": pl.Float64(),
    "max_changed_small_bp": pl.Int64(),
    "max_zeroed_small_bp": pl.Int64(),
    "zeroed_within_s": pl.Float64(),
    "hold_stale_owner": pl.Boolean(),
    "hold_doubted_identity": pl.Boolean(),
    "second_writer_after": pl.Int64(),  # 0: never
    "frozen_after": pl.Int64(),  # 0: never
    "hold_undone": pl.Boolean(),
    "owners": pl.List(pl.String()),  # the systems that count what it sells
    "max_age_s": pl.Int64(),  # seconds; not used for the row's own number but where it is an owner
}


# One row a point whose newest sent correction took another one back: that one's change, net units (`undo.undone_points`).
UNDONE: Final = {"system": pl.String(), "listing_key": pl.String(), "location": pl.String(), "undone": pl.Int64()}
# One row a correction of `unsold_zeros` that the guards let go lately; no person had a say. Our clock.
ZEROED: Final = {"system": pl.String(), "listing_key": pl.String(), "location": pl.String(), "zeroed_at": UTC}


class GuardInputs(NamedTuple):
    """What the guards look at.

    POINTS, FEEDS, CANDIDATES (identity in doubt), LIMITS, what is paused ("" is everything), UNDONE, REPACKED (listings whose
    units changed and that were not written to since), and ZEROED.
    """

    points: pl.DataFrame = empty(POINTS)
    feeds: pl.DataFrame = empty(FEEDS)
    candidates: pl.DataFrame = empty(CANDIDATES)
    limits: pl.DataFrame = pl.DataFrame(schema=LIMITS)
    paused: frozenset[str] = frozenset()
    undone: pl.DataFrame = pl.DataFrame(schema=UNDONE)
    repacked: pl.DataFrame = pl.DataFrame(schema=REPACKED)
    zeroed: pl.DataFrame = pl.DataFrame(schema=ZEROED)


def limits_frame(limits: Mapping[str, Limits], owners: Mapping[str, list[str]], max_age_s: Mapping[str, int]) -> pl.DataFrame:
    """Return LIMITS from each system's limits, the owners of what it sells, and how old an owner's number may be."""
    names = [name for name in LIMITS if name not in ("system", "owners", "max_age_s")]
    rows = [
        {"system": s, "owners": owners.get(s, []), "max_age_s": max_age_s.get(s), **{n: getattr(one, n) for n in names}}
        for s, one in limits.items()
    ]
    return pl.DataFrame(rows, schema=LIMITS)


def _guards(paused: frozenset[str]) -> dict[str, pl.Expr]:
    """Return, by guard, why it holds (null: it lets go), over the columns that `_facts` gathers."""
    raises, verdict = pl.col("raises"), pl.col("verdict").fill_null(FeedVerdict.UNREACHABLE)
    is_set = pl.col("kind") == CorrectionKind.SET
    enough = is_set & (pl.col("comparable") >= pl.col("min_points_for_share"))
    share, zeroed = pl.col("changed") * _BP // pl.col("comparable"), pl.col("zeroed") * _BP // pl.col("above_zero")
    size = (pl.col("to_qty") - pl.col("from_qty").fill_null(0)).abs()
    complete = (pl.col("complete_to") >= pl.col("first_look_at")).fill_null(value=False)
    too_soon = raises & pl.col("hold_first_look_raises") & pl.col("first_look") & ~complete
    unconfirmed = raises & pl.col("two_looks_for_raises") & (pl.col("unexplained") != 0) & (pl.col("confirmed") == 0)
    late_orders = raises & pl.col("two_looks_for_raises") & (pl.col("unexplained") < 0) & _orders_may_be_late()
    most = pl.when(enough).then("max_changed_share_bp").otherwise("max_changed_small_bp")
    mass_change = is_set & (share > most) & (enough | (pl.col("changed") >= _SOME))
    limit = pl.when(enough).then("max_zeroed_share_bp").otherwise("max_zeroed_small_bp")
    mass_zero = is_set & _ends() & (zeroed > limit) & (enough | (pl.col("zeroed") >= _FEW))
    bled, had = pl.col("unsold") + pl.col("earlier"), pl.col("above_zero") + pl.col("earlier")
    bleeding = is_set & _unsold() & (pl.col("earlier") > 0) & (bled * _BP // had > limit) & (enough | (bled >= _FEW))
    takes_back = pl.col("undoes").fill_null("") != ""
    redoes = is_set & ~takes_back & pl.col("undone").is_not_null() & pl.col("hold_undone") & ~goes_lower()
    beyond = takes_back & raises & (pl.col("target") > pl.col("offer")).fill_null(value=True)
    rewritten = (pl.col("second_writer_after") > 0) & (pl.col("returns") >= pl.col("second_writer_after"))
    stuck = (pl.col("frozen_after") > 0) & (pl.col("stuck") >= pl.col("frozen_after"))
    holds: dict[str, tuple[pl.Expr, pl.Expr]] = {
        "paused": (pl.col("system").is_in(sorted(paused)) | pl.lit("" in paused), pl.lit("sending is paused")),
        "mode": (pl.col("mode").fill_null(Mode.OBSERVE) != Mode.AUTO, pl.format("the system is in mode {}", "mode")),
        "feed": (verdict != FeedVerdict.BELIEVED, pl.format("the system's own feed is {}", verdict)),
        "owner_age": (
            raises & pl.col("hold_stale_owner") & pl.col("stale_owner").is_not_null(),
            pl.format("the number of {} is older than its limit", "stale_owner"),
        ),
        "identity": (
            pl.col("hold_doubted_identity") & (pl.col("doubt").is_not_null() | pl.col("repacked").is_not_null()),
            pl.coalesce(
                pl.format("which SKU this listing is stands in doubt: {}", "doubt"),
                pl.format("its units changed from {}: the first push since is a person's", "repacked"),
            ),
        ),
        "changed_share": (
            mass_change,
            pl.format("the plan changes {} of {} numbers of this channel", "changed", "comparable"),
        ),
        "zeroed_share": (mass_zero, pl.format("the plan sends {} of {} numbers of this channel to zero", "zeroed", "above_zero")),
        "zeroed_lately": (
            bleeding,
            pl.format(
                "with {} sent before, {} of {} numbers of this channel go to zero though nobody bought so many",
                "earlier",
                bled,
                had,
            ),
        ),
        "change_units": (size > pl.col("max_change_units"), pl.format("one change of {} units is very large", size)),
        "first_look": (too_soon, pl.lit("a raise at a first look waits for the order feed")),
        "two_looks": (
            unconfirmed | late_orders,
            pl.when(unconfirmed)
            .then(pl.lit("a raise of what is unexplained waits for a second look"))
            .otherwise(
                pl.format(
                    "{} of this channel's numbers fell further than its orders say: more orders may be on their way", "fallen"
                )
            ),
        ),
        "second_writer": (rewritten, pl.lit("another program or person keeps setting this number")),
        "frozen": (stuck, pl.lit("the channel no longer applies changes to this listing")),
        "undone": (redoes, pl.lit("a person took the last change of this number back")),
        "beyond_offer": (beyond, pl.format("it would show more than the {} that may be sold", pl.col("offer").fill_null(0))),
    }
    return {name: pl.when(holding_).then(why) for name, (holding_, why) in holds.items()}


def _orders_may_be_late() -> pl.Expr:
    """Say whether the order of a sale that made this number fall may still be on its way, though a sweep has read past it.

    It may be as late as the latest order lately; and later than any was, where several numbers fell further than the known orders
    say. That events which are known would explain as many units proves nothing then: a late order takes as many as another did.
    All times are of the platform's clock: how far the order feed reaches, and the last agreement before the number fell.
    """
    seen_for = pl.col("complete_to") + _SWEEP - pl.col("found_at")
    as_late_as_lately = seen_for < pl.duration(seconds=pl.col("order_lag_s").fill_null(0))
    fallen_for = (pl.col("complete_to") - pl.col("found_since")).dt.total_seconds()
    later_than_ever = (pl.col("fallen") >= _SEVERAL) & (fallen_for < pl.col("late_orders_s"))
    return as_late_as_lately.fill_null(value=False) | later_than_ever.fill_null(value=False)


def goes_lower() -> pl.Expr:
    """Say whether a set lowers its number further than the change that a person took back would now (`undone`: that change).

    Such a lowering never waits: it is not the change that was taken back.
    """
    lowers = (pl.col("to_qty") < pl.col("from_qty")).fill_null(value=False)
    return lowers & (pl.col("to_qty") < pl.col("from_qty") + pl.col("undone")).fill_null(value=False)


def unsold_zeros(corrections: pl.DataFrame) -> pl.DataFrame:
    """Return those of the CORRECTIONS that take the last of a number though nobody bought so many lately."""
    return corrections.filter((pl.col("kind") == CorrectionKind.SET) & _unsold())


def _ends() -> pl.Expr:
    """Say whether nothing is left to buy. A gross platform is sent what it holds for its own orders too: `target` is without."""
    return pl.coalesce("target", "to_qty") <= 0


def _zeroed() -> pl.Expr:
    return (_ends() & (pl.coalesce("shown", "from_qty") > 0)).fill_null(value=False)


def _unsold() -> pl.Expr:
    """Say whether it goes to zero although all channels together sold less of it lately than it showed."""
    return _zeroed() & (pl.col("sold").fill_null(0) < pl.coalesce("shown", "from_qty"))


GUARDS: Final = tuple(_guards(frozenset()))


def judge(corrections: pl.DataFrame, inputs: GuardInputs, now: datetime) -> pl.DataFrame:
    """Return the corrections with every guard's verdict in `guard` (JSON) and their state.

    State: `approved` where every guard passes; `planned` where only the mode holds (observe and approve show the plan and wait);
    `held` where any other guard holds.
    """
    if corrections.is_empty():
        return corrections
    facts = _facts(corrections, inputs, now)
    guards = _guards(inputs.paused)
    said = facts.with_columns(pl.coalesce(verdict, pl.lit(LETS_GO)).alias(f"guard:{name}") for name, verdict in guards.items())
    verdicts = pl.struct(pl.col(f"guard:{name}").alias(name) for name in guards)
    harmful = pl.any_horizontal(pl.col(f"guard:{name}") != LETS_GO for name in guards if name != "mode")
    state = (
        pl.when(harmful)
        .then(pl.lit(str(CorrectionState.HELD)))
        .when(pl.col("guard:mode") != LETS_GO)
        .then(pl.lit(str(CorrectionState.PLANNED)))
        .otherwise(pl.lit(str(CorrectionState.APPROVED)))
    )
    judged_at = pl.lit(now).cast(UTC)
    return said.with_columns(guard=verdicts.struct.json_encode(), state=state, judged_at=judged_at).select(CORRECTIONS.keys())


def aged(released: pl.DataFrame, inputs: GuardInputs, now: datetime) -> pl.DataFrame:
    """Return the raises of these CORRECTIONS whose owner's number was young when they were judged, and is too old by now.

    Looked at: `inputs.feeds` and `inputs.limits`. What was released although its owner was blind already is none of them.
    """
    was_young = pl.col("guard").str.json_path_match("$.owner_age") == LETS_GO
    raises = (pl.col("kind") == CorrectionKind.SET) & (pl.col("to_qty") > pl.col("from_qty"))
    asked = inputs.limits.filter("hold_stale_owner").join(_stale_owners(inputs, now), on="system", how="semi")
    return released.filter(raises & was_young).join(asked, on="system", how="semi")


def _facts(corrections: pl.DataFrame, inputs: GuardInputs, now: datetime) -> pl.DataFrame:
    """Put beside each correction all that the guards ask about."""
    is_set = pl.col("kind") == CorrectionKind.SET
    of_channel = (
        corrections.filter(is_set)
        .group_by("system")
        .agg(
            changed=pl.len().cast(pl.Int64),
            zeroed=_zeroed().sum().cast(pl.Int64),
            unsold=_unsold().sum().cast(pl.Int64),
        )
    )
    comparable = inputs.points.filter(pl.col("state").is_in([str(s) for s in COMPARABLE])).group_by("system").agg(
        comparable=pl.len().cast(pl.Int64), above_zero=(pl.col("reported") > 0).sum().cast(pl.Int64)
    )  # fmt: skip
    named = pl.col("evidence").fill_null("{}").str.json_path_match("$.listing_keys").str.json_decode(pl.List(pl.String()))
    doubts = (
        inputs.candidates.filter(pl.col("code").is_in(DOUBTED))
        # a doubt about several listings stands against each of them, not only against the one it is filed under
        .with_columns(listing_key=pl.concat_list("listing_key", named.fill_null([])))
        .explode("listing_key")
        .filter(pl.col("listing_key") != "")
        .group_by("system", "listing_key")
        .agg(doubt=pl.col("code").str.replace_all("_", " ").unique().sort().str.join(", "))
    )
    points = inputs.points.select(
        *_KEY, "first_look", "first_look_at", "complete_to", "unexplained", "confirmed", "returns", "stuck", "offer",
        "found_since", "found_at",
    )  # fmt: skip
    within = pl.duration(seconds=pl.col("zeroed_within_s"))
    earlier = (
        inputs.zeroed.join(corrections, on=_KEY, how="anti")
        .join(inputs.limits.select("system", "zeroed_within_s"), on="system")
        .filter(pl.col("zeroed_at") > pl.lit(now).cast(UTC) - within)
        .group_by("system")
        .agg(earlier=pl.struct(_KEY).n_unique().cast(pl.Int64))
    )
    fell = (pl.col("unexplained") < 0) & pl.col("judged")
    fallen = inputs.points.filter(fell).group_by("system").agg(fallen=pl.len().cast(pl.Int64))
    return (
        corrections.join(of_channel, on="system", how="left")
        .join(comparable, on="system", how="left")
        .join(inputs.limits.join(_stale_owners(inputs, now), on="system", how="left"), on="system", how="left")
        .join(inputs.feeds.select("system", "verdict", "order_lag_s"), on="system", how="left")
        .join(fallen, on="system", how="left")
        .join(earlier, on="system", how="left")
        .join(doubts, on=["system", "listing_key"], how="left")
        .join(inputs.repacked, on=["system", "listing_key"], how="left")
        .join(points, on=_KEY, how="left")
        .join(inputs.undone, on=_KEY, how="left")
        .with_columns(
            pl.col("changed", "zeroed", "unsold", "earlier", "comparable", "fallen").fill_null(0),
            pl.col("above_zero").fill_null(1),
            pl.col("unexplained", "confirmed", "returns", "stuck").fill_null(0),
            pl.col("first_look").fill_null(value=False),
            raises=(is_set & (pl.col("to_qty") > pl.col("from_qty"))).fill_null(value=False),
        )
        .with_columns(pl.col("comparable", "above_zero").clip(lower_bound=1))
        # a post goes to a counting system: what is said of a channel's number is not said of it
        .with_columns(pl.when(is_set).then(pl.col(name)).otherwise(0).alias(name) for name in ("returns", "stuck"))
    )


def _stale_owners(inputs: GuardInputs, now: datetime) -> pl.DataFrame:
    """Return system, stale_owner: one owner of what it sells whose number is older than that owner's limit."""
    age = (pl.lit(now).cast(UTC) - pl.col("stock_read_at")).dt.total_seconds()
    owners = inputs.limits.select(owner="system", limit="max_age_s").join(
        inputs.feeds.select(owner="system", age=age, unread=pl.col("stock_read_at").is_null()), on="owner", how="left"
    )
    stale = owners.filter(pl.col("unread").fill_null(value=True) | (pl.col("age") > pl.col("limit")).fill_null(value=False))
    asked = inputs.limits.select("system", owner="owners").explode("owner").drop_nulls("owner")
    return asked.join(stale.select("owner"), on="owner").group_by("system").agg(stale_owner=pl.col("owner").sort().first())


def holding(guard: str) -> dict[str, str]:
    """Return the guards that hold, from a correction's `guard` JSON: name and why."""
    return {name: why for name, why in json.loads(guard or "{}").items() if why != LETS_GO}


def held_by(guard: str = "guard") -> pl.Expr:
    """Return, from a column of such JSON, the names of the guards that hold: a list, in the order of `GUARDS`."""
    said = pl.col(guard).fill_null("{}").str.json_decode(pl.Struct(dict.fromkeys(GUARDS, pl.String())))
    holds = [pl.when(said.struct.field(name).fill_null(LETS_GO) != LETS_GO).then(pl.lit(name)) for name in GUARDS]
    return pl.concat_list(holds).list.drop_nulls()
