"""How one SKU's numbers are told: where its units lie, and each number as a bridge that can be added up by hand."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

import polars as pl

from invbi_pipeline.cli.output import Format, emit, out, plain
from invbi_pipeline.dashboard.model import words
from invbi_pipeline.domain.corrections.guards import holding
from invbi_pipeline.domain.words import CorrectionState, FeedVerdict, Fulfilment, ListingStatus, PointState
from invbi_pipeline.flows.accounts.bridge import Line, merge_bridge, offer_bridge, shelf_bridges
from invbi_pipeline.flows.accounts.explain import ExplainedPoint, Explanation

__all__ = ["bridge_lines", "mended_since", "not_yet_judged", "print_refused", "print_shelves", "print_unplaced", "told_point"]

_NOT_COMPARED: Final = (PointState.UNMAPPED, PointState.COUNTED, PointState.UNTRACKED, PointState.UNKNOWN, PointState.UNOFFERED)
_MOST_PROMISED: Final = 20
_MOST_ALIKE: Final = 12
_MOST_REFUSED: Final = 10


def print_shelves(found: Explanation) -> None:
    """Print where the units lie (of a kit: its components, and how many can be made in each place) and what is promised."""
    if found.components.height:
        told = [name for name in ("unavailable", "safety_stock", "undecided") if (found.components[name] != 0).any()]
        parts = found.components.rename({"quantity": "per_kit"}).with_columns(enough_for=pl.col("kits").clip(lower_bound=0))
        parts = parts.select("sku", "per_kit", "location", "on_hand", "reserved", *told, "available", "enough_for")
        emit(parts, Format.TABLE, title="Where its components lie")
        out.print()
        emit(found.makes, Format.TABLE, title="How many can be made there (the least that any component is enough for)")
    elif found.positions.height:
        told = [name for name in ("unavailable", "safety_stock", "undecided") if (found.positions[name] != 0).any()]
        shelf = found.positions.select("location", "on_hand", "reserved", *told, "available", "anchored_at")
        emit(shelf, Format.TABLE, title="Where its units lie")
    elif found.sku and any(point.unplaced for point in found.points):
        out.print("It lies at no location of ours.")
    elif found.sku:
        out.print("No location was ever counted for it.")
    else:
        out.print("It is mapped to no SKU.")
    for bridge in shelf_bridges(found):
        out.print()
        out.print(f"[bold]{plain(bridge.title)}[/]")
        for line in bridge_lines(bridge.lines):
            out.print(f"  {line}")
    nowhere = found.reservations.filter(pl.col("location") == "")
    if nowhere.height:
        columns = ["sku", "system", "order_id", "units", "ordered_at", "evidence"]
        out.print()
        emit(nowhere.select(columns), Format.TABLE, title="Promised, and no place holds it yet", limit=_MOST_PROMISED)


def print_refused(refused: pl.DataFrame) -> None:
    """Print the rows with this code that were put aside, and why: nothing of them counts."""
    for row in refused.head(_MOST_REFUSED).iter_rows(named=True):
        whose = f" (listing {row['listing_key']})" if row["listing_key"] else ""
        out.print(plain(f"Refused: row {row['row_number']} of {row['system']}'s {row['dataset']}{whose}: {row['reason']}"))
    if refused.height > _MOST_REFUSED:
        out.print(f"... {refused.height - _MOST_REFUSED:,} more rows were refused; --format json has each")


def told_point(explained: ExplainedPoint, whole: Explanation, *, found: bool, above: bool = False) -> list[str]:
    """Return the lines about one point of `whole`; `found`: a finding names it, so nothing is said of what is not judged yet.

    `above`: another place of the same listing was told just before, so its pool is not told again.
    """
    point = explained.point
    where = f"{point['system']}{' @ ' + point['location'] if point['location'] else ''}"
    lines = [f"[bold]{plain(where)}[/]  listing {plain(str(point['listing_key']))}  [bold]{words(point['state'])}[/]"]
    lines += [f"  {line}" for line in _told(explained, whole, above=above)]
    waits = "" if found else not_yet_judged(explained)
    if waits:
        lines.append(f"  not yet judged: {plain(waits)}")
    for row in explained.corrections.head(5).iter_rows(named=True):
        proof = f", read back {row['read_back']}" if row["read_back"] is not None else ""
        change = f"{row['kind']} {row['from_qty']} -> {row['to_qty']}: {row['state']}{proof}"
        lines.append(f"  {row['planned_at']:%Y-%m-%d %H:%M} {change}. {plain(row['reason'] or '')}")
        lines += [f"      {plain(step)}" for step in _trail(explained.trail, row["correction_id"])]
    lines += [f"  {plain(step)}" for step in _trail(explained.trail.filter(pl.col("step") == "accepted"), "")]
    return lines


def _trail(trail: pl.DataFrame, correction_id: str) -> Iterator[str]:
    """Yield who decided a correction, what was sent, what came back and what was read back; its planning is told already."""
    steps = trail.filter((pl.col("correction_id") == correction_id) & (pl.col("step") != "planned"))
    for row in steps.reverse().iter_rows(named=True):
        about = ", ".join(f"{name.replace('_', ' ')}: {why}" for name, why in _verdicts(row))
        what = about or ("" if row["step"] in ("approved", "judged") and row["what"].startswith("{") else row["what"] or "")
        yield f"{_time(row['happened_at'])} {row['step']} by {row['who']}" + (f": {what}" if what else "")


def _verdicts(row: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    return holding(row["what"]).items() if row["step"] == "judged" else ()


def _told(explained: ExplainedPoint, found: Explanation, *, above: bool) -> Iterator[str]:
    point = explained.point
    offer = list(offer_bridge(explained, found))
    if above:  # the same listing's places share all but the last lines
        pooled = next((n for n, line in enumerate(offer) if line.is_sum and line.what == "sellable"), 0)
        offer = [Line("sellable, as above", offer[pooled].units), *offer[pooled + 1 :]] if pooled else offer
    if offer:
        yield from bridge_lines(offer)
    else:
        yield f"not offered: {plain(_why_not_offered(explained, found))}"
    merge = list(merge_bridge(explained))
    if merge:
        yield from bridge_lines(merge)
    if point["unexplained"] is None:
        yield f"{'no number' if point['reported'] is None else 'reported ' + str(point['reported'])}: not compared"


def bridge_lines(lines: Iterable[Line]) -> Iterator[str]:
    """Yield a bridge as text: each amount with what it is, its source and its rule; sums are bold, with an equals sign.

    Of many alike (the orders of a busy shelf) the first are shown and the rest are one line, so that what is printed still ties.
    """
    for line in _folded(list(lines)):
        amount = f"{'=' if line.is_sum else ' '} {line.units:>+7,}" if not line.is_sum else f"= {line.units:>7,}"
        about = "; ".join(filter(None, (line.source, line.rule)))
        said = f"{amount}  {plain(line.what)}" + (f"  [dim]({plain(about)})[/]" if about else "")
        yield f"[bold]{said}[/]" if line.is_sum else said


def _folded(lines: Sequence[Line]) -> Iterator[Line]:
    for what, group in groupby(lines, key=lambda line: (line.what, line.is_sum)):
        alike = list(group)
        yield from alike[:_MOST_ALIKE]
        rest = alike[_MOST_ALIKE:]
        if rest:
            yield Line(f"{what[0]}: {len(rest)} more", sum(line.units for line in rest), "--format json has each")


def _why_not_offered(explained: ExplainedPoint, found: Explanation) -> str:
    point, offer, feed = explained.point, explained.offer, explained.feed
    system, place = point["system"], point["location"]
    match point["state"]:
        case PointState.UNMAPPED:
            return "the listing is mapped to no SKU"
        case PointState.COUNTED if point["fulfilment"] == Fulfilment.PLATFORM:
            return f"{system} fulfils it from its own warehouse; its number is read and shown, never changed"
        case PointState.COUNTED:
            return f"{system} counts {place or 'these units'} itself; its number is the source of the others"
        case _ if explained.unplaced:
            return f"{explained.unplaced} is no location of ours"
        case _ if offer and offer["offer"] is None and (refused := _refused_kit(found)):
            return refused
        case _ if offer and offer["offer"] is None:
            return "no location of its pool has an anchor (it was never counted there)"
        case _ if point["status"] == ListingStatus.DELETED:
            return "the listing is deleted"
        case PointState.UNTRACKED:
            return f"{system} keeps no stock of this listing"
        case PointState.UNKNOWN if (feed.get("verdict") or FeedVerdict.BELIEVED) != FeedVerdict.BELIEVED:
            return f"what {system} says is not believed now ({words(feed['verdict'])})"
        case _ if feed and not feed.get("sells"):
            return f"{system} is no channel"
        case PointState.UNKNOWN:
            return f"{system} states no number"
        case _:
            return f"{system} may not promise from {place}" if place else "nothing that its pool is made of is known"


def _refused_kit(found: Explanation) -> str:
    """Return why nobody can say how many of a kit there are; nothing where that is no kit's trouble."""
    causes = found.findings.filter(pl.col("code").is_in(["kit_cycle", "kit_unresolved"]))["cause"].to_list()
    return "; ".join(f"{cause[:1].lower()}{cause[1:].rstrip('.')}" for cause in causes)


def print_unplaced(found: Explanation) -> None:
    """Print which of its units lie where the configuration knows no place: they count nowhere."""
    for point in found.points:
        if point.unplaced:
            system, key = point.point["system"], point.point["listing_key"]
            lies = f"{point.point['reported']:,} of {system}'s listing {key} at {point.unplaced}, which is no location of ours"
            out.print(plain(f"Counted nowhere: {lies}. To mend it: name it in systems.{system}.locations."))


def not_yet_judged(explained: ExplainedPoint) -> str:
    """Return why a number that is not what it should be is no finding yet; nothing where there is nothing to judge."""
    point = explained.point
    if point["state"] in _NOT_COMPARED or (
        point["state"] != PointState.FIRST_LOOK and not (point["gap"] or point["unexplained"])
    ):
        return ""
    if point["base"] is None or point["state"] == PointState.FIRST_LOOK:
        return "first look, there is nothing to compare it with yet"
    if point["in_flight"]:
        return "a push is on its way"
    if not point["complete"]:
        return f"order feed not complete up to {_time(point['observed_at'])}, only to {_time(point['complete_to'])}"
    if point["unexplained"] and not point["confirmed"]:
        return f"{_looks(explained.look.get('looks'))}, two must agree"
    if not point["unexplained"]:
        return f"nothing is unexplained there; our change of {point['pending']:+d} is not sent yet"
    return "two looks agree; the next run tells the cause"


def mended_since(row: Mapping[str, Any]) -> str:
    """Return how a finding (a row of `Explanation.findings`) was mended since it was last seen; nothing where it was not."""
    if row.get("mended_at") is None:
        return ""
    if row["mended_state"] != CorrectionState.VERIFIED:
        return f"corrected at {row['mended_at']:%Y-%m-%d %H:%M} UTC, and not verified yet"
    again = row["opened_at"] is not None and row["opened_at"] > row["first_seen"]
    ends = "it had come back before, so two runs must not see it" if again else "the next run closes it, unless it sees it again"
    proof = "" if row["read_back"] is None else f", read back {row['read_back']}"
    return f"corrected and verified at {row['mended_at']:%Y-%m-%d %H:%M} UTC{proof}; {ends}"


def _looks(count: int | None) -> str:
    return "one look only" if count == 1 else "no judged look" if not count else f"{count} looks"


def _time(at: Any) -> str:
    return "-" if at is None else f"{at:%Y-%m-%d %H:%M:%S}"
