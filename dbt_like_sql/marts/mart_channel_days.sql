-- Grain: one row a (business day, channel), from the first order or number known to the day of the newest landing.
-- Purpose: what each channel sold on a day and how many units it showed to shoppers at its end. Shown units are added up from
-- the changes of its points (`recon.point_changes`), so that the past stays as it was. What has no price is counted, never 0.
with clock as (
    select max(landed_at) as newest_landing from {{ source('raw', 'batches') }}
),

sellers as (
    select
        systems.system,
        systems.timezone,
        cast(timezone(systems.timezone, clock.newest_landing) as date) as today
    from {{ source('recon', 'systems') }} as systems
    cross join clock
    where systems.sells
),

sales as (
    select
        day,
        system,
        count(distinct order_id) filter (where units > 0) as orders,
        cast(sum(units) as bigint) as units_sold,
        sum(revenue) as revenue,
        cast(coalesce(sum(units) filter (where revenue is null), 0) as bigint) as unpriced_units,
        count(distinct order_id) filter (where state = 'cancelled') as cancelled_orders
    from {{ ref('mart_sale_lines') }}
    group by day, system
),

day_ends as (
    select
        changes.system,
        changes.listing_key,
        changes.location,
        cast(timezone(sellers.timezone, changes.changed_at) as date) as day,
        greatest(coalesce(changes.reported, 0), 0) as units
    from {{ source('recon', 'point_changes') }} as changes
    inner join sellers on changes.system = sellers.system
    qualify row_number() over (
        partition by changes.system, changes.listing_key, changes.location, day
        order by changes.changed_at desc, changes.rowid desc
    ) = 1
),

steps as (
    select
        system,
        day,
        units - lag(units, 1, 0) over (partition by system, listing_key, location order by day) as step
    from day_ends
),

stock as (
    select
        system,
        day,
        sum(step) as step
    from steps
    group by system, day
),

starts as (
    select
        known.system,
        min(known.day) as day
    from (select system, day from sales union all select system, day from stock) as known
    group by known.system
),

calendar as (
    select
        starts.system,
        cast(days.day as date) as day
    from starts
    inner join sellers on starts.system = sellers.system
    cross join lateral unnest(generate_series(starts.day, greatest(starts.day, sellers.today), interval 1 day)) as days (day)
)

select
    calendar.day,
    calendar.system,
    coalesce(sales.orders, 0) as orders,
    coalesce(sales.units_sold, 0) as units_sold,
    case when sales.units_sold is null then 0 else sales.revenue end as revenue,
    coalesce(sales.unpriced_units, 0) as unpriced_units,
    coalesce(sales.cancelled_orders, 0) as cancelled_orders,
    cast(
        sum(stock.step) over (partition by calendar.system order by calendar.day) as bigint
    ) as units_shown
from calendar
left join sales on calendar.system = sales.system and calendar.day = sales.day
left join stock on calendar.system = stock.system and calendar.day = stock.day
order by calendar.day, calendar.system
