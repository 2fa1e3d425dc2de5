"""Explain: everything that made one SKU's numbers what they are, read from the warehouse as it stands."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from invbi_pipeline.errors import ConfigError
from invbi_pipeline.store.warehouse import Database, Warehouse

__all__ = ["ExplainedPoint", "Explanation", "explain"]


@dataclass(frozen=True, slots=True)
class ExplainedPoint:
    """One point: the three-way merge, the offer with every deduction, the effects since the base, our corrections."""

    point: Mapping[str, Any]
    base: Mapping[str, Any]
    offer: Mapping[str, Any]
    policy: Mapping[str, str]  # value -> which policy set it
    effects: pl.DataFrame
    corrections: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Explanation:
    """One SKU: where its units lie, what is promised, where it is shown, and what is wrong."""

    sku: str
    title: str
    positions: pl.DataFrame
    reservations: pl.DataFrame
    points: tuple[ExplainedPoint, ...]
    findings: pl.DataFrame


def explain(warehouse: Warehouse, sku: str) -> Explanation:
    """Return the explanation of a master SKU, or of a listing's key or raw SKU that is mapped to one.

    Raises `ConfigError` naming near codes when nothing is called so.
    """
    with warehouse.open() as db:
        master = _master(db, sku)
        mine = {"sku": master}
        points = db.query("SELECT * FROM recon.points WHERE sku = $sku ORDER BY system, location, listing_key", mine)
        titles = db.query(
            "SELECT title FROM staging.stg_listings JOIN truth.mappings USING (system, listing_key) WHERE sku = $sku LIMIT 1",
            mine,
        )
        return Explanation(
            sku=master,
            title=str(titles["title"][0]) if titles.height else "",
            positions=db.query("SELECT * FROM truth.positions WHERE sku = $sku ORDER BY location", mine),
            reservations=db.query("SELECT * FROM truth.reservations WHERE sku = $sku ORDER BY ordered_at", mine),
            points=tuple(_point(db, row) for row in points.iter_rows(named=True)),
            findings=db.query(
                "SELECT severity, code, system, location, sku, listing_key, units, money, currency, cause, suggested_action, "
                "first_seen, state FROM recon.findings WHERE sku = $sku AND state <> 'resolved' ORDER BY first_seen",
                mine,
            ),
        )


def _master(db: Database, asked: str) -> str:
    same = "SELECT DISTINCT sku FROM truth.mappings WHERE valid_to IS NULL AND (sku = $code OR listing_key = $code)"
    raw = """
        SELECT DISTINCT m.sku FROM truth.mappings m JOIN staging.stg_listings l USING (system, listing_key)
        WHERE m.valid_to IS NULL AND l.raw_sku = $code
    """
    for sql in (same, raw, "SELECT DISTINCT sku FROM truth.positions WHERE sku = $code"):
        found = db.query(sql, {"code": asked})
        if found.height == 1:
            return str(found["sku"][0])
        if found.height > 1:
            names = ", ".join(sorted(found["sku"].to_list())[:10])
            raise ConfigError(f"{asked!r} is mapped to several SKUs.", [(asked, f"one of {names}", "name the SKU itself")])
    near = db.query(
        "SELECT DISTINCT sku FROM truth.mappings ORDER BY jaro_winkler_similarity(sku, $code) DESC, sku LIMIT 5", {"code": asked}
    )
    mend = f"did you mean {', '.join(near['sku'].to_list())}?" if near.height else "run `invbi run` first"
    raise ConfigError(f"No SKU or listing is called {asked!r}.", [(asked, "a master SKU, a listing key or a raw SKU", mend)])


def _point(db: Database, point: Mapping[str, Any]) -> ExplainedPoint:
    key = {k: point[k] for k in ("system", "listing_key", "location")}
    where = "WHERE system = $system AND listing_key = $listing_key AND location = $location"
    bases = db.query(f"SELECT * FROM recon.bases {where}", key)  # noqa: S608 (our own words)
    offers = db.query(f"SELECT * FROM truth.offers {where}", key)  # noqa: S608
    base = bases.row(0, named=True) if bases.height else {}
    offer = offers.row(0, named=True) if offers.height else {}
    since = """
        SELECT effect_id, kind, units, stamped_at, order_id FROM staging.stg_effects e
        WHERE system = $system AND listing_key = $listing_key AND location = $location
          AND ($as_of::TIMESTAMPTZ IS NULL OR stamped_at > $as_of)
          AND NOT EXISTS (SELECT 1 FROM recon.contained c WHERE c.system = e.system AND c.effect_id = e.effect_id
                          AND c.listing_key = e.listing_key AND c.location = e.location AND c.contained AND c.look_at IS NULL)
        ORDER BY stamped_at
    """
    corrections = f"""
        SELECT planned_at, kind, from_qty, to_qty, state, reason, sent_at, read_back, verified_at, correction_id
        FROM recon.corrections {where} ORDER BY planned_at DESC LIMIT 20
    """  # noqa: S608
    return ExplainedPoint(
        point=point,
        base=base,
        offer=offer,
        policy=json.loads(offer.get("policy") or "{}"),
        effects=db.query(since, {**key, "as_of": base.get("as_of")}) if base else pl.DataFrame(),
        corrections=db.query(corrections, key),
    )
