"""An emulated Amazon seller account: the Selling Partner API as its published models describe it."""

from invbi_pipeline.sandbox.amazon.account import AmazonAccount

__all__ = ["AmazonAccount"]
