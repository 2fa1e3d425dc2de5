"""What the event process says of itself: a line an event, for people or as JSON for machines.

A line never holds a body, a header, an address or the text of an error that is not ours: of such an error it names the kind and
the place, since its text may quote what a platform or a stranger sent.
"""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, TextIO

from invbi_pipeline.errors import InvbiError

__all__ = ["LogFormat", "LogLevel", "begin_logging"]

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


class LogFormat(StrEnum):
    """How a line is written."""

    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    """The least that is written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class _Json(logging.Formatter):
    """One JSON object a line: at, level, logger, message, what went wrong, and whatever `extra` was given."""

    def format(self, record: logging.LogRecord) -> str:
        said = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _said(record),
        }
        given = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        trouble = {"trouble": _trouble(record)} if record.exc_info else {}
        return json.dumps(said | given | trouble, default=str, ensure_ascii=False)


class _Text(logging.Formatter):
    """A line as people read it."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC)
        trouble = f" [{_trouble(record)}]" if record.exc_info else ""
        return f"{at:%Y-%m-%d %H:%M:%S}Z {record.levelname.lower():<7} {record.name:<18} {_said(record)}{trouble}"


def begin_logging(how: LogFormat, level: str, to: TextIO | None = None) -> None:
    """Write what is at `level` (debug, info, warning, error) or above to standard error; of libraries only warnings."""
    handler = logging.StreamHandler(to or sys.stderr)
    handler.setFormatter(_Json() if how is LogFormat.JSON else _Text())
    handler.addFilter(lambda record: record.name.startswith("invbi") or record.levelno >= logging.WARNING)
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)


def _said(record: logging.LogRecord) -> str:
    """Return the message; of asyncio's the first line alone: the others quote errors that are not ours."""
    said = record.getMessage()
    return said.partition("\n")[0] if record.name == "asyncio" else said


def _trouble(record: logging.LogRecord) -> str:
    """Name the kind of an error and the places it came through, the nearest first; of our own errors the text too."""
    assert record.exc_info
    error = record.exc_info[1]
    if error is None:
        return ""
    while isinstance(error, BaseExceptionGroup):  # of what failed together the first
        error = error.exceptions[0]
    said = f"{type(error).__name__}: {error}" if isinstance(error, InvbiError) else type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    places = (f"{frame.name}, line {frame.lineno} of {frame.filename.rpartition('/')[2]}" for frame in reversed(frames))
    return " < ".join([said, *places])
