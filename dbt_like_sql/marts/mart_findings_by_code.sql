-- Grain: one row a (code, severity) of findings that are not resolved.
-- Purpose: how many there are, what they cost, how many of them have no price, and how old the oldest is.
select
    code,
    severity,
    severity_rank,
    count(*) as open,
    cast(coalesce(sum(units), 0) as bigint) as units,
    sum(money) as money,
    count(*) filter (where money is null and units is not null) as unpriced,
    max(age_hours) as oldest_hours
from {{ ref('mart_exceptions') }}
group by code, severity, severity_rank
order by severity_rank, open desc, code
