"""The CSV files that people keep beside the configuration: SKU map, kits, policies, prices, rates.

Every mistake in every file is found at once and named by file, row and column; nothing is guessed.
"""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from invbi_pipeline.config import Config
from invbi_pipeline.domain.frames import KIT_ROWS, POLICIES, PRICES, RATES, SKU_MAP, UTC, Schema, empty
from invbi_pipeline.domain.offers.policies import ENDS_FIRST, NAMES
from invbi_pipeline.domain.offers.policies import problems as limits
from invbi_pipeline.domain.words import MOST_UNITS
from invbi_pipeline.errors import ConfigError
from invbi_pipeline.store.declared_checks import Wrong, misfits

__all__ = ["Declared", "read_declared"]

Problem = tuple[str, str, str]

_FILES: Final[Mapping[str, Schema]] = {
    "sku_map": SKU_MAP,
    "kits": KIT_ROWS,
    "policies": POLICIES,
    "prices": PRICES,
    "rates": RATES,
}
_NEEDED: Final[Mapping[str, Sequence[str]]] = {
    "sku_map": ("listing_key", "sku"),
    "kits": ("kit_sku", "component_sku", "quantity"),
    "policies": ("name", "value"),
    "prices": ("sku",),
    "rates": ("currency", "rate"),
}
_DEFAULTS: Final[Mapping[str, Mapping[str, int]]] = {
    "sku_map": {"units": 1},
    "kits": {},
    "policies": {},
    "prices": {},
    "rates": {},
}
_POSITIVE: Final = ("units", "quantity", "rate")
_NOT_NEGATIVE: Final = ("price", "cost")
_MOST_PROBLEMS_A_FILE: Final = 20


@dataclass(frozen=True, slots=True)
class Declared:
    """What people declared in files, typed: SKU_MAP, KIT_ROWS, POLICIES, PRICES, RATES."""

    sku_map: pl.DataFrame
    kit_rows: pl.DataFrame
    policies: pl.DataFrame
    prices: pl.DataFrame
    rates: pl.DataFrame

    def strangers(self, known: Iterable[str]) -> list[str]:
        """Return the skus that policies name and neither another file nor `known` has: perhaps misspelt, perhaps to come."""
        declared = [self.sku_map["sku"], self.prices["sku"], self.kit_rows["kit_sku"], self.kit_rows["component_sku"]]
        return sorted(set(self.policies["sku"]) - {"", *known, *pl.concat(declared)})


def read_declared(config: Config) -> Declared:
    """Read the files that the configuration names; one that it does not name is empty.

    Raises `ConfigError` with every problem of every file: (file and row, what is wrong, how to mend it).
    """
    problems: dict[str, list[Problem]] = {name: [] for name in _FILES}
    wrong: dict[str, list[Wrong]] = {name: [] for name in _FILES}
    frames: dict[str, pl.DataFrame] = {}
    for name in _FILES:
        text = _text(config, name, problems[name])
        if text is not None:
            frames[name], wrong[name] = _typed(text, name, config.business.timezone)
    for name, found in misfits(config, frames).items():
        wrong[name] += found
    every = [p for name in _FILES for p in (*problems[name], *_named(config, name, wrong[name]))]
    if every:
        raise ConfigError(f"The policy files have {len(every)} error{'s' * (len(every) != 1)}.", every)
    typed = {name: frames[name].drop("row") if name in frames else empty(schema) for name, schema in _FILES.items()}
    return Declared(typed["sku_map"], typed["kits"], typed["policies"], typed["prices"], typed["rates"])


def _text(config: Config, name: str, problems: list[Problem]) -> pl.DataFrame | None:
    """Return the cells of a file as text, or None where it is not named or cannot be read."""
    named = getattr(config.policies, name)
    if not named:
        return None
    path = config.folder / named
    if path.is_dir():
        problems.append((str(path), "a CSV file, but this is a folder", f"name a file in policies.{name}"))
        return None
    try:
        content = path.read_bytes()
        content.decode("utf-8")
        text = pl.read_csv(io.BytesIO(content), infer_schema=False).with_columns(pl.all().fill_null(""))
    except UnicodeDecodeError as trouble:
        line = content.count(b"\n", 0, trouble.start) + 1
        problems.append((f"{path}: row {line}", "UTF-8 text, but this has bytes of another encoding", "save it as UTF-8"))
        return None
    except OSError as trouble:
        problems.append((str(path), trouble.strerror or type(trouble).__name__, f"correct policies.{name}, or the file"))
        return None
    except pl.exceptions.PolarsError as trouble:
        what = str(trouble).splitlines()[0] if str(trouble) else type(trouble).__name__
        problems.append((str(path), what, f"correct policies.{name}, or the file"))
        return None
    text = text.rename({column: column.strip().removeprefix("\ufeff") for column in text.columns})
    found = _columns(path, text, name)
    problems += found
    return None if found else text


def _named(config: Config, name: str, wrong: list[Wrong]) -> list[Problem]:
    """Say where each mistake is; of very many only the first, so that the screen still shows where to begin."""
    path = config.folder / getattr(config.policies, name)
    shown = sorted(wrong)[:_MOST_PROBLEMS_A_FILE]
    problems = [(f"{path}: row {row}, {column}", what, mend) for row, column, what, mend in shown]
    if len(wrong) > len(shown):
        problems.append((str(path), f"{len(wrong) - len(shown)} more cells are wrong", "correct those named first"))
    return problems


def _columns(path: Path, text: pl.DataFrame, name: str) -> list[Problem]:
    known = ", ".join(_FILES[name])
    missing = [(f"{path}: header", f"the column {c!r} is missing", "add it") for c in _NEEDED[name] if c not in text.columns]
    unknown = [
        (f"{path}: header", f"there is no column {c!r}", f"use one of: {known}") for c in text.columns if c not in _FILES[name]
    ]
    return missing + unknown


def _typed(text: pl.DataFrame, name: str, timezone: str) -> tuple[pl.DataFrame, list[Wrong]]:
    """Return the rows typed, with `row`, and the cells that could not be (null) or may not be what they are.

    A date without a time is a day of `timezone`: its first moment.
    """
    schema, defaults = _FILES[name], _DEFAULTS[name]
    trimmed = text.with_columns(pl.all().str.strip_chars()).with_row_index("row", offset=2)
    typed = trimmed.select(
        "row",
        *(
            _cast(column, kind, defaults.get(column), timezone)
            if column in trimmed.columns
            else pl.lit(_absent(kind, defaults.get(column)), kind).alias(column)
            for column, kind in schema.items()
        ),
    )
    wrong: list[Wrong] = []
    for column, kind in schema.items():
        if column not in trimmed.columns:
            continue
        for row, value in trimmed.filter(_bad(trimmed[column], typed[column], name)).select("row", column).iter_rows():
            wrong.append((row, column, f"{value!r} is not {_wanted(name, column, kind)}", "correct the cell"))
    if name == "policies":
        meant = limits(typed.lazy().drop_nulls(["name", "value"]).filter(pl.col("name").is_in(list(NAMES)))).collect()
        for row, reason in meant.select("row", "reason").iter_rows():
            wrong.append((row, "valid_to" if reason == ENDS_FIRST else "value", reason, "correct the row"))
    return typed, wrong


def _bad(said: pl.Series, typed: pl.Series, name: str) -> pl.Series:
    column = said.name
    needed = column in _NEEDED[name]
    bad = (said == "") & needed if typed.dtype == pl.String() else typed.is_null() & (needed | (said != ""))
    if column in _POSITIVE:
        bad |= (typed <= 0).fill_null(value=False)
    if column in _POSITIVE and typed.dtype == pl.Int64():
        bad |= (typed > MOST_UNITS).fill_null(value=False)
    if column in _NOT_NEGATIVE:
        bad |= (typed < 0).fill_null(value=False)
    if typed.dtype == pl.Float64():  # text such as nan or inf reads as a number
        bad |= (~typed.is_finite()).fill_null(value=False)
    if name == "policies" and column == "name":
        bad |= ~said.is_in(list(NAMES))
    return bad


def _cast(column: str, kind: pl.DataType, default: int | None, timezone: str) -> pl.Expr:
    cell = pl.when(pl.col(column) != "").then(pl.col(column))
    if kind == UTC:
        told = cell.str.replace("Z$", "+00:00").str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)
        return pl.coalesce(told, _day_begins(cell, timezone)).alias(column)
    if kind == pl.String():
        return pl.col(column)
    typed = cell.cast(kind, strict=False)
    return (typed if default is None else pl.when(pl.col(column) == "").then(pl.lit(default, kind)).otherwise(typed)).alias(
        column
    )


def _day_begins(cell: pl.Expr, timezone: str) -> pl.Expr:
    """Return the first moment of a day such as 2026-11-27 in a time zone; null for any other text.

    Where the clocks go forward at midnight there is none: the day begins an hour later.
    """
    day = pl.when(cell.str.contains(r"^\d{4}-\d{2}-\d{2}$")).then(cell).str.to_datetime("%Y-%m-%d", time_unit="us", strict=False)
    moments = (day, day.dt.offset_by("1h"))
    zoned = (at.dt.replace_time_zone(timezone, ambiguous="earliest", non_existent="null") for at in moments)
    return pl.coalesce(*zoned).dt.convert_time_zone("UTC")


def _absent(kind: pl.DataType, default: int | None) -> str | int | None:
    return "" if kind == pl.String() else default


def _wanted(name: str, column: str, kind: pl.DataType) -> str:
    if name == "policies" and column == "name":
        return f"a policy; use one of {', '.join(NAMES)}"
    if kind == pl.String():
        return "filled in"
    numbers = "a whole number" if kind == pl.Int64() else "a number"
    words = "a day such as 2026-11-27, or a time such as 2026-11-27T00:00:00Z" if kind == UTC else numbers
    if column in _NOT_NEGATIVE:
        return f"{words}, 0 or more"
    if column in _POSITIVE:
        return f"{words} from 1 to {MOST_UNITS}" if kind == pl.Int64() else f"{words} above 0"
    return words
