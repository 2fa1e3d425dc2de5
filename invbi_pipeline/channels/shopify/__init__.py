"""Platform `shopify`: the Admin GraphQL API."""

from invbi_pipeline.channels.shopify.channel import ShopifyChannel
from invbi_pipeline.channels.shopify.facts import FACTS

__all__ = ["FACTS", "ShopifyChannel"]
