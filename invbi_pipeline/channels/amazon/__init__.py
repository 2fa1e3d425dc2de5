"""Platform `amazon`: a seller account on the Selling Partner API, merchant-fulfilled numbers written, Amazon's own only read."""

from invbi_pipeline.channels.amazon.channel import AmazonChannel
from invbi_pipeline.channels.amazon.facts import FACTS

__all__ = ["FACTS", "AmazonChannel"]
