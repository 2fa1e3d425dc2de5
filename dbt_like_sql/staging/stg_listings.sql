-- Grain: one row a (system, listing_key); a key that one read gave with several raw SKUs has one row for each.
-- Purpose: every listing as its platform last described it. One that a page did not show is still there: only the
-- platform's own word makes it deleted.
with said as (
    select
        rows.*,
        batches.position,
        batches.platform_time
    from {{ source('raw', 'listings') }} as rows
    inner join {{ ref('stg_batches') }} as batches on rows.batch_id = batches.batch_id
),

newest as (
    select
        system,
        listing_key,
        max(position) as position,
        min(platform_time) as first_seen_at
    from said
    group by system, listing_key
),

ranked as (
    select
        said.*,
        newest.first_seen_at,
        row_number() over (
            partition by said.system, said.listing_key, said.raw_sku order by said.row_number desc
        ) as recency
    from said
    inner join newest
        on said.system = newest.system and said.listing_key = newest.listing_key and said.position = newest.position
)

select
    system,
    listing_key,
    raw_sku,
    barcode,
    title,
    style,
    status,
    fulfilment,
    product_id,
    variant_id,
    price,
    currency,
    updated_at,
    first_seen_at,
    platform_time as seen_at,
    batch_id
from ranked
where recency = 1
