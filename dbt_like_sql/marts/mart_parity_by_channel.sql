-- Grain: one row a system.
-- Purpose: how many of its points can be compared, how many of these agree (gap 0), and what keeps the others out.
select
    systems.system,
    count(points.system) as points,
    count(*) filter (where points.comparable) as comparable,
    count(*) filter (where points.comparable and points.gap = 0) as agreed,
    count(*) filter (where points.state = 'agreed') as state_agreed,
    count(*) filter (where points.state = 'push_due') as state_push_due,
    count(*) filter (where points.state = 'drifted') as state_drifted,
    count(*) filter (where points.state = 'converged') as state_converged,
    count(*) filter (where points.state = 'diverged') as state_diverged,
    count(*) filter (where points.state = 'first_look') as state_first_look,
    count(*) filter (where points.state = 'unknown') as state_unknown,
    count(*) filter (where points.state = 'untracked') as state_untracked,
    count(*) filter (where points.state = 'unmapped') as state_unmapped,
    count(*) filter (where points.state = 'unoffered') as state_unoffered,
    count(*) filter (where points.state = 'counted') as state_counted,
    cast(coalesce(sum(greatest(points.gap, 0)) filter (where points.comparable), 0) as bigint) as units_over,
    cast(coalesce(sum(greatest(-points.gap, 0)) filter (where points.comparable), 0) as bigint) as units_under
from {{ source('recon', 'systems') }} as systems
left join {{ ref('mart_point_matrix') }} as points on systems.system = points.system
group by systems.system
order by systems.system
