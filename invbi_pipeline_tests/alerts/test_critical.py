"""Alerts: one message for what is new, over a real webhook, without a secret in any error."""

import json
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import polars as pl
import pytest

from invbi_pipeline.alerts.critical import critical_message, send
from invbi_pipeline.domain.frames import FINDINGS, empty
from invbi_pipeline.errors import TransientError

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def findings(*rows: tuple[str, str, str]) -> pl.DataFrame:
    some = [{"finding_id": f, "severity": s, "state": "open", "code": "oversold", "cause": c} for f, s, c in rows]
    return pl.concat([empty(FINDINGS), pl.DataFrame(some)], how="diagonal_relaxed")


def test_only_critical_findings_are_told() -> None:
    message = critical_message(findings(("a", "critical", "Three too many."), ("b", "high", "One.")), {}, NOW, HOUR)
    assert message is not None
    assert message.finding_ids == ("a",)
    assert "Three too many." in message.body


def test_the_same_trouble_is_not_told_again_within_the_quiet_time() -> None:
    rows = findings(("a", "critical", "x"))
    assert critical_message(rows, {"a": NOW - timedelta(minutes=59)}, NOW, HOUR) is None
    assert critical_message(rows, {"a": NOW - timedelta(minutes=61)}, NOW, HOUR) is not None


def test_a_message_reaches_a_webhook() -> None:
    got: list[dict[str, str]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            del args

    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        server.timeout = 10
        thread = threading.Thread(target=server.handle_request, daemon=True)
        thread.start()
        message = critical_message(findings(("a", "critical", "Three too many.")), {}, NOW, HOUR)
        assert message is not None
        send(message, [f"json://127.0.0.1:{server.server_port}/hook"])
        thread.join(timeout=10)
    assert got[0]["title"] == "invbi: 1 critical finding"


def test_a_failed_delivery_never_names_the_address() -> None:
    message = critical_message(findings(("a", "critical", "x")), {}, NOW, HOUR)
    assert message is not None
    with pytest.raises(TransientError) as caught:
        send(message, ["json://user:secretword@127.0.0.1:9/"])
    assert "secretword" not in str(caught.value)
