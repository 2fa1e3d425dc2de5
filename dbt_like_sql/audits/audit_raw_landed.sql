-- Grain: one row a read whose landed rows are not in the raw tables any more or never were.
-- Purpose: a read's rows and its record are one transaction. Reads with payloads taken out by retention are left out. A
-- refused row of stock has landed as an unknown one, too: it counts among those put aside.
with refused as (
    select distinct
        batch_id,
        row_number,
        listing_key,
        location_key
    from {{ source('quarantine', 'rows') }}
    where dataset = 'stock'
),

landed as (
    select batch_id, count(*) as found from {{ source('raw', 'listings') }} group by batch_id
    union all
    select
        rows.batch_id,
        count(*) as found
    from {{ source('raw', 'stock') }} as rows
    left join refused
        on
            rows.batch_id = refused.batch_id
            and rows.row_number = refused.row_number
            and rows.listing_key = refused.listing_key
            and rows.location_key = refused.location_key
    where refused.batch_id is null
    group by rows.batch_id
    union all
    select batch_id, count(*) as found from {{ source('raw', 'order_lines') }} group by batch_id
    union all
    select batch_id, count(*) as found from {{ source('raw', 'effects') }} group by batch_id
    union all
    select batch_id, count(*) as found from {{ source('raw', 'movements') }} group by batch_id
    union all
    select batch_id, count(*) as found from {{ source('raw', 'locations') }} group by batch_id
),

counted as (
    select
        batch_id,
        sum(found) as found
    from landed
    group by batch_id
)

select
    batches.batch_id,
    batches.system,
    batches.dataset,
    batches.landed,
    cast(coalesce(counted.found, 0) as bigint) as raw_rows
from {{ source('raw', 'batches') }} as batches
left join counted on batches.batch_id = counted.batch_id
where not batches.pruned and batches.landed <> coalesce(counted.found, 0)
