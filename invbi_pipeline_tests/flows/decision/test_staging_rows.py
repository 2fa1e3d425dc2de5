"""Staging row by row (`domain.staging`) comes to what the SQL models make of the same reads."""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from invbi_pipeline.domain import staging
from invbi_pipeline.domain.frames import QUARANTINE, WALL, empty
from invbi_pipeline.flows.decision.given import staged, stock_sweeps
from invbi_pipeline.store.landing import POINTS, SWEEP, Batch, land
from invbi_pipeline.store.models import run_models
from invbi_pipeline.store.tables import LOCATION_MAP
from invbi_pipeline.store.warehouse import Warehouse

DAY = datetime(2026, 3, 1, tzinfo=UTC)
PLACES = pl.DataFrame({"system": ["a"], "location_key": ["1"], "location": ["soho"]}, schema=LOCATION_MAP)
_serial = itertools.count()

minutes = st.integers(0, 4)
texts: dict[str, list[str]] = {
    "listing_key": ["k1", "k2"],
    "location_key": ["", "1", "2"],
    "raw_sku": ["x", "y"],
    "order_id": ["o1", "o2"],
    "line_id": ["1", "2"],
    "effect_id": ["e1", "e2"],
    "movement_id": ["m1", "m2"],
    "event_id": ["r1", "r2"],
    "version": ["", "v1"],
}
HOLDS = {"stock": ["stock"], "listings": ["listings"], "orders": ["order_lines", "effects", "movements", "returns"]}


def cells(wall: str) -> st.SearchStrategy[dict[str, Any]]:
    """Draw one row of a wall frame: few keys, so that reads speak of the same things."""
    drawn: dict[str, st.SearchStrategy[Any]] = {name: st.sampled_from(texts[name]) for name in WALL[wall] if name in texts}
    if "updated_at" in WALL[wall]:
        drawn["updated_at"] = st.none() | minutes.map(lambda m: DAY + timedelta(minutes=m))
    if wall == "stock":
        drawn["quantity"], drawn["state"] = st.integers(0, 2), st.sampled_from(["known", "untracked"])
    return st.fixed_dictionaries(drawn)


@st.composite
def reads(draw: st.DrawFn) -> list[Batch]:
    made = []
    for number in range(draw(st.integers(1, 5))):
        dataset = draw(st.sampled_from(sorted(HOLDS)))
        at = DAY + timedelta(minutes=draw(minutes))
        scope = draw(st.sampled_from([SWEEP, POINTS]))
        rows = {wall: frame(wall, draw(st.lists(cells(wall), max_size=4))) for wall in HOLDS[dataset]}
        full = scope == SWEEP and draw(st.booleans())
        aside = refused(f"b{number}", draw(st.lists(refusals, max_size=2))) if dataset == "stock" else empty(QUARANTINE)
        times = (at, at + timedelta(seconds=9), at)
        made.append(Batch(f"b{number}", "r", "a", dataset, scope, *times, full=full, rows=rows, quarantine=aside))
    return made


refusals = st.fixed_dictionaries({
    "listing_key": st.none() | st.sampled_from(texts["listing_key"]), "location_key": st.sampled_from(texts["location_key"])
})  # fmt: skip


def refused(batch_id: str, drawn: list[dict[str, Any]]) -> pl.DataFrame:
    """Return these rows of stock as QUARANTINE; they stand below the good ones."""
    told = {"batch_id": batch_id, "system": "a", "dataset": "stock", "reason": "quantity: not a number", "payload": "{}"}
    return pl.DataFrame([{**told, **row, "row_number": n} for n, row in enumerate(drawn, 11)], schema=dict(QUARANTINE))


def frame(wall: str, drawn: list[dict[str, Any]]) -> pl.DataFrame:
    schema = {**WALL[wall], "payload": pl.String(), "row_number": pl.Int64()}
    return pl.DataFrame([{"system": "a", **row, "row_number": n} for n, row in enumerate(drawn, 1)], schema=schema)


def told(groups: Sequence[Sequence[Batch]]) -> tuple[dict[str, pl.DataFrame], pl.DataFrame]:
    said = {name: empty(schema) for name, schema in staging.SAID.items()}
    sweeps = empty(staging.SWEEPS)
    for group in groups:
        said, sweeps, _ = staging.restage(said, sweeps, PLACES, [staging.read_of(batch) for batch in group])
    return said, sweeps


def in_reach(groups: Sequence[Sequence[Batch]]) -> tuple[dict[str, pl.DataFrame], pl.DataFrame]:
    held, sweeps = staging.Staged.of({}), empty(staging.SWEEPS)
    for group in groups:
        held, now = held.restage(sweeps, PLACES, [staging.read_of(batch) for batch in group])
        sweeps = now.sweeps
    return {name: held.every(name) for name in staging.SAID}, sweeps


def one_by_one(batches: list[Batch]) -> tuple[dict[str, pl.DataFrame], pl.DataFrame]:
    return told([[batch] for batch in batches])


def together(batches: list[Batch]) -> list[list[Batch]]:
    """Put what comes one after the other into one group; a sweep of stock is one by itself."""
    groups: list[list[Batch]] = [[]]
    for batch in batches:
        alone = staging.read_of(batch).sweeps_stock
        if alone or (groups[-1] and staging.read_of(groups[-1][-1]).sweeps_stock):
            groups.append([])
        groups[-1].append(batch)
    return groups


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("staging")


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow], phases=[Phase.explicit, Phase.generate])
@given(batches=reads())
def test_rows_staged_read_by_read_are_those_of_the_models(folder: Path, batches: list[Batch]) -> None:
    warehouse = Warehouse(folder / f"{next(_serial)}.duckdb")
    with warehouse.held():
        with warehouse.open() as db:
            db.replace("recon.location_map", PLACES)
            land(db, batches, DAY)
        run_models(warehouse, ["staging"])
        with warehouse.open() as db:
            whole, swept = staged(db), stock_sweeps(db)
    for said, sweeps in (one_by_one(batches), told(together(batches)), in_reach(together(batches))):
        assert_frame_equal(sweeps, swept, check_row_order=False)
        for name, rows in said.items():
            assert_frame_equal(rows, whole[name], check_row_order=False, check_column_order=False)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(batches=reads())
def test_reads_staged_together_come_to_what_they_come_to_one_by_one(batches: list[Batch]) -> None:
    one, sweeps = one_by_one(batches)
    said, swept = told(together(batches))
    assert_frame_equal(sweeps, swept)
    for name, rows in said.items():
        assert_frame_equal(rows, one[name], check_row_order=False)


def test_a_sweep_of_stock_is_not_staged_with_other_reads() -> None:
    sweep = Batch("b0", "r", "a", "stock", SWEEP, DAY, DAY, DAY)
    with pytest.raises(ValueError, match="by itself"):
        told([[sweep, sweep]])


def test_a_number_that_was_refused_is_unknown_whoever_reads_it_and_the_look_is_news() -> None:
    rows = frame("stock", [{"listing_key": key, "location_key": "1", "state": "known", "quantity": 38} for key in ("k1", "k2")])
    first = Batch("b0", "r", "a", "stock", SWEEP, DAY, DAY, DAY, full=True, rows={"stock": rows})
    said, sweeps = one_by_one([first])
    at, aside = DAY + timedelta(minutes=1), refused("b1", [{"listing_key": "k1", "location_key": "1"}])
    for scope in (POINTS, SWEEP):
        later = staging.read_of(Batch("b1", "r", "a", "stock", scope, at, at, at, quarantine=aside))
        now = staging.restage(said, sweeps, PLACES, [later])
        unknown = ("k1", "soho", "unknown", None, at)
        told = ["listing_key", "location", "state", "quantity", "observed_at"]
        assert now.said["observations"].filter(listing_key="k1").select(told).rows() == [unknown]
        assert now.changes["observations"].select(told).rows() == [unknown]


def test_only_rows_that_are_other_than_before_are_changes() -> None:
    row = {"listing_key": "k1", "raw_sku": "x", "title": "Thing"}
    first = Batch("b0", "r", "a", "listings", SWEEP, DAY, DAY, DAY, rows={"listings": frame("listings", [row])})
    said, sweeps = one_by_one([first])
    more = frame("listings", [row, {**row, "listing_key": "k2"}])
    later = Batch("b1", "r", "a", "listings", SWEEP, DAY, DAY, DAY + timedelta(minutes=1), rows={"listings": more})
    changes = staging.restage(said, sweeps, PLACES, [staging.read_of(later)]).changes
    assert changes["listings"]["listing_key"].to_list() == ["k2"]


def test_what_a_full_sweep_of_the_same_second_does_not_list_is_unknown_where_the_sweep_landed_last() -> None:
    rows = frame("stock", [{"listing_key": key, "location_key": "", "state": "known", "quantity": 1} for key in ("k1", "k2")])
    named = Batch("b0", "r", "a", "stock", POINTS, DAY, DAY, DAY, rows={"stock": rows})
    swept = Batch("b1", "r", "a", "stock", SWEEP, DAY, DAY, DAY, full=True, rows={"stock": rows.head(1)})

    def states(*batches: Batch) -> list[str]:
        return one_by_one(list(batches))[0]["observations"].sort("listing_key")["state"].to_list()

    assert states(named, swept) == ["known", "unknown"]
    assert states(swept, named) == ["known", "known"]


def test_a_point_that_an_older_read_gave_twice_and_a_newer_full_sweep_did_not_list_is_one_unknown_point() -> None:
    rows = frame("stock", [{"listing_key": "k1", "location_key": "", "state": "known", "quantity": n} for n in (1, 2)])
    swept = Batch("b0", "r", "a", "stock", SWEEP, DAY, DAY, DAY + timedelta(minutes=1), full=True)
    for asked_for in (POINTS, SWEEP):
        late = Batch("b1", "r", "a", "stock", asked_for, DAY, DAY, DAY, rows={"stock": rows})
        for batches in ([swept, late], [late, swept]):
            observed = one_by_one(batches)[0]["observations"]
            assert observed.select("listing_key", "state", "quantity").rows() == [("k1", "unknown", None)]


def test_an_order_line_that_was_changed_later_stands_however_late_an_older_word_of_it_is_read() -> None:
    def line_told(minute: int, updated: int, quantity: int) -> Batch:
        at = DAY + timedelta(minutes=minute)
        line = {"order_id": "o1", "line_id": "1", "quantity": quantity, "updated_at": DAY + timedelta(minutes=updated)}
        return Batch(f"b{minute}", "r", "a", "orders", POINTS, at, at, at, rows={"order_lines": frame("order_lines", [line])})

    for batches in ([line_told(1, 1, 5), line_told(2, 0, 7)], [line_told(2, 0, 7), line_told(1, 1, 5)]):
        said, _ = one_by_one(batches)
        assert said["order_lines"]["quantity"].to_list() == [5]
