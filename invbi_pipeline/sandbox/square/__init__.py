"""An emulated Square seller account: catalog, inventory, orders and webhooks, as Square's published API shows them."""

from invbi_pipeline.sandbox.square.account import SquareAccount

__all__ = ["SquareAccount"]
