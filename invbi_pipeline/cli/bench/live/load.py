"""Signed deliveries for a receiver, from a process of its own, over connections that are kept open as platforms keep them.

usage: python -m invbi_pipeline.cli.bench.live.load ADDRESS COUNT CONNECTIONS PER_SECOND   (0: as many as it takes)

Everything is written and signed before the clock starts, and the answers are read no further than needed: on a small machine
the load must not take what the server needs. Prints one JSON line.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from invbi_pipeline.cli.bench.live.door import SYSTEM

__all__ = ["deliver", "order"]

_LINES: Final = 3


def order(n: int) -> bytes:
    """Return the body of an order of the size that Shopify sends for a few lines (some 2 KB), without a buyer in it."""
    lines = [
        {
            "id": n * 10 + m,
            "variant_id": 7_000_000 + m,
            "sku": f"SKU-{m:06d}",
            "quantity": 1,
            "price": "19.50",
            "title": "T" * 400,
        }
        for m in range(_LINES)
    ]
    times = {"created_at": "2026-11-20T10:00:00Z", "updated_at": "2026-11-20T10:00:00Z"}
    return json.dumps({"id": 5_000_000 + n, **times, "currency": "GBP", "line_items": lines}).encode()


def _requests(host: str, count: int, secret: str) -> list[bytes]:
    return [_request(host, n, secret.encode()) for n in range(count)]


def _request(host: str, n: int, secret: bytes) -> bytes:
    body = order(n)
    signature = base64.b64encode(hmac.digest(secret, body, hashlib.sha256)).decode()
    head = (
        f"POST /webhooks/{SYSTEM} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        f"X-Shopify-Topic: orders/create\r\nX-Shopify-Hmac-Sha256: {signature}\r\n"
        f"X-Shopify-Shop-Domain: bench.myshopify.com\r\nX-Shopify-Webhook-Id: load-{os.getpid()}-{n}\r\n\r\n"
    )
    return head.encode() + body


async def deliver(address: str, count: int, connections: int, per_second: float, secret: str) -> dict[str, Any]:
    """Send `count` deliveries; return seconds, deliveries a second, answers by status, and the answers' quantiles in ms."""
    host = urlsplit(address).netloc
    waiting = enumerate(_requests(host, count, secret))
    took: list[float] = []
    statuses: Counter[int] = Counter()
    began = time.perf_counter()
    await asyncio.gather(*(_line(host, waiting, began, per_second, took, statuses) for _ in range(connections)))
    seconds = time.perf_counter() - began
    took.sort()
    quantiles = {f"p{q}_ms": round(1000 * took[min(len(took) - 1, len(took) * q // 100)], 2) for q in (50, 95, 99)}
    return {"seconds": seconds, "per_second": count / seconds, "statuses": dict(statuses), **quantiles}


async def _line(
    host: str, waiting: Iterator[tuple[int, bytes]], began: float, per_second: float, took: list[float], statuses: Counter[int]
) -> None:
    """Send over one connection what is next, one delivery after the other, each not before its time."""
    name, _, port = host.partition(":")
    reader, writer = await asyncio.open_connection(name, int(port))
    for n, request in waiting:
        due = began + n / per_second if per_second else 0.0
        if (early := due - time.perf_counter()) > 0:
            await asyncio.sleep(early)
        sent = due or time.perf_counter()  # a delivery that could not leave in time has waited: that counts too
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line[:15].lower() == b"content-length:")
        await reader.readexactly(length)
        took.append(time.perf_counter() - sent)
        statuses[int(head[9:12])] += 1
    writer.close()


if __name__ == "__main__":
    secret = os.environ["INVBI_BENCH_WEBHOOK_SECRET"]
    told = asyncio.run(deliver(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), secret))
    sys.stdout.write(json.dumps(told) + "\n")
