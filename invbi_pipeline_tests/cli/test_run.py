"""`invbi run`, `check`, `plan` and `push` over real sockets, on an emulated retailer that lives by the wall clock."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from invbi_pipeline_tests.cli.typed import invbi
from invbi_pipeline_tests.rehearsal import Rehearsal, rehearsal

_SET_NOTHING = "\n[guards]\nmax_change_units = 0\n"
_ORDERS_IN_A_FILE = """
[business]
name = "x"
[systems.market]
platform = "files"
roles = ["sells"]
[systems.market.files.orders]
path = "orders.csv"
columns = { order_id = "order", listing_key = "code", quantity = "qty", ordered_at = "day", state = "status" }
status = { Placed = "pending" }
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """A retailer that has been looked at once."""
    with rehearsal(tmp_path_factory.mktemp("cli_run"), skus=24, history_days=2, faults=False, live=True) as stage:
        # Nobody waits for a number to show, and a shop that is shut at this hour of the night is not taken for a broken feed.
        impatient = "visibility_lag_s = 1.0\nmax_age_s = 172800.0\nplatform"
        stage.path.write_text(stage.path.read_text().replace("\nplatform", f"\n{impatient}"))
        said = invbi("run", "--config", stage.path)
        assert said.code == 0, said.err
        assert "comparable numbers agree" in said.out
        yield stage


@contextmanager
def _edited(stage: Rehearsal, text: str, *, replace: str = "") -> Iterator[Path]:
    """Another configuration beside the retailer's: with `text` in place of `replace`, or at its end."""
    path = stage.folder / "edited.toml"
    said = stage.path.read_text()
    path.write_text(said.replace(replace, text) if replace else said + text)
    yield path
    path.unlink()


@contextmanager
def _refusing(stage: Rehearsal, system: str) -> Iterator[None]:
    wire = stage.world.business.systems[system].account.wire
    wire.refuse = True
    yield
    wire.refuse = False


def test_check_says_of_each_system_whether_it_answers_and_of_invbi_when_it_last_ran(stage: Rehearsal) -> None:
    said = invbi("check", "--config", stage.path, "--format", "json")
    assert said.code == 0, said.out
    assert {row["system"] for row in said.lines()} == {"invbi", *stage.config.systems}
    assert {row["ok"] for row in said.lines()} == {"yes"}
    with _refusing(stage, "till"):
        refused = invbi("check", "--config", stage.path, "--format", "csv")
    assert refused.code == 3
    assert {row["system"] for row in refused.table() if row["ok"] == "no"} == {"till"}


def test_check_names_an_address_for_alerts_that_is_none(stage: Rehearsal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOD", "json://127.0.0.1:9/token")
    monkeypatch.setenv("BAD", "slak://secretword")
    with _edited(stage, '\n[alerts]\nurls = [{ env = "GOOD" }, { env = "BAD" }]\n') as path:
        said = invbi("check", "--config", path, "--format", "json")
    assert said.code == 3
    assert [row["what"] for row in said.lines() if row["ok"] == "no"] == ["alerts.urls.1 is an address"]
    assert "BAD" in said.out
    assert "secretword" not in said.out + said.err


def test_a_dry_run_prints_what_a_run_then_sends(stage: Rehearsal) -> None:
    stage.damage("warehouse", 2)
    before, written = stage.numbers(), len(stage.door.writes)

    dry = invbi("run", "--config", stage.path, "--dry-run", "--format", "json")
    assert dry.code == 0, dry.err
    (told,) = dry.lines()
    assert told["sent"] == 0
    assert (stage.numbers(), len(stage.door.writes)) == (before, written)
    assert told["corrections"]

    (done,) = invbi("run", "--config", stage.path, "--format", "json").lines()
    assert done["sent"] == len(told["corrections"])
    sent = invbi("query", "select * from recon.corrections where sent_at is not null", "--config", stage.path, "--format", "json")
    key = ("system", "listing_key", "location", "kind", "from_qty", "to_qty", "idempotency_key")
    assert {tuple(row[k] for k in key) for row in sent.lines()} >= {tuple(row[k] for k in key) for row in told["corrections"]}


def test_a_dry_run_prints_its_plan_as_a_table_and_as_csv(stage: Rehearsal) -> None:
    stage.damage("warehouse", 1)
    table = invbi("run", "--config", stage.path, "--dry-run")
    rows = invbi("run", "--config", stage.path, "--dry-run", "--format", "csv").table()
    assert rows
    assert "Would be sent" in table.out
    assert all(row["sku"] in table.out for row in rows)
    assert invbi("run", "--config", stage.path).code == 0


def test_a_system_that_refuses_us_exits_3_and_the_others_are_done(stage: Rehearsal) -> None:
    with _refusing(stage, "shopify_b2b"):
        said = invbi("run", "--config", stage.path, "--format", "json")
    (told,) = said.lines()
    assert said.code == 3
    assert told["systems"] == {**dict.fromkeys(stage.config.systems, "ok"), "shopify_b2b": "refused"}
    assert told["findings"]["system_unreachable"] == 1


def test_a_system_that_does_not_answer_exits_3(stage: Rehearsal) -> None:
    away = f'base_url = "{stage.address}/shopify_b2b"'
    with _edited(stage, 'base_url = "http://127.0.0.1:9/shopify_b2b"', replace=away) as path:
        said = invbi("run", "--config", path)
    assert said.code == 3
    assert "shopify_b2b" in said.err
    assert "unreachable" in said.out


def test_fail_on_exits_1_when_such_a_finding_is_open(stage: Rehearsal) -> None:
    stage.world.planter.plant("unmapped_listing", system="shopify_uk")
    assert invbi("run", "--config", stage.path, "--fail-on", "critical").code == 0
    assert invbi("run", "--config", stage.path, "--fail-on", "high").code == 1


def test_a_plan_that_a_guard_holds_exits_4_before_anything_else(stage: Rehearsal) -> None:
    stage.damage("warehouse", 1, most=1)
    written = len(stage.door.writes)
    with _edited(stage, _SET_NOTHING) as path, _refusing(stage, "till"):
        said = invbi("run", "--config", path, "--fail-on", "low")
        waiting = invbi("plan", "--config", path, "--format", "json")
    assert said.code == 4
    assert "held by a guard" in said.err
    assert len(stage.door.writes) == written
    assert waiting.code == 4
    assert {row["state"] for row in waiting.lines()} == {"held"}
    assert all("very large" in json.loads(row["guard"])["change_units"] for row in waiting.lines() if row["kind"] == "set")


def test_nothing_is_pushed_that_waits_for_a_person(stage: Rehearsal) -> None:
    stage.damage("warehouse", 1, most=1)
    written = len(stage.door.writes)
    with _edited(stage, 'mode = "approve"', replace='mode = "auto"') as path:
        assert invbi("run", "--config", path).code == 0
        waiting = invbi("plan", "--config", path, "--format", "csv")
        pushed = invbi("push", "--config", path)
    assert waiting.code == 0
    assert {row["state"] for row in waiting.table()} == {"planned"}
    assert "sent 0" in pushed.err
    assert len(stage.door.writes) == written


def test_push_names_the_systems_there_are(stage: Rehearsal) -> None:
    said = invbi("push", "--config", stage.path, "--system", "tesco")
    assert said.code == 2
    assert "shopify_uk" in said.err


def test_json_is_alone_on_standard_output(stage: Rehearsal) -> None:
    said = invbi("run", "--config", stage.path, "--format", "json")
    assert said.code == 0, said.err
    assert json.loads(said.out)["parity"] is not None


def test_a_run_says_what_a_channel_noticed_in_its_export(tmp_path: Path) -> None:
    (tmp_path / "invbi.toml").write_text(_ORDERS_IN_A_FILE)
    (tmp_path / "orders.csv").write_text("order,code,qty,day,status\n1,A,2,2026-07-01,Placed\n1,A,3,2026-07-01,Placed\n")
    said = invbi("run", "--config", tmp_path / "invbi.toml")
    assert said.code == 0, said.err
    assert "orders: 1 order line repeats the code of another line of its order" in " ".join(said.err.split())
