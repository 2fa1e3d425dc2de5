"""The CSV files that people keep beside the configuration: SKU map, kits, policies, prices, rates.

Every mistake in every file is found at once and named by file, row and column; nothing is guessed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from invbi_pipeline.config import Config
from invbi_pipeline.domain.frames import KIT_ROWS, POLICIES, PRICES, RATES, SKU_MAP, UTC, Schema, empty
from invbi_pipeline.domain.policies import NAMES
from invbi_pipeline.domain.policies import problems as limits
from invbi_pipeline.errors import ConfigError

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
_MOST_PROBLEMS_A_FILE: Final = 20


@dataclass(frozen=True, slots=True)
class Declared:
    """What people declared in files, typed: SKU_MAP, KIT_ROWS, POLICIES, PRICES, RATES."""

    sku_map: pl.DataFrame
    kit_rows: pl.DataFrame
    policies: pl.DataFrame
    prices: pl.DataFrame
    rates: pl.DataFrame


def read_declared(config: Config) -> Declared:
    """Read the files that the configuration names; one that it does not name is empty.

    Raises `ConfigError` with every problem of every file: (file and row, what is wrong, how to mend it).
    """
    problems: list[Problem] = []
    frames = {name: _read(config, name, problems) for name in _FILES}
    if problems:
        raise ConfigError(f"The policy files have {len(problems)} error{'s' * (len(problems) != 1)}.", problems)
    return Declared(frames["sku_map"], frames["kits"], frames["policies"], frames["prices"], frames["rates"])


def _read(config: Config, name: str, problems: list[Problem]) -> pl.DataFrame:
    schema, named = _FILES[name], getattr(config.policies, name)
    if not named:
        return empty(schema)
    path = config.folder / named
    try:
        text = pl.read_csv(path, infer_schema=False, encoding="utf8").with_columns(pl.all().fill_null(""))
    except (OSError, pl.exceptions.PolarsError) as trouble:
        what = str(trouble).splitlines()[0] if str(trouble) else type(trouble).__name__
        problems.append((str(path), what, f"correct policies.{name}, or the file"))
        return empty(schema)
    text = text.rename({column: column.strip().removeprefix("\ufeff") for column in text.columns})
    found = _columns(path, text, name)
    if found:
        problems += found
        return empty(schema)
    return _typed(path, text, name, problems)


def _columns(path: Path, text: pl.DataFrame, name: str) -> list[Problem]:
    known = ", ".join(_FILES[name])
    missing = [(f"{path}: header", f"the column {c!r} is missing", "add it") for c in _NEEDED[name] if c not in text.columns]
    unknown = [
        (f"{path}: header", f"there is no column {c!r}", f"use one of: {known}") for c in text.columns if c not in _FILES[name]
    ]
    return missing + unknown


def _typed(path: Path, text: pl.DataFrame, name: str, problems: list[Problem]) -> pl.DataFrame:
    schema = _FILES[name]
    trimmed = text.with_columns(pl.all().str.strip_chars()).with_row_index("row", offset=2)
    defaults = _DEFAULTS[name]
    typed = trimmed.select(
        "row",
        *(
            _cast(column, kind, defaults.get(column))
            if column in trimmed.columns
            else pl.lit(_absent(kind, defaults.get(column)), kind).alias(column)
            for column, kind in schema.items()
        ),
    )
    wrong: list[tuple[int, Problem]] = []
    for column, kind in schema.items():
        if column not in trimmed.columns:
            continue
        said = trimmed[column]
        bad = (said != "") & typed[column].is_null() if kind != pl.String() else (said == "") & (column in _NEEDED[name])
        if kind != pl.String() and column in _NEEDED[name]:
            bad = typed[column].is_null()
        if column in _POSITIVE:
            bad = bad | (typed[column] <= 0).fill_null(value=False)
        if name == "policies" and column == "name":
            bad = bad | ~said.is_in(list(NAMES))
        for row, value in trimmed.filter(bad).select("row", column).iter_rows():
            wrong.append(
                (row, (f"{path}: row {row}, {column}", f"{value!r} is not {_wanted(name, column, kind)}", "correct the cell"))
            )
    if name == "policies":
        meant = limits(typed.lazy().drop_nulls(["name", "value"]).filter(pl.col("name").is_in(list(NAMES)))).collect()
        wrong += [
            (row, (f"{path}: row {row}", reason, "correct the row")) for row, reason in meant.select("row", "reason").iter_rows()
        ]
    problems += [problem for _, problem in sorted(wrong)[:_MOST_PROBLEMS_A_FILE]]
    if len(wrong) > _MOST_PROBLEMS_A_FILE:
        problems.append((str(path), f"{len(wrong) - _MOST_PROBLEMS_A_FILE} more cells are wrong", "correct those named first"))
    return typed.drop("row")


def _cast(column: str, kind: pl.DataType, default: int | None) -> pl.Expr:
    cell = pl.when(pl.col(column) != "").then(pl.col(column))
    if kind == UTC:
        bare = cell.str.replace("Z$", "+00:00").str.replace(r"^(\d{4}-\d{2}-\d{2})$", "${1}T00:00:00+00:00")
        return bare.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False).alias(column)
    if kind == pl.String():
        return pl.col(column)
    typed = cell.cast(kind, strict=False)
    return (typed if default is None else pl.when(pl.col(column) == "").then(pl.lit(default, kind)).otherwise(typed)).alias(
        column
    )


def _absent(kind: pl.DataType, default: int | None) -> str | int | None:
    return "" if kind == pl.String() else default


def _wanted(name: str, column: str, kind: pl.DataType) -> str:
    if name == "policies" and column == "name":
        return f"a policy; use one of {', '.join(NAMES)}"
    if kind == pl.String():
        return "filled in"
    numbers = "a whole number" if kind == pl.Int64() else "a number"
    words = "a time such as 2026-11-27T00:00:00Z" if kind == UTC else numbers
    return f"{words} above 0" if column in _POSITIVE else words
