"""`run --dry-run`: everything is read and planned, nothing is sent, and the plan is the one that would be sent."""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl
import pytest

from invbi_pipeline.flows.context import open_stores
from invbi_pipeline.flows.run import RunResult
from invbi_pipeline_tests.rehearsal import Rehearsal, rehearsal

_PLAN = ("system", "listing_key", "location", "kind", "from_qty", "to_qty", "movement_ref", "state", "idempotency_key", "reason")


@dataclass
class Dry:
    stage: Rehearsal
    dry: RunResult
    wet: RunResult
    before: dict[tuple[str, str, str], int | None]
    between: dict[tuple[str, str, str], int | None]
    writes: int  # requests of the dry run that change a number
    waiting: dict[str, int]  # what the outbox held after it
    digests: tuple[str, str]


@pytest.fixture(scope="module")
def dry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dry]:
    with rehearsal(tmp_path_factory.mktemp("dry"), skus=30, history_days=3, faults=False) as stage:
        stage.run()
        stage.world.freeze()
        stage.world.advance(3600)
        stage.run()
        stage.damage("warehouse", 4)
        stage.sell("shopify_uk", "soho", pos=True)
        stage.world.advance(120)
        before, digest, sent = stage.numbers(), stage.world.digest, len(stage.wire.writes())
        told = stage.run(dry_run=True)
        between, writes = stage.numbers(), len(stage.wire.writes()) - sent
        _, state = open_stores(stage.config)
        waiting = {name: n for name, n in state.outbox.counts().items() if name in ("planned", "held", "approved", "sending")}
        state.close()
        digests = (digest, stage.world.digest)
        yield Dry(stage, told, stage.run(), before, between, writes, waiting, digests)


def test_a_dry_run_plans_both_kinds_of_correction(dry: Dry) -> None:
    assert set(dry.dry.planned.corrections["kind"]) == {"set", "post"}
    assert dry.dry.planned.states["approved"] >= 4


def test_a_dry_run_sends_nothing(dry: Dry) -> None:
    assert dry.writes == 0
    assert dry.dry.pushed.sent == 0
    assert dry.between == dry.before
    assert dry.digests[0] == dry.digests[1]


def test_a_dry_run_leaves_nothing_to_send(dry: Dry) -> None:
    assert dry.waiting == {}


def test_what_it_shows_is_what_the_next_run_sends(dry: Dry) -> None:
    shown, sent = (run.planned.corrections.select(_PLAN).sort(_PLAN) for run in (dry.dry, dry.wet))
    assert shown.drop("idempotency_key").equals(sent.drop("idempotency_key"))
    assert shown.equals(sent)
    assert dry.wet.pushed.sent == shown.filter(pl.col("state") == "approved").height


def test_the_run_after_it_moves_the_numbers_to_what_was_shown(dry: Dry) -> None:
    now = dry.stage.numbers()
    key_of = {name: system.key_of for name, system in dry.stage.world.business.systems.items()}
    sets = dry.dry.planned.corrections.filter((pl.col("kind") == "set") & (pl.col("state") == "approved"))
    for row in sets.iter_rows(named=True):
        place = key_of[row["system"]].get(row["location"], "")
        assert now[row["system"], row["listing_key"], place] == row["to_qty"], row
