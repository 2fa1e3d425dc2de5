"""What is planted when: every label the world knows, in random order, with its decoys. Seeded, and decided beforehand."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

__all__ = ["CYCLE_S", "SETTLING", "Deed", "plan_deeds"]

CYCLE_S: Final = 300.0  # the schedule's five minutes, in the world's time
SETTLING: Final = 3  # cycles before the first deed (first looks)
# Cycles between the last number and the first outage: an order that the ERP books first is a wrong number 22 minutes later, and
# is due an order lag and two cycles after that. What an outage hides until then nobody can see.
_UNTIL_DUE: Final = 8
_SMALL: Final = 0.5  # of the faults are of 1 or 2 units
_OVERLAPPING: Final = 0.2  # of the faults fall on a sku that another one has for its subject
_DECOYS: Final = 3  # for each fault
_NUMBER_CYCLES: Final = 12  # in which the faults of numbers, shelves and identity are planted
_OUTAGE_PAUSE: Final = 1.5  # cycles until the next one of the same system

# Faults of a whole system: they stop everything else from being seen there, so they come last, one after another. How many
# cycles each lasts, and whether it is one of systems that export files, of the others, or of any (None). The longest first, so
# that the short ones of the other systems fall beside them.
OUTAGES: Final[Mapping[str, tuple[float, bool | None]]] = {
    "feed_stale": (7, True),
    "feed_truncated": (2.5, True),
    "system_unreachable": (2, None),
    "feed_mass_zero": (2, None),
    "clock_skew": (2, False),
}
# Facts only by their age, of which not every platform tells: they come first, on systems of these platforms.
AGEING: Final[Mapping[str, frozenset[str]]] = {"missed_event": frozenset({"shopify"})}
_EARLY_CYCLES: Final = 3
_SIZED: Final = frozenset({"drift", "oversell_risk", "undersell", "ledger_untied"})


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing asked of the world: a fault (`label`) or a decoy (`kind`), `at` seconds after the first settled cycle."""

    at: float
    label: str = ""
    kind: str = ""
    options: dict[str, str] = field(default_factory=dict)


def plan_deeds(
    labels: Sequence[str], kinds: Sequence[str], systems: Mapping[str, str], each: int, dice: random.Random
) -> list[Deed]:
    """Return the deeds of one world in order of time: each label `each` times, and three decoys a fault.

    `systems` is the platform of each system.
    """
    numbers = [label for label in labels if label not in OUTAGES and label not in AGEING]
    faults = [(label, nth) for label in numbers for nth in range(each)]
    deeds = [Deed(_spread(nth, each, dice), label, options=_options(label, dice)) for label, nth in faults]
    decoys = _DECOYS * (len(faults) + each * len(OUTAGES.keys() & set(labels)))
    deeds += [
        Deed(dice.uniform(0, _NUMBER_CYCLES * CYCLE_S), kind=dice.choice(list(kinds))) for _ in range(decoys if kinds else 0)
    ]
    more = (*_ageing(labels, systems, each, dice), *_outages(labels, systems, each, dice))
    return sorted([*deeds, *more], key=lambda deed: deed.at)


def _spread(nth: int, each: int, dice: random.Random) -> float:
    """Return when the nth of a label's faults is planted: each in its own part of the time, not all of a kind at once."""
    return (nth + dice.random()) / each * _NUMBER_CYCLES * CYCLE_S


def _ageing(labels: Sequence[str], systems: Mapping[str, str], each: int, dice: random.Random) -> list[Deed]:
    deeds = []
    for label in (label for label in AGEING if label in labels for _ in range(each)):
        suiting = [name for name, platform in systems.items() if platform in AGEING[label]]
        options = {"system": dice.choice(suiting), "minutes": f"{CYCLE_S / 60}"}
        deeds.append(Deed(dice.uniform(0, _EARLY_CYCLES * CYCLE_S), label, options=options))
    return deeds


def _options(label: str, dice: random.Random) -> dict[str, str]:
    options: dict[str, str] = {}
    if label in _SIZED:
        options["units"] = str(dice.randint(1, 2) if dice.random() < _SMALL else dice.randint(3, 9))
    if dice.random() < _OVERLAPPING:
        options["overlap"] = "1"
    return options


def _outages(labels: Sequence[str], systems: Mapping[str, str], each: int, dice: random.Random) -> list[Deed]:
    """Every outage `each` times, spread over the systems that it suits; one system has one at a time."""
    free_at = dict.fromkeys(systems, (_NUMBER_CYCLES + _UNTIL_DUE) * CYCLE_S)
    deeds = []
    for label in (label for label in OUTAGES if label in labels for _ in range(each)):
        cycles, of_files = OUTAGES[label]
        suiting = [name for name, platform in systems.items() if of_files is None or of_files == (platform == "files")]
        if suiting:
            name = min(suiting, key=lambda system: free_at[system])
            at = free_at[name] + dice.uniform(0, 0.9) * CYCLE_S
            free_at[name] += (cycles + _OUTAGE_PAUSE) * CYCLE_S
            deeds.append(Deed(at, label, options={"system": name, "minutes": f"{cycles * CYCLE_S / 60}"}))
    return deeds
