"""Platforms that tell of events through a queue (Amazon: SQS): what waits goes into the inbox, and only then leaves the queue.

A message that is taken and not deleted comes back after the queue's visibility timeout, so nothing is lost when this process
ends in between, and what comes twice is known by its id. A message that is no notification can never become one: it is counted,
told, and deleted, else it would come back for days.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from invbi_pipeline.channels.protocol import Clock, Event
from invbi_pipeline.errors import BadAnswer, Refused, Unreachable
from invbi_pipeline.live.writer import delivery_of
from invbi_pipeline.store.inbox import Delivery

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import DeleteMessageBatchRequestEntryTypeDef

__all__ = ["Message", "Queue", "SqsQueue", "take"]

log = logging.getLogger("invbi.queues")

_T = TypeVar("_T")

_AT_ONCE: Final = 10  # SQS gives no more in one call
_WAIT_S: Final = 10  # long polling: an empty queue answers after this, one with a message at once


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a queue, and the handle by which it is deleted."""

    body: str
    handle: str


class Queue(Protocol):
    """Where a platform's messages wait."""

    async def receive(self) -> list[Message]:
        """Wait a while for messages and return some."""
        ...

    async def delete(self, messages: Sequence[Message]) -> None:
        """Take these out of the queue; one that stays comes again."""
        ...


class SqsQueue:
    """An SQS queue by its address. Credentials, region and endpoint are found as AWS' own tools find them."""

    def __init__(self, url: str, client: SQSClient | None = None) -> None:
        self._url = url
        self._client = client or self._connected()

    def _connected(self) -> SQSClient:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        try:
            return boto3.client("sqs", config=Config(retries={"mode": "standard"}, read_timeout=_WAIT_S + 10))
        except BotoCoreError as trouble:
            raise Unreachable(f"The queue cannot be read: {type(trouble).__name__}.") from None

    async def receive(self) -> list[Message]:
        """Wait for messages and return up to ten. Raises `Unreachable` and `Refused`."""
        said = await _asked(
            lambda: self._client.receive_message(QueueUrl=self._url, MaxNumberOfMessages=_AT_ONCE, WaitTimeSeconds=_WAIT_S)
        )
        return [Message(one.get("Body", ""), one["ReceiptHandle"]) for one in said.get("Messages", ())]

    async def arn(self) -> str:
        """Return the queue's Amazon resource name. Raises `Unreachable` and `Refused`."""
        said = await _asked(lambda: self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"]))
        return said.get("Attributes", {}).get("QueueArn", "")

    async def writers(self) -> frozenset[str]:
        """Return the AWS accounts that the queue's own policy lets write to it. Raises `Unreachable` and `Refused`."""
        said = await _asked(lambda: self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=["Policy"]))
        return _writers(said.get("Attributes", {}).get("Policy", "{}"))

    async def delete(self, messages: Sequence[Message]) -> None:
        """Take these messages out of the queue; one that stays comes again. Raises `Unreachable` and `Refused`."""
        entries: list[DeleteMessageBatchRequestEntryTypeDef] = [
            {"Id": str(n), "ReceiptHandle": message.handle} for n, message in enumerate(messages)
        ]
        await _asked(lambda: self._client.delete_message_batch(QueueUrl=self._url, Entries=entries))


def _writers(policy: str) -> frozenset[str]:
    """Return the accounts, by number, that a policy allows `SendMessage`; "*" where it is everybody."""
    found: set[str] = set()
    for statement in _listed(json.loads(policy).get("Statement")):
        actions = {str(action).lower() for action in _listed(statement.get("Action"))}
        if statement.get("Effect") == "Allow" and actions & {"*", "sqs:*", "sqs:sendmessage"}:
            who = statement.get("Principal")
            found |= {str(name) for name in _listed(who.get("AWS") if isinstance(who, dict) else who)}
    return frozenset(name.split(":")[4] if name.startswith("arn:") else name for name in found)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


async def _asked(call: Callable[[], _T]) -> _T:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return await asyncio.to_thread(call)
    except ClientError as refused:  # its own text may quote the account
        code = str(refused.response.get("Error", {}).get("Code", ""))
        raise Refused(f"The queue refused to be read ({code}).", code=code) from None
    except BotoCoreError as trouble:
        raise Unreachable(f"The queue cannot be read: {type(trouble).__name__}.") from None


async def take(
    queue: Queue, parse: Callable[[str], Event], store: Callable[[Sequence[Delivery]], list[bool]], clock: Clock
) -> tuple[int, int]:
    """Move what waits in the queue into the inbox, once. Return how many messages were new, and how many were no notification.

    Raises what the queue and the store raise; every message not deleted by then comes again.
    """
    taken = await queue.receive()
    deliveries, strange = [], 0
    for message in taken:
        try:
            event = parse(message.body)
            deliveries.append(delivery_of(event, event.delivery_id, clock.now()))
        except BadAnswer as trouble:
            log.warning("%s", trouble)
            strange += 1
    new = await asyncio.to_thread(store, deliveries) if deliveries else []
    if taken:
        await queue.delete(taken)
    return sum(new), strange
