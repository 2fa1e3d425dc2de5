-- Grain: one row a (system, location_key).
-- Purpose: each system's places as it names them now, and which configured location each is.
with said as (
    select
        rows.system,
        rows.location_key,
        rows.name,
        rows.active,
        batches.platform_time,
        row_number() over (
            partition by rows.system, rows.location_key
            order by batches.position desc, rows.row_number desc
        ) as recency
    from {{ source('raw', 'locations') }} as rows
    inner join {{ ref('stg_batches') }} as batches on rows.batch_id = batches.batch_id
)

select
    said.system,
    said.location_key,
    said.name,
    said.active,
    places.location,
    said.platform_time as seen_at
from said
left join {{ source('recon', 'location_map') }} as places
    on said.system = places.system and said.location_key = places.location_key
where said.recency = 1
