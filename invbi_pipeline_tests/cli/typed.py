"""The command line as a person types it, in this process."""

import contextlib
import csv
import io
import json
import sys
from dataclasses import dataclass
from typing import Any

import pytest
import typer

from invbi_pipeline.cli import main
from invbi_pipeline.cli.app import app

__all__ = ["COMMANDS", "Said", "invbi"]

COMMANDS = typer.main.get_group(app).commands


@dataclass(frozen=True, slots=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    def lines(self) -> list[dict[str, Any]]:
        """Return standard output as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    def table(self) -> list[dict[str, str]]:
        """Return standard output as CSV."""
        return list(csv.DictReader(io.StringIO(self.out)))


def invbi(*words: object) -> Said:
    """Type `invbi` and these words."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.setattr(sys, "argv", ["invbi", *map(str, words)])
        try:
            main()
        except SystemExit as end:
            code = end.code
    assert isinstance(code, int)
    return Said(code, out.getvalue(), err.getvalue())
