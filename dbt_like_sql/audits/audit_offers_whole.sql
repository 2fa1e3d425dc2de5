-- Grain: one row an offer that is below 0, above its own limit, above what its pool can give, or not what its own row comes to.
-- Purpose: an offer promises what is there and what policy allows, never more. The arithmetic from the pool to the offer is
-- done again here, from the deductions that stand beside it; the parts of a split offer sum to the whole.
with reckoned as (
    select
        system,
        listing_key,
        location,
        sku,
        units,
        pool,
        share_bp,
        buffer,
        sellable,
        backorder_limit,
        min_offer,
        max_offer,
        offer,
        channel_offer,
        case when pool > 0 then pool * share_bp // 10000 else pool end - buffer + backorder_limit as should_sell,
        sellable // units as whole,
        sum(offer) over (partition by system, listing_key) as together
    from {{ source('truth', 'offers') }}
)

select
    system,
    listing_key,
    location,
    sku,
    units,
    pool,
    share_bp,
    buffer,
    sellable,
    backorder_limit,
    min_offer,
    max_offer,
    offer,
    channel_offer
from reckoned
where
    offer < 0
    or offer > max_offer
    or offer * units > greatest(sellable, 0)
    or sellable <> case when should_sell < 0 then 0 else should_sell end
    or channel_offer <> least(case when whole < min_offer then 0 else whole end, max_offer)
    or together <> channel_offer
