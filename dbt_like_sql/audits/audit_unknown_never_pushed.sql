-- Grain: one row a correction of the newest run onto a point that is unknown, untracked, unmapped or not offered.
-- Purpose: what is not known is never corrected from an offer.
with newest as (
    select run_id from {{ source('recon', 'points') }} limit 1
)

select
    corrections.correction_id,
    corrections.run_id,
    corrections.system,
    corrections.listing_key,
    corrections.location,
    corrections.to_qty,
    corrections.state,
    points.state as point_state
from {{ source('recon', 'corrections') }} as corrections
inner join newest on corrections.run_id = newest.run_id
inner join {{ source('recon', 'points') }} as points
    on
        corrections.system = points.system
        and corrections.listing_key = points.listing_key
        and corrections.location = points.location
where
    corrections.kind = 'set'
    and points.state in ('unknown', 'untracked', 'unmapped', 'unoffered')
    and corrections.state in ('sending', 'accepted', 'verified', 'ambiguous', 'mismatched')
