-- Grain: one row a finding that is not resolved.
-- Purpose: the list people work through: the finding, the point it is about, and what both sides say now. An oversold sku is told
-- on each channel that may ship it, but the same orders stand behind each: `counts` is true on the channel short of most.
with clock as (
    select max(landed_at) as newest_landing from {{ source('raw', 'batches') }}
),

titles as (
    select
        system,
        listing_key,
        min(title) as title
    from {{ ref('stg_listings') }}
    group by system, listing_key
)

select
    findings.finding_id,
    findings.severity,
    case findings.severity when 'critical' then 1 when 'high' then 2 when 'medium' then 3 else 4 end as severity_rank,
    findings.code,
    findings.system,
    findings.location,
    findings.sku,
    findings.listing_key,
    coalesce(titles.title, '') as title,
    findings.units,
    findings.money,
    findings.currency,
    findings.cause,
    findings.evidence,
    findings.suggested_action,
    findings.first_seen,
    findings.last_seen,
    (epoch(clock.newest_landing) - epoch(findings.first_seen)) / 3600 as age_hours,
    findings.state,
    findings.owner,
    findings.due_at,
    findings.note,
    findings.acknowledged_by,
    findings.code <> 'oversold'
    or coalesce(findings.sku, '') = ''
    or row_number() over (
        partition by findings.code, findings.sku
        order by findings.units desc nulls last, findings.money desc nulls last, findings.finding_id
    ) = 1 as counts,
    points.reported,
    points.offer,
    points.gap,
    points.state as point_state
from {{ source('recon', 'findings') }} as findings
cross join clock
left join titles on findings.system = titles.system and findings.listing_key = titles.listing_key
left join {{ source('recon', 'points') }} as points
    on
        findings.system = points.system
        and findings.listing_key = points.listing_key
        and findings.location = points.location
where findings.state in ('open', 'acknowledged', 'reopened')
order by severity_rank, findings.money desc nulls last, findings.units desc nulls last, findings.finding_id
