"""Writes what the merchant of a simulated world would have written: `invbi.toml` and its CSV policies; and names the secrets."""

import csv
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from zlib import crc32

from invbi_pipeline.domain.words import Absorbs, LocationKind
from invbi_pipeline.sandbox.world.business import Business
from invbi_pipeline.sandbox.world.catalogue import Kit, Product
from invbi_pipeline.sandbox.world.places import System
from invbi_pipeline.sandbox.world.world import World

__all__ = ["ERP_FILES", "MARKETPLACE", "SHEETS_ENV", "SPREADSHEET", "environment", "seller_id", "sheets_token", "write_config"]

MARKETPLACE = "A1F83G8C2ARO7P"  # amazon.co.uk
SPREADSHEET = "sandbox-parity"
# What the ERP exports: by dataset the file, and which of its columns is which of ours.
ERP_FILES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "listings": (
        "items.csv",
        {"listing_key": "code", "raw_sku": "code", "barcode": "barcode", "title": "title", "status": "status"},
    ),
    "stock": ("stock.csv", {"listing_key": "code", "location_key": "location", "quantity": "on_hand", "changed_at": "as_of"}),
    "movements": (
        "movements.csv",
        {
            "movement_id": "id",
            "listing_key": "code",
            "location_key": "location",
            "kind": "kind",
            "units": "units",
            "counted": "counted",
            "occurred_at": "occurred_at",
            "order_id": "order_id",
            "reference": "reference",
        },
    ),
}
SHEETS_ENV = "SANDBOX_SHEETS_TOKEN"
_ERP_BOOKING_LAG_S = 3600
_TILL_BOOKING_LAG_S = 900


def seller_id(system: str) -> str:
    """Return the account's seller id."""
    return f"A{crc32(system.encode()):010d}SB"


def sheets_token(world: World) -> str:
    """Return the bearer token that the sandbox's Sheets service takes."""
    return f"sheets-{world.business.rng('sheets').getrandbits(128):032x}"


def environment(world: World) -> dict[str, str]:
    """Return the secrets that the configuration names: {environment variable: value}."""
    values = {
        _variable(system, purpose): value
        for system, purposes in world.business.secrets.items()
        for purpose, value in purposes.items()
    }
    return values | {SHEETS_ENV: sheets_token(world)}


def _variable(system: str, purpose: str) -> str:
    return f"{system}_{purpose}".upper()


def write_config(world: World, folder: Path) -> Path:
    """Write `invbi.toml` and the CSV files it names (sku map, kits, policies, prices) into a folder; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    business = world.business
    _write(folder / "sku_map.csv", ("system", "listing_key", "sku", "units"), _map_rows(business))
    kits = ((kit.sku, sku, n) for kit in business.catalogue.kits.values() for sku, n in kit.components.items())
    _write(folder / "kits.csv", ("kit_sku", "component_sku", "quantity"), kits)
    header = ("channel", "location", "category", "sku", "valid_from", "valid_to", "name", "value")
    _write(folder / "policies.csv", header, _policy_rows(business))
    items: list[Product | Kit] = [*business.catalogue.products.values(), *business.catalogue.kits.values()]
    prices = ((item.sku, f"{item.price:.2f}", f"{item.cost:.2f}", business.currency) for item in items)
    _write(folder / "prices.csv", ("sku", "price", "cost", "currency"), prices)
    path = folder / "invbi.toml"
    path.write_text("\n".join(_toml(business, folder)) + "\n", encoding="utf-8")
    return path


def _map_rows(business: Business) -> Iterable[tuple[object, ...]]:
    for system in business.systems.values():
        for listing in system.listings.values():
            if listing.mapped and (listing.raw_sku != listing.sku or listing.units != 1):
                yield system.name, listing.key, listing.sku, listing.units


def _policy_rows(business: Business) -> Iterable[tuple[object, ...]]:
    for row in business.policies.rows:
        yield row.channel, row.location, "", row.sku, _date(row.valid_from), _date(row.valid_to), row.name, row.value


def _date(moment: datetime | None) -> str:
    return moment.isoformat() if moment else ""


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _toml(business: Business, folder: Path) -> Iterable[str]:
    yield f"# The sandbox's {business.preset} business, seed {business.seed}. Secrets are named here, never written."
    yield from _table("business", {"name": "Sandbox Outfitters", "currency": business.currency, "timezone": "Europe/London"})
    for system in business.systems.values():
        yield from _system_tables(business, system, folder)
    for place in business.places.values():
        values: dict[str, object] = {"kind": str(place.kind), "counted_by": place.owner, "safety_stock": place.safety_stock}
        if place.kind is LocationKind.STORE:
            values["timezone"] = "Europe/London"
        yield from _table(f"locations.{place.name}", values)
    files = {name: f"{name}.csv" for name in ("sku_map", "kits", "policies", "prices")}
    yield from _table("policies", files)
    sheet = {"spreadsheet_id": SPREADSHEET, "credentials": _Env(SHEETS_ENV), "base_url": f"{business.base_url}/sheets"}
    yield from _table("publish.sheets", sheet)


class _Env(str):
    """The name of an environment variable, to be written as a secret."""

    __slots__ = ()


def _system_tables(business: Business, system: System, folder: Path) -> Iterable[str]:
    roles = ["counts"] * bool(system.counts) + ["sells"] * system.sells
    values: dict[str, object] = {"platform": system.platform, "roles": roles, "mode": "auto"}
    if system.platform != "files":
        values["base_url"] = f"{business.base_url}/{system.name}"
    if system.platform == "amazon":
        values |= {"account": seller_id(system.name), "marketplace": MARKETPLACE}
    if system.counts and system.absorbs is not Absorbs.OWN:
        values["absorbs"] = str(system.absorbs)
        values["booking_lag_s"] = _ERP_BOOKING_LAG_S if system.absorbs is Absorbs.IMPORTED else _TILL_BOOKING_LAG_S
    if system.default_place:
        values["default_location"] = system.default_place
    if system.sells:
        values["sells_from"] = list(system.sells_from)
    yield from _table(f"systems.{system.name}", values)
    secrets = {purpose: _Env(_variable(system.name, purpose)) for purpose in business.secrets.get(system.name, {})}
    if secrets:
        yield from _table(f"systems.{system.name}.secrets", secrets)
    if system.place_of:
        yield from _table(f"systems.{system.name}.locations", system.place_of)
    if system.platform == "files":
        yield from _file_tables(business, system, folder)


def _file_tables(business: Business, system: System, folder: Path) -> Iterable[str]:
    exports = Path(os.path.relpath(business.folder / system.name, folder)).as_posix()
    for dataset, (name, mapping) in ERP_FILES.items():
        yield from _table(f"systems.{system.name}.files.{dataset}", {"path": f"{exports}/{name}", "format": "csv"})
        yield from _table(f"systems.{system.name}.files.{dataset}.columns", mapping)


def _table(name: str, values: Mapping[str, object]) -> Iterable[str]:
    yield ""
    yield f"[{name}]"
    for key, value in values.items():
        yield f"{json.dumps(key)} = {_value(value)}" if not key.isidentifier() else f"{key} = {_value(value)}"


def _value(value: object) -> str:
    """Return a TOML value. JSON's strings, numbers, booleans and lists are TOML's."""
    return f"{{ env = {json.dumps(str(value))} }}" if isinstance(value, _Env) else json.dumps(value)
