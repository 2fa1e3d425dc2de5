"""A1 notation and grid ranges: "'Open orders'!B2:D" and {startRowIndex, endRowIndex, startColumnIndex, endColumnIndex}."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Area", "column_letters", "quoted", "split_range"]

_CELL = re.compile(r"\$?([A-Za-z]{0,3})\$?([0-9]*)")


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle of a sheet, half open, 0-based. `bottom` and `right` are None where the range named no end."""

    top: int
    left: int
    bottom: int | None
    right: int | None

    @classmethod
    def of_grid_range(cls, grid_range: Mapping[str, Any]) -> "Area":
        return cls(
            grid_range.get("startRowIndex", 0),
            grid_range.get("startColumnIndex", 0),
            grid_range.get("endRowIndex"),
            grid_range.get("endColumnIndex"),
        )

    @classmethod
    def of_a1(cls, text: str) -> "Area | None":
        """Return the area of "B2", "A1:C", "2:4" or "A:C"; None for what is no range."""
        first, colon, last = text.partition(":")
        start, end = _CELL.fullmatch(first), _CELL.fullmatch(last if colon else first)
        if not start or not end or not (start.group(0) and end.group(0)):
            return None
        if not colon and not (start.group(1) and start.group(2)):
            return None
        top = int(start.group(2)) - 1 if start.group(2) else 0
        left = _index(start.group(1)) if start.group(1) else 0
        bottom = int(end.group(2)) if end.group(2) else None
        right = _index(end.group(1)) + 1 if end.group(1) else None
        if top < 0 or bottom == 0:
            return None
        if bottom is not None and bottom <= top:
            top, bottom = bottom - 1, top + 1
        if right is not None and right <= left:
            left, right = right - 1, left + 1
        return cls(top, left, bottom, right)

    def within(self, rows: int, columns: int) -> "Area":
        """Return the area with its open ends closed at the sheet's size."""
        bottom = rows if self.bottom is None else self.bottom
        right = columns if self.right is None else self.right
        return Area(self.top, self.left, bottom, right)

    def cells(self) -> Iterator[tuple[int, int]]:
        """Yield each (row, column) of a closed area."""
        for row in range(self.top, self.bottom or 0):
            for column in range(self.left, self.right or 0):
                yield row, column

    def has(self, row: int, column: int) -> bool:
        below = self.bottom is None or row < self.bottom
        return row >= self.top and column >= self.left and below and (self.right is None or column < self.right)

    def a1(self, title: str) -> str:
        """Return a closed area as Google writes it: "Sheet1!A1:C3", a single cell as "Sheet1!A1"."""
        first = f"{column_letters(self.left)}{self.top + 1}"
        last = f"{column_letters((self.right or 1) - 1)}{self.bottom}"
        return f"{quoted(title)}!{first}" if first == last else f"{quoted(title)}!{first}:{last}"


def column_letters(index: int) -> str:
    """Return a column's letters: 0 -> "A", 26 -> "AA"."""
    letters = ""
    index += 1
    while index:
        index, remainder = divmod(index - 1, 26)
        letters = chr(65 + remainder) + letters
    return letters


def quoted(title: str) -> str:
    """Return a sheet title as it stands in a range: quoted where it is no plain word."""
    return title if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", title) else "'" + title.replace("'", "''") + "'"


def split_range(text: str) -> tuple[str | None, str]:
    """Return (sheet title, rest) of a range; the title is None where none is named ("A1:B2")."""
    if text.startswith("'"):
        match = re.match(r"'((?:[^']|'')*)'(?:!(.*))?$", text, re.DOTALL)
        return (match.group(1).replace("''", "'"), match.group(2) or "") if match else (text, "")
    title, bang, rest = text.rpartition("!")
    if bang:
        return title, rest
    return None, text


def _index(letters: str) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - 64
    return number - 1
