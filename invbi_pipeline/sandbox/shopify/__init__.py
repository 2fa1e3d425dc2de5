"""An emulated Shopify shop: Admin GraphQL API 2026-07, bulk queries, webhooks, and its wire faults."""

from invbi_pipeline.sandbox.shopify.account import ShopifyAccount

__all__ = ["ShopifyAccount"]
