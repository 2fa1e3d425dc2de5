-- Grain: one row a (system, effect_id).
-- Purpose: what each platform applied to its own numbers, each effect once however often it was read.
with said as (
    select
        rows.*,
        batches.platform_time,
        row(batches.position, rows.row_number) as recency
    from {{ source('raw', 'effects') }} as rows
    inner join {{ ref('stg_batches') }} as batches on rows.batch_id = batches.batch_id
),

newest as (
    select
        system,
        effect_id,
        max(recency) as recency,
        min(platform_time) as first_seen_at
    from said
    group by system, effect_id
)

select
    said.system,
    said.effect_id,
    said.listing_key,
    said.location_key,
    said.kind,
    said.units,
    said.stamped_at,
    said.order_id,
    said.line_id,
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
        and said.effect_id = newest.effect_id
        and said.recency = newest.recency
left join {{ source('recon', 'location_map') }} as places
    on said.system = places.system and said.location_key = places.location_key
