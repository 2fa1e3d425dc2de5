"""The files that people of the business keep beside their configuration (SKU map, kits, policies, prices), edited as they do."""

import csv
import io
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from invbi_pipeline.sandbox.world.faults.kit import NoVictimError

__all__ = ["Papers"]

_Row = dict[str, str]


class Papers:
    """One folder of CSV files. Raises `NoVictimError` where nobody has written the file yet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, name: str, *rows: Mapping[str, object]) -> None:
        """Write rows at the end of a file; a column that a row leaves out is empty."""
        header, there = self._read(name)
        self._write(name, header, [*there, *({c: str(row.get(c, "")) for c in header} for row in rows)])

    def change(self, name: str, which: Callable[[_Row], bool], **cells: object) -> int:
        """Overwrite cells of the rows that are meant; return how many."""
        header, there = self._read(name)
        meant = [row for row in there if which(row)]
        for row in meant:
            row.update({column: str(value) for column, value in cells.items()})
        self._write(name, header, there)
        return len(meant)

    def rows(self, name: str) -> list[_Row]:
        """Return what stands in a file."""
        return self._read(name)[1]

    def _read(self, name: str) -> tuple[list[str], list[_Row]]:
        path = self._folder / f"{name}.csv"
        if not path.exists():
            raise NoVictimError(f"nobody has written {path.name} yet")
        reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")))
        rows = list(reader)
        return list(reader.fieldnames or ()), rows

    def _write(self, name: str, header: list[str], rows: list[_Row]) -> None:
        path = self._folder / f"{name}.csv"
        text = io.StringIO()
        writer = csv.DictWriter(text, header, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        half = path.with_suffix(".tmp")  # whoever reads meanwhile sees the file as it was, or as it is
        half.write_text(text.getvalue(), encoding="utf-8")
        os.replace(half, path)
