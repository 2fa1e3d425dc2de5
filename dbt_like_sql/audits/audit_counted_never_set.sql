-- Grain: one row a correction that overwrote, or is about to overwrite, a number which its system counts, or platform-fulfilled stock.
-- Purpose: counted or offered, never both: the only write onto a counted number is a movement it lacks.
select
    corrections.correction_id,
    corrections.run_id,
    corrections.system,
    corrections.listing_key,
    corrections.location,
    corrections.to_qty,
    corrections.state
from {{ source('recon', 'corrections') }} as corrections
inner join {{ source('recon', 'points') }} as points
    on
        corrections.system = points.system
        and corrections.listing_key = points.listing_key
        and corrections.location = points.location
where
    corrections.kind = 'set'
    and points.state = 'counted'
    and corrections.state in ('approved', 'sending', 'accepted', 'verified', 'ambiguous', 'mismatched')
