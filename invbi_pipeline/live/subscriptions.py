"""The platforms' subscriptions for our door and our queues: looked at, made, and put right.

Platforms delete or switch off what fails for long, so having made a subscription once says nothing: it is looked at again and
again, and `mend` puts it right.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from invbi_pipeline.channels.protocol import Announcing, Standing, Subscription
from invbi_pipeline.config import TELLS_BY_QUEUE, Config
from invbi_pipeline.errors import ConfigError, InvbiError
from invbi_pipeline.flows.context import Context, asking
from invbi_pipeline.live.queues import SqsQueue
from invbi_pipeline.live.receiver import webhook_url

__all__ = ["AMAZON", "Look", "announcing", "look", "must_have_an_address"]

log = logging.getLogger("invbi.subscriptions")

# The account by which the Selling Partner API writes to queues:
# https://developer-docs.amazon.com/sp-api/docs/set-up-notifications-with-amazon-sqs
AMAZON: Final = "437568002678"
_QUEUE: Final = "queue"


@dataclass(frozen=True, slots=True)
class Look:
    """How a system's subscriptions stand; `trouble` says why that could not be seen."""

    system: str
    found: tuple[Subscription, ...] = ()
    trouble: str = ""

    @property
    def lacking(self) -> tuple[Subscription, ...]:
        return tuple(one for one in self.found if one.standing is Standing.LACKING)

    @property
    def stands(self) -> bool:
        """Every topic is told of."""
        return bool(self.found) and not self.lacking and not self.trouble


def announcing(ctx: Context) -> dict[str, Announcing]:
    """Return the systems whose platforms can tell of events and have somewhere to tell it: a public address, or a queue."""
    return {name: one for name, one in ctx.channels.items() if isinstance(one, Announcing) and _has_address(ctx.config, name)}


def must_have_an_address(config: Config) -> None:
    """Raise `ConfigError` where there is nothing that a platform could be told to deliver to."""
    if not (config.serve.public_url or config.serve.queues):
        what, mend = "the platforms must be told where to deliver", 'add public_url = "https://..." under [serve]'
        raise ConfigError("Nothing can be registered.", [("serve.public_url", what, mend)])


async def look(ctx: Context, *, mend: bool) -> Mapping[str, Look]:
    """Look at every system's subscriptions at once; a system that cannot be asked is in the result, with the reason."""
    asked = announcing(ctx)
    said = await asyncio.gather(*(_look(ctx, name, channel, mend=mend) for name, channel in asked.items()))
    return dict(zip(asked, said, strict=True))


def _has_address(config: Config, name: str) -> bool:
    by_queue = config.systems[name].platform in TELLS_BY_QUEUE
    return name in config.serve.queues if by_queue else bool(config.serve.public_url)


async def _look(ctx: Context, name: str, channel: Announcing, *, mend: bool) -> Look:
    try:
        with asking(name):
            if name not in ctx.config.serve.queues:
                found = await channel.subscriptions(webhook_url(ctx.config.serve.public_url, name), mend=mend)
                return Look(name, tuple(found))
            queue = SqsQueue(ctx.config.serve.queues[name])
            found = await channel.subscriptions(await queue.arn(), mend=mend)
            return Look(name, (*found, await _writable(queue)))
    except InvbiError as trouble:
        return Look(name, (), str(trouble))


async def _writable(queue: SqsQueue) -> Subscription:
    """Say whether the queue takes what Amazon writes; a queue's policy is its owner's to change."""
    if await queue.writers() & {AMAZON, "*"}:
        return Subscription(_QUEUE, Standing.KEPT)
    mend = f"let the principal {AMAZON} do sqs:SendMessage and sqs:GetQueueAttributes in the queue's access policy"
    return Subscription(_QUEUE, Standing.LACKING, f"its policy does not let Amazon write: {mend}")
