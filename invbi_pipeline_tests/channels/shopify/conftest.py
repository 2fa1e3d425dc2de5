"""A small emulated shop and a channel connected to it, on one clock that a test moves by hand."""

import asyncio
import random
from dataclasses import dataclass, field

import httpx
import pytest
from graphql import GraphQLSchema, build_schema

from invbi_pipeline.channels.protocol import Channel
from invbi_pipeline.channels.registry import open_channel
from invbi_pipeline.config import Secret, SystemConfig
from invbi_pipeline.domain.words import Mode, Role
from invbi_pipeline.sandbox.contract import ItemSpec, Line
from invbi_pipeline.sandbox.shopify import ShopifyAccount
from invbi_pipeline_tests.sandbox.serving import HandClock
from invbi_pipeline_tests.shared import shared

TOKEN = "shpat_0123456789abcdef0123456789abcdef"
PATH = "/admin/api/2026-07/graphql.json"
WEBHOOK_SECRET = "hush-hush-webhooks"


@dataclass
class Wiretap(httpx.AsyncBaseTransport):
    """Passes requests on and keeps what was sent."""

    inner: httpx.AsyncBaseTransport
    sent: list[httpx.Request] = field(default_factory=list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        return await self.inner.handle_async_request(request)


@dataclass
class Shop:
    """The emulated account, the channel that talks to it, and what it says."""

    account: ShopifyAccount
    clock: HandClock
    channel: Channel
    wire: Wiretap
    warehouse: str
    soho: str

    def item(self, sku: str, warehouse: int | None = 10, soho: int | None = 5, *, style: str = "", tracked: bool = True) -> str:
        spec = ItemSpec(sku, f"50{len(sku):011d}", f"Tee {sku}", style, {}, 20.0, "GBP", tracked=tracked)
        key = self.account.add_item(spec)
        self.account.stock(key, self.warehouse, warehouse)
        self.account.stock(key, self.soho, soho)
        return key

    def sell(self, key: str, units: int = 1, *, pos: bool = False, at: str = "") -> str:
        return self.account.order([Line(key, units, 20.0)], at, pos=pos)

    def subscribe(self, topic: str) -> None:
        """Ask for webhooks as an app does."""
        query = """mutation($topic: WebhookSubscriptionTopic!, $hook: WebhookSubscriptionInput!) {
          webhookSubscriptionCreate(topic: $topic, webhookSubscription: $hook) { userErrors { message } } }"""
        body = {"query": query, "variables": {"topic": topic, "hook": {"uri": "https://invbi.test/hooks", "format": "JSON"}}}

        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app=self.account.app), base_url="http://shop.test") as app:
                return await app.post(PATH, json=body, headers={"X-Shopify-Access-Token": TOKEN})

        answer = asyncio.run(ask()).json()
        assert answer["data"]["webhookSubscriptionCreate"]["userErrors"] == [], answer


def make_shop(monkeypatch: pytest.MonkeyPatch) -> Shop:
    clock = HandClock()
    account = ShopifyAccount(
        "shopify_uk", clock, random.Random(7), "http://shop.test", {"token": TOKEN, "webhook_secret": WEBHOOK_SECRET}
    )
    warehouse, soho = account.add_location("warehouse", "Warehouse"), account.add_location("soho", "Soho")
    monkeypatch.setenv("SHOP_TOKEN", TOKEN)
    monkeypatch.setenv("SHOP_HOOKS", WEBHOOK_SECRET)
    config = SystemConfig(
        platform="shopify",
        roles=(Role.SELLS,),
        mode=Mode.AUTO,
        base_url="http://shop.test",
        secrets={"token": Secret(env="SHOP_TOKEN"), "webhook_secret": Secret(env="SHOP_HOOKS")},
    )
    wire = Wiretap(httpx.ASGITransport(app=account.app))
    channel = open_channel("shopify_uk", config, clock, random.Random(1), transport=wire)
    return Shop(account, clock, channel, wire, warehouse, soho)


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Shop:
    return make_shop(monkeypatch)


@pytest.fixture(scope="session")
def published() -> GraphQLSchema:
    """Shopify's own schema; reading it takes seconds."""
    return build_schema(shared("specs/shopify/admin-2026-07.graphql").read_text(encoding="utf-8"), assume_valid=True)
