"""Replays, histories and tie-outs of a retailer that was looked at six times: the past as it was known, and the books."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from invbi_pipeline.config import Config, load_config
from invbi_pipeline.dashboard.tieout import render_tieout, statements, tieout_tab
from invbi_pipeline.domain.ledger.tieout import KINDS
from invbi_pipeline.errors import ConfigError
from invbi_pipeline.flows.accounts.history import history
from invbi_pipeline.flows.accounts.replay import moment, replayed
from invbi_pipeline.flows.accounts.tieout import period_of, tie_out
from invbi_pipeline.store.warehouse import Warehouse
from invbi_pipeline_tests.cli.typed import invbi
from invbi_pipeline_tests.rehearsal import STEP_S, rehearsal

pytestmark = pytest.mark.slow  # a world is lived through once, for all of them


@dataclass(frozen=True)
class Lived:
    """What the runs stored, each with its time, and the warehouse after all of them."""

    config: Config
    warehouse: Warehouse
    stood: list[tuple[datetime, pl.DataFrame, pl.DataFrame]]  # when, truth.positions, recon.points
    stolen: str  # a sku that an owner's number lost or gained without a movement ...
    units: int  # ... by so many


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    with rehearsal(tmp_path_factory.mktemp("books"), skus=60, history_days=3) as stage:
        warehouse = Warehouse(stage.folder / "warehouse.duckdb")
        stood = []
        for waited in (0.0, 2 * STEP_S, 4 * STEP_S, 14 * STEP_S):
            stage.run(wait_s=waited)
            stood.append((stage.clock.now(), warehouse.read("truth.positions"), warehouse.read("recon.points")))
        gone = [row for row in stage.world.planter.planted if row.label == "ledger_untied"]
        yield Lived(load_config(stage.path), warehouse, stood, str(gone[0].sku), int(gone[0].units or 0))


@pytest.mark.parametrize("run", [1, 2])
def test_as_known_then_is_what_the_run_of_that_time_stored(lived: Lived, run: int) -> None:
    at, positions, points = lived.stood[run]
    busy = positions.filter(pl.col("reserved") > 0)["sku"].unique().sort().head(1).to_list()
    for sku in [*busy, lived.stolen]:
        found = replayed(lived.warehouse, lived.config, sku, at)
        mine = positions.filter(pl.col("sku") == sku).sort("location")
        assert_frame_equal(found.then.positions.filter(pl.col("sku") == sku).sort("location"), mine)
        numbers = dict(found.numbers.select(pl.concat_str("system", "location", "listing_key"), "reported").iter_rows())
        then = points.filter(pl.col("sku") == sku).select(pl.concat_str("system", "location", "listing_key"), "reported")
        assert numbers == dict(then.iter_rows())


def test_as_known_now_has_the_orders_that_arrived_later(lived: Lived) -> None:
    arrived = """
        SELECT m.sku, min(l.ordered_at) AS ordered_at, min(l.landed_at) AS landed_at
        FROM raw.order_lines l JOIN truth.mappings m USING (system, listing_key)
        WHERE l.open_quantity > 0 AND l.ordered_at > $first AND m.sku NOT IN (SELECT kit_sku FROM truth.kits)
        GROUP BY l.system, l.order_id, l.line_id, m.sku HAVING min(l.landed_at) > min(l.ordered_at) ORDER BY ordered_at LIMIT 1
    """
    sku, ordered, landed = lived.warehouse.query(arrived, {"first": lived.stood[0][0]}).row(0)
    found = replayed(lived.warehouse, lived.config, sku, ordered + (landed - ordered) / 2)
    assert found.now.reservations["units"].sum() > found.then.reservations["units"].sum()
    assert found.now.reservations.filter(pl.col("ordered_at") > found.at).is_empty()


def test_a_time_that_is_not_kept_is_refused_with_the_time_from_which_it_can_be_told(lived: Lived) -> None:
    for at, said in (
        (lived.stood[0][0] - timedelta(days=2), "can be told from"),
        (lived.stood[-1][0] + timedelta(days=2), "nothing was read"),
    ):
        with pytest.raises(ConfigError) as caught:
            replayed(lived.warehouse, lived.config, lived.stolen, at)
        assert said in caught.value.problems[0][1]


def test_a_time_without_an_offset_is_the_businesss_own(lived: Lived) -> None:
    assert moment("2026-07-01T12:00", lived.config, "--at") == datetime(2026, 7, 1, 11, tzinfo=UTC)
    assert moment("2026-07-01", lived.config, "--at") == datetime(2026, 6, 30, 23, tzinfo=UTC)
    assert moment("2026-07-01T12:00Z", lived.config, "--at") == datetime(2026, 7, 1, 12, tzinfo=UTC)
    with pytest.raises(ConfigError, match="not understood"):
        moment("next tuesday", lived.config, "--at")


def test_a_listing_that_froze_parted_at_the_first_sale_it_did_not_apply(lived: Lived) -> None:
    found = lived.warehouse.query(
        "SELECT sku, system, units FROM recon.findings WHERE code = 'frozen_listing' AND state <> 'resolved'"
    )
    sku, system, units = found.row(0)
    first = lived.stood[0][0]
    (course,) = [c for c in history(lived.warehouse, lived.config, sku, first).courses if c.system == system]
    mapped = "staging.stg_effects JOIN truth.mappings USING (system, listing_key)"
    sale = f"SELECT order_id FROM {mapped} WHERE sku = $sku AND system = $s"
    orders = lived.warehouse.query(
        f"{sale} AND stamped_at > $first ORDER BY stamped_at", {"sku": sku, "s": system, "first": first}
    )
    assert course.parted is not None
    assert (course.jumps["units"][0], course.parted[0]) == (units, orders["order_id"][0])
    assert "was not applied" in course.parted[1]


def test_an_agreed_number_has_no_divergence_and_an_owner_that_lost_units_is_named(lived: Lived) -> None:
    found = history(lived.warehouse, lived.config, lived.stolen, lived.stood[0][0])
    assert found.owners["units"].to_list() == [lived.units]
    said = invbi("explain", lived.stolen, "--since", lived.stood[0][0].isoformat(), "--config", lived.config.path)
    assert said.code == 0
    assert "no divergence since" in said.out
    assert f"moved by {lived.units:+d}" in said.out


def test_every_book_of_the_month_ties_out_and_what_was_stolen_is_the_remainder(lived: Lived) -> None:
    month = f"{lived.stood[0][0]:%Y-%m}"
    told = tie_out(lived.warehouse, lived.config, period_of(month))
    sums = told.totals.select(pl.sum_horizontal("opening", *KINDS)).to_series()
    assert (sums == told.totals["closing"]).all()
    assert told.remainder.select("sku", "units").rows() == [(lived.stolen, lived.units)]
    assert "ledger untied" in told.remainder["findings"][0]
    anchors = lived.warehouse.query("SELECT location, sum(on_hand) AS n FROM truth.anchors GROUP BY ALL")
    assert dict(told.totals.select("location", "closing").iter_rows()) == dict(anchors.iter_rows())
    assert tieout_tab(told).rows.height == told.days.height


def test_the_days_of_a_month_follow_one_another(lived: Lived) -> None:
    days = tie_out(lived.warehouse, lived.config, period_of(f"{lived.stood[0][0]:%Y-%m}")).days
    for _, book in days.sort("day").group_by("system", "location"):
        assert book["opening"].to_list()[1:] == book["closing"].to_list()[:-1]


def test_the_page_to_be_signed_says_what_it_must_and_runs_no_script(lived: Lived, tmp_path: Path) -> None:
    day = f"{lived.stood[0][0]:%Y-%m-%d}"
    page = tmp_path / "tieout.html"
    said = invbi("explain", "--tie-out", day, "--location", "warehouse", "--out", page, "--config", lived.config.path)
    text = page.read_text(encoding="utf-8")
    assert said.code == 0
    for word in (
        lived.config.business.name,
        "warehouse",
        day,
        "Opening",
        "Closing",
        "Signature",
        "Date",
        "As known at",
        lived.stolen,
    ):
        assert word in text
    assert "<script" not in text
    assert text.count("<article") == 1


def test_the_page_escapes_what_comes_from_outside(lived: Lived) -> None:
    told = tie_out(lived.warehouse, lived.config, period_of(f"{lived.stood[0][0]:%Y-%m}"))
    evil = told.remainder.with_columns(sku=pl.lit("<img src=x>"))
    (statement,) = [s for s in statements(told) if s.rest]
    assert statement.unexplained[0] == lived.units
    page = render_tieout(
        type(told)(told.business, told.currency, told.period, told.known_at, told.places, told.totals, told.days, told.skus, evil)
    )
    assert "<img src=x>" not in page
    assert "&lt;img src=x&gt;" in page


@pytest.mark.parametrize("said", ["2026-13", "november", "2026-02-30", "2026"])
def test_a_period_that_is_none_is_refused(said: str) -> None:
    with pytest.raises(ConfigError, match="not understood"):
        period_of(said)


def test_a_period_before_the_first_read_is_refused(lived: Lived) -> None:
    with pytest.raises(ConfigError, match="cannot be told"):
        tie_out(lived.warehouse, lived.config, period_of("2020-01"))
    with pytest.raises(ConfigError, match="No location is called"):
        tie_out(lived.warehouse, lived.config, period_of("2026-09"), ["mars"])


@pytest.mark.parametrize(
    "typed", [[], ["A", "--at", "2026-09-01", "--since", "2026-09-01"], ["A", "--tie-out", "2026-09"], ["A", "--location", "x"]]
)
def test_what_does_not_go_together_is_wrong_usage(lived: Lived, typed: list[str]) -> None:
    said = invbi("explain", *typed, "--config", lived.config.path)
    assert said.code == 2
    assert "It is not clear what to explain" in said.err
