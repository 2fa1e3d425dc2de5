"""What of the troubles is said now: an alert, a reminder a period, a note when it is over, however often it comes and goes."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from invbi_pipeline.alerts.post import Message, Tone
from invbi_pipeline.alerts.troubles import Trouble

__all__ = ["Rules", "Said", "Telling", "memory", "remembered", "telling"]


@dataclass(frozen=True, slots=True)
class Rules:
    """How long what is alike is told once (`window`), how often what stands is told again, and how long over is over."""

    window: timedelta = timedelta(hours=1)
    remind: timedelta = timedelta(days=1)
    settled: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Said:
    """What was said of one trouble: when last, since when it stands, of which single ones, since when it is gone, and its end."""

    title: str
    at: datetime
    since: datetime
    members: frozenset[str] = frozenset()
    gone: datetime | None = None
    over: bool = False


@dataclass(slots=True)
class Telling:
    """What is to be said now, and what is then remembered (`said`, by the trouble's key)."""

    said: dict[str, Said]
    alerts: list[Trouble] = field(default_factory=list)
    reminders: list[tuple[Trouble, datetime]] = field(default_factory=list)
    recoveries: list[Said] = field(default_factory=list)

    @property
    def message(self) -> Message | None:
        """Return one message for all of it; None where there is nothing to say."""
        parts = [("New", [one.text for one in self.alerts])]
        parts.append(("Still so", [f"{one.text}\n  since {_time(since)}" for one, since in self.reminders]))
        parts.append(("Over", [f"{one.title} (it began {_time(one.since)})" for one in self.recoveries]))
        told = [(name, texts) for name, texts in parts if texts]
        if not told:
            return None
        body = "\n\n".join(f"{name}:\n" + "\n".join(texts) for name, texts in told)
        return Message(f"invbi: {self._title()}", body, self._tone())

    def _tone(self) -> Tone:
        if any(one.grave for one in self.alerts):
            return Tone.TROUBLE
        return Tone.WARNING if self.alerts or self.reminders else Tone.RECOVERY

    def _title(self) -> str:
        if len(self.alerts) == 1:
            return self.alerts[0].title
        counts = ((len(self.alerts), "new"), (len(self.reminders), "still so"), (len(self.recoveries), "over"))
        return ", ".join(f"{count} {what}" for count, what in counts if count)


def telling(troubles: Iterable[Trouble], said: Mapping[str, Said], now: datetime, rules: Rules) -> Telling:
    """Decide what is said at `now` of the troubles there are, from what was `said` of them before.

    A trouble is told at once when it is new. While it stands, further single ones of it are told together once the window since
    the last telling is over, and a reminder comes once a period. It is over when it was gone for as long as `settled`: then one
    note says so. One that comes back within the window of its alert is not told anew before that window is over.
    """
    made = Telling({})
    there = {one.key: one for one in troubles}
    for key, trouble in there.items():
        if key not in said and trouble.known:
            continue
        made.said[key] = _stands(trouble, said.get(key), now, rules, made)
    for key, old in said.items():
        if key not in there and (kept := _gone(old, now, rules, made)) is not None:
            made.said[key] = kept
    return made


def _stands(trouble: Trouble, old: Said | None, now: datetime, rules: Rules, made: Telling) -> Said:
    fresh = Said(trouble.title, now, now, trouble.members)
    if old is None or (old.over and now - old.at >= rules.window):
        made.alerts.append(trouble)
        return fresh
    standing = replace(old, gone=None, title=trouble.title)
    if trouble.members - old.members and now - old.at >= rules.window:
        made.alerts.append(trouble)
        return replace(fresh, since=old.since)
    if not trouble.known and now - old.at >= rules.remind:
        made.reminders.append((trouble, old.since))
        return replace(fresh, since=old.since)
    return standing


def _gone(old: Said, now: datetime, rules: Rules, made: Telling) -> Said | None:
    if old.over:
        return None if now - old.at >= rules.window else replace(old, gone=old.gone or now)
    since = old.gone or now
    if now - since < rules.settled:
        return replace(old, gone=since)
    made.recoveries.append(old)
    return replace(old, gone=since, over=True)


def memory(said: Mapping[str, Said]) -> str:
    """Return what was said as JSON, for the state store."""
    return json.dumps({key: _plain(one) for key, one in said.items()})


def remembered(text: str) -> dict[str, Said]:
    """Return what `memory` wrote; nothing of what an older version kept."""
    kept = json.loads(text or "{}")
    return {key: _read(one) for key, one in kept.items() if isinstance(one, dict)}


def _plain(one: Said) -> dict[str, object]:
    gone = one.gone.isoformat() if one.gone else None
    return {
        "title": one.title, "at": one.at.isoformat(), "since": one.since.isoformat(), "members": sorted(one.members),
        "gone": gone, "over": one.over,
    }  # fmt: skip


def _read(kept: Mapping[str, object]) -> Said:
    gone, members = kept["gone"], kept["members"]
    assert isinstance(members, list)
    return Said(
        str(kept["title"]),
        datetime.fromisoformat(str(kept["at"])),
        datetime.fromisoformat(str(kept["since"])),
        frozenset(members),
        datetime.fromisoformat(str(gone)) if gone else None,
        bool(kept["over"]),
    )


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
