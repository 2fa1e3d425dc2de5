"""Findings: what is wrong now, why, and the lives of what was found.

* `catalogue`  every code: its severity, who may act, what a person should do
* `inputs`     what the makers look at; `told`, the columns in which they tell
* `numbers`    the number shown: too high, too low, 0, more promised than there is
* `drift`      numbers that changed without a known effect
* `causes`     and what explains such a change
* `listings`   listings that stopped listening, that somebody else writes, that are off sale
* `pushes`     corrections that were held, refused, lost or overwritten
* `feed`       systems that do not answer, or not with the truth
* `seen`       all of these as FINDINGS
* `coverage`   which findings this run may call over
* `lives`      first seen, last seen, resolved, reopened
"""

from invbi_pipeline.domain.findings.catalogue import CATALOGUE, Acts, Group, Kind
from invbi_pipeline.domain.findings.coverage import OVER, over
from invbi_pipeline.domain.findings.inputs import REFUSED, FindingInputs
from invbi_pipeline.domain.findings.lives import lives
from invbi_pipeline.domain.findings.seen import seen

__all__ = ["CATALOGUE", "OVER", "REFUSED", "Acts", "FindingInputs", "Group", "Kind", "lives", "over", "seen"]
