"""Signs and posts deliveries to a receiver in this process, and looks at what its store holds."""

import asyncio
import base64
import hashlib
import hmac
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
from starlette.types import ASGIApp

from invbi_pipeline.store.state import State, open_state
from invbi_pipeline_tests.channels.shopify.conftest import WEBHOOK_SECRET

__all__ = ["PUBLIC", "STORE", "held", "inbox", "knock", "post", "shopify_headers", "state_in"]

PUBLIC = "https://hooks.example/invbi"  # where the platforms find the door: a proxy's address, never the app's own
STORE = "state.db"


def knock(app: ASGIApp, method: str, path: str, **more: Any) -> httpx.Response:
    """Send one request to the app, at an address inside the house."""

    async def send() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://inside:8000") as client:
            return await client.request(method, path, **more)

    return asyncio.run(send())


def post(app: ASGIApp, system: str, headers: Mapping[str, str], body: bytes) -> int:
    """Deliver, and return the status."""
    return knock(app, "POST", f"/webhooks/{system}", headers=dict(headers), content=body).status_code


def shopify_headers(
    body: bytes, topic: str = "orders/create", number: str = "d-1", secret: str = WEBHOOK_SECRET
) -> dict[str, str]:
    """Return the headers of a delivery signed as Shopify signs."""
    signature = base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode()
    return {"X-Shopify-Topic": topic, "X-Shopify-Hmac-Sha256": signature, "X-Shopify-Webhook-Id": number}


@contextmanager
def state_in(folder: Path, wait_s: float = 5.0) -> Iterator[State]:
    """Open the state store of a folder."""
    state = open_state(f"sqlite:///{STORE}", folder, wait_s)
    try:
        yield state
    finally:
        state.close()


def inbox(folder: Path) -> list[tuple[str, str, str]]:
    """Return what another process finds in the inbox: system, delivery id, body."""
    with closing(sqlite3.connect(folder / STORE)) as connection:
        return connection.execute("SELECT system, delivery_id, body FROM inbox ORDER BY rowid").fetchall()


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Be another process that keeps the store's lock."""
    with closing(sqlite3.connect(folder / STORE, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
