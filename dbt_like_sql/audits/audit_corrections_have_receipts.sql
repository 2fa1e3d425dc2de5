-- Grain: one row a correction that is called done without a proof, or was sent without an intent's key.
-- Purpose: a correction is done when it has been read back, not when it was accepted.
select
    correction_id,
    run_id,
    system,
    listing_key,
    location,
    kind,
    to_qty,
    target,
    read_back,
    state,
    sent_at,
    verified_at
from {{ source('recon', 'corrections') }}
where
    (state = 'verified' and (verified_at is null or sent_at is null))
    or (state = 'verified' and kind = 'set' and read_back is null)
    or (state in ('sending', 'accepted', 'verified', 'ambiguous') and coalesce(idempotency_key, '') = '')
