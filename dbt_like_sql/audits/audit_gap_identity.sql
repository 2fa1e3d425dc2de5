-- Grain: one row a point that has a base and breaks the identity.
-- Purpose: gap = unexplained - pending = reported - offer, on every point that has a base.
select
    run_id,
    system,
    listing_key,
    location,
    base,
    expected,
    reported,
    offer,
    unexplained,
    pending,
    gap
from {{ source('recon', 'points') }}
where
    base is not null
    and gap is not null
    and (
        gap is distinct from unexplained - pending
        or gap is distinct from reported - offer
        or unexplained is distinct from reported - expected
        or pending is distinct from offer - expected
    )
