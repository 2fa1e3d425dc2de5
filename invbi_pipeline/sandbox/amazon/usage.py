"""The published usage plans: requests per second and burst of each operation, enforced on the world's clock.

Source: the "Usage Plan" table in each operation's description in the published models. JSON_LISTINGS_FEED has a throttle of its
own instead of createFeed's: 5 submissions in 5 minutes (developer-docs.amazon.com/sp-api/changelog).
"""

from invbi_pipeline.sandbox.amazon.refusals import AmazonRefusal
from invbi_pipeline.sandbox.contract import UNLIMITED, Wire, WorldClock
from invbi_pipeline.sandbox.wire import Bucket

__all__ = ["USAGE", "UsagePlans"]

LISTINGS_FEED = "JSON_LISTINGS_FEED"
USAGE: dict[str, tuple[float, float]] = {
    "getInventorySummaries": (2, 2),
    "getListingsItem": (5, 10),
    "searchListingsItems": (5, 5),
    "patchListingsItem": (5, 5),
    "createFeedDocument": (0.5, 15),
    "createFeed": (0.0083, 15),
    "getFeed": (2, 15),
    "getFeeds": (0.0222, 10),
    "cancelFeed": (2, 15),
    "getFeedDocument": (0.0222, 10),
    "createReport": (0.0167, 15),
    "getReport": (2, 15),
    "getReports": (0.0222, 10),
    "cancelReport": (0.0222, 10),
    "getReportDocument": (0.0167, 15),
    "searchOrders": (0.0056, 20),
    "getOrder": (0.5, 30),
    "getMarketplaceParticipations": (0.016, 15),
    "getDestinations": (1, 5),
    "createDestination": (1, 5),
    "getSubscription": (1, 5),
    "createSubscription": (1, 5),
    "deleteSubscriptionById": (1, 5),
    LISTINGS_FEED: (5 / 300, 5),
}


class UsagePlans:
    """One bucket an operation, full at the start."""

    def __init__(self, clock: WorldClock, wire: Wire) -> None:
        self._wire = wire
        self._buckets = {name: Bucket(clock, rate, burst) for name, (rate, burst) in USAGE.items()}

    def take(self, operation: str) -> None:
        """Take one request; raise `AmazonRefusal` (429 QuotaExceeded) where none is left."""
        if self._wire.enforce_limits and not self._buckets[operation].take():
            raise AmazonRefusal(429, "QuotaExceeded", "You exceeded your quota for the requested resource.")

    def header(self, operation: str) -> dict[str, str]:
        """Return the header that states the operation's rate."""
        rate = USAGE[operation][0] if self._wire.enforce_limits else UNLIMITED
        return {"x-amzn-RateLimit-Limit": str(float(rate))}
