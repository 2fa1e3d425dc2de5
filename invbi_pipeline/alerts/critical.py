"""One message for what has newly become critical; the same trouble is not told twice within the quiet time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from invbi_pipeline.domain.words import FindingState, Severity
from invbi_pipeline.errors import TransientError

__all__ = ["Message", "critical_message", "send"]

_MOST_LINES = 10


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent, and which findings it tells of."""

    title: str
    body: str
    finding_ids: tuple[str, ...]


def critical_message(findings: pl.DataFrame, told: Mapping[str, datetime], now: datetime, quiet: timedelta) -> Message | None:
    """Return the message for the open critical findings not told within `quiet`, or None when there is nothing new to tell.

    `findings` has the columns of `domain.frames.FINDINGS`; `told` maps a finding's id to when it was last told.
    """
    recently = [finding for finding, at in told.items() if now - at < quiet]
    fresh = findings.filter(
        (pl.col("severity") == Severity.CRITICAL)
        & pl.col("state").is_in([FindingState.OPEN, FindingState.REOPENED])
        & ~pl.col("finding_id").is_in(recently)
    ).sort("money", "units", "finding_id", descending=[True, True, False], nulls_last=True)
    if fresh.is_empty():
        return None
    lines = [
        f"- {row['cause'] or row['code']} {row['suggested_action'] or ''}".strip() for row in fresh.head(_MOST_LINES).to_dicts()
    ]
    if fresh.height > _MOST_LINES:
        lines.append(f"- and {fresh.height - _MOST_LINES} more: invbi findings --severity critical")
    title = f"invbi: {fresh.height} critical finding{'s' * (fresh.height != 1)}"
    return Message(title, "\n".join(lines), tuple(fresh["finding_id"].to_list()))


def send(message: Message, addresses: Sequence[str]) -> None:
    """Send through every apprise address. Raises `TransientError` (never naming an address: they hold tokens) when one fails."""
    import apprise

    post = apprise.Apprise()
    understood = [bool(post.add(address)) for address in addresses]
    if not all(understood):
        raise TransientError("An alert address is not one that apprise understands; see alerts.urls in invbi.toml.")
    if not post.notify(title=message.title, body=message.body):
        raise TransientError("An alert could not be delivered to every address; it is told again at the next run.")
