"""The files to run it with: read as their programs read them, and every word in them is one that invbi knows."""

import itertools
import json
import re
import shlex
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from invbi_pipeline.channels.amazon.notifications import TOPICS as AMAZON
from invbi_pipeline.channels.shopify.subscriptions import TOPICS as SHOPIFY
from invbi_pipeline.channels.square.subscriptions import TOPICS as SQUARE
from invbi_pipeline.config import PLATFORM_KEYS, ServeConfig, StoreConfig, load_config
from invbi_pipeline.live.metrics import Metrics
from invbi_pipeline.live.receiver import Bounds
from invbi_pipeline_tests.cli.typed import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
PAGE = (ROOT / "docs/serve.md").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
BOARD = json.loads((DEPLOY / "grafana/dashboards/invbi.json").read_text(encoding="utf-8"))
CONTAINERFILE = (DEPLOY / "Containerfile").read_text(encoding="utf-8")


def measured() -> dict[str, set[str]]:
    """Return every series that the event process has, with its labels."""
    found: dict[str, set[str]] = {}
    metrics = Metrics()
    for name, one in vars(metrics).items():
        if name == "registry":
            continue
        labels = set(one._labelnames)
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(one._type, [""])
        found |= {f"{one._name}{suffix}": labels | ({"le"} if suffix == "_bucket" else set()) for suffix in suffixes}
    return found


def expressions() -> Iterator[str]:
    for panel in BOARD["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    for group in yaml.safe_load((DEPLOY / "rules.yml").read_text(encoding="utf-8"))["groups"]:
        yield from (rule["expr"] for rule in group["rules"])


@pytest.mark.parametrize("expression", list(expressions()))
def test_what_a_board_or_a_rule_asks_for_is_measured_with_these_labels(expression: str) -> None:
    names = re.findall(r"invbi_\w+", expression)
    known = measured()
    assert names or "up{" in expression
    assert set(names) <= set(known), set(names) - set(known)
    grouped = {label.strip() for by in re.findall(r"by \(([^)]*)\)", expression) for label in by.split(",")}
    assert grouped <= {label for name in names for label in known[name]}


def test_the_board_shows_every_measure_once_at_a_place_of_its_own() -> None:
    asked = " ".join(target["expr"] for panel in BOARD["panels"] for target in panel["targets"])
    families = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in measured()}
    assert [name for name in families if name not in asked] == []
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in BOARD["panels"]]
    assert len(set(places)) == len(places)


@pytest.mark.parametrize("name", [name for name, one in COMPOSE["services"].items() if one["image"] == "invbi"])
def test_each_service_of_ours_types_words_that_invbi_takes(name: str) -> None:
    words = COMPOSE["services"][name]["command"]
    COMMANDS[words[0]].make_context(words[0], list(map(str, words[1:])))


def test_the_image_types_words_that_invbi_takes_and_copies_what_is_there() -> None:
    (command,) = re.findall(r"^CMD (\[.*\])$", CONTAINERFILE, re.MULTILINE)
    words = json.loads(command)
    COMMANDS[words[0]].make_context(words[0], words[1:])
    copied = [word for line in re.findall(r"^COPY (.*)$", CONTAINERFILE, re.MULTILINE) for word in shlex.split(line)[:-1]]
    assert [name for name in copied if not (ROOT / name).exists()] == []
    assert f"EXPOSE {ServeConfig().port}" in CONTAINERFILE


def test_every_image_is_pinned_and_every_file_that_is_mounted_is_there() -> None:
    for name, service in COMPOSE["services"].items():
        assert service["image"] == "invbi" or re.search(r":v?\d+", service["image"]), name
        for mount in service.get("volumes", ()):
            source = mount.split(":")[0]
            there = source in COMPOSE["volumes"] or source == "./shop" or (DEPLOY / source).exists()
            assert there, f"{name}: {source}"


def test_somebody_is_woken_when_no_door_answers_and_when_nobody_works() -> None:
    asked = [expression for expression in expressions() if expression.startswith("absent(")]
    assert 'absent(up{job="invbi", service="receiver"} == 1)' in asked
    assert "absent(invbi_worker == 1)" in asked
    (scrape,) = yaml.safe_load((DEPLOY / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"]
    assert {"source_labels": ["__meta_dns_name"], "target_label": "service"} in scrape["relabel_configs"]


def test_somebody_is_woken_when_topics_are_lacking_and_when_nobody_can_see_whether_they_are() -> None:
    (asked,) = [expression for expression in expressions() if "subscriptions_lacking" in expression and ">" in expression]
    assert "max by (system) (invbi_subscriptions_lacking) > 0" in asked  # never true of NaN: it could not be seen then
    assert " or max by (system) (invbi_subscriptions_unseen) > 0" in asked


def test_a_service_that_ends_takes_no_other_ones_network_with_it() -> None:
    shared = [name for name, service in COMPOSE["services"].items() if "network_mode" in service]
    assert shared == []  # https://github.com/docker/compose/issues/7765: what joined it has no network from then on


def test_what_has_no_login_of_ours_is_reached_from_the_hosts_loopback_and_from_nowhere_else() -> None:
    words = COMPOSE["services"]["schedule"]["command"]
    assert dict(itertools.pairwise(words))["--host"] == "0.0.0.0"  # loopback of its container would be reached by nobody
    port = dict(itertools.pairwise(words))["--port"]
    assert COMPOSE["services"]["schedule"]["ports"] == [f"127.0.0.1:3000:{port}"]
    published = {at for name, one in COMPOSE["services"].items() for at in one.get("ports", ()) if name != "proxy"}
    assert [at for at in published if not at.startswith("127.0.0.1:")] == []
    assert "http://127.0.0.1:3000" in PAGE


class Readiness(BaseHTTPRequestHandler):
    """Answers /readyz with the status that its server was told."""

    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/readyz" else 404)
        self.end_headers()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        return None


@pytest.mark.parametrize("name", [name for name, one in COMPOSE["services"].items() if one.get("command", [""])[0] == "serve"])
@pytest.mark.parametrize(("status", "ended"), [(200, 0), (503, 1)])
def test_a_door_is_healthy_when_it_can_store(name: str, status: int, ended: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Readiness, "status", status)
    kind, program, *words = COMPOSE["services"][name]["healthcheck"]["test"]
    assert (kind, program) == ("CMD", "python")
    with HTTPServer(("127.0.0.1", 0), Readiness) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        asked = [word.replace(str(ServeConfig().port), str(server.server_port)) for word in words]
        assert asked != words
        assert subprocess.run([sys.executable, *asked], timeout=30, check=False).returncode == ended


def test_the_proxy_lets_through_every_body_that_the_door_takes() -> None:
    most = re.search(r"max_size (\d+)MiB", (DEPLOY / "Caddyfile").read_text(encoding="utf-8"))
    assert most is not None
    assert int(most[1]) * 1024 * 1024 >= Bounds().body_bytes


def test_the_proxy_and_prometheus_find_the_doors_where_they_listen() -> None:
    port = ServeConfig().port
    (scrape,) = yaml.safe_load((DEPLOY / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"]
    (names,) = scrape["dns_sd_configs"]
    assert set(names["names"]) <= set(COMPOSE["services"])
    assert names["port"] == port
    upstream = re.search(r"dynamic a (\w+) (\d+)", (DEPLOY / "Caddyfile").read_text(encoding="utf-8"))
    assert upstream is not None
    assert (upstream[1] in COMPOSE["services"], int(upstream[2])) == (True, port)


def test_the_sample_of_the_environment_names_what_the_sample_configuration_needs() -> None:
    named = re.findall(r"^([A-Z_]+)=$", (DEPLOY / "invbi.env.sample").read_text(encoding="utf-8"), re.MULTILINE)
    systems = load_config(ROOT / "data/sample/invbi.toml").systems.values()
    assert {secret.env for system in systems for secret in system.secrets.values()} <= set(named)
    assert "PGPASSWORD" in named


def test_the_page_names_every_topic_and_platform() -> None:
    table = PAGE.partition("### What is heard")[2].partition("\n\nA delivery")[0]
    rows = {row.split("|")[1].strip().lower(): row.split("|")[2] for row in table.splitlines() if row.startswith("| ")}
    assert set(PLATFORM_KEYS) <= set(rows)
    for topic in SHOPIFY:
        thing, _, act = topic.lower().rpartition("_")
        assert re.search(rf"\b{thing}\b[^;]*\b{act}\b", rows["shopify"]), topic
    assert [topic for topic in SQUARE if topic not in rows["square"]] == []
    assert [topic for topic in AMAZON if topic not in rows["amazon"]] == []


def test_the_snippet_of_the_page_is_a_configuration() -> None:
    (snippet,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    said: dict[str, Any] = tomllib.loads(snippet)
    assert StoreConfig(**said["store"]).state_url.startswith("postgresql")
    assert ServeConfig(**said["serve"]).public_url.startswith("https://")
