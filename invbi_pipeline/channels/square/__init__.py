"""Platform `square`: a till (it counts its shops) or a channel (its numbers are set)."""

from invbi_pipeline.channels.square.channel import SquareChannel
from invbi_pipeline.channels.square.facts import FACTS

__all__ = ["FACTS", "SquareChannel"]
