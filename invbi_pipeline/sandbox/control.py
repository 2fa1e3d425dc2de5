"""The control API of a simulated world: its time, its truth and its faults. invbi itself never calls it, demos and tests do."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from shlex import quote
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from invbi_pipeline.domain.words import LocationKind
from invbi_pipeline.sandbox.world import Planted, World
from invbi_pipeline.sandbox.world.configuration import environment
from invbi_pipeline.sandbox.world.facts import facts
from invbi_pipeline.sandbox.world.faults.kit import NoVictimError

__all__ = ["control_routes", "truth_summary"]

_TIMES = ("at", "until", "ripe_at")
_LONGEST_S = 30 * 86_400
_OPTIONS = ("system", "listing_key", "sku", "units", "minutes", "share", "overlap")

Handler = Callable[[Request], Awaitable[JSONResponse]]


def control_routes(world: World) -> list[Route]:
    """Return the routes, to be mounted under /_world."""

    async def clock(request: Request) -> JSONResponse:
        return JSONResponse(_clock(world))

    async def advance(request: Request) -> JSONResponse:
        seconds = (await _body(request)).get("seconds")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= _LONGEST_S:
            return _wrong(f'expected {{"seconds": n}} with n from 0 to {_LONGEST_S}')
        events = world.advance(float(seconds))
        return JSONResponse({**_clock(world), "events": events})

    async def freeze(request: Request) -> JSONResponse:
        world.freeze()
        return JSONResponse(_clock(world))

    async def truth(request: Request) -> JSONResponse:
        return JSONResponse(truth_summary(world))

    async def planted(request: Request) -> JSONResponse:
        return JSONResponse(_planted(world))

    async def plant(request: Request) -> JSONResponse:
        asked = await _body(request)
        label = asked.pop("label", "")
        unknown = sorted(set(asked) - set(_OPTIONS))
        if label not in world.planter.labels or unknown:
            return _wrong(f'expected {{"label": one of {", ".join(world.planter.labels)}}} and any of {", ".join(_OPTIONS)}')
        try:
            made = world.planter.plant(label, **{name: str(value) for name, value in asked.items()})
        except (NoVictimError, ValueError) as trouble:
            return _wrong(str(trouble))
        return JSONResponse(_row(made))

    async def decoy(request: Request) -> JSONResponse:
        asked = await _body(request)
        kind = asked.pop("kind", "")
        if kind not in world.decoys.kinds or set(asked) - {"system", "sku"}:
            return _wrong(f'expected {{"kind": one of {", ".join(world.decoys.kinds)}}} and any of system, sku')
        try:
            made = world.decoys.make(kind, {name: str(value) for name, value in asked.items()})
        except NoVictimError as trouble:
            return _wrong(str(trouble))
        return JSONResponse(asdict(made) | {"at": made.at.isoformat()})

    async def facts_now(request: Request) -> JSONResponse:
        return JSONResponse([asdict(fact) for fact in facts(world.business, world.truth)])

    async def shelves(request: Request) -> JSONResponse:
        return JSONResponse(_shelves(world))

    async def secrets(request: Request) -> JSONResponse:
        return JSONResponse(environment(world))

    async def secrets_for_a_shell(request: Request) -> PlainTextResponse:
        return PlainTextResponse("".join(f"export {name}={quote(value)}\n" for name, value in environment(world).items()))

    return [
        Route("/clock", clock),
        Route("/advance", _json_only(advance), methods=["POST"]),
        Route("/freeze", _json_only(freeze), methods=["POST"]),
        Route("/truth", truth),
        Route("/planted", planted),
        Route("/plant", _json_only(plant), methods=["POST"]),
        Route("/decoy", _json_only(decoy), methods=["POST"]),
        Route("/facts", facts_now),
        Route("/shelves", shelves),
        Route("/secrets", secrets),
        Route("/secrets.sh", secrets_for_a_shell),
    ]


def truth_summary(world: World) -> dict[str, Any]:
    """Return what a push could mend: counts, every point that disagrees, and the listings that planted faults exclude."""
    points, excluded = world.correctable()
    wrong = [asdict(point) for point in points if not point.agrees]
    return {
        **_clock(world),
        "correctable": len(points),
        "agree": len(points) - len(wrong),
        "by_system": dict(Counter(point.system for point in points)),
        "disagreeing": wrong,
        "excluded": [asdict(each) for each in excluded],
        "planted": dict(Counter(each.label for each in world.planter.planted if each.happened(world.business.now))),
    }


def _clock(world: World) -> dict[str, Any]:
    business = world.business
    ends = world.planter.plan_ends
    return {
        "now": business.now.isoformat(),
        "went_live_at": business.went_live_at.isoformat() if business.went_live_at else None,
        "plan_ends": ends.isoformat() if ends else None,
        "ripening": sum(not each.happened(business.now) for each in world.planter.planted),
        "frozen": world.frozen,
        "machines_waiting": business.agenda.machines_waiting(),
        "digest": world.digest,
    }


def _planted(world: World) -> dict[str, Any]:
    return {
        "planted": [_row(each) for each in world.planter.planted],
        "natural": [_row(each) for each in world.business.natural],
        "decoys": [asdict(each) | {"at": each.at.isoformat()} for each in world.decoys.made],
        "skipped": world.planter.skipped,
        "labels": world.planter.labels,
        "kinds": world.decoys.kinds,
    }


def _row(planted: Planted) -> dict[str, Any]:
    row = asdict(planted)
    return row | {name: value.isoformat() if value else None for name, value in row.items() if name in _TIMES}


def _shelves(world: World) -> list[dict[str, Any]]:
    """Return what the record says of each shelf of ours and what lies there; a platform's own warehouse is nobody's to count."""
    business = world.business
    return [
        {"location": place, "sku": sku, "book": book, "units": business.shelves.units[place, sku]}
        for (place, sku), book in business.shelves.book.items()
        if business.places[place].kind is not LocationKind.PLATFORM
    ]


async def _body(request: Request) -> dict[str, Any]:
    try:
        said = await request.json()
    except ValueError:
        return {}
    return dict(said) if isinstance(said, Mapping) else {}


def _json_only(handler: Handler) -> Handler:
    """Refuse what a web page elsewhere could send unasked: such a form cannot have this content type."""

    async def guarded(request: Request) -> JSONResponse:
        if not request.headers.get("content-type", "").startswith("application/json"):
            return _wrong("expected the content type application/json", 415)
        return await handler(request)

    return guarded


def _wrong(message: str, status: int = 400) -> JSONResponse:
    return JSONResponse({"error": message}, status)
