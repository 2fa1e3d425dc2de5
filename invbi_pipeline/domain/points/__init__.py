"""Points: where a number stands and can be compared. The three-way merge of design.md section 2.

* `inputs`      what the merge is given and gives back, and one row a point with all that is known of it
* `numbering`   row numbers, by which frames meet without a search
* `candidates`  what each look may be compared with: the base, and one candidate for each push in flight
* `effects`     what the platform did to its own number since a candidate: surely, or perhaps
* `view`        one row a point: what its number is compared with
* `judging`     the two-look rule
* `settling`    how flights end and bases move
* `withholding` what a push must hold back for sales nobody has seen yet
* `deciding`    what is found, the state, what a push would send
* `remembering` what is handed on to the next merge
* `merge`       the rules in their order
"""

from invbi_pipeline.domain.points.candidates import flights
from invbi_pipeline.domain.points.inputs import MergeInputs, MergeResult
from invbi_pipeline.domain.points.merge import merge
from invbi_pipeline.domain.points.settling import Remembered, accept

__all__ = ["MergeInputs", "MergeResult", "Remembered", "accept", "flights", "merge"]
