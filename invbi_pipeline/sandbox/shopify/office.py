"""The desks of one shop behind its API, and what it says of itself."""

import random
from collections.abc import Callable
from typing import Any

from graphql import DocumentNode, GraphQLResolveInfo

from invbi_pipeline.sandbox.shopify.bulk import BulkDesk
from invbi_pipeline.sandbox.shopify.catalogue import OTHER_STATES, gid, iso
from invbi_pipeline.sandbox.shopify.context import Context
from invbi_pipeline.sandbox.shopify.counter import Counter
from invbi_pipeline.sandbox.shopify.executor import execute, the_schema
from invbi_pipeline.sandbox.shopify.hooks import API_VERSION, HookDesk
from invbi_pipeline.sandbox.shopify.inventory import InventoryDesk
from invbi_pipeline.sandbox.shopify.order_resolvers import readable_orders
from invbi_pipeline.sandbox.shopify.orders import Order
from invbi_pipeline.sandbox.shopify.shop import Shop
from invbi_pipeline.sandbox.shopify.stock import QUANTITY_NAMES

__all__ = ["SCOPES", "Office"]

SCOPES = (
    "read_inventory",
    "write_inventory",
    "read_products",
    "read_locations",
    "read_orders",
    "read_all_orders",
    "read_returns",
    "read_merchant_managed_fulfillment_orders",
)
_SortKey = Callable[[Order], tuple[Any, ...]]


class Office:
    """Everything a request of one shop can reach."""

    def __init__(self, shop: Shop, rng: random.Random, base_url: str, webhook_secret: str) -> None:
        self.shop = shop
        self.counter = Counter(shop)
        self.inventory = InventoryDesk(shop)
        self.hooks = HookDesk(shop, rng, webhook_secret)
        self.bulks = BulkDesk(shop, base_url, self._bulk_rows, the_schema)
        shop.happened = self.hooks.happened
        self._sorted: dict[_SortKey, tuple[int, list[Order]]] = {}

    def sorted_orders(self, context: Context, key: _SortKey) -> list[Order]:
        """Return the readable orders sorted; kept between the pages of one read while nothing changes."""
        if self.shop.wire.order_lag_s:
            return sorted(readable_orders(context), key=key)
        revision, orders = self._sorted.get(key, (-1, []))
        if revision != self.shop.order_revision:
            orders = sorted(readable_orders(context), key=key)
            self._sorted[key] = (self.shop.order_revision, orders)
        return orders

    def describe_shop(self, info: GraphQLResolveInfo) -> dict[str, Any]:
        shop = self.shop
        return {
            "__typename": "Shop",
            "id": gid("Shop", shop.id),
            "name": shop.name,
            "email": f"owner@{shop.name}.example",
            "contactEmail": f"hello@{shop.name}.example",
            "myshopifyDomain": shop.domain,
            "primaryDomain": {
                "id": gid("Domain", shop.id),
                "host": shop.domain,
                "url": f"https://{shop.domain}",
                "sslEnabled": True,
            },
            "url": f"https://{shop.domain}",
            "currencyCode": shop.currency,
            "ianaTimezone": "Europe/London",
            "timezoneAbbreviation": "GMT",
            "timezoneOffset": "+0000",
            "createdAt": iso(shop.opened_at),
            "updatedAt": iso(shop.opened_at),
        }

    def describe_installation(self, info: GraphQLResolveInfo) -> dict[str, Any]:
        number = self.shop.id + 1
        scopes = [{"handle": scope, "description": scope.replace("_", " ").capitalize()} for scope in SCOPES]
        app = {
            "id": gid("App", number),
            "title": "Stock reconciliation",
            "handle": "stock-reconciliation",
            "apiKey": f"{self.shop.id:032x}",
            "webhookApiVersion": API_VERSION,
        }
        return {"id": gid("AppInstallation", number), "app": app, "accessScopes": scopes}

    def describe_inventory(self, info: GraphQLResolveInfo) -> dict[str, Any]:
        parts = ["available", "committed", *OTHER_STATES]
        return {
            "quantityNames": [
                {
                    "name": name,
                    "displayName": name.replace("_", " ").capitalize(),
                    "isInUse": True,
                    "belongsTo": ["on_hand"] if name in parts else [],
                    "comprises": parts if name == "on_hand" else [],
                }
                for name in QUANTITY_NAMES
            ]
        }

    def tick(self) -> None:
        """Do the work that has become due."""
        self.bulks.tick()
        self.hooks.tick()

    def _bulk_rows(self, document: DocumentNode, rows: range) -> dict[str, Any]:
        result = execute(document, Context(self.shop, self, rows), {}, None)
        if result.errors:
            raise result.errors[0]
        return result.data or {}
