-- Grain: one row a point (system, listing_key, location); one that a read gave with several numbers has a row for each.
-- Purpose: the newest believed number of every point and how far it reaches. A later sweep of what changed that does not
-- list a point says that its number stands. A point that the newest full sweep does not list is unknown, never 0; so is one
-- whose number was refused: it has landed as unknown, until a good one comes.
with said as (
    select
        rows.system,
        rows.listing_key,
        rows.location_key,
        rows.state,
        rows.quantity,
        rows.reserved,
        rows.version,
        rows.changed_at,
        rows.batch_id,
        rows.row_number,
        batches.position
    from {{ source('raw', 'stock') }} as rows
    inner join {{ ref('stg_batches') }} as batches on rows.batch_id = batches.batch_id
),

sweeps as (
    select
        system,
        max(position) as newest,
        coalesce(max(position) filter (where is_full), 0) as newest_full
    from {{ ref('stg_batches') }}
    where dataset = 'stock' and scope = 'sweep'
    group by system
),

newest as (
    select
        said.system,
        said.listing_key,
        said.location_key,
        max(said.position) as position
    from said
    group by said.system, said.listing_key, said.location_key
),

reach as (
    select
        newest.*,
        newest.position < coalesce(sweeps.newest_full, 0) as absent,
        greatest(newest.position, coalesce(sweeps.newest, 0)) as read_position
    from newest
    left join sweeps on newest.system = sweeps.system
),

numbers as (
    select
        said.*,
        reach.absent,
        reach.read_position,
        row_number() over (
            partition by
                said.system,
                said.listing_key,
                said.location_key,
                case when reach.absent then '' else said.state || coalesce(said.quantity::varchar, '') end
            order by said.row_number desc
        ) as recency
    from said
    inner join reach
        on
            said.system = reach.system
            and said.listing_key = reach.listing_key
            and said.location_key = reach.location_key
            and said.position = reach.position
)

select
    numbers.system,
    numbers.listing_key,
    case
        when numbers.location_key = '' then ''
        else coalesce(places.location, 'unmapped:' || numbers.location_key)
    end as location,
    case when numbers.absent then 'unknown' else numbers.state end as state,
    case when numbers.absent or numbers.state <> 'known' then null else numbers.quantity end as quantity,
    case when numbers.absent then null else numbers.reserved end as reserved,
    case when numbers.absent then '' else numbers.version end as version,
    case when numbers.absent then null else numbers.changed_at end as changed_at,
    reads.platform_time as observed_at,
    reads.began_at as read_began_at,
    reads.ended_at as read_ended_at,
    numbers.batch_id,
    numbers.location_key
from numbers
inner join {{ ref('stg_batches') }} as reads on numbers.read_position = reads.position
left join {{ source('recon', 'location_map') }} as places
    on numbers.system = places.system and numbers.location_key = places.location_key
where numbers.recency = 1
