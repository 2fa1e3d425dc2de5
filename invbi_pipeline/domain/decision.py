"""The whole decision: from what systems said to the truth, the comparison, what is wrong, and what to correct. One pure function.

The flows do the same steps one after the other, with the warehouse between them. Here they stand together, for whoever holds the
frames: `domain.incremental` decides a part of the skus with it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

import polars as pl

from invbi_pipeline.domain import frames as f
from invbi_pipeline.domain.corrections.plan import MODES, PlanInputs, plan
from invbi_pipeline.domain.findings import FindingInputs, seen
from invbi_pipeline.domain.findings.inputs import BATCHES, REFUSED
from invbi_pipeline.domain.offers import money
from invbi_pipeline.domain.points import MergeInputs, MergeResult, merge
from invbi_pipeline.domain.points.inputs import POINT_EFFECTS
from invbi_pipeline.domain.truth import STAGED, TruthInputs, TruthResult, truth

__all__ = ["GIVEN", "REMEMBERED", "Decided", "Given", "decide", "whole"]

Given = Mapping[str, pl.DataFrame]

# The frames that a merge hands on to the next one.
REMEMBERED: Final[Mapping[str, f.Schema]] = {
    "bases": f.BASES,
    "contained": f.CONTAINED,
    "looks": f.LOOKS,
    "unjudged": f.UNJUDGED,
}
# Every frame that a decision is made from, by name. Each may be left out: it is empty then.
GIVEN: Final[Mapping[str, f.Schema]] = {
    **STAGED,
    **REMEMBERED,
    "flights": f.FLIGHTS,
    "corrections": f.CORRECTIONS,
    "batches": BATCHES,
    "quarantine": REFUSED,
    "rates": f.RATES,
    "modes": MODES,
}


_NOTHING: Final[Given] = {name: f.empty(schema) for name, schema in GIVEN.items()}


class Decided(NamedTuple):
    """What came of it: the truth, the comparison, FINDINGS as if each were new, and CORRECTIONS in state `planned`."""

    truth: TruthResult
    points: MergeResult
    findings: pl.DataFrame
    plan: pl.DataFrame


def whole(given: Given) -> dict[str, pl.DataFrame]:
    """Return every frame of `GIVEN`, those that are not given empty. Raises `TypeError` for a name it does not know."""
    unknown = sorted(set(given) - set(GIVEN))
    if unknown:
        raise TypeError(f"a decision is made from no frame called {unknown[0]}; expected some of {', '.join(GIVEN)}")
    return {name: f.narrow(given[name], schema) if name in given else _NOTHING[name] for name, schema in GIVEN.items()}


def decide(given: Given, now: datetime, run_id: str, currency: str, *, tolerance: int = 0, telling: bool = True) -> Decided:
    """Decide everything that follows from the frames of `GIVEN` at `now` (UTC); no row may be given twice.

    `currency` is the reporting currency, `tolerance` the listing units that a listing may show too few without a finding. Raises
    what its steps raise (`truth`, `merge`, `findings.seen`, `plan`). Without `telling` there are no findings, and no candidates
    but those that stand against a correction: nothing else depends on them, and who has no second to lose leaves them to the
    next run.
    """
    said = whole(given)
    found = truth(TruthInputs(**{name: said[name].lazy() for name in STAGED}), now, distinct=True, telling=telling)
    effects = f.narrow(said["effects"], POINT_EFFECTS)
    compared = merge(
        MergeInputs(
            offers=found.offers,
            mappings=found.mappings,
            effects=effects,
            **{name: said[name] for name in (*REMEMBERED, "observations", "feeds", "flights", "systems", "places", "listings")},
        ),
        now,
        run_id,
    )
    held = found.mappings.lazy().filter(pl.col("valid_to").is_null())
    values = money.unit_values(said["listings"].lazy(), held, said["prices"].lazy(), said["rates"].lazy(), currency).collect()
    derived = {**said, **found._asdict(), "points": compared.points, "effects": effects, "values": values}
    looked_at = FindingInputs(**{name: derived[name] for name in FindingInputs._fields if name in derived})
    planned = PlanInputs(
        points=compared.points,
        offers=found.offers,
        bases=compared.bases,
        unbooked=found.unbooked,
        systems=said["systems"],
        modes=said["modes"],
        prices=values.select("system", "listing_key", "price"),
    )
    return Decided(
        truth=found,
        points=compared,
        findings=seen(looked_at, now, run_id, currency, tolerance=tolerance) if telling else f.empty(f.FINDINGS),
        plan=plan(planned, now, run_id),
    )
