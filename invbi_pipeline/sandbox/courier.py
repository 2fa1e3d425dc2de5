"""Delivers the emulated platforms' webhooks, to loopback addresses only."""

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx

__all__ = ["Courier"]

_PATIENCE_S = 2.0


class Courier:
    """Posts a webhook and returns, or raises `ConnectionError`, upon which the platform tries again in its own time."""

    def __init__(self) -> None:
        self._client = httpx.Client(timeout=_PATIENCE_S, trust_env=False)

    def __call__(self, address: str, headers: Mapping[str, str], body: bytes) -> None:
        """Deliver one. Raises `ConnectionError` when the address is not on this machine, or does not answer 2xx in time."""
        if not _is_loopback(urlsplit(address).hostname or ""):
            raise ConnectionError("the sandbox delivers webhooks to this machine only")
        try:
            answer = self._client.post(address, headers=dict(headers), content=body)
        except httpx.HTTPError as trouble:
            raise ConnectionError(f"no delivery: {type(trouble).__name__}") from trouble
        if not answer.is_success:
            raise ConnectionError(f"no delivery: HTTP {answer.status_code}")

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
