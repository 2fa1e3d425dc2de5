-- Grain: one row.
-- Purpose: the figures a merchant looks at first. Money is in the reporting currency as the findings state it; what has no
-- price is counted beside it, never as 0. An oversold sku is told on each channel that may ship it, but the same orders stand
-- behind each: its units and money count once, on the channel short of most.
with findings as (
    select
        severity,
        units,
        money,
        currency,
        age_hours,
        code in ('oversell_risk', 'oversold') and counts as oversells,
        code in ('undersell', 'channel_stockout') as undersells
    from {{ ref('mart_exceptions') }}
),

parity as (
    select
        cast(coalesce(sum(points), 0) as bigint) as points,
        cast(coalesce(sum(comparable), 0) as bigint) as comparable,
        cast(coalesce(sum(agreed), 0) as bigint) as agreed,
        cast(coalesce(sum(units_over), 0) as bigint) as units_over,
        cast(coalesce(sum(units_under), 0) as bigint) as units_under
    from {{ ref('mart_parity_by_channel') }}
),

risk as (
    select
        cast(coalesce(sum(units) filter (where oversells), 0) as bigint) as oversell_units,
        sum(money) filter (where oversells) as oversell_money,
        count(*) filter (where oversells and money is null and units > 0) as oversell_unpriced,
        cast(coalesce(sum(units) filter (where undersells), 0) as bigint) as undersell_units,
        sum(money) filter (where undersells) as undersell_money,
        count(*) filter (where undersells and money is null and units > 0) as undersell_unpriced,
        count(*) as open_findings,
        count(*) filter (where severity = 'critical') as critical_findings,
        count(*) filter (where severity = 'high') as high_findings,
        max(age_hours) as oldest_hours,
        min(currency) as currency
    from findings
),

sent as (
    select
        count(*) filter (where state = 'verified') as corrections_verified,
        count(*) filter (where state = 'held') as corrections_held,
        count(*) filter (where state in ('planned', 'approved')) as corrections_waiting,
        count(*) filter (where state in ('sending', 'accepted', 'ambiguous')) as corrections_in_flight,
        count(*) filter (where state in ('rejected', 'mismatched', 'dead')) as corrections_failed
    from {{ source('recon', 'corrections') }}
),

feeds as (
    select
        count(*) as systems,
        count(*) filter (where verdict = 'believed') as systems_believed,
        max(age_s) as oldest_stock_s
    from {{ ref('mart_freshness') }}
)

select
    parity.*,
    case when parity.comparable > 0 then parity.agreed / parity.comparable end as parity,
    risk.*,
    sent.*,
    feeds.*
from parity
cross join risk
cross join sent
cross join feeds
