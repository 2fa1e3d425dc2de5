-- Grain: one row a (system, event_id, listing_key).
-- Purpose: what each system says became of goods that were brought back, each step once however often it was read.
with said as (
    select
        rows.*,
        batches.platform_time,
        row(batches.position, rows.row_number) as recency
    from {{ source('raw', 'returns') }} as rows
    inner join {{ ref('stg_batches') }} as batches on rows.batch_id = batches.batch_id
),

newest as (
    select
        system,
        event_id,
        listing_key,
        max(recency) as recency,
        min(platform_time) as first_seen_at
    from said
    group by system, event_id, listing_key
)

select
    said.system,
    said.event_id,
    said.return_id,
    said.listing_key,
    said.location_key,
    said.state,
    said.units,
    said.damaged,
    said.occurred_at,
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
        and said.event_id = newest.event_id
        and said.listing_key = newest.listing_key
        and said.recency = newest.recency
left join {{ source('recon', 'location_map') }} as places
    on said.system = places.system and said.location_key = places.location_key
