"""`invbi serve` with wrong words and wrong configuration, and what `invbi check` says of subscriptions and of the process."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from invbi_pipeline.flows.feeds.lease import Lease
from invbi_pipeline.sandbox.shopify import ShopifyAccount
from invbi_pipeline.store.state import open_state
from invbi_pipeline_tests.channels.shopify.conftest import TOKEN, WEBHOOK_SECRET
from invbi_pipeline_tests.cli.typed import invbi
from invbi_pipeline_tests.live.door import shopify_headers
from invbi_pipeline_tests.sandbox.serving import HandClock, serving

SHOP = """
[business]
name = "x"
[systems.shop]
platform = "shopify"
roles = ["sells"]
base_url = "{address}"
secrets.token = {{ env = "SHOP_TOKEN" }}
secrets.webhook_secret = {{ env = "SHOP_HOOKS" }}
[serve]
{serve}
"""


def written(folder: Path, serve: str = "", address: str = "http://127.0.0.1:9") -> Path:
    path = folder / "invbi.toml"
    path.write_text(SHOP.format(address=address, serve=serve), encoding="utf-8")
    return path


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", TOKEN)
    monkeypatch.setenv("SHOP_HOOKS", WEBHOOK_SECRET)


@pytest.fixture
def shop(secrets: None) -> Iterator[tuple[ShopifyAccount, str]]:
    account = ShopifyAccount(
        "shop", HandClock(), random.Random(7), "http://shop.test", {"token": TOKEN, "webhook_secret": WEBHOOK_SECRET}
    )
    account.add_location("warehouse", "Warehouse")
    with serving(account.app) as address:
        yield account, address


@pytest.mark.parametrize(
    ("serve", "where", "mend"),
    [
        ('public_url = "http://hooks.example"', "serve.public_url", "https://"),
        ('public_url = "https://hooks.example/?a=1"', "serve.public_url", "without ?"),
        ('public_url = "hooks.example"', "serve.public_url", "https://"),
        ('queues = { shop = "https://sqs" }', "serve.queues.shop", "only Amazon"),
        ("port = 70000", "serve.port", "65535"),
        ("poll_s = 900", "serve.poll_s", "300"),
        ("prot = 1", "serve.prot", "spelling"),
    ],
)
def test_a_wrong_setting_is_named_with_how_to_mend_it(tmp_path: Path, serve: str, where: str, mend: str) -> None:
    said = invbi("serve", "--config", written(tmp_path, serve))
    assert said.code == 2
    assert where in said.err
    assert mend in said.err


def test_a_port_that_is_taken_is_told_before_anything_is_begun(tmp_path: Path, secrets: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = invbi("serve", "--config", written(tmp_path), "--port", port)
    assert said.code == 2
    assert f"Port {port} of 127.0.0.1 cannot be used: Address already in use." in said.err
    assert not (tmp_path / "state.db").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--host", "a..b"], "is no host"),
        (["--register"], "Nothing can be registered"),
        (["--log-format", "xml"], "--log-format"),
        (["--port", "-1"], "--port"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_words_that_cannot_be_meant_exit_2(tmp_path: Path, secrets: None, words: list[str], told: str) -> None:
    said = invbi("serve", "--config", written(tmp_path), *words)
    assert said.code == 2
    assert told in said.err
    assert "Traceback" not in said.err


def test_missing_secrets_are_all_named_before_the_door_is_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHOP_TOKEN", raising=False)
    said = invbi("serve", "--config", written(tmp_path), "--port", 0)
    assert said.code == 2
    assert "SHOP_TOKEN" in said.err


def test_check_says_what_is_not_told_and_mends_it_when_asked(tmp_path: Path, shop: tuple[ShopifyAccount, str]) -> None:
    path = written(tmp_path, 'public_url = "https://hooks.example"', shop[1])
    rows = {row["what"]: row for row in invbi("check", "--config", path, "--format", "json").lines()}
    lacking = rows["tells of ORDERS_CREATE, ORDERS_UPDATED, ORDERS_EDITED and 19 more"]
    assert (lacking["ok"], "invbi check --register" in lacking["to_do"]) == ("no", True)
    rows = {row["what"]: row for row in invbi("check", "--config", path, "--register", "--format", "json").lines()}
    assert rows["tells of its events: 22 made"]["ok"] == "yes"
    rows = {row["what"]: row for row in invbi("check", "--config", path, "--format", "json").lines()}
    assert rows["tells of its events: 22 kept"]["ok"] == "yes"
    assert len(shop[0]._office.hooks.subscriptions) == 22


def test_check_says_whether_the_event_process_lives_and_how_often_it_looks(
    tmp_path: Path, shop: tuple[ShopifyAccount, str]
) -> None:
    path = written(tmp_path, address=shop[1])
    state = open_state("sqlite:///state.db", tmp_path)
    assert "event process" not in invbi("check", "--config", path).out
    clock = HandClock()
    lease = Lease(state, clock, "a")
    assert lease.take()
    state.set_mark("sweep:shop", json.dumps({"at": "2026-09-01T09:00:00+00:00", "every_s": 31.2}))
    rows = {row["what"]: row["ok"] for row in invbi("check", "--config", path, "--format", "json").lines()}
    assert rows["the event process runs"] == "no"
    clock.at = clock.at.replace(year=clock.at.year + 50)
    assert lease.take()
    rows = {row["what"]: row["ok"] for row in invbi("check", "--config", path, "--format", "json").lines()}
    assert rows["the event process runs"] == rows["looked at every 31 s, last at 09:00:00 UTC"] == "yes"
    state.close()


def test_a_process_of_its_own_takes_a_delivery_logs_json_and_ends_when_told(
    tmp_path: Path, shop: tuple[ShopifyAccount, str]
) -> None:
    words = [
        "serve",
        "--config",
        str(written(tmp_path, address=shop[1])),
        "--port",
        "0",
        "--log-format",
        "json",
        "--receiver-only",
    ]
    command = [sys.executable, "-m", "invbi_pipeline.cli", *words]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=dict(os.environ)) as process:
        assert process.stderr is not None
        begun = json.loads(process.stderr.readline())
        address = begun["message"].partition("taken at ")[2].partition("/webhooks")[0]
        body = b'{"id": 7}'
        answer = httpx.post(f"{address}/webhooks/shop", headers=shopify_headers(body), content=body, timeout=20)
        assert answer.status_code == 200
        process.send_signal(signal.SIGTERM)
        _, left = process.communicate(timeout=30)
    lines = [json.loads(line) for line in left.splitlines()]
    assert (process.returncode, lines[-1]["message"]) == (0, "stopped")
    assert {"at", "level", "logger", "message"} <= set(begun)
    state = open_state("sqlite:///state.db", tmp_path)
    assert [one.order_ids for one in state.inbox.waiting()] == [("7",)]
    state.close()
