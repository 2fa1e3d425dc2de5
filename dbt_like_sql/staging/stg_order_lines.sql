-- Grain: one row a (system, order_id, line_id).
-- Purpose: every order line as its platform last told it; the newest change wins, however late its read came in.
with said as (
    select
        rows.*,
        batches.platform_time,
        row(coalesce(rows.updated_at, timestamptz '-infinity'), batches.position, rows.row_number) as recency
    from {{ source('raw', 'order_lines') }} as rows
    inner join {{ ref('stg_batches') }} as batches on rows.batch_id = batches.batch_id
),

newest as (
    select
        system,
        order_id,
        line_id,
        max(recency) as recency,
        min(platform_time) as first_seen_at
    from said
    group by system, order_id, line_id
)

select
    said.system,
    said.order_id,
    said.line_id,
    said.external_id,
    said.listing_key,
    said.raw_sku,
    said.location_key,
    said.state,
    said.quantity,
    said.open_quantity,
    said.price,
    said.currency,
    said.ordered_at,
    said.updated_at,
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
        and said.order_id = newest.order_id
        and said.line_id = newest.line_id
        and said.recency = newest.recency
left join {{ source('recon', 'location_map') }} as places
    on said.system = places.system and said.location_key = places.location_key
