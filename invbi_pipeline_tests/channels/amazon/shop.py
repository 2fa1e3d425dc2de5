"""An Amazon seller account with merchant- and platform-fulfilled listings, and the channel that talks to it."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx

from invbi_pipeline.channels.amazon import AmazonChannel
from invbi_pipeline.channels.protocol import Reading, Write, WriteResult
from invbi_pipeline.config import SystemConfig
from invbi_pipeline.domain.words import CorrectionKind, Dataset
from invbi_pipeline.sandbox.amazon import AmazonAccount
from invbi_pipeline.sandbox.contract import ItemSpec

__all__ = ["SECRETS", "Shop", "set_to", "shop"]

SECRETS = {
    "client_id": "amzn1.application-oa2-client.sandbox",
    "client_secret": "amzn1.oa2-cs.v1.sandbox-secret",
    "refresh_token": "Atzr|sandbox-refresh-token",
}


class Ticking:
    """A clock that moves when somebody sleeps on it."""

    def __init__(self) -> None:
        self.at = datetime(2026, 7, 1, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)

    def pass_by(self, **spans: float) -> None:
        self.at += timedelta(**spans)


class Recorder(httpx.AsyncBaseTransport):
    """Serves the emulator and keeps every exchange; `before` sees each request first."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self.answers: list[httpx.Response] = []
        self.before: Callable[[httpx.Request], None] = lambda request: None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.before(request)
        response = await self._inner.handle_async_request(request)
        content = await response.aread()
        kept = httpx.Response(response.status_code, headers=response.headers, content=content, request=request)
        self.answers.append(kept)
        return response


@dataclass
class Shop:
    clock: Ticking
    account: AmazonAccount
    channel: AmazonChannel
    recorder: Recorder

    async def write(self, *writes: Write) -> list[WriteResult]:
        return [result async for result in self.channel.write(writes)]

    async def read(self, dataset: Dataset, since: str = "") -> Reading:
        return await self.channel.read(dataset, since)

    def asked(self, word: str, method: str = "") -> Sequence[httpx.Request]:
        """The requests sent whose path holds a word."""
        requests = [answer.request for answer in self.recorder.answers]
        return [r for r in requests if word in r.url.path and method in ("", r.method)]


def shop(merchant: int = 3, platform: int = 1) -> Shop:
    """Listings M-0, M-1, ... of 10 units that the merchant ships, and F-0, ... of 7 that Amazon ships."""
    clock = Ticking()
    account = AmazonAccount("amazon_uk", clock, random.Random(5), "http://amazon", SECRETS)
    for kind, number, units in (("M", merchant, 10), ("F", platform, 7)):
        for n in range(number):
            spec = ItemSpec(f"{kind}-{n}", "5012345678900", "Shirt", "shirt", {}, 9.99, "GBP", platform_fulfilled=kind == "F")
            account.stock(account.add_item(spec), "", units)
    recorder = Recorder(httpx.ASGITransport(account.app))
    raw = {"platform": "amazon", "roles": ["sells"], "base_url": "http://amazon", "account": "A2SELLER"}
    config = SystemConfig.model_validate({**raw, "marketplace": "A1F83G8C2ARO7P"})
    channel = AmazonChannel("amazon_uk", config, SECRETS, clock=clock, rng=random.Random(1), transport=recorder)
    clock.pass_by(hours=3)
    return Shop(clock, account, channel, recorder)


def set_to(sku: str, quantity: int, *, urgent: bool = False) -> Write:
    """A correction that sets a merchant's quantity."""
    return Write(f"c-{sku}", CorrectionKind.SET, sku, "", quantity, None, f"key-{sku}", urgent=urgent)
