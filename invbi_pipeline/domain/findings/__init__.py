"""Findings: what is wrong now, why, and the lives of what was found.

* `catalogue`  every code: its severity, who may act, what a person should do
* `inputs`     what the makers look at; `told`, the columns in which they tell
* `numbers`    the number shown: too high, too low, 0
* `oversold`   more promised than there is, and which order is the cheapest to cancel
* `drift`      numbers that changed without a known effect
* `causes`     and what explains such a change
* `events`     webhooks that never came, movements that were booked twice
* `listings`   listings that stopped listening, that somebody else writes, that are off sale
* `packs`      numbers that are a multiple of what they should be
* `holds`      corrections that a guard holds, of a point or of a whole channel
* `pushes`     corrections that were held, refused, lost or overwritten
* `feed`       systems that do not answer, or not with the truth
* `seen`       all of these as FINDINGS
* `coverage`   which findings this run may call over, and which ends are proven
* `due`        until when somebody should have looked at one
* `lives`      first seen, last seen, acknowledged, resolved, reopened
"""

from invbi_pipeline.domain.findings.catalogue import CATALOGUE, Acts, Group, Kind
from invbi_pipeline.domain.findings.coverage import OVER, over
from invbi_pipeline.domain.findings.due import DUE_DAYS, DueRule
from invbi_pipeline.domain.findings.inputs import REFUSED, FindingInputs
from invbi_pipeline.domain.findings.lives import lives, with_said
from invbi_pipeline.domain.findings.seen import seen

__all__ = [
    "CATALOGUE",
    "DUE_DAYS",
    "OVER",
    "REFUSED",
    "Acts",
    "DueRule",
    "FindingInputs",
    "Group",
    "Kind",
    "lives",
    "over",
    "seen",
    "with_said",
]
