"""A small chain for the tests of the shelf: an ERP counts the warehouse, a till a shop, and the channel `web` sells from both."""

import json
from typing import Any

from invbi_pipeline_tests.domain.small_world import Rows, at, channel, place, reckon, system, world

__all__ = ["chain", "moved", "noticed", "told", "web_moved"]


def chain(read_at: float = 0, **till: Any) -> Rows:
    """Return the chain; both shelves hold 10 of A since long ago, and did when they were read. `till` are facts of the till."""
    shelves = {"warehouse": "erp", "shop": "till"}
    return world(
        {
            "systems": [
                system("erp", counts=True, absorbs="imported"),
                system("till", counts=True, **({"absorbs": "writeback"} | till)),
            ],
            "places": [place(name, owner) for name, owner in shelves.items()],
            "openings": [
                {"location": name, "sku": "A", "system": owner, "on_hand": 10, "opened_at": at(-1000)}
                for name, owner in shelves.items()
            ],
            "observations": [
                {"system": owner, "listing_key": "A", "location": name, "quantity": 10, "observed_at": at(read_at)}
                for name, owner in shelves.items()
            ],
            "feeds": [{"system": name} for name in ("erp", "till", "web")],
        },
        channel("web", "A", sells_from=list(shelves)),
    )


def moved(owner: str, location: str, kind: str, units: int | None, hours: float, **facts: Any) -> Rows:
    """Return a movement that the owner of a place booked so many hours from now."""
    name = f"{kind}{hours}{location}"
    row = {"system": owner, "movement_id": name, "listing_key": "A", "location": location, "kind": kind, "units": units}
    return {"movements": [{**row, "occurred_at": at(hours), **facts}]}


def web_moved(kind: str, units: int, hours: float, location: str = "shop", order_id: str = "o1") -> Rows:
    """Return a shipment or restocked return that the channel tells of."""
    return moved("web", location, kind, units, hours, order_id=order_id, movement_id=f"{order_id}/1/{kind}")


def told(state: str, units: int, hours: float, system_: str = "web", **facts: Any) -> Rows:
    """Return a step of the return r1 at the shop."""
    row = {"system": system_, "event_id": f"{state}{hours}", "return_id": "r1", "listing_key": "A", "location": "shop"}
    return {"returns": [{**row, "state": state, "units": units, "occurred_at": at(hours), "order_id": "o1", **facts}]}


def noticed(code: str, *rows: Rows) -> list[tuple[str, str, int, dict[str, Any]]]:
    """Return (system, location, units, evidence) of the candidates with this code, of A."""
    found = reckon(**world(*rows)).candidates.filter(code=code, sku="A")
    return [(r["system"], r["location"], r["units"], json.loads(r["evidence"])) for r in found.iter_rows(named=True)]
