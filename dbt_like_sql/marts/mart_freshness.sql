-- Grain: one row a system.
-- Purpose: what may be believed of each system now, how old its numbers are and how far its feeds lag. Ages are counted to
-- the newest landing of any system, on our own clock.
with clock as (
    select max(landed_at) as newest_landing from {{ source('raw', 'batches') }}
),

stock_reads as (
    select
        system,
        max(ended_at) as read_at
    from {{ ref('stg_batches') }}
    where dataset = 'stock' and scope = 'sweep'
    group by system
),

reads as (
    select
        system,
        count(*) as batches,
        cast(sum(requests) as bigint) as requests,
        cast(sum(quarantined) as bigint) as quarantined
    from {{ source('raw', 'batches') }}
    group by system
)

select
    systems.system,
    systems.platform,
    systems.mode,
    feeds.verdict,
    coalesce(feeds.reason, '') as reason,
    stock_reads.read_at,
    cast(epoch(clock.newest_landing) - epoch(stock_reads.read_at) as bigint) as age_s,
    systems.max_age_s,
    feeds.stock_read_at,
    feeds.orders_complete_to,
    feeds.order_lag_s,
    feeds.read_lag_s,
    feeds.visibility_lag_s,
    feeds.blind_since,
    coalesce(reads.batches, 0) as batches,
    coalesce(reads.requests, 0) as requests,
    coalesce(reads.quarantined, 0) as quarantined,
    parity.points,
    parity.comparable,
    parity.agreed
from {{ source('recon', 'systems') }} as systems
cross join clock
left join {{ source('recon', 'feeds') }} as feeds on systems.system = feeds.system
left join stock_reads on systems.system = stock_reads.system
left join reads on systems.system = reads.system
left join {{ ref('mart_parity_by_channel') }} as parity on systems.system = parity.system
order by systems.system
