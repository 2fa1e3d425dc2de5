-- Grain: one row a (system, movement_id, listing_key).
-- Purpose: what left or entered a shelf in each system's words, each movement once however often it was read.
with said as (
    select
        rows.*,
        batches.platform_time,
        row(batches.position, rows.row_number) as recency
    from {{ source('raw', 'movements') }} as rows
    inner join {{ ref('stg_batches') }} as batches on rows.batch_id = batches.batch_id
),

newest as (
    select
        system,
        movement_id,
        listing_key,
        max(recency) as recency,
        min(platform_time) as first_seen_at
    from said
    group by system, movement_id, listing_key
)

select
    said.system,
    said.movement_id,
    said.listing_key,
    said.location_key,
    said.kind,
    said.units,
    said.counted,
    said.occurred_at,
    said.order_id,
    said.line_id,
    said.reference,
    case
        when said.location_key = '' then ''
        else coalesce(places.location, 'unmapped:' || said.location_key)
    end as location,
    newest.first_seen_at,
    said.batch_id
from said
inner join newest
    on
        said.system = newest.system
        and said.movement_id = newest.movement_id
        and said.listing_key = newest.listing_key
        and said.recency = newest.recency
left join {{ source('recon', 'location_map') }} as places
    on said.system = places.system and said.location_key = places.location_key
