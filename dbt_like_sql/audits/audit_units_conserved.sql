-- Grain: one row a point whose counting system's number moved otherwise than its movements say.
-- Purpose: opening + movements = closing between the two newest believed stock reads of a system that counts and tells its
-- movements. The remainder is named, never lost. Where the system corrects its numbers by counting, the count's difference
-- is among its movements. Movements stamped where a read may or may not contain them (the read lag before it began, and
-- while it ran) leave their point out until the next read.
with counting as (
    select systems.system
    from {{ source('recon', 'systems') }} as systems
    where
        systems.counts
        and exists (
            select 1 from {{ ref('stg_batches') }} as batches
            where batches.system = systems.system and batches.dataset = 'movements'
        )
),

readings as (
    select
        rows.system,
        rows.listing_key,
        rows.location_key,
        rows.quantity,
        batches.platform_time,
        batches.platform_time - to_seconds(coalesce(feeds.read_lag_s, 0)) as blur_from,
        batches.platform_time + (batches.ended_at - batches.began_at) as blur_to,
        row_number() over (
            partition by rows.system, rows.listing_key, rows.location_key
            order by batches.position desc, rows.row_number desc
        ) as recency
    from {{ source('raw', 'stock') }} as rows
    inner join {{ ref('stg_batches') }} as batches on rows.batch_id = batches.batch_id
    inner join counting on rows.system = counting.system
    left join {{ source('recon', 'feeds') }} as feeds on rows.system = feeds.system
    where rows.state = 'known'
),

spans as (
    select
        closing.system,
        closing.listing_key,
        closing.location_key,
        opening.quantity as opening,
        closing.quantity as closing,
        opening.platform_time as opened_at,
        opening.blur_from as opening_blur_from,
        opening.blur_to as opening_blur_to,
        closing.blur_from as closing_blur_from,
        closing.blur_to as closing_blur_to,
        closing.platform_time as closed_at
    from readings as closing
    inner join readings as opening
        on
            closing.system = opening.system
            and closing.listing_key = opening.listing_key
            and closing.location_key = opening.location_key
            and opening.recency = 2
    where closing.recency = 1
),

moved as (
    select
        spans.system,
        spans.listing_key,
        spans.location_key,
        coalesce(sum(movements.units), 0) as units,
        coalesce(
            bool_or(
                movements.occurred_at <= spans.opening_blur_to or movements.occurred_at > spans.closing_blur_from
            ),
            false
        ) as blurred
    from spans
    left join {{ ref('stg_movements') }} as movements
        on
            spans.system = movements.system
            and spans.listing_key = movements.listing_key
            and spans.location_key = movements.location_key
            and spans.opening_blur_from < movements.occurred_at
            and spans.closing_blur_to >= movements.occurred_at
    group by spans.system, spans.listing_key, spans.location_key
)

select
    spans.system,
    spans.listing_key,
    spans.location_key,
    spans.opening,
    cast(moved.units as bigint) as moved,
    spans.closing,
    cast(spans.closing - spans.opening - moved.units as bigint) as remainder,
    spans.opened_at,
    spans.closed_at
from spans
inner join moved
    on
        spans.system = moved.system
        and spans.listing_key = moved.listing_key
        and spans.location_key = moved.location_key
where not moved.blurred and spans.closing - spans.opening <> moved.units
