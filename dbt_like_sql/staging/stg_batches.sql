-- Grain: one row a believed read of one dataset of one system.
-- Purpose: which reads count, and in which order; the platform's own clock decides, the order of landing breaks ties.
select
    batch_id,
    run_id,
    system,
    dataset,
    scope,
    is_full,
    platform_time,
    began_at,
    ended_at,
    landed_at,
    row_number() over (order by platform_time, seq) as position
from {{ source('raw', 'batches') }}
where verdict = 'believed'
