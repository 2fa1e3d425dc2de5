"""A small emulated shop and a caller that speaks HTTP to it."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from invbi_pipeline.sandbox.contract import ItemSpec
from invbi_pipeline.sandbox.shopify import ShopifyAccount
from invbi_pipeline_tests.sandbox.serving import HandClock

__all__ = ["SECRETS", "Shop", "item_gid", "location_gid", "new_shop"]

SECRETS = {"token": "a-token", "webhook_secret": "a-secret"}
BASE = "http://sandbox/shopify_uk"
PATH = "/admin/api/2026-07/graphql.json"


def item_gid(key: str) -> str:
    return f"gid://shopify/InventoryItem/{key}"


def location_gid(key: str) -> str:
    return f"gid://shopify/Location/{key}"


@dataclass
class Shop:
    account: ShopifyAccount
    clock: HandClock
    locations: list[str]
    items: list[str]
    delivered: list[tuple[str, Mapping[str, str], bytes]] = field(default_factory=list)

    def call(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.account.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as client:
                return await client.request(method, path, **kwargs)

        return asyncio.run(send())

    def post(self, query: str, variables: Mapping[str, Any] | None = None, token: str = SECRETS["token"]) -> httpx.Response:
        body = {"query": query, "variables": variables or {}}
        return self.call("POST", PATH, json=body, headers={"X-Shopify-Access-Token": token})

    def ask(self, query: str, /, **variables: Any) -> Any:
        """Return the data of an answer without errors."""
        answer = self.post(query, variables).json()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def available(self, item: int = 0, location: int = 0) -> int:
        """Return what the API shows as available."""
        query = """query($i: ID!, $l: ID!) { inventoryItem(id: $i) { inventoryLevel(locationId: $l) {
            quantities(names: ["available"]) { quantity } } } }"""
        data = self.ask(query, i=item_gid(self.items[item]), l=location_gid(self.locations[location]))
        quantity = data["inventoryItem"]["inventoryLevel"]["quantities"][0]["quantity"]
        assert isinstance(quantity, int)
        return quantity

    def states(self, item: int = 0, location: int = 0) -> dict[str, int]:
        """Return available, committed and on_hand, as the API shows them."""
        query = """query($i: ID!, $l: ID!) { inventoryItem(id: $i) { inventoryLevel(locationId: $l) {
            quantities(names: ["available", "committed", "on_hand"]) { name quantity } } } }"""
        data = self.ask(query, i=item_gid(self.items[item]), l=location_gid(self.locations[location]))
        return {row["name"]: row["quantity"] for row in data["inventoryItem"]["inventoryLevel"]["quantities"]}

    def subscribe(self, topic: str, uri: str = "https://hooks.example/in") -> None:
        query = """mutation($t: WebhookSubscriptionTopic!, $u: String!) {
            webhookSubscriptionCreate(topic: $t, webhookSubscription: {uri: $u, format: JSON}) {
                webhookSubscription { id uri } userErrors { field message } } }"""
        assert not self.ask(query, t=topic, u=uri)["webhookSubscriptionCreate"]["userErrors"]


def new_shop(items: int = 3, stock: int = 10, seed: int = 1, **limits: int) -> Shop:
    """Open a shop with two locations and `stock` of each item at both."""
    clock = HandClock()
    account = ShopifyAccount("shopify_uk", clock, random.Random(seed), BASE, SECRETS, **limits)
    locations = [account.add_location("warehouse", "Warehouse"), account.add_location("soho", "Soho")]
    keys = [
        account.add_item(
            ItemSpec(
                f"TEE-{n}",
                f"50123456789{n:02d}",
                f"tee{n // 3}, {'SML'[n % 3]}",
                f"tee{n // 3}",
                {"Size": "SML"[n % 3]},
                20.0,
                "GBP",
            )
        )
        for n in range(items)
    ]
    for key in keys:
        for location in locations:
            account.stock(key, location, stock)
    shop = Shop(account, clock, locations, keys)
    account.on_webhook(lambda address, headers, body: shop.delivered.append((address, headers, body)))
    return shop
