"""The SQL models and audits of `dbt_like_sql/`, run without dbt: `ref()` and `source()` rendered, in the order of their graph.

The folder is a valid dbt project and dbt-duckdb builds it unchanged. What this module understands of it is deliberately small:
a model is one SELECT in one file, its schema follows from its first word (`stg_` staging, `mart_` mart), it becomes a table,
and only `{{ ref('...') }}` and `{{ source('...', '...') }}` may stand in it. An audit returns the bad rows.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Final

import polars as pl
from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment

import invbi_pipeline
from invbi_pipeline.errors import ConfigError
from invbi_pipeline.store.warehouse import Database, Warehouse

__all__ = ["FOLDER", "Model", "audits", "models", "run_audit", "run_model", "run_models"]

FOLDER: Final = Path(invbi_pipeline.__file__).parents[1] / "dbt_like_sql"

_SCHEMAS: Final = {"stg": "staging", "mart": "mart", "audit": "audits"}
_KEY: Final = re.compile(r"^(Grain|Purpose):\s*(.*)$")


@dataclass(frozen=True, slots=True)
class Model:
    """One SQL file: what it makes, what it reads, and what its header says of it."""

    name: str
    table: str  # "staging.stg_listings"; for an audit "audits.audit_..." (nothing is made)
    sql: str  # rendered
    refs: tuple[str, ...]  # other models
    sources: tuple[str, ...]  # "schema.table"
    grain: str
    purpose: str
    path: Path

    @property
    def description(self) -> str:
        return f"{self.purpose}\n\nGrain: {self.grain}"


def models(folder: Path = FOLDER) -> tuple[Model, ...]:
    """Return staging and marts, each after everything it reads.

    Raises `ConfigError` naming the file for SQL that does not render, a `ref` to nothing, or a circle.
    """
    return _load(folder, ("staging", "marts"))


def audits(folder: Path = FOLDER) -> tuple[Model, ...]:
    """Return the audits by name."""
    return _load(folder, ("audits",))


def run_model(database: Database, model: Model) -> int:
    """Build one model's table from what it reads as it stands. Return its rows."""
    database.execute(f"CREATE OR REPLACE TABLE {model.table} AS {model.sql}")
    return database.count(model.table)


def run_models(warehouse: Warehouse, names: Sequence[str] = (), folder: Path = FOLDER) -> dict[str, int]:
    """Build these models (all when none is named; "staging" and "mart" name a whole schema) in one step. Return rows by name."""
    chosen = [m for m in models(folder) if not names or m.name in names or m.table.split(".")[0] in names]
    with warehouse.open() as database:
        return {model.name: run_model(database, model) for model in chosen}


def run_audit(database: Database, audit: Model | str, limit: int | None = None, folder: Path = FOLDER) -> pl.DataFrame:
    """Return the bad rows an audit finds, at most `limit`; none means that it holds."""
    if isinstance(audit, str):
        by_name = {one.name: one for one in audits(folder)}
        if audit not in by_name:
            known = ", ".join(sorted(by_name))
            raise ConfigError(f"There is no audit {audit!r}.", [(audit, f"one of {known}", "correct its spelling")])
        audit = by_name[audit]
    return database.query(audit.sql, limit=limit)


@cache
def _load(folder: Path, kinds: tuple[str, ...]) -> tuple[Model, ...]:
    everything = {path.stem: path for kind in ("staging", "marts") for path in sorted((folder / kind).glob("*.sql"))}
    chosen = [path for kind in kinds for path in sorted((folder / kind).glob("*.sql"))]
    if not chosen:
        raise ConfigError(f"There are no SQL models in {folder}.", [(str(folder), "the project's models", "install invbi anew")])
    read = {path.stem: _read(path, everything) for path in chosen}
    try:
        order = TopologicalSorter(
            {name: [ref for ref in model.refs if ref in read] for name, model in read.items()}
        ).static_order()
        return tuple(read[name] for name in order)
    except CycleError as circle:
        names = " -> ".join(circle.args[1])
        raise ConfigError(
            f"The SQL models go in a circle: {names}.", [(names, "models in layers", "take one ref() out")]
        ) from None


def _read(path: Path, known: dict[str, Path]) -> Model:
    text = path.read_text(encoding="utf-8")
    refs: list[str] = []
    sources: list[str] = []

    def ref(name: str) -> str:
        if name not in known:
            raise TemplateError(f"ref({name!r}) names no model")
        refs.append(name)
        return _table(name)

    def source(schema: str, table: str) -> str:
        sources.append(f"{schema}.{table}")
        return f"{schema}.{table}"

    environment = SandboxedEnvironment(undefined=StrictUndefined)
    try:
        sql = environment.from_string(text).render(ref=ref, source=source)
    except TemplateError as trouble:
        where = str(path)
        raise ConfigError(
            f"{where} does not render: {trouble}.", [(where, "ref() and source() only", "correct the file")]
        ) from None
    header = _header(text)
    return Model(
        path.stem,
        _table(path.stem),
        sql.strip().rstrip(";"),
        tuple(dict.fromkeys(refs)),
        tuple(dict.fromkeys(sources)),
        header.get("Grain", ""),
        header.get("Purpose", ""),
        path,
    )


def _table(name: str) -> str:
    return f"{_SCHEMAS[name.split('_', maxsplit=1)[0]]}.{name}"


def _header(text: str) -> dict[str, str]:
    """Read the leading comment: `Grain:` and `Purpose:`, each going on to the next."""
    said: dict[str, str] = {}
    key = ""
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        words = line.removeprefix("--").strip()
        if found := _KEY.match(words):
            key = found[1]
            words = found[2]
        said[key] = f"{said.get(key, '')} {words}".strip()
    return said
