"""Delivering messages: through one library to Slack, e-mail, Teams, webhooks; and the sign of life that a watcher waits for.

Addresses hold secrets. They are in no error and in no log: the libraries' own loggers are silent while they are used.

A message holds words of strangers: SKUs, titles, a platform's errors. It is sent as text, which the library escapes for whoever
shows HTML, Slack's mrkdwn or Markdown; what would still become a link or a ping there (in a title of Teams, a bare address, a
name after an at sign) is made harmless before (`_harmless`).
"""

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import httpx

from invbi_pipeline.errors import TransientError

__all__ = ["Message", "Tone", "beat", "deliver", "misspelt", "send"]

_TALKERS: Final = ("apprise", "urllib3", "requests", "httpx", "httpcore")  # they log whole addresses
_PATIENCE_S: Final = 10.0
# What makes a link, a picture, a mention or a tag, and what is sent in its place: it reads alike and does nothing.
_LIVE: Final = {"<": "\u2039", "](": "] (", "://": "[:]//", "www.": "www[.]", "@": "\uff20"}
_LIVES: Final = re.compile(r"<|\]\(|://|www\.|@(?=\S)", re.IGNORECASE)


class Tone(StrEnum):
    """How a message is shown: red, yellow, green in most places. The values are the library's."""

    TROUBLE = "failure"
    WARNING = "warning"
    RECOVERY = "success"


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent."""

    title: str
    body: str
    tone: Tone = Tone.TROUBLE


def deliver(message: Message, addresses: Sequence[str]) -> list[int]:
    """Send to each apprise address, and return the positions of those that did not take it (or that are no address)."""
    import apprise

    title, body = _harmless(message.title), _harmless(message.body)

    def took(address: str) -> bool:
        post = apprise.Apprise()
        return bool(post.add(address)) and bool(
            post.notify(body, title, notify_type=str(message.tone), body_format=apprise.NotifyFormat.TEXT)
        )

    with _silent():
        return [at for at, address in enumerate(addresses) if not took(address)]


def misspelt(addresses: Sequence[str]) -> list[int]:
    """Return the positions of what is no apprise address; nothing is sent."""
    import apprise

    with _silent():
        return [at for at, address in enumerate(addresses) if not apprise.Apprise().add(address)]


def send(message: Message, addresses: Sequence[str]) -> None:
    """Send to every address. Raises `TransientError`, naming them by their position alone, where one did not take it."""
    if failed := deliver(message, addresses):
        names = ", ".join(f"alerts.urls.{at}" for at in failed)
        raise TransientError(f"An alert could not be delivered to {names}: no answer, a refusal, or an address that is none.")


def beat(address: str, transport: httpx.BaseTransport | None = None) -> bool:
    """Call the watcher's address, to say that a run has ended. Return whether it answered well; nothing is raised."""
    with _silent(), httpx.Client(timeout=_PATIENCE_S, transport=transport, follow_redirects=True) as client:
        try:
            return client.get(address).is_success
        except (httpx.HTTPError, httpx.InvalidURL):
            return False


def _harmless(text: str) -> str:
    return _LIVES.sub(lambda found: _LIVE[found[0].lower()], text)


@contextmanager
def _silent() -> Iterator[None]:
    levels = {name: logging.getLogger(name).level for name in _TALKERS}
    for name in levels:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
