"""What the event process measures, as Prometheus reads it at /metrics. Labels are configured names: strangers add no series."""

from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.responses import Response

__all__ = ["Metrics"]

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_MINUTES: Final = (*_SECONDS, 30.0, 60.0, 120.0, 300.0)  # the worker may be behind: 60 s wake somebody (deploy/rules.yml)
_ROWS: Final = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000)


class Metrics:
    """The series of one process, in a registry of their own: two receivers in one test do not add up."""

    def __init__(self) -> None:
        self.registry: Final = CollectorRegistry()
        self.deliveries: Final = Counter(
            "invbi_deliveries", "Webhook deliveries by what became of them.", ["system", "outcome"], registry=self.registry
        )
        self.answered: Final = Histogram(
            "invbi_delivery_seconds",
            "From the first byte of a delivery to its answer.",
            ["system"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.commit: Final = Histogram(
            "invbi_inbox_commit_deliveries", "Deliveries stored by one commit.", buckets=_ROWS, registry=self.registry
        )
        self.queued: Final = Gauge(
            "invbi_inbox_queued", "Deliveries that wait for the commit under way to end.", registry=self.registry
        )

        self.sweeps: Final = Counter(
            "invbi_sweeps",
            "Looks at what changed at a system, by what came of them.",
            ["system", "outcome"],
            registry=self.registry,
        )
        self.sweep_interval: Final = Gauge(
            "invbi_sweep_interval_seconds", "From the look before the last to the last.", ["system"], registry=self.registry
        )
        self.missed: Final = Counter(
            "invbi_missed_events",
            "Orders and levels that changed at a system which tells of its events, and that no event had announced.",
            ["platform", "system", "kind"],
            registry=self.registry,
        )
        self.subscriptions_lacking: Final = Gauge(
            "invbi_subscriptions_lacking",
            "Topics that the platform does not tell of; NaN when that could not be seen.",
            ["system"],
            registry=self.registry,
        )
        self.subscriptions_unseen: Final = Gauge(
            "invbi_subscriptions_unseen",
            "1 where the last look at the platform's subscriptions failed: nobody knows what it tells of.",
            ["system"],
            registry=self.registry,
        )
        self.queue_messages: Final = Counter(
            "invbi_queue_messages",
            "Messages taken from a queue, by what they were.",
            ["system", "outcome"],
            registry=self.registry,
        )
        self.published: Final = Counter(
            "invbi_sheet_publications", "Publications to the sheet, by what came of them.", ["outcome"], registry=self.registry
        )

        self.working_here: Final = Gauge(
            "invbi_worker", "1 in the process that works on what all doors take, 0 in every other.", registry=self.registry
        )
        self.delay: Final = Gauge(
            "invbi_worker_delay_seconds",
            "Age of the oldest delivery that the worker has not decided yet; 0 when it has none.",
            registry=self.registry,
        )
        self.waiting: Final = Gauge(
            "invbi_worker_waiting", "Deliveries that the worker has not decided yet.", registry=self.registry
        )
        self.decided: Final = Histogram(
            "invbi_worker_decided_seconds",
            "From the receipt of a delivery to the decision of what it named.",
            buckets=_MINUTES,
            registry=self.registry,
        )
        self.families: Final = Histogram(
            "invbi_worker_families", "Families of skus decided anew by one micro-batch.", buckets=_ROWS, registry=self.registry
        )
        self.working: Final = Histogram(
            "invbi_worker_batch_seconds", "How long the worker decided one micro-batch.", buckets=_MINUTES, registry=self.registry
        )
        self.sent: Final = Counter(
            "invbi_corrections_sent",
            "Corrections that left, by what the platform made of them.",
            ["system", "outcome"],
            registry=self.registry,
        )
        self.unread: Final = Counter(
            "invbi_worker_failures", "Looks of the worker at a system that failed.", ["system"], registry=self.registry
        )

    def may_miss(self, platform: str, system: str) -> None:
        """Let the series of what a system did not announce begin at 0: of one born later nobody sees the first rise."""
        for kind in ("order", "level"):
            self.missed.labels(platform, system, kind)

    def page(self) -> Response:
        """Return every series in Prometheus' text format."""
        return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_LATEST)
