-- Grain: one row a sku that was sold, or stands on a shelf, or is listed.
-- Purpose: how fast each sku sells and how much of the revenue it brings. The rate is units a day over the last 28 days, or over
-- all days since the first order we know where that is less; days without a sale count. ABC: skus by revenue of those days,
-- largest first; a sku is A while those before it bring less than 80 % of all, B while less than 95 %, else C. A sku that
-- sold but has no price has no class: it is unpriced, and is never counted as 0.
with clock as (
    select max(landed_at) as newest_landing from {{ source('raw', 'batches') }}
),

days as (
    select
        cast(
            least(28, greatest(1, ceil((epoch(clock.newest_landing) - epoch(min(lines.ordered_at))) / 86400))) as integer
        ) as measured
    from {{ ref('mart_sale_lines') }} as lines
    cross join clock
    group by clock.newest_landing
),

sold as (
    select
        lines.sku,
        cast(sum(lines.units) as bigint) as units_sold,
        sum(lines.revenue) as revenue,
        cast(coalesce(sum(lines.units) filter (where lines.revenue is null), 0) as bigint) as unpriced_units,
        max(lines.ordered_at) as last_sale_at
    from {{ ref('mart_sale_lines') }} as lines
    cross join clock
    cross join days
    where lines.sku <> '' and lines.units > 0 and lines.ordered_at >= clock.newest_landing - to_days(days.measured)
    group by lines.sku
),

known as (
    select sku from sold
    union
    select sku from {{ source('truth', 'positions') }} where coalesce(on_hand, 0) <> 0
    union
    select maps.sku
    from {{ source('truth', 'mappings') }} as maps
    left join {{ source('truth', 'kits') }} as kits on maps.sku = kits.kit_sku
    where maps.valid_to is null and kits.kit_sku is null
),

ranked as (
    select
        known.sku,
        coalesce(sold.units_sold, 0) as units_sold,
        coalesce(sold.unpriced_units, 0) as unpriced_units,
        case when sold.sku is null then 0 else sold.revenue end as revenue,
        sold.last_sale_at,
        days.measured as days_measured,
        coalesce(sold.units_sold, 0) / days.measured as daily_rate,
        sum(sold.revenue) over (order by sold.revenue desc nulls last, known.sku)
        - coalesce(sold.revenue, 0) as revenue_before,
        sum(sold.revenue) over () as revenue_of_all
    from known
    left join sold on known.sku = sold.sku
    left join days on true
)

select
    sku,
    units_sold,
    daily_rate,
    days_measured,
    revenue,
    unpriced_units,
    case when revenue_of_all > 0 then revenue / revenue_of_all end as revenue_share,
    case
        when revenue is null then 'unpriced'
        when coalesce(revenue_of_all, 0) = 0 or revenue = 0 then 'C'
        when revenue_before < 0.80 * revenue_of_all then 'A'
        when revenue_before < 0.95 * revenue_of_all then 'B'
        else 'C'
    end as abc_class,
    last_sale_at
from ranked
order by revenue desc nulls last, units_sold desc, sku
