"""Law 2 at the store: however reads are cut into batches, and whatever came twice, staging says the same."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from invbi_pipeline.store.models import run_models
from invbi_pipeline_tests.flows.scripted import START
from invbi_pipeline_tests.store.landed import Landed

# Each example is two warehouses.
few = settings(max_examples=3, suppress_health_check=[HealthCheck.too_slow], phases=[Phase.explicit, Phase.generate])
Rows = list[dict[str, Any]]
READ: dict[str, tuple[str, ...]] = {
    "movements": ("movement_id", "listing_key", "location", "kind", "units"),
    "effects": ("effect_id", "listing_key", "location", "units"),
    "order_lines": ("order_id", "line_id", "quantity", "open_quantity", "state"),
}


@st.composite
def histories(draw: st.DrawFn) -> tuple[dict[str, Rows], list[int]]:
    """Return rows of each frame as they were told, some of them again or otherwise, and where the reading was interrupted."""
    ids, units = st.integers(0, 3), st.integers(1, 4)
    shared = {"listing_key": "k", "location_key": "1"}
    line = {"line_id": "1", "state": "open", "updated_at": START}
    number = range(draw(st.integers(1, 8)))
    rows: dict[str, Rows] = {
        "movements": [
            {**shared, "movement_id": f"m{draw(ids)}", "kind": "sale", "units": str(-draw(units)), "occurred_at": START}
            for _ in number
        ],
        "effects": [
            {**shared, "effect_id": f"e{draw(ids)}", "kind": "sale", "units": str(-draw(units)), "stamped_at": START}
            for _ in number
        ],
        "order_lines": [
            {**shared, **line, "order_id": f"o{draw(ids)}", "quantity": str(n := draw(units)), "open_quantity": str(n)}
            for _ in number
        ],
    }
    return rows, sorted(draw(st.sets(st.integers(1, len(number)))))


def staged(folder: Path, rows: dict[str, Rows], cuts: list[int]) -> dict[str, list[tuple[Any, ...]]]:
    """Return what staging makes of the rows, landed in batches that end at the cuts."""
    landed = Landed(folder)
    for name, several in rows.items():
        for minute, (begin, end) in enumerate(zip([0, *cuts], [*cuts, len(several)], strict=True)):
            landed.land(name, several[begin:end], minute)
    run_models(landed.warehouse, [f"stg_{name}" for name in ("batches", *READ)])
    with landed.warehouse.open() as db:
        said = {
            name: db.query(f"SELECT {', '.join(columns)} FROM staging.stg_{name} ORDER BY ALL") for name, columns in READ.items()
        }
    return {name: frame.rows() for name, frame in said.items()}


@few
@given(histories())
def test_one_read_or_several_that_say_the_same_are_staged_alike(told: tuple[dict[str, Rows], list[int]]) -> None:
    rows, cuts = told
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        assert staged(Path(one), rows, []) == staged(Path(other), rows, cuts)


@few
@given(histories())
def test_a_read_that_comes_again_changes_nothing(told: tuple[dict[str, Rows], list[int]]) -> None:
    rows, _ = told
    twice = {name: [*several, *several] for name, several in rows.items()}
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        length = len(rows["movements"])
        assert staged(Path(one), rows, []) == staged(Path(other), twice, [length])
