-- Grain: one row a correction.
-- Purpose: what was planned, held, sent and proved, newest first.
with titles as (
    select
        system,
        listing_key,
        min(title) as title
    from {{ ref('stg_listings') }}
    group by system, listing_key
)

select
    corrections.correction_id,
    corrections.run_id,
    corrections.planned_at,
    corrections.system,
    corrections.location,
    corrections.sku,
    corrections.listing_key,
    coalesce(titles.title, '') as title,
    corrections.kind,
    corrections.from_qty,
    corrections.to_qty,
    corrections.target,
    corrections.read_back,
    corrections.state,
    corrections.reason,
    corrections.guard,
    corrections.finding_id,
    corrections.movement_ref,
    corrections.units_at_risk,
    corrections.money_at_risk,
    corrections.sent_at,
    corrections.verified_at
from {{ source('recon', 'corrections') }} as corrections
left join titles on corrections.system = titles.system and corrections.listing_key = titles.listing_key
order by corrections.planned_at desc, corrections.correction_id
