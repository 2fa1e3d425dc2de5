"""`invbi findings ack`, `assign`, `note` and `show`: what people say of findings, kept with who and when."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread

import polars as pl
import pytest

from invbi_pipeline.definitions import SAMPLE
from invbi_pipeline.domain.frames import FINDINGS, LIVES
from invbi_pipeline.store.state import State, open_state
from invbi_pipeline.store.warehouse import Warehouse
from invbi_pipeline_tests.cli.typed import Said, invbi

SEEN = datetime(2026, 3, 2, 9, tzinfo=UTC)
DRIFT, RISK, OVER = "d1" * 12, "e2" * 12, "f3" * 12
ORDERS = (
    '{"orders":[{"order_id":"1043","units":2,"marketplace":false,"held_at":null},{"order_id":"1044","units":1}],"could_ship":[]}'
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a configuration and the findings that a run left: two open ones, and one that is over."""
    folder = tmp_path_factory.mktemp("findings")
    (folder / "invbi.toml").write_text(SAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    usual = {"system": "shop", "severity": "high", "first_seen": SEEN, "opened_at": SEEN, "last_seen": SEEN, "returns": 0}
    rows = [
        {**usual, "finding_id": DRIFT, "code": "drift", "state": "open", "sku": "MUG", "evidence": '{"order_ids":["1043"]}'},
        {**usual, "finding_id": RISK, "code": "oversold", "state": "open", "sku": "TEE", "evidence": ORDERS},
        {**usual, "finding_id": OVER, "code": "drift", "state": "resolved", "sku": "HAT", "resolved_at": SEEN},
    ]
    found = pl.DataFrame(rows, schema=dict(LIVES))
    state = open_state("sqlite:///state.db", folder)
    state.save_lives(found)
    state.close()
    Warehouse(folder / "warehouse.duckdb").replace("recon.findings", found.select(FINDINGS.keys()))
    return folder


@pytest.fixture
def config(shop: Path, tmp_path: Path) -> Path:
    """Return the configuration in a copy of that folder."""
    return Path(shutil.copytree(shop, tmp_path / "shop")) / "invbi.toml"


@pytest.fixture
def state(config: Path) -> Iterator[State]:
    state = open_state("sqlite:///state.db", config.parent)
    yield state
    state.close()


def listed(config: Path, finding_id: str) -> dict[str, object]:
    """Return one finding as `invbi findings` lists it."""
    rows = invbi("findings", "--config", config, "--format", "json").lines()
    return next(row for row in rows if row["finding_id"] == finding_id)


def typed(config: Path, *words: object) -> Said:
    return invbi("findings", *words, "--config", config)


def test_an_acknowledged_finding_is_listed_so_with_who(config: Path) -> None:
    assert typed(config, "ack", DRIFT, "--by", "Ana").code == 0
    row = listed(config, DRIFT)
    assert (row["state"], row["acknowledged_by"]) == ("acknowledged", "Ana")
    assert listed(config, RISK)["state"] == "open"


def test_an_owner_and_a_day_are_kept_the_day_ends_in_the_shops_time_zone(config: Path) -> None:
    config.write_text(config.read_text().replace("Europe/London", "America/New_York"))
    assert typed(config, "assign", DRIFT, "--to", "Bo", "--due", "2099-03-05").code == 0
    row = listed(config, DRIFT)
    assert (row["owner"], row["due_at"]) == ("Bo", "2099-03-06 04:59:00+00:00")


def test_the_newest_note_is_listed_and_all_are_shown(config: Path) -> None:
    typed(config, "note", DRIFT, "rack 4", "--by", "Ana")
    typed(config, "note", DRIFT, "rack 5", "--by", "Bo")
    assert listed(config, DRIFT)["note"] == "rack 5"
    whole = json.loads(typed(config, "show", DRIFT, "--format", "json").out)
    assert [(one["who"], one["value"]) for one in whole["said"]] == [("Ana", "rack 4"), ("Bo", "rack 5")]
    assert whole["evidence"] == {"order_ids": ["1043"]}


def test_several_ids_and_beginnings_of_ids_are_taken(config: Path, state: State) -> None:
    assert typed(config, "ack", DRIFT[:8], RISK).code == 0
    assert set(state.cases.said()["finding_id"]) == {DRIFT, RISK}


def test_a_wrong_id_changes_nothing_and_is_answered_with_near_ones(config: Path, state: State) -> None:
    said = typed(config, "ack", RISK, DRIFT[:-1] + "9")
    assert said.code == 2
    assert DRIFT in said.err
    assert state.cases.said().is_empty()


def test_a_kind_of_findings_is_changed_only_when_that_is_confirmed(config: Path, state: State) -> None:
    said = typed(config, "ack", "--code", "drift")
    assert (said.code, "1 finding would be acknowledged" in said.err) == (2, True)
    assert state.cases.said().is_empty()
    assert typed(config, "ack", "--code", "drift", "--yes").code == 0
    assert state.cases.said()["finding_id"].to_list() == [DRIFT]


def test_ids_and_a_kind_together_are_refused(config: Path) -> None:
    assert typed(config, "ack", DRIFT, "--code", "drift").code == 2
    assert typed(config, "ack").code == 2


def test_what_is_over_takes_a_note_and_no_acknowledgement(config: Path) -> None:
    assert typed(config, "ack", OVER).code == 2
    assert typed(config, "note", OVER, "it was the intern").code == 0


@pytest.mark.parametrize(
    "words", [("assign", DRIFT), ("assign", DRIFT, "--to", "Bo", "--due", "soon"), ("note", DRIFT, " "), ("show", "nothing")]
)
def test_a_word_that_is_missing_or_wrong_is_named(config: Path, words: tuple[str, ...]) -> None:
    assert typed(config, *words).code == 2


def test_the_configuration_may_stand_before_the_command(config: Path) -> None:
    assert invbi("findings", "--config", config, "ack", DRIFT).code == 0


def test_findings_can_be_listed_by_owner(config: Path) -> None:
    typed(config, "assign", RISK, "--to", "Bo")
    rows = invbi("findings", "--config", config, "--owner", "Bo", "--format", "json").lines()
    assert [row["finding_id"] for row in rows] == [RISK]


def test_show_tells_the_life_the_evidence_and_the_words(config: Path) -> None:
    typed(config, "assign", DRIFT, "--to", "Bo", "--due", "2099-03-05T12:00", "--by", "Ana")
    told = typed(config, "show", DRIFT[:6]).out
    for part in ("first seen", "order ids", "1043", "Ana: owner Bo", "Ana: due 2099-03-05 12:00"):
        assert part in told


def test_show_tells_each_order_of_the_evidence_on_a_line_of_its_own(config: Path) -> None:
    told = typed(config, "show", RISK).out
    lines = ["  orders:", "    order id 1043, units 2, marketplace no", "    order id 1044, units 1", "  could ship: none"]
    assert "\n".join(lines) in told


def test_words_are_kept_while_a_run_has_the_warehouse(config: Path, state: State) -> None:
    config.write_text(config.read_text() + "\n[store]\nwait_s = 0.2\n")
    with _a_run(config.parent / "warehouse.duckdb"):
        said = typed(config, "ack", DRIFT)
    assert (said.code, "a run is under way" in said.err) == (0, True)
    assert state.cases.said()["finding_id"].to_list() == [DRIFT]


@contextmanager
def _a_run(warehouse: Path) -> Iterator[None]:
    """Keep the warehouse in another thread, as a run does."""
    has, done = Event(), Event()

    def run() -> None:
        with Warehouse(warehouse).held():
            has.set()
            done.wait(30)

    thread = Thread(target=run)
    thread.start()
    assert has.wait(10)
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_what_nobody_could_keep_or_read_is_refused(config: Path) -> None:
    late = invbi("findings", "assign", DRIFT, "--to", "ana", "--due", "2020-01-01", "--config", config)
    long = invbi("findings", "note", DRIFT, "x" * 2001, "--config", config)
    assert (late.code, "--due" in late.err, long.code, "2,000 characters" in long.err) == (2, True, 2, True)
    assert listed(config, DRIFT)["owner"] in (None, "")
    assert invbi("findings", "note", DRIFT, "x" * 2000, "--config", config).code == 0


def test_only_a_command_that_changes_something_says_that_nothing_was_changed(config: Path) -> None:
    assert "Nothing was changed" not in invbi("findings", "show", "zz", "--config", config).err
    assert "Nothing was changed" in invbi("findings", "ack", "zz", "--config", config).err
