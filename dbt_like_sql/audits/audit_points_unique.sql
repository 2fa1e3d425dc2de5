-- Grain: one row a point that stands more than once in the current view.
-- Purpose: a point is one (system, listing_key, location).
select
    system,
    listing_key,
    location,
    count(*) as times
from {{ source('recon', 'points') }}
group by system, listing_key, location
having count(*) > 1
