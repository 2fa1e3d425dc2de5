-- Grain: one row a physical count of one listing at one place.
-- Purpose: whether the count found the owner's number right. The difference is what the owner says the count changed; where it
-- says only the number counted, that is compared with the number last read before, moved on by what the owner booked since.
with counted as (
    select
        system,
        movement_id,
        listing_key,
        location,
        occurred_at,
        units,
        counted
    from {{ ref('stg_movements') }}
    where kind = 'count'
),

readings as (
    select
        system,
        listing_key,
        location,
        observed_at,
        max(raw) as book
    from {{ source('recon', 'point_changes') }}
    where raw is not null and observed_at is not null
    group by system, listing_key, location, observed_at
),

booked as (
    select
        counted.*,
        readings.book,
        readings.observed_at
    from counted
    asof left join readings
        on
            counted.system = readings.system
            and counted.listing_key = readings.listing_key
            and counted.location = readings.location
            and counted.occurred_at > readings.observed_at
),

since as (
    select
        booked.system,
        booked.movement_id,
        booked.listing_key,
        sum(moves.units) as units
    from booked
    inner join {{ ref('stg_movements') }} as moves
        on
            booked.system = moves.system
            and booked.listing_key = moves.listing_key
            and booked.location = moves.location
            and booked.observed_at < moves.occurred_at
            and booked.occurred_at > moves.occurred_at
    where moves.kind <> 'count'
    group by booked.system, booked.movement_id, booked.listing_key
)

select
    booked.system,
    booked.movement_id,
    booked.listing_key,
    booked.location,
    booked.occurred_at,
    booked.counted,
    cast(coalesce(booked.units, booked.counted - booked.book - coalesce(since.units, 0)) as bigint) as difference
from booked
left join since
    on
        booked.system = since.system
        and booked.movement_id = since.movement_id
        and booked.listing_key = since.listing_key
order by booked.occurred_at, booked.system, booked.movement_id
