-- Grain: one row a business day, from the first run to the newest.
-- Purpose: whether it gets better. Everything is derived from what was stored when it happened (runs, changes of points and of
-- findings, counts, orders), so that a day that is over does not change but by what is learnt of it later. Parity: agreed over
-- comparable points, all runs of the day. Discrepancy: units apart at the end of the day, all channels. Record accuracy: the
-- share of physical counts that found the owner's number right. Lag: 95th percentile of the time from an order to our having
-- read it, of orders placed after the first read of their system. By machine: ended by a correction that was read back and that
-- nobody had to release; by people: ended by one that a person released, by a mapping, or otherwise after a person had
-- acknowledged it or owned it; else it ended by itself.
with business as (
    select coalesce(min(timezone), 'UTC') as zone from {{ source('recon', 'systems') }}
),

runs as (
    select
        cast(timezone(business.zone, history.ended_at) as date) as day,
        count(*) as runs,
        sum(history.agreed) as agreed,
        sum(history.comparable) as comparable
    from {{ ref('mart_parity_history') }} as history
    cross join business
    group by day
),

day_ends as (
    select
        changes.system,
        changes.listing_key,
        changes.location,
        cast(timezone(business.zone, changes.changed_at) as date) as day,
        case
            when changes.state in ('agreed', 'push_due', 'drifted', 'converged', 'diverged', 'first_look')
                then abs(coalesce(changes.gap, 0))
            else 0
        end as apart
    from {{ source('recon', 'point_changes') }} as changes
    cross join business
    qualify row_number() over (
        partition by changes.system, changes.listing_key, changes.location, day
        order by changes.changed_at desc, changes.rowid desc
    ) = 1
),

steps as (
    select
        day,
        apart - lag(apart, 1, 0) over (partition by system, listing_key, location order by day) as step
    from day_ends
),

discrepancies as (
    select
        day,
        sum(step) as step
    from steps
    group by day
),

counts as (
    select
        cast(timezone(business.zone, counted.occurred_at) as date) as day,
        count(*) as counts,
        count(*) filter (where counted.difference = 0) as counts_right
    from {{ ref('mart_counts') }} as counted
    cross join business
    where counted.difference is not null
    group by day
),

first_reads as (
    select
        system,
        min(platform_time) as since
    from {{ source('raw', 'batches') }}
    where dataset = 'orders'
    group by system
),

lags as (
    select
        lines.day,
        quantile_cont(epoch(lines.first_seen_at) - epoch(lines.ordered_at), 0.95) as lag_p95_s
    from {{ ref('mart_sale_lines') }} as lines
    inner join first_reads on lines.system = first_reads.system
    where lines.ordered_at > first_reads.since and lines.first_seen_at >= lines.ordered_at
    group by lines.day
),

ends as (
    select
        cast(timezone(business.zone, changes.changed_at) as date) as day,
        count(*) filter (where changes.state in ('open', 'reopened')) as opened,
        count(*) filter (where changes.state = 'resolved' and changes.resolution = 'corrected by invbi') as by_machine,
        count(*) filter (
            where changes.state = 'resolved'
            and changes.resolution <> 'corrected by invbi'
            and (
                changes.resolution in ('corrected by invbi, released by a person', 'mapped by a person')
                or coalesce(changes.acknowledged_by, changes.owner, '') <> ''
            )
        ) as by_people,
        count(*) filter (where changes.state = 'resolved') as resolved
    from {{ source('recon', 'finding_changes') }} as changes
    cross join business
    group by day
),

calendar as (
    select cast(days.day as date) as day
    from (select min(day) as began, max(day) as ended from runs) as span
    cross join lateral unnest(generate_series(span.began, span.ended, interval 1 day)) as days (day)
),

apart as (
    select
        days.day,
        coalesce(sum(discrepancies.step), 0) as units
    from calendar as days
    left join discrepancies on discrepancies.day <= days.day
    group by days.day
)

select
    calendar.day,
    coalesce(runs.runs, 0) as runs,
    case when runs.comparable > 0 then runs.agreed / runs.comparable end as parity,
    cast(apart.units as bigint) as discrepancy_units,
    coalesce(counts.counts, 0) as counts,
    case when counts.counts > 0 then counts.counts_right / counts.counts end as record_accuracy,
    lags.lag_p95_s,
    coalesce(ends.opened, 0) as findings_opened,
    coalesce(ends.by_machine, 0) as resolved_by_machine,
    coalesce(ends.by_people, 0) as resolved_by_people,
    coalesce(ends.resolved - ends.by_machine - ends.by_people, 0) as resolved_by_itself
from calendar
inner join apart on calendar.day = apart.day
left join runs on calendar.day = runs.day
left join counts on calendar.day = counts.day
left join lags on calendar.day = lags.day
left join ends on calendar.day = ends.day
order by calendar.day
