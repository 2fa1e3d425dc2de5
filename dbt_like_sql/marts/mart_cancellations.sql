-- Grain: one row a channel.
-- Purpose: the share of orders that were cancelled, and of those cancelled for want of stock, beside the limit that the platform
-- publishes. The platforms' own words for why are not read; an order counts as caused by us when one of its lines was cancelled
-- while invbi knew its sku to be oversold (from the finding's opening until a day after it was over: it ends because of the cancel).
-- Limit: Amazon asks for less than 2.5 % of seller-fulfilled orders cancelled by the seller in seven days (Seller Central help,
-- "Cancellation Rate", G200285210). Shopify, Square and files publish none. Without a limit the window is 30 days.
with clock as (
    select max(landed_at) as newest_landing from {{ source('raw', 'batches') }}
),

limits as (
    select * from (values ('amazon', cast(0.025 as double), 7, 'Seller Central G200285210')) as published (platform, most, window_days, source)
),

channels as (
    select
        systems.system,
        systems.platform,
        limits.most,
        coalesce(limits.window_days, 30) as window_days,
        limits.source
    from {{ source('recon', 'systems') }} as systems
    left join limits on systems.platform = limits.platform
    where systems.sells
),

short as (
    select
        sku,
        changed_at as since,
        coalesce(
            lead(changed_at) over (partition by finding_id order by changed_at, rowid) + interval 1 day,
            timestamptz 'infinity'
        ) as until,
        state
    from {{ source('recon', 'finding_changes') }}
    where code = 'oversold'
),

orders as (
    select
        lines.system,
        lines.order_id,
        bool_or(lines.state = 'cancelled') as cancelled,
        bool_or(lines.state = 'cancelled' and short.sku is not null) as for_want_of_stock
    from {{ ref('mart_sale_lines') }} as lines
    inner join channels on lines.system = channels.system
    cross join clock
    left join short
        on
            lines.sku = short.sku
            and short.state <> 'resolved'
            and lines.updated_at >= short.since
            and lines.updated_at < short.until
    where lines.ordered_at >= clock.newest_landing - to_days(cast(channels.window_days as integer))
    group by lines.system, lines.order_id
)

select
    channels.system,
    channels.platform,
    channels.window_days,
    count(orders.order_id) as orders,
    count(*) filter (where orders.cancelled) as cancelled,
    count(*) filter (where orders.for_want_of_stock) as for_want_of_stock,
    case when count(orders.order_id) > 0 then count(*) filter (where orders.cancelled) / count(orders.order_id) end
        as cancel_rate,
    case when count(orders.order_id) > 0 then count(*) filter (where orders.for_want_of_stock) / count(orders.order_id) end
        as seller_caused_rate,
    channels.most as limit_rate,
    channels.source as limit_source,
    case
        when count(orders.order_id) = 0 then 'no orders'
        when channels.most is null then 'no published limit'
        when count(*) filter (where orders.for_want_of_stock) / count(orders.order_id) >= channels.most then 'over the limit'
        else 'within the limit'
    end as verdict
from channels
left join orders on channels.system = orders.system
group by channels.system, channels.platform, channels.window_days, channels.most, channels.source
order by channels.system
