"""The worker: events in, the numbers of the affected skus out, within a second.

It shares every decision with the batch: the same reads and walls (`flows.feeds`, `store.landing`), the same arithmetic
(`domain.incremental`), the same plan, guards, outbox and push (`flows.corrections`).
"""

from invbi_pipeline.live.worker.sweeping import SweepResult
from invbi_pipeline.live.worker.worker import BatchDone, Worker

__all__ = ["BatchDone", "SweepResult", "Worker"]
