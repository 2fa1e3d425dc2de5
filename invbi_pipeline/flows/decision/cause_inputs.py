"""What the search for causes looks at: what drifted points showed before, movements, orders and webhooks of the last days."""

from datetime import timedelta
from typing import Any, Final

import polars as pl

from invbi_pipeline.domain.findings.inputs import EARLIER, MOVED, ORDERED
from invbi_pipeline.domain.frames import fit
from invbi_pipeline.domain.words import Basis
from invbi_pipeline.flows.context import Context
from invbi_pipeline.flows.decision.reconcile import systems_frame
from invbi_pipeline.store.warehouse import Database

__all__ = ["cause_inputs"]

_BACK: Final = timedelta(days=2)
_LOOKS: Final = 200  # of a point, the newest: two days of runs every fifteen minutes

# What drifted points showed, each at all its locations, and what their systems' points with events of the last days or with
# something unexplained then or now showed: units that left one number may have come to another. And what those showed that had
# several events and that a push is on its way to: they may stand still unseen. A gross platform's number is compared net of what
# it says it reserves.
_EARLIER: Final = """
WITH drifted AS (SELECT system, listing_key FROM recon.points WHERE found <> 0 OR returns >= 2),
twice AS (
    SELECT system, listing_key, location FROM staging.stg_effects WHERE stamped_at >= $since
    GROUP BY ALL HAVING count(*) > 1
),
wanted AS (
    SELECT system, listing_key, location FROM recon.points SEMI JOIN drifted USING (system, listing_key)
    UNION
    SELECT system, listing_key, location FROM recon.points SEMI JOIN twice USING (system, listing_key, location)
    WHERE in_flight > 0
    UNION
    SELECT system, listing_key, location FROM recon.points SEMI JOIN drifted USING (system) WHERE unexplained <> 0
    UNION
    SELECT system, listing_key, location FROM recon.point_changes SEMI JOIN drifted USING (system)
    WHERE unexplained <> 0 AND changed_at >= $since
    UNION
    SELECT system, listing_key, location FROM staging.stg_effects SEMI JOIN drifted USING (system) WHERE stamped_at >= $since
)
SELECT said.system, said.listing_key, wanted.location, said.version, said.changed_at, reads.platform_time AS observed_at,
    said.quantity - CASE WHEN list_contains($gross, said.system) THEN coalesce(said.reserved, 0) ELSE 0 END AS quantity
FROM raw.stock AS said
JOIN staging.stg_batches AS reads ON said.batch_id = reads.batch_id
LEFT JOIN recon.location_map AS places ON said.system = places.system AND said.location_key = places.location_key
JOIN wanted
    ON wanted.system = said.system AND wanted.listing_key = said.listing_key
    AND wanted.location = CASE WHEN said.location_key = '' THEN '' ELSE coalesce(places.location, '') END
WHERE said.state = 'known'
QUALIFY row_number() OVER (
    PARTITION BY said.system, said.listing_key, wanted.location ORDER BY reads.position DESC, said.row_number DESC
) <= $looks
"""


def cause_inputs(ctx: Context, db: Database) -> dict[str, Any]:
    """Return the fields of `FindingInputs` of which only the search for causes and for lost events asks."""
    since = [ctx.clock.now() - _BACK]
    gross = systems_frame(ctx).filter(pl.col("basis") == Basis.GROSS)["system"].to_list()
    earlier = db.query(_EARLIER, {"gross": gross, "looks": _LOOKS, "since": since[0]})
    orders = db.query("SELECT * FROM staging.stg_order_lines WHERE coalesce(updated_at, ordered_at) >= ?", since)
    movements = db.query("SELECT * FROM staging.stg_movements WHERE occurred_at >= ?", since)
    return {
        "earlier": fit(earlier, EARLIER),
        "movements": fit(movements, MOVED),
        "orders": fit(orders, ORDERED),
        "deliveries": ctx.state.inbox.held(),
    }
