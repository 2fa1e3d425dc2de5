"""The simulated retailer behind the emulated platforms: physical truth, people, programs, and the faults they make."""

from invbi_pipeline.sandbox.world.clock import LiveClock, VirtualClock
from invbi_pipeline.sandbox.world.faults.planted import Planted
from invbi_pipeline.sandbox.world.truth import Excluded, Point
from invbi_pipeline.sandbox.world.world import World

__all__ = ["Excluded", "LiveClock", "Planted", "Point", "VirtualClock", "World"]
