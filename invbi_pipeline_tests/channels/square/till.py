"""A Square account with two shops and three variations, and the channel that talks to it. Every exchange is kept."""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx

from invbi_pipeline.channels.protocol import Write, WriteResult
from invbi_pipeline.channels.square import SquareChannel
from invbi_pipeline.config import SystemConfig
from invbi_pipeline.sandbox.contract import ItemSpec
from invbi_pipeline.sandbox.square import SquareAccount

__all__ = ["Ticking", "Till", "till"]

SECRETS = {"token": "EAAA-token-of-the-till", "webhook_key": "key-of-the-hooks"}


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
    """Serves the emulator and keeps every exchange."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self.answers: list[httpx.Response] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        await response.aread()
        response.request = request
        self.answers.append(response)
        return response


@dataclass
class Till:
    clock: Ticking
    account: SquareAccount
    channel: SquareChannel
    recorder: Recorder
    places: list[str]
    keys: list[str] = field(default_factory=list)

    def another_process(self) -> None:
        """Let a channel talk to the account from now on that knows nothing yet."""
        self.channel = _channel(self.clock, self.recorder)

    async def write(self, *writes: Write) -> list[WriteResult]:
        return [result async for result in self.channel.write(writes)]


def till(items: int = 3, **settings: object) -> Till:
    """Two shops; `items` variations of one style, 10 units each in the first shop; the last one is not tracked."""
    clock = Ticking()
    account = SquareAccount("till", clock, random.Random(7), "http://till", SECRETS)
    places = [account.add_location("soho", "Soho"), account.add_location("camden", "Camden")]
    keys = []
    for n in range(items):
        spec = ItemSpec(f"SKU-{n}", "", "Shirt", "shirt", {"Size": str(n)}, 12.5, "GBP", tracked=n < items - 1)
        keys.append(account.add_item(spec))
        account.stock(keys[-1], places[0], 10)
    recorder = Recorder(httpx.ASGITransport(account.app))
    channel = _channel(clock, recorder, **settings)
    clock.pass_by(hours=2)
    return Till(clock, account, channel, recorder, places, keys)


def _channel(clock: Ticking, recorder: Recorder, **settings: object) -> SquareChannel:
    raw = {"platform": "square", "roles": ["counts", "sells"], "base_url": "http://till", **settings}
    config = SystemConfig.model_validate(raw)
    return SquareChannel("till", config, SECRETS, clock=clock, rng=random.Random(1), transport=recorder)
