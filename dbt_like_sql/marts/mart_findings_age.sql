-- Grain: one row a (code, age) of findings that are not resolved; age is one of: under an hour, a day, a week, older.
-- Purpose: what has been waiting for long.
with aged as (
    select
        code,
        severity,
        case when age_hours < 1 then 1 when age_hours < 24 then 2 when age_hours < 168 then 3 else 4 end as age_rank
    from {{ ref('mart_exceptions') }}
)

select
    code,
    severity,
    age_rank,
    case age_rank when 1 then 'under an hour' when 2 then 'under a day' when 3 then 'under a week' else 'older' end as age,
    count(*) as open
from aged
group by code, severity, age_rank
order by age_rank desc, code
