-- Grain: one row a sku whose stock is known or that was sold.
-- Purpose: how long the stock lasts, what it costs to hold, and which skus move. Days of cover are units on hand over the daily
-- rate of mart_velocity; without a sale there is no end to see and they are null. Money tied up is units on hand times the cost of
-- the price list in the reporting currency; without a cost it is null and the units are unpriced. Moves: `fast` is the fifth of
-- the sold skus with the highest rate; `slow` lasts longer than 90 days; `still` has stock and no sale; `steady` is the rest;
-- `out` sells and has none on hand. Negative shelves count as 0; a shelf that was never anchored is not known, which is not 0.
with rates as (
    select
        currency,
        min(rate) as rate
    from {{ source('truth', 'rates') }}
    group by currency
),

reporting as (
    select min(currency) as currency from {{ source('recon', 'systems') }}
),

costs as (
    select
        prices.sku,
        min(prices.cost * case when prices.currency = reporting.currency then 1 else rates.rate end) as cost,
        min(nullif(prices.category, '')) as category
    from {{ source('truth', 'prices') }} as prices
    cross join reporting
    left join rates on prices.currency = rates.currency
    group by prices.sku
),

shelves as (
    select
        sku,
        cast(sum(greatest(on_hand, 0)) filter (where on_hand is not null) as bigint) as on_hand,
        cast(sum(available) filter (where on_hand is not null) as bigint) as available
    from {{ source('truth', 'positions') }}
    group by sku
),

titles as (
    select
        maps.sku,
        min(listings.title) as title
    from {{ source('truth', 'mappings') }} as maps
    inner join {{ ref('stg_listings') }} as listings
        on maps.system = listings.system and maps.listing_key = listings.listing_key
    where maps.valid_to is null and listings.title <> ''
    group by maps.sku
),

speeds as (
    select
        sku,
        percent_rank() over (order by daily_rate desc) as slower_than
    from {{ ref('mart_velocity') }}
    where units_sold > 0
)

select
    velocity.sku,
    coalesce(titles.title, '') as title,
    costs.category,
    velocity.abc_class,
    shelves.on_hand,
    shelves.available,
    velocity.units_sold,
    velocity.revenue,
    velocity.daily_rate,
    case when velocity.daily_rate > 0 then shelves.on_hand / velocity.daily_rate end as days_of_cover,
    costs.cost,
    round(shelves.on_hand * costs.cost, 2) as tied_up,
    case when costs.cost is null then coalesce(shelves.on_hand, 0) else 0 end as unpriced_units,
    case
        when shelves.on_hand is null then 'unknown'
        when velocity.units_sold > 0 and shelves.on_hand = 0 then 'out'
        when velocity.units_sold = 0 and shelves.on_hand > 0 then 'still'
        when velocity.units_sold = 0 then 'none'
        when speeds.slower_than < 0.2 then 'fast'
        when shelves.on_hand / velocity.daily_rate > 90 then 'slow'
        else 'steady'
    end as moves,
    velocity.last_sale_at
from {{ ref('mart_velocity') }} as velocity
left join shelves on velocity.sku = shelves.sku
left join costs on velocity.sku = costs.sku
left join titles on velocity.sku = titles.sku
left join speeds on velocity.sku = speeds.sku
order by tied_up desc nulls last, velocity.sku
