"""What people are told of without being asked: held plans, dead letters, systems that do not answer, critical findings.

What is alike is one trouble: all held plans of a system, all dead letters of a system, one critical code on one system.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import polars as pl

from invbi_pipeline.domain.words import FindingState, Severity

__all__ = ["Trouble", "troubles"]

_MOST_LINES: Final = 5
_BLIND_AFTER: Final = 2  # failures in a row: one that does not answer once is not out of reach
_MOST_KEYS: Final = 3
_KNOWN: Final = (FindingState.OPEN, FindingState.REOPENED)  # an acknowledged one stands, and needs no alert
# What a group of findings is called, and what to do about it.
_GROUPS: Final = {
    "push_held": ("{n} held by a guard on {system}", "`invbi plan` shows why, `invbi approve` releases them."),
    "push_failed": ("{n} refused or given up on {system}", "`invbi replay` puts them back into a plan."),
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """One kind of trouble as it stands: its name, which single ones it is made of, and what is said of it."""

    key: str
    title: str
    lines: tuple[str, ...]
    members: frozenset[str]
    action: str = ""
    known: bool = False  # somebody looks after all of it
    grave: bool = True  # something went wrong; else it only waits for a person

    @property
    def text(self) -> str:
        """Return what is told of it: the title, its lines, what to do."""
        return "\n".join([self.title, *(f"  {line}" for line in self.lines), *([f"  {self.action}"] if self.action else [])])


def troubles(findings: pl.DataFrame, breakers: pl.DataFrame) -> list[Trouble]:
    """Return every trouble there is, worst first: from FINDINGS that are not over, and the systems that could not be read.

    `breakers`: system, failures (in a row), blind_since, reason.
    """
    open_ = findings.filter(pl.col("state") != FindingState.RESOLVED).sort(
        "money", "units", "finding_id", descending=[True, True, False], nulls_last=True
    )
    critical = open_.filter(pl.col("severity") == Severity.CRITICAL)
    pushes = open_.filter(pl.col("code").is_in(list(_GROUPS)) & (pl.col("severity") != Severity.CRITICAL))
    return [*_critical(critical), *_blind(breakers), *_pushes(pushes)]


def _critical(findings: pl.DataFrame) -> Iterator[Trouble]:
    for (code, system), rows in findings.group_by("code", "system", maintain_order=True):
        kind = str(code).replace("_", " ")
        where = f" on {system}" if system else ""
        yield Trouble(
            f"critical|{code}|{system}", f"{rows.height} × {kind}{where} (critical)", _lines(rows), _members(rows),
            f"`invbi findings --code {code}` lists them.", not _members(rows),
        )  # fmt: skip


def _pushes(findings: pl.DataFrame) -> Iterator[Trouble]:
    for (code, system), rows in findings.group_by("code", "system", maintain_order=True):
        title, action = _GROUPS[str(code)]
        n = _corrections(rows)
        count = f"{n:,} correction{'s' * (n != 1)}"
        title, who = title.format(n=count, system=system), _members(rows)
        yield Trouble(f"{code}|{system}", title, _lines(rows), who, action, not who, grave=code != "push_held")


def _corrections(rows: pl.DataFrame) -> int:
    """Return how many corrections wait: of a whole channel's finding as many as it says, which may hold single ones too."""
    said = rows["evidence"].str.json_path_match("$.corrections").cast(pl.Int64(), strict=False)
    return max(rows.height - said.count(), *(int(n) for n in said.drop_nulls()), 0)


def _blind(breakers: pl.DataFrame) -> Iterator[Trouble]:
    for row in breakers.filter(pl.col("failures") >= _BLIND_AFTER).sort("blind_since").iter_rows(named=True):
        since = f"{row['blind_since']:%Y-%m-%d %H:%M} UTC"
        yield Trouble(
            f"blind|{row['system']}", f"{row['system']} cannot be read since {since}", (str(row["reason"]),), frozenset(),
            "Its last good data is kept, and what hangs on it may only fall. `invbi check` asks it again.",
        )  # fmt: skip


def _lines(rows: pl.DataFrame) -> tuple[str, ...]:
    """Return what is said of the first ones; what is said of several in the same words is one line that names their listings."""
    said = pl.concat_str(pl.coalesce("cause", "code"), pl.col("suggested_action").fill_null(""), separator=" ").str.strip_chars()
    alike = rows.group_by(said=said, maintain_order=True).agg("listing_key", n=pl.len())
    lines = [
        text if n == 1 else f"{text} ({n} times{_listings(keys)})"
        for text, keys, n in alike.head(_MOST_LINES).select("said", "listing_key", "n").iter_rows()
    ]
    left = alike["n"].slice(_MOST_LINES).sum()
    return (*lines, f"and {left} more") if left else tuple(lines)


def _listings(keys: list[str | None]) -> str:
    named = list(dict.fromkeys(key for key in keys if key))
    if not named:
        return ""
    more = f" and {len(named) - _MOST_KEYS} more" if len(named) > _MOST_KEYS else ""
    return f": listing{'s' * (len(named) != 1)} {', '.join(named[:_MOST_KEYS])}{more}"


def _members(rows: pl.DataFrame) -> frozenset[str]:
    return frozenset(rows.filter(pl.col("state").is_in([str(s) for s in _KNOWN]))["finding_id"].to_list())
