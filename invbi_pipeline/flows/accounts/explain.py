"""Explain: everything that made one SKU's numbers what they are, read from the warehouse as it stands."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl

from invbi_pipeline.domain.corrections.trail import newest_first
from invbi_pipeline.domain.findings.coverage import BY_A_CORRECTION
from invbi_pipeline.domain.frames import POINT_KEY, TRAIL, empty
from invbi_pipeline.domain.words import CorrectionState
from invbi_pipeline.errors import ConfigError
from invbi_pipeline.store.warehouse import Database, Warehouse

__all__ = ["ExplainedPoint", "Explanation", "explain", "master_of"]

_MOST_CODES: Final = 10  # named in an error
_MOST_SENT: Final = 20
_MOST_STEPS: Final = 100
_NO_PLACE_OF_OURS: Final = "unmapped:"  # how staging names a place that the configuration does not
_SENT: Final = [
    "planned_at", "kind", "from_qty", "to_qty", "state", "reason", "sent_at", "read_back", "verified_at", "correction_id",
]  # fmt: skip
_WRONG: Final = """
    SELECT severity, code, system, location, sku, listing_key, units, money, currency, cause, suggested_action, first_seen,
        last_seen, opened_at, state, finding_id, owner, due_at, acknowledged_by, note
    FROM recon.findings WHERE state <> 'resolved'
"""
# The newest that was sent of each point. By our own clock: of the read that proved it only the platform's time is known.
_LAST_SENT: Final = """
    SELECT system, listing_key, location, coalesce(send_ended_at, sent_at) AS sent_by, correction_id AS mended_by,
        state AS mended_state, read_back, coalesce(verified_at, sent_by) AS mended_at
    FROM recon.corrections WHERE sent_at IS NOT NULL
    QUALIFY row_number() OVER (PARTITION BY system, listing_key, location ORDER BY sent_by DESC, correction_id) = 1
"""
_MENDS: Final = [str(state) for state in (CorrectionState.VERIFIED, CorrectionState.ACCEPTED)]
_MENDED: Final = ("mended_by", "mended_state", "read_back", "mended_at")
_OF_THE_SKU: Final = """
    (sku = $sku OR (coalesce(listing_key, '') = '' AND sku IN (SELECT sku FROM truth.kits WHERE kit_sku = $sku))
        OR (code = 'kit_cycle' AND list_contains(json_extract_string(evidence, '$.kits[*]'), $sku)))
"""
_PROMISED: Final = """
    SELECT * FROM truth.reservations WHERE sku = $sku OR sku IN (SELECT sku FROM truth.kits WHERE kit_sku = $sku)
    ORDER BY ordered_at
"""
_SHELVES: Final = (
    "SELECT * FROM truth.{} WHERE sku = $sku OR sku IN (SELECT sku FROM truth.kits WHERE kit_sku = $sku) ORDER BY ALL"
)
_REFUSED: Final = """
    WITH newest AS (
        SELECT batch_id FROM raw.batches WHERE scope = 'sweep'
        QUALIFY row_number() OVER (PARTITION BY system, dataset ORDER BY seq DESC) = 1
    ),
    standing AS (SELECT batch_id, listing_key, location_key FROM staging.stg_observations WHERE state = 'unknown'),
    mine AS (SELECT system, listing_key FROM truth.mappings WHERE valid_to IS NULL AND list_contains($codes::VARCHAR[], sku))
    SELECT q.system, q.dataset, q.row_number, q.reason, q.listing_key FROM quarantine.rows q
    WHERE (q.batch_id IN (FROM newest)
            OR (q.dataset = 'stock' AND (q.batch_id, q.listing_key, q.location_key) IN (FROM standing)))
        AND ((q.system, q.listing_key) IN (FROM mine) OR list_contains($codes::VARCHAR[], q.listing_key)
            OR list_has_any(json_extract_string(q.payload, '$.*'), $codes::VARCHAR[]))
    ORDER BY ALL
"""
_LISTED: Final = "SELECT system, listing_key, title FROM staging.stg_listings WHERE listing_key = $code OR raw_sku = $code"


@dataclass(frozen=True, slots=True)
class ExplainedPoint:
    """One point: the three-way merge, the offer with every deduction, the effects since the base, our corrections.

    `places` are the locations its pool is gathered from, each with the units of the SKU it gives (None where the channel's
    own rules keep more back there than the shelf says). `look` is its last judged look, `feed` what may be believed of its
    system and whether that is a channel.
    """

    point: Mapping[str, Any]
    base: Mapping[str, Any]
    offer: Mapping[str, Any]
    policy: Mapping[str, Any]  # value -> which policy set it; and what the buffer was made from
    effects: pl.DataFrame
    corrections: pl.DataFrame
    places: Mapping[str, int | None]
    look: Mapping[str, Any]
    feed: Mapping[str, Any]
    trail: pl.DataFrame = field(default_factory=lambda: empty(TRAIL))  # who decided and what came back, newest first

    @property
    def unplaced(self) -> str:
        """Return the key of the place where it has units, if the configuration does not name that place; else nothing."""
        place, units = str(self.point["location"]), self.point["reported"] or 0
        return place.removeprefix(_NO_PLACE_OF_OURS) if place.startswith(_NO_PLACE_OF_OURS) and units > 0 else ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """One SKU: where its units lie, what is promised, where it is shown, and what is wrong.

    `positions` are truth.positions of the SKU. Of a kit, `components` are those of its components, with `quantity` (in one kit)
    and `kits` (how many of it that shelf is enough for); `makes` is location, kits: how many can be made there. Reservations
    and what is wrong with a whole SKU are then told of the components too. `sku` is empty where a listing is mapped to none.
    Of a finding for which a correction went out since a run last saw it, `mended_by` (its id), `mended_state` (verified, or
    accepted and not proved yet), `read_back` and `mended_at` tell so; of the others they are null.
    `shelves` and `outside` are SHELVES and OUTSIDE: what on hand is made of. `refused`: system, dataset, row_number, reason,
    listing_key of the rows with this code that the newest read of their kind put aside, or that leave a number unknown still.
    """

    sku: str
    title: str
    positions: pl.DataFrame
    components: pl.DataFrame
    makes: pl.DataFrame
    reservations: pl.DataFrame
    points: tuple[ExplainedPoint, ...]
    findings: pl.DataFrame
    shelves: pl.DataFrame
    outside: pl.DataFrame
    refused: pl.DataFrame


def explain(warehouse: Warehouse, sku: str, sells_from: Mapping[str, Sequence[str]]) -> Explanation:
    """Return the explanation of a master SKU, of a listing's key or raw SKU, or of a listing that is mapped to no SKU.

    `sells_from` names the locations that each channel may promise from. Raises `ConfigError` naming near codes when nothing is
    called so.
    """
    with warehouse.open() as db:
        master = _master(db, sku)
        if not master:
            return _unmapped(db, sku, sells_from)
        mine = {"sku": master}
        points = db.query("SELECT * FROM recon.points WHERE sku = $sku ORDER BY system, location, listing_key", mine)
        titles = db.query(
            "SELECT title FROM staging.stg_listings JOIN truth.mappings USING (system, listing_key) WHERE sku = $sku LIMIT 1",
            mine,
        )
        positions = db.query("SELECT * FROM truth.positions WHERE sku = $sku ORDER BY location", mine)
        components = _components(db, mine)
        makes = _makes(components)
        gives = dict((makes if components.height else positions.select("location", "available")).iter_rows())
        return Explanation(
            sku=master,
            title=str(titles["title"][0]) if titles.height else "",
            positions=positions,
            components=components,
            makes=_whole(makes),
            reservations=db.query(_PROMISED, mine),
            points=tuple(_point(db, row, sells_from, gives) for row in points.iter_rows(named=True)),
            findings=_with_mends(db, db.query(f"{_WRONG} AND {_OF_THE_SKU} ORDER BY first_seen", mine)),
            shelves=db.query(_SHELVES.format("shelves"), mine),
            outside=db.query(_SHELVES.format("outside"), mine),
            refused=_refused(db, [sku, master]),
        )


def master_of(db: Database, asked: str) -> str:
    """Return the SKU that a master SKU, a listing key or a raw SKU means. Raises `ConfigError` where that is none or several."""
    sku = _master(db, asked)
    if not sku:
        raise _nothing_called(db, asked)
    return sku


def _components(db: Database, mine: Mapping[str, str]) -> pl.DataFrame:
    """Return a kit's components by place; one that lies nowhere has a row without a location."""
    found = """
        SELECT k.sku, k.quantity, p.* EXCLUDE (sku), CAST(floor(coalesce(p.available, 0) / k.quantity) AS BIGINT) AS kits
        FROM truth.kits k LEFT JOIN truth.positions p USING (sku) WHERE k.kit_sku = $sku ORDER BY k.sku, p.location
    """
    return db.query(found, mine)


def _makes(components: pl.DataFrame) -> pl.DataFrame:
    """Return location, kits: the least that any component is enough for; one that has no shelf there is enough for none."""
    kinds = components["sku"].n_unique()
    least = pl.col("kits").min()
    short = pl.min_horizontal(least, pl.lit(0, pl.Int64))
    makes = pl.when(pl.col("sku").n_unique() == kinds).then(least).otherwise(short)
    return components.drop_nulls("location").group_by("location").agg(kits=makes).sort("location")


def _whole(makes: pl.DataFrame) -> pl.DataFrame:
    """Return how many kits a place makes: where more was promised than lies there that is none, never fewer."""
    return makes.with_columns(pl.col("kits").clip(lower_bound=0))


def _with_mends(db: Database, findings: pl.DataFrame) -> pl.DataFrame:
    """Put beside each finding what of ours has mended it since it was last seen: a run closes it, not the push."""
    later = (pl.col("sent_by") > pl.col("last_seen")) & pl.col("mended_state").is_in(_MENDS)
    beside = findings.join(db.query(_LAST_SENT), on=list(POINT_KEY), how="left", maintain_order="left")
    mends = pl.col("code").is_in(BY_A_CORRECTION) & later
    return beside.with_columns(pl.when(mends).then(pl.col(name)).alias(name) for name in _MENDED).drop("sent_by")


def _refused(db: Database, codes: Sequence[str]) -> pl.DataFrame:
    return db.query(_REFUSED, {"codes": list(dict.fromkeys(codes))})


def _unmapped(db: Database, asked: str, sells_from: Mapping[str, Sequence[str]]) -> Explanation:
    """Return what is known of listings that are mapped to no SKU: their points, and the findings that name them."""
    code = {"code": asked}
    listed = db.query(_LISTED, code)
    points = db.read("recon.points")
    keys = (
        pl.concat([listed, points.filter(pl.col("listing_key") == asked)], how="diagonal")
        .select("system", "listing_key")
        .unique()
    )
    points = points.join(keys, on=keys.columns, how="semi").sort("system", "location")
    wrong = db.query(f"{_WRONG} ORDER BY first_seen")
    named = pl.any_horizontal(pl.col("sku", "listing_key") == asked)
    of_it = wrong.join(keys, on=keys.columns, how="semi")
    findings = pl.concat([of_it, wrong.filter(named)]).unique(maintain_order=True)
    refused = _refused(db, [asked])
    if not (points.height or listed.height or findings.height or refused.height):
        raise _nothing_called(db, asked)
    none = db.query("SELECT * FROM truth.positions WHERE false")
    components = _components(db, {"sku": ""})
    return Explanation(
        sku="",
        title=str(listed["title"][0] or "") if listed.height else "",
        positions=none,
        components=components,
        makes=_whole(_makes(components)),
        reservations=db.query("SELECT * FROM truth.reservations WHERE false"),
        points=tuple(_point(db, row, sells_from, {}) for row in points.iter_rows(named=True)),
        findings=_with_mends(db, findings),
        shelves=db.query("SELECT * FROM truth.shelves WHERE false"),
        outside=db.query("SELECT * FROM truth.outside WHERE false"),
        refused=refused,
    )


def _master(db: Database, asked: str) -> str:
    """Return the SKU that is meant, or nothing where no SKU or mapped listing is called so."""
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
            names = ", ".join(sorted(found["sku"].to_list())[:_MOST_CODES])
            raise ConfigError(f"{asked!r} is mapped to several SKUs.", [(asked, f"one of {names}", "name the SKU itself")])
    return ""


def _nothing_called(db: Database, asked: str) -> ConfigError:
    near = db.query(
        "SELECT DISTINCT sku FROM truth.mappings ORDER BY jaro_winkler_similarity(sku, $code) DESC, sku LIMIT 5", {"code": asked}
    )
    mend = f"did you mean {', '.join(near['sku'].to_list())}?" if near.height else "run `invbi run` first"
    return ConfigError(f"No SKU or listing is called {asked!r}.", [(asked, "a master SKU, a listing key or a raw SKU", mend)])


def _point(
    db: Database, point: Mapping[str, Any], sells_from: Mapping[str, Sequence[str]], gives: Mapping[str, int]
) -> ExplainedPoint:
    key = {k: point[k] for k in ("system", "listing_key", "location")}
    bases, offers, looks = (db.matching(table, key) for table in ("recon.bases", "truth.offers", "recon.looks"))
    feeds = db.query(
        "SELECT s.sells, f.* FROM recon.systems s LEFT JOIN recon.feeds f USING (system) WHERE s.system = $system",
        {"system": point["system"]},
    )
    base, offer = _only(bases), _only(offers)
    since = """
        SELECT effect_id, kind, units, stamped_at, order_id FROM staging.stg_effects e
        WHERE system = $system AND listing_key = $listing_key AND location = $location
          AND ($as_of::TIMESTAMPTZ IS NULL OR stamped_at > $as_of)
          AND NOT EXISTS (SELECT 1 FROM recon.contained c WHERE c.system = e.system AND c.effect_id = e.effect_id
                          AND c.listing_key = e.listing_key AND c.location = e.location AND c.contained AND c.look_at IS NULL)
        ORDER BY stamped_at
    """
    corrections = db.matching("recon.corrections", key).select(_SENT).sort("planned_at", descending=True).head(_MOST_SENT)
    return ExplainedPoint(
        point=point,
        base=base,
        offer=offer,
        policy=json.loads(offer.get("policy") or "{}"),
        effects=db.query(since, {**key, "as_of": base.get("as_of")}) if base else pl.DataFrame(),
        corrections=corrections,
        places=_gathered(db, offer, sells_from.get(str(point["system"]), ()), gives),
        look=_only(looks),
        feed=_only(feeds),
        trail=newest_first(db.matching("recon.trail", key)).head(_MOST_STEPS),
    )


def _only(found: pl.DataFrame) -> dict[str, Any]:
    return found.row(0, named=True) if found.height else {}


def _gathered(
    db: Database, offer: Mapping[str, Any], sells_from: Sequence[str], gives: Mapping[str, int]
) -> dict[str, int | None]:
    """Return the places of an offer's pool with what each gives, as far as the shelves add up to what was gathered."""
    if not offer:
        return {}
    same = {"system": offer["system"], "listing_key": offer["listing_key"]}
    shown = db.query(
        "SELECT location FROM truth.offers WHERE system = $system AND listing_key = $listing_key AND location <> ''", same
    )
    places = [place for place in sells_from if place in gives and (shown.is_empty() or place in shown["location"])]
    gathered, pack = offer["pool"] + offer["threshold"] + (offer["held_nowhere"] or 0), offer["units"] or 1
    whole_packs = {place: gives[place] // pack * pack for place in places}
    in_parts = {place: gives[place] for place in places}  # where an order may ship in parts
    for told in (whole_packs, in_parts):
        if sum(told.values()) == gathered:
            return dict(told)
    return dict.fromkeys(places)
