"""How one SKU's numbers are told: where its units lie, and each point with an arithmetic that can be followed by hand."""

from typing import Any, Final

from invbi_pipeline.cli.output import Format, emit, out, plain
from invbi_pipeline.domain.words import FeedVerdict, Fulfilment, ListingStatus, PointState
from invbi_pipeline.flows.explain import ExplainedPoint, Explanation

__all__ = ["not_yet_judged", "offer_lines", "print_shelves", "told_point"]

_BP: Final = 10_000  # basis points in one
_NOT_COMPARED: Final = (PointState.UNMAPPED, PointState.COUNTED, PointState.UNTRACKED, PointState.UNKNOWN, PointState.UNOFFERED)
_MOST_PROMISED: Final = 20


def print_shelves(found: Explanation) -> None:
    """Print where the units lie (of a kit: its components, and how many can be made in each place) and what is promised."""
    if found.components.height:
        told = [name for name in ("unavailable", "safety_stock", "undecided") if (found.components[name] != 0).any()]
        parts = found.components.rename({"quantity": "per_kit", "kits": "enough_for"})
        parts = parts.select("sku", "per_kit", "location", "on_hand", "reserved", *told, "available", "enough_for")
        emit(parts, Format.TABLE, title="Where its components lie")
        out.print()
        emit(found.makes, Format.TABLE, title="How many can be made there (the least that any component is enough for)")
    elif found.positions.height:
        told = [name for name in ("unavailable", "safety_stock", "undecided") if (found.positions[name] != 0).any()]
        shelf = found.positions.select("location", "on_hand", "reserved", *told, "available", "anchored_at")
        emit(shelf, Format.TABLE, title="Where its units lie")
    elif found.sku:
        out.print("No location was ever counted for it.")
    else:
        out.print("It is mapped to no SKU.")
    if found.reservations.height:
        columns = ["sku"] if found.components.height else []
        columns += ["system", "order_id", "location", "units", "ordered_at", "evidence"]
        out.print()
        emit(found.reservations.select(columns), Format.TABLE, title="Promised", limit=_MOST_PROMISED)


def told_point(explained: ExplainedPoint, *, found: bool) -> list[str]:
    """Return the lines about one point; `found`: a finding names it, so nothing is said of what is not judged yet."""
    point = explained.point
    where = f"{point['system']}{' @ ' + point['location'] if point['location'] else ''}"
    lines = [f"[bold]{plain(where)}[/]  listing {plain(str(point['listing_key']))}  [bold]{_words(point['state'])}[/]"]
    lines += [f"  {line}" for line in (*_merge(explained), *map(plain, offer_lines(explained)))]
    waits = "" if found else not_yet_judged(explained)
    if waits:
        lines.append(f"  not yet judged: {plain(waits)}")
    for row in explained.corrections.head(5).iter_rows(named=True):
        proof = f", read back {row['read_back']}" if row["read_back"] is not None else ""
        change = f"{row['kind']} {row['from_qty']} -> {row['to_qty']}: {row['state']}{proof}"
        lines.append(f"  {row['planned_at']:%Y-%m-%d %H:%M} {change}. {plain(row['reason'] or '')}")
    return lines


def _merge(explained: ExplainedPoint) -> list[str]:
    point = explained.point
    why_not = "" if point["offer"] is not None else f"not offered: {plain(_why_not_offered(explained))}"
    if point["base"] is None or point["expected"] is None:
        said = "no number" if point["reported"] is None else f"reported {point['reported']}"
        return [f"{said}: not compared", *filter(None, [why_not])]
    since = point["expected"] - point["base"]
    effects = explained.effects
    if not effects.height or int(effects["units"].sum()) != since:  # compared with a push in flight, or with 0 for less
        effects = effects.clear()
    why, version = _words(explained.base.get("why") or ""), explained.base.get("version") or "-"
    lines = [
        f"base {point['base']} ({why}, version {plain(str(version))}), events since {since:+d}: expected {point['expected']}"
    ]
    if point["reported"] is None or point["unexplained"] is None:
        lines.append(f"reported {'nothing' if point['reported'] is None else point['reported']}: not compared")
    else:
        compared = f"reported {point['reported']} - expected {point['expected']} = unexplained {point['unexplained']}"
        pending = f"; offer {point['offer']} - expected {point['expected']} = pending {point['pending']}; gap {point['gap']}"
        lines.append(compared + (pending if point["pending"] is not None else ""))
    for effect in effects.tail(10).iter_rows(named=True):
        order = plain(str(effect["order_id"] or "-"))
        lines.append(f"  {effect['stamped_at']:%Y-%m-%d %H:%M:%S}  {effect['kind']:<8} {effect['units']:+d}  order {order}")
    return [*lines, *filter(None, [why_not])]


def offer_lines(explained: ExplainedPoint) -> list[str]:
    """Return how the offer came about: from what is available to the pool, and from the pool to the offer.

    Read from left to right each line is exact: a division and a share are rounded down, a sellable below 0 is 0.
    """
    offer = explained.offer
    if not offer or offer["offer"] is None:
        return []
    held = offer["held_nowhere"] or 0
    pool = f"available {offer['pool'] + offer['threshold'] + held}{_places(explained)}{_less('threshold', explained)}"
    pool += (f" - reserved {held} (no location holds them)" if held else "") + f" = pool {offer['pool']}"
    return [pool, f"pool {offer['pool']}{_sellable(explained)}{_listed(explained)}"]


def _places(explained: ExplainedPoint) -> str:
    told = ", ".join(place if units is None else f"{place} {units}" for place, units in explained.places.items())
    safety = explained.policy.get("safety_stock", "default")
    rule = f"safety stock by {safety}" if safety != "default" else ""
    inside = "; ".join(filter(None, (told, rule)))
    return f" ({inside})" if inside else ""


def _sellable(explained: ExplainedPoint) -> str:
    offer = explained.offer
    share, said, left = offer["share_bp"], "", offer["pool"]
    if share != _BP and left > 0:
        left = left * share // _BP
        said = f" x share {_percent(share)}{_who('share_bp', explained)} = {left}"
    said += _less("buffer", explained, _buffer_made_of(explained))
    if offer["backorder_limit"]:
        said += f" + backorder limit {offer['backorder_limit']}{_who('backorder_limit', explained)}"
    left += offer["backorder_limit"] - offer["buffer"]
    return f"{said} = {left}; below 0 is 0: sellable 0" if left < 0 else f"{said} = sellable {left}"


def _buffer_made_of(explained: ExplainedPoint) -> str:
    share = explained.policy.get("buffer_pct_bp")
    parts = [f"{_percent(share)} rounded up"] if share else []
    blind = explained.policy.get("blind") or 0
    return " ".join([*parts, *([f"with {blind} for an owner that cannot be read"] if blind else [])])


def _listed(explained: ExplainedPoint) -> str:
    """Return what follows on the sellable units: the pack, the least and the most, the part of one location."""
    point, offer = explained.point, explained.offer
    pack, left = offer["units"] or 1, offer["sellable"]
    said = ""
    if pack > 1:
        left //= pack
        said += f" / {pack} a listing = {left}"
    if left < (offer["min_offer"] or 0):
        said += f"; below {offer['min_offer']} (min offer{_who('min_offer', explained, ', {}')}) it is 0"
    elif offer["max_offer"] is not None:
        said += f"; at most {offer['max_offer']} (max offer{_who('max_offer', explained, ', {}')})"
    if point["location"]:
        said += f": {offer['channel_offer']} over its locations, {offer['offer']} at {point['location']}"
        if explained.places and point["location"] not in explained.places:
            said += " (not in its pool)"
    if point["withheld"]:
        said += f": {offer['offer']} - {point['withheld']} withheld as sales not seen yet"
    return f"{said}: offer {point['offer'] if point['offer'] is not None else offer['offer']}"


def _less(name: str, explained: ExplainedPoint, made_of: str = "") -> str:
    value = explained.offer[name]
    if not value:
        return ""
    inside = ", ".join(filter(None, (made_of, _who(name, explained, "{}"))))
    return f" - {name} {value}" + (f" ({inside})" if inside else "")


def _who(name: str, explained: ExplainedPoint, form: str = " ({})") -> str:
    who = explained.policy.get(name) or ""
    return form.format(who) if who else ""


def _percent(share_bp: int) -> str:
    return f"{share_bp / 100:g} %"


def _why_not_offered(explained: ExplainedPoint) -> str:
    point, offer, feed = explained.point, explained.offer, explained.feed
    system, place = point["system"], point["location"]
    match point["state"]:
        case PointState.UNMAPPED:
            return "the listing is mapped to no SKU"
        case PointState.COUNTED if point["fulfilment"] == Fulfilment.PLATFORM:
            return f"{system} fulfils it from its own warehouse; its number is read and shown, never changed"
        case PointState.COUNTED:
            return f"{system} counts {place or 'these units'} itself; its number is the source of the others"
        case _ if offer and offer["offer"] is None:
            return "no location of its pool has an anchor (it was never counted there)"
        case _ if point["status"] == ListingStatus.DELETED:
            return "the listing is deleted"
        case PointState.UNTRACKED:
            return f"{system} keeps no stock of this listing"
        case PointState.UNKNOWN if (feed.get("verdict") or FeedVerdict.BELIEVED) != FeedVerdict.BELIEVED:
            return f"what {system} says is not believed now ({_words(feed['verdict'])})"
        case _ if feed and not feed.get("sells"):
            return f"{system} is no channel"
        case PointState.UNKNOWN:
            return f"{system} states no number"
        case _:
            return f"{system} may not promise from {place}" if place else "nothing that its pool is made of is known"


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


def _looks(count: int | None) -> str:
    return "one look only" if count == 1 else "no judged look" if not count else f"{count} looks"


def _time(at: Any) -> str:
    return "-" if at is None else f"{at:%Y-%m-%d %H:%M:%S}"


def _words(code: str) -> str:
    return code.replace("_", " ")
