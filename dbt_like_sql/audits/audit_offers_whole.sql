-- Grain: one row an offer that is below 0, above its own limit, or above what its pool can give.
-- Purpose: an offer promises what is there and what policy allows, never more.
select
    system,
    listing_key,
    location,
    sku,
    units,
    pool,
    sellable,
    backorder_limit,
    max_offer,
    offer
from {{ source('truth', 'offers') }}
where
    offer < 0
    or offer > max_offer
    or offer * units > greatest(sellable, 0)
