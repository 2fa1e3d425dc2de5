-- Grain: one row a finished run.
-- Purpose: the parity rate over time: the share of comparable points whose gap was 0.
with figures as (
    select
        run_id,
        started_at,
        ended_at,
        exit_code,
        cast(json_extract_string(figures, '$.comparable') as bigint) as comparable,
        cast(json_extract_string(figures, '$.agreed') as bigint) as agreed
    from {{ source('recon', 'runs') }}
    where ended_at is not null
)

select
    run_id,
    started_at,
    ended_at,
    exit_code,
    comparable,
    agreed,
    case when comparable > 0 then agreed / comparable end as parity
from figures
order by ended_at, run_id
