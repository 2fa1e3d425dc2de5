"""What explains a change that no known effect explains.

The looks at a point are replayed to find the *steps* in which its number went its own way. For each step candidate *pieces* are
gathered, each a number of units with what would have made them: an event applied twice or not at all, a kit or a pack, another
location or sku, an order that one side has alone, a push. The likeliest few pieces that add up to the step exactly explain it;
where somebody typing over the number is likelier, that is said.

* `steps`      the looks replayed
* `pieces`     what a piece is
* `own`        the point's own events: applied twice, not at all, one leg of two
* `parts`      kits and packs
* `bookings`   orders that an owner booked and the channel does not tell; what the platform's own history says of the number
* `pairs`      units that went to another location or another sku
* `publishing` pushes of ours, an older number, units withheld for sales that never came
* `writers`    somebody who keeps setting a number
* `search`     the likeliest pieces that add up
* `sentences`  that explanation as one sentence
* `explained`  all of these, one row a point
"""

from invbi_pipeline.domain.findings.causes.explained import EXPLAINED, explained

__all__ = ["EXPLAINED", "explained"]
