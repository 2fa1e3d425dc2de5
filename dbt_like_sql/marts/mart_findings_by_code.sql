-- Grain: one row a (code, severity) of findings that are not resolved.
-- Purpose: how many there are, what they cost, how many of them have no price, and how old the oldest is. Units and money of
-- an oversold sku count once, as in mart_overview.
select
    code,
    severity,
    severity_rank,
    count(*) as open,
    cast(coalesce(sum(units) filter (where counts), 0) as bigint) as units,
    sum(money) filter (where counts) as money,
    count(*) filter (where counts and money is null and units is not null) as unpriced,
    max(age_hours) as oldest_hours
from {{ ref('mart_exceptions') }}
group by code, severity, severity_rank
order by severity_rank, open desc, code
