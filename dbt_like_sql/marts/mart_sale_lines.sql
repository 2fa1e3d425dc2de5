-- Grain: one row an order line and sku of which it takes units.
-- Purpose: what was sold, in single units of a sku and in the reporting currency. A kit is its components, its money spread over
-- their units; a pack is its units. The day is the business's. An order that another system imported counts where it was born.
-- `revenue` is null where neither the line nor the price list has a price: unpriced, never 0. A cancelled line sold nothing.
-- A line that is dated after the newest landing is not sold yet: it still holds its units (`truth.reservations`), but no day and
-- no rate may count what by its own date has not happened. It comes in by itself once its time has come.
with clock as (
    select max(landed_at) as newest_landing from {{ source('raw', 'batches') }}
),

sellers as (
    select
        system,
        timezone,
        currency
    from {{ source('recon', 'systems') }}
    where sells
),

imported as (
    select distinct
        copies.system,
        copies.order_id
    from {{ ref('stg_order_lines') }} as copies
    inner join {{ ref('stg_order_lines') }} as originals
        on copies.external_id = originals.order_id and copies.system <> originals.system
    where copies.external_id <> ''
),

rates as (
    select
        currency,
        min(rate) as rate
    from {{ source('truth', 'rates') }}
    group by currency
),

listed as (
    select
        system,
        listing_key,
        min(price) as price
    from {{ source('recon', 'unit_values') }}
    group by system, listing_key
),

lines as (
    select
        said.system,
        said.order_id,
        said.line_id,
        said.listing_key,
        said.location,
        said.state,
        said.ordered_at,
        said.updated_at,
        said.first_seen_at,
        cast(timezone(sellers.timezone, said.ordered_at) as date) as day,
        said.quantity,
        said.quantity * coalesce(
            said.price * case when said.currency = sellers.currency then 1 else rates.rate end,
            listed.price
        ) as revenue
    from {{ ref('stg_order_lines') }} as said
    inner join sellers on said.system = sellers.system
    cross join clock
    left join imported on said.system = imported.system and said.order_id = imported.order_id
    left join rates on said.currency = rates.currency
    left join listed on said.system = listed.system and said.listing_key = listed.listing_key
    where imported.order_id is null and said.ordered_at <= clock.newest_landing
),

held as (
    select
        maps.system,
        maps.listing_key,
        coalesce(kits.sku, maps.sku) as sku,
        maps.units * coalesce(kits.quantity, 1) as units
    from {{ source('truth', 'mappings') }} as maps
    left join {{ source('truth', 'kits') }} as kits on maps.sku = kits.kit_sku
    where maps.valid_to is null
),

whole as (
    select
        system,
        listing_key,
        sum(units) as units
    from held
    group by system, listing_key
)

select
    lines.system,
    lines.order_id,
    lines.line_id,
    lines.listing_key,
    coalesce(held.sku, '') as sku,
    lines.location,
    lines.state,
    lines.ordered_at,
    lines.updated_at,
    lines.first_seen_at,
    lines.day,
    cast(lines.quantity * coalesce(held.units, 1) as bigint) as units,
    lines.revenue * coalesce(held.units / whole.units, 1) as revenue
from lines
left join held on lines.system = held.system and lines.listing_key = held.listing_key
left join whole on lines.system = whole.system and lines.listing_key = whole.listing_key
