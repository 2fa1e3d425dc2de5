-- Grain: one row a point.
-- Purpose: sku by channel: what is shown, what should be, whether the two can be compared, and why not.
with titles as (
    select
        system,
        listing_key,
        min(title) as title,
        max(price) as price,
        min(currency) as currency
    from {{ ref('stg_listings') }}
    group by system, listing_key
)

select
    points.sku,
    coalesce(titles.title, '') as title,
    points.system,
    points.location,
    points.listing_key,
    points.reported,
    points.offer,
    points.gap,
    points.state,
    points.gap is not null
    and points.state in ('agreed', 'push_due', 'drifted', 'converged', 'diverged', 'first_look') as comparable,
    titles.price,
    titles.currency,
    points.observed_at
from {{ source('recon', 'points') }} as points
left join titles on points.system = titles.system and points.listing_key = titles.listing_key
order by points.sku, points.system, points.location, points.listing_key
