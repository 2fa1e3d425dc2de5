"""Laws of a run on random small worlds: twice is once, late is prompt, and the SQL audit agrees with Polars."""

import random
from typing import Any

import duckdb
import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from invbi_pipeline.domain.truth import TruthInputs, TruthResult, truth
from invbi_pipeline.store.models import audits
from invbi_pipeline_tests.domain.small_world import NOW, Rows, at, channel, inputs, policy, reckon, shelves, wms, world
from invbi_pipeline_tests.domain.test_truth_laws import twice, worlds

_KEPT = ("mappings", "anchors", "openings")  # what one run hands to the next


def next_run(before: TruthResult, rows: Rows) -> TruthResult:
    """Return the truth of a run that remembers the one before it."""
    remembered = {name: getattr(before, name).lazy() for name in _KEPT}
    given_ = {name: frame for name, frame in inputs(**rows)._asdict().items() if name not in _KEPT}
    return truth(TruthInputs.of(**given_, **remembered), NOW)


def audited(offers: pl.DataFrame) -> list[tuple[Any, ...]]:
    """Return the rows that the SQL audit of offers calls bad."""
    (audit,) = (one for one in audits() if one.name == "audit_offers_whole")
    with duckdb.connect() as db:
        db.execute("CREATE SCHEMA truth")
        db.register("given", offers)
        db.execute("CREATE TABLE truth.offers AS SELECT * FROM given")
        return db.execute(audit.sql).fetchall()


@twice
@given(worlds())
def test_a_second_run_over_what_the_first_remembers_changes_nothing(rows: Rows) -> None:
    first = reckon(**rows)
    for one, other in zip(first, next_run(first, rows), strict=True):
        assert_frame_equal(one, other)


@twice
@given(worlds(), st.integers(0, 2**16))
def test_events_that_come_a_run_late_end_where_prompt_ones_end(rows: Rows, seed: int) -> None:
    dice = random.Random(seed)
    late = {name: [row for row in rows.get(name, []) if dice.random() < 0.5] for name in ("order_lines", "movements")}
    before = truth(inputs(**{**rows, **late}), at(-0.1))
    prompt, end = reckon(**rows), next_run(before, rows)
    for name in ("anchors", "openings", "shelves", "foreign", "reservations", "positions", "offers", "unbooked"):
        assert_frame_equal(getattr(prompt, name), getattr(end, name))


@twice
@given(worlds())
def test_the_sql_audit_finds_nothing_wrong_with_the_offers(rows: Rows) -> None:
    assert audited(reckon(**rows).offers) == []


def test_the_sql_audit_finds_a_deduction_that_was_not_made_and_a_part_too_many() -> None:
    rows = world(
        wms(), shelves("A", a=9, b=5), channel("web", "A", sells_from=["a", "b"], per_location=True), policy("buffer", 1)
    )
    offers = reckon(**rows).offers
    assert audited(offers) == []
    assert len(audited(offers.with_columns(buffer=pl.col("buffer") + 1))) == 2
    assert len(audited(offers.with_columns(channel_offer=pl.col("channel_offer") - 1, max_offer=12))) == 2
    one_more = offers.with_columns(offer=pl.when(pl.col("location") == "a").then(pl.col("offer") - 1).otherwise("offer"))
    assert len(audited(one_more)) == 2
