-- Grain: one row a correction, about to be sent or sent in the newest run, onto a point that is unknown, untracked, unmapped
-- or not offered.
-- Purpose: what is not known is never corrected from an offer. What became unknown only by a read after it was sent is no
-- fault of the push.
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
cross join newest
inner join {{ source('recon', 'points') }} as points
    on
        corrections.system = points.system
        and corrections.listing_key = points.listing_key
        and corrections.location = points.location
where
    corrections.kind = 'set'
    and points.state in ('unknown', 'untracked', 'unmapped', 'unoffered')
    and (
        corrections.state = 'approved'
        or (
            corrections.run_id = newest.run_id
            and corrections.state in ('sending', 'accepted', 'verified', 'ambiguous', 'mismatched')
            and not coalesce(points.observed_at > corrections.sent_at, false)
        )
    )
