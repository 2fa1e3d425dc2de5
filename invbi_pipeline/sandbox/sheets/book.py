"""A spreadsheet as it is stored: sheets of cells, each with its value, formula, format, note and validation."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from invbi_pipeline.sandbox.sheets.a1 import Area, split_range
from invbi_pipeline.sandbox.sheets.values import Value, shown

__all__ = ["Book", "Cell", "Sheet", "SheetsError"]


class SheetsError(Exception):
    """What Google answers with `{error: {code, message, status}}`."""

    def __init__(self, code: int, status: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.message = message

    @classmethod
    def invalid(cls, message: str) -> "SheetsError":
        return cls(400, "INVALID_ARGUMENT", message)


@dataclass(frozen=True, slots=True)
class Cell:
    value: Value = None
    formula: str = ""
    style: Mapping[str, Any] | None = None
    note: str = ""
    validation: Mapping[str, Any] | None = None

    @property
    def text(self) -> str:
        return shown(self.value, self.style)


EMPTY = Cell()


@dataclass(slots=True)
class Sheet:
    properties: dict[str, Any]
    cells: dict[tuple[int, int], Cell] = field(default_factory=dict)
    widths: dict[int, int] = field(default_factory=dict)  # pixels by column
    heights: dict[int, int] = field(default_factory=dict)
    basic_filter: Mapping[str, Any] | None = None
    rules: list[Mapping[str, Any]] = field(default_factory=list)
    bands: list[Mapping[str, Any]] = field(default_factory=list)
    merges: list[Mapping[str, Any]] = field(default_factory=list)
    protected: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def id(self) -> int:
        return int(self.properties["sheetId"])

    @property
    def title(self) -> str:
        return str(self.properties["title"])

    @property
    def rows(self) -> int:
        return int(self.properties["gridProperties"]["rowCount"])

    @property
    def columns(self) -> int:
        return int(self.properties["gridProperties"]["columnCount"])

    def copy(self) -> "Sheet":
        """Return a copy that can be changed apart: cells are immutable and shared."""
        properties = {**self.properties, "gridProperties": dict(self.properties["gridProperties"])}
        return replace(
            self,
            properties=properties,
            cells=dict(self.cells),
            widths=dict(self.widths),
            heights=dict(self.heights),
            rules=list(self.rules),
            bands=list(self.bands),
            merges=list(self.merges),
            protected=list(self.protected),
        )

    def put(self, row: int, column: int, **changes: Any) -> None:
        """Change a cell; one that holds nothing any more is dropped."""
        cell = replace(self.cells.get((row, column), EMPTY), **changes)
        if cell == EMPTY:
            self.cells.pop((row, column), None)
        else:
            self.cells[row, column] = cell

    def closed(self, area: Area) -> Area:
        """Return the area closed at the sheet's size. Raises SheetsError where it lies outside."""
        closed = area.within(self.rows, self.columns)
        if (closed.bottom or 0) > self.rows or (closed.right or 0) > self.columns or closed.top >= self.rows:
            size = f"Max rows: {self.rows}, max columns: {self.columns}"
            raise SheetsError.invalid(f"Range ({closed.a1(self.title)}) exceeds grid limits. {size}")
        return closed

    def used(self) -> tuple[int, int]:
        """Return how many rows and columns hold a value."""
        filled = [place for place, cell in self.cells.items() if cell.value is not None]
        return max((row for row, _ in filled), default=-1) + 1, max((column for _, column in filled), default=-1) + 1

    def described(self) -> dict[str, Any]:
        """Return the sheet without its cells, as the API shows it."""
        answer: dict[str, Any] = {"properties": self.properties}
        parts = {
            "conditionalFormats": self.rules,
            "basicFilter": self.basic_filter,
            "bandedRanges": self.bands,
            "merges": self.merges,
            "protectedRanges": self.protected,
        }
        return answer | {name: part for name, part in parts.items() if part}


@dataclass(slots=True)
class Book:
    id: str
    properties: dict[str, Any]
    sheets: list[Sheet]
    next_id: int = 1

    def copy(self) -> "Book":
        return Book(self.id, dict(self.properties), [sheet.copy() for sheet in self.sheets], self.next_id)

    def sheet(self, sheet_id: int) -> Sheet:
        found = next((sheet for sheet in self.sheets if sheet.id == sheet_id), None)
        if found is None:
            raise SheetsError.invalid(f"No grid with id: {sheet_id}")
        return found

    def fresh_id(self) -> int:
        self.next_id += 1
        return self.next_id

    def reindex(self) -> None:
        for index, sheet in enumerate(self.sheets):
            sheet.properties["index"] = index

    def find(self, text: str) -> tuple[Sheet, Area]:
        """Return the sheet and area a range names. Raises SheetsError where it names none."""
        title, rest = split_range(text)
        if title is None:
            whole = next((sheet for sheet in self.sheets if sheet.title == rest), None)
            if whole is not None:
                return whole, Area(0, 0, None, None)
        sheet = self.sheets[0] if title is None else next((s for s in self.sheets if s.title == title), None)
        area = Area(0, 0, None, None) if not rest else Area.of_a1(rest)
        if sheet is None or area is None:
            raise SheetsError.invalid(f"Unable to parse range: {text}")
        return sheet, area
