"""The frames that cross rooms: their columns, types and meaning. Everything else in the house speaks these.

Three layers:

* **Wall frames** are what a channel hands over: the columns of `LISTINGS`, `STOCK`, `ORDER_LINES`, `EFFECTS`, `RETURNS`,
  `MOVEMENTS` and `LOCATIONS`, every one still a string as the platform wrote it, plus `payload` (JSON, buyers' personal
  fields removed). `store.walls` types them; rows that fail go to quarantine with their reason.
* **Truth frames**: `MAPPINGS`, `KITS`, `ANCHORS`, `POSITIONS`, `RESERVATIONS`, `OFFERS`.
* **Configuration frames**: `SYSTEMS`, `PLACES`, `SKU_MAP`, `DECISIONS`, `KIT_ROWS`, `POLICIES`, `PRICES`, `RATES`: what people
  declared.
* **Recon frames**: `BASES`, `CONTAINED`, `FLIGHTS`, `FLIGHT_ENDS`, `LOOKS`, `UNJUDGED`, `POINTS`, `FINDINGS`,
  `CORRECTIONS`, `FEEDS`.

Conventions: quantities are Int64 in whole units; times are UTC Datetime("us", "UTC"); money is Float64 in the named currency.
`location` is a configured location's name; `location_key` is what the platform calls it; the empty string means that the
system keeps one number for all places. `listing_key` is unique within a system. A point's key is
`(system, listing_key, location)`.
"""

from invbi_pipeline.domain.frames.declared import (
    DECISIONS,
    HELD,
    KIT_ROWS,
    PLACES,
    POLICIES,
    POSTED,
    PRICES,
    RATES,
    SKU_MAP,
    SYSTEMS,
)
from invbi_pipeline.domain.frames.points import BASES, CONTAINED, FLIGHT_ENDS, FLIGHTS, LOOKS, POINTS, UNJUDGED
from invbi_pipeline.domain.frames.schema import POINT_KEY, UTC, Schema, empty, fit, narrow
from invbi_pipeline.domain.frames.staged import FEEDS, OBSERVATIONS
from invbi_pipeline.domain.frames.told import CORRECTIONS, DECIDED, FINDINGS, LIVES, SAID, TRAIL
from invbi_pipeline.domain.frames.truth import (
    ANCHORS,
    CANDIDATES,
    EXPOSURE,
    KITS,
    MAPPINGS,
    OFFERS,
    OPENINGS,
    OUTSIDE,
    POSITIONS,
    RESERVATIONS,
    SHELVES,
    UNBOOKED,
)
from invbi_pipeline.domain.frames.walls import (
    EFFECTS,
    LISTINGS,
    LOCATIONS,
    MOVEMENTS,
    ORDER_LINES,
    QUARANTINE,
    RETURNS,
    STOCK,
    WALL,
)

__all__ = [
    "ANCHORS",
    "BASES",
    "CANDIDATES",
    "CONTAINED",
    "CORRECTIONS",
    "DECIDED",
    "DECISIONS",
    "EFFECTS",
    "EXPOSURE",
    "FEEDS",
    "FINDINGS",
    "FLIGHTS",
    "FLIGHT_ENDS",
    "HELD",
    "KITS",
    "KIT_ROWS",
    "LISTINGS",
    "LIVES",
    "LOCATIONS",
    "LOOKS",
    "MAPPINGS",
    "MOVEMENTS",
    "OBSERVATIONS",
    "OFFERS",
    "OPENINGS",
    "ORDER_LINES",
    "OUTSIDE",
    "PLACES",
    "POINTS",
    "POINT_KEY",
    "POLICIES",
    "POSITIONS",
    "POSTED",
    "PRICES",
    "QUARANTINE",
    "RATES",
    "RESERVATIONS",
    "RETURNS",
    "SAID",
    "SHELVES",
    "SKU_MAP",
    "STOCK",
    "SYSTEMS",
    "TRAIL",
    "UNBOOKED",
    "UNJUDGED",
    "UTC",
    "WALL",
    "Schema",
    "empty",
    "fit",
    "narrow",
]
