"""Delivers the emulated platforms' webhooks, and notifications to queues, on this machine only."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

__all__ = ["Courier"]

_PATIENCE_S = 2.0


class Courier:
    """Posts a webhook and returns, or raises `ConnectionError`, upon which the platform tries again in its own time."""

    def __init__(self) -> None:
        self._client = httpx.Client(timeout=_PATIENCE_S, trust_env=False)
        self._queues: SQSClient | None = None

    def __call__(self, address: str, headers: Mapping[str, str], body: bytes) -> None:
        """Deliver one. Raises `ConnectionError` when the address is not on this machine, or does not answer 2xx in time.

        An address that is an SQS queue's ARN is looked for where AWS_ENDPOINT_URL_SQS says.
        """
        if address.startswith("arn:aws:sqs:"):
            self._write(address, body)
            return
        if not _is_loopback(urlsplit(address).hostname or ""):
            raise ConnectionError("the sandbox delivers webhooks to this machine only")
        try:
            answer = self._client.post(address, headers=dict(headers), content=body)
        except httpx.HTTPError as trouble:
            raise ConnectionError(f"no delivery: {type(trouble).__name__}") from trouble
        if not answer.is_success:
            raise ConnectionError(f"no delivery: HTTP {answer.status_code}")

    def _write(self, arn: str, body: bytes) -> None:
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError

        _, _, _, region, owner, name = arn.split(":", 5)
        endpoint = os.environ.get("AWS_ENDPOINT_URL_SQS", "")
        if not _is_loopback(urlsplit(endpoint).hostname or ""):
            raise ConnectionError("the sandbox writes to queues of this machine only")
        try:
            self._queues = self._queues or boto3.client("sqs", region_name=region)
            url = self._queues.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=owner)["QueueUrl"]
            self._queues.send_message(QueueUrl=url, MessageBody=body.decode())
        except (BotoCoreError, ClientError) as trouble:
            raise ConnectionError(f"no delivery: {type(trouble).__name__}") from trouble

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
