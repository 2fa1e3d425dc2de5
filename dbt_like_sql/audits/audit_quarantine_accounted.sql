-- Grain: one row a read whose rows do not add up.
-- Purpose: every row that was read has either landed or lies in quarantine with its reason; nothing is dropped. What
-- retention has taken out since is no loss.
with quarantined as (
    select
        batch_id,
        count(*) as found
    from {{ source('quarantine', 'rows') }}
    group by batch_id
)

select
    batches.batch_id,
    batches.system,
    batches.dataset,
    batches.rows,
    batches.landed,
    batches.quarantined,
    coalesce(quarantined.found, 0) as quarantine_rows
from {{ source('raw', 'batches') }} as batches
left join quarantined on batches.batch_id = quarantined.batch_id
where
    batches.rows <> batches.landed + batches.quarantined
    or (not batches.pruned and batches.quarantined <> coalesce(quarantined.found, 0))
