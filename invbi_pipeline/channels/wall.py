"""Wall frames from decoded answers: every column a String, the row's payload as JSON without buyers' personal fields."""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

import polars as pl

from invbi_pipeline.channels.redact import drop_personal
from invbi_pipeline.domain.frames import WALL

__all__ = ["Row", "iso", "payload_of", "shown", "wall_frame"]

Row = Mapping[str, object]

_NANOSECONDS: Final = re.compile(r"(\.\d{6})\d+")


def wall_frame(name: str, system: str, rows: Iterable[Row]) -> pl.DataFrame:
    """Return the wall frame `name` (`domain.frames.WALL`) plus `payload` from rows that name its columns; the rest is null."""
    held = list(rows)
    columns = [*WALL[name], "payload"]
    texts = {column: [_text(row.get(column)) for row in held] for column in columns if column != "system"}
    return pl.DataFrame({"system": [system] * len(held), **texts}, schema=dict.fromkeys(columns, pl.String()))


def payload_of(value: object) -> str:
    """Return the decoded value as JSON, without buyers' personal fields."""
    return json.dumps(drop_personal(value), ensure_ascii=False, separators=(",", ":"))


def iso(text: object) -> str | None:
    """Return a platform's time as ISO 8601 of at most microseconds; None stays None."""
    return None if text is None else _NANOSECONDS.sub(r"\1", str(text))


def shown(orders: Iterable[tuple[str, object]]) -> dict[str, datetime | None]:
    """Return `Reading.shown` of order ids, each with the platform's text of when the order last changed."""
    return {order_id: _moment(said) for order_id, said in orders}


def _moment(text: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(iso(text) or "")
    except ValueError:
        return None
    return at if at.tzinfo is not None else None


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, datetime) else str(value)
