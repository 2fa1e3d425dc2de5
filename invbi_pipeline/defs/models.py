"""The SQL models of `dbt_like_sql/`: staging from what has landed, marts from what was decided, lineage from what they name."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import dagster as dg

from invbi_pipeline.config import Config
from invbi_pipeline.defs.evidence import figures, query
from invbi_pipeline.defs.names import ingest_keys, lineage, spec, table_key
from invbi_pipeline.defs.resources import Invbi
from invbi_pipeline.defs.steps import marts
from invbi_pipeline.flows.decision.reconcile import stage
from invbi_pipeline.store.models import Model, models
from invbi_pipeline.store.warehouse import Warehouse

__all__ = ["mart_assets", "staging_assets"]

_KINDS: Final = ("sql", "duckdb")


def staging_assets(config: Config) -> dg.AssetsDefinition:
    """Return the staging models: built in one step as soon as every system has been tried.

    The step hangs on all feeds by one fan-in whose first source always comes, so that a feed that yields nothing (see
    `defs.ingest`) never skips it.
    """
    chosen = _of("staging")
    feeds = {f"feed_{n}": key for n, key in enumerate(ingest_keys(config), start=1)}

    @dg.op(name="begin", out=dg.Out(dg.Nothing), description="Begins, whatever the feeds yield.")
    def begin() -> None:
        return None

    @dg.op(name="build", ins={"tried": dg.In(dg.Nothing)}, out={m.name: dg.Out(dg.Nothing) for m in chosen})
    def build(context: dg.OpExecutionContext, invbi: Invbi) -> Iterator[dg.Output[None]]:
        rows = invbi.call(stage)
        shown = invbi.look(lambda warehouse: _columns(warehouse, chosen))
        for model in chosen:
            yield dg.Output(None, model.name, metadata=_metadata(model, rows, shown))

    def graph(**tried: Any) -> dict[str, Any]:
        built = build([begin(), *tried.values()])
        return {model.name: getattr(built, model.name) for model in chosen}

    made = dg.graph(
        name="staging", ins={name: dg.GraphIn() for name in feeds}, out={model.name: dg.GraphOut() for model in chosen}
    )(graph)
    specs = {model.name: _spec(config, model, "staging") for model in chosen}
    return dg.AssetsDefinition.from_graph(
        made,
        keys_by_input_name=feeds,
        keys_by_output_name={name: one.key for name, one in specs.items()},
        internal_asset_deps={name: {dep.asset_key for dep in one.deps} for name, one in specs.items()},
    ).map_asset_specs(lambda bare: _dressed(bare, specs))


def mart_assets(config: Config) -> dg.AssetsDefinition:
    """Return the marts, built in one step after everything they read."""
    chosen = _of("mart")

    @dg.multi_asset(name="marts", specs=[_spec(config, model, "mart") for model in chosen])
    def build(invbi: Invbi) -> Iterator[dg.MaterializeResult[Any]]:
        rows = invbi.call(marts)
        shown = invbi.look(lambda warehouse: _columns(warehouse, chosen))
        for model in chosen:
            yield dg.MaterializeResult(asset_key=table_key(model.table), metadata=_metadata(model, rows, shown))

    return build


def _of(schema: str) -> list[Model]:
    return [model for model in models() if model.table.startswith(f"{schema}.")]


def _spec(config: Config, model: Model, group: str) -> dg.AssetSpec:
    upstream = [*(one.table for one in models() if one.name in model.refs), *model.sources]
    if group == "mart":  # a mart reads the record of the reads by its model
        upstream = ["staging.stg_batches" if table == "raw.batches" else table for table in upstream]
    deps = [key for key in lineage(config, upstream) if key != table_key(model.table)]
    return spec(model.table, group, model.description, deps, _KINDS, metadata={"sql": query(model.sql)})


def _dressed(bare: dg.AssetSpec, specs: Mapping[str, dg.AssetSpec]) -> dg.AssetSpec:
    full = specs[bare.key.path[-1]]
    return bare.replace_attributes(
        group_name=full.group_name,
        description=full.description,
        owners=list(full.owners),
        kinds=full.kinds,
        metadata={**bare.metadata, **full.metadata},
    )


def _columns(warehouse: Warehouse, chosen: list[Model]) -> dict[str, dg.TableSchema]:
    with warehouse.open() as db:
        found = {model.name: db.query(f"DESCRIBE {model.table}") for model in chosen}
    return {
        name: dg.TableSchema(
            [dg.TableColumn(column, kind) for column, kind in frame.select("column_name", "column_type").iter_rows()]
        )
        for name, frame in found.items()
    }


def _metadata(model: Model, rows: Mapping[str, int], columns: Mapping[str, dg.TableSchema]) -> dict[str, Any]:
    count = rows[model.name]
    return {**figures({"rows": count, "dagster/row_count": count}), "dagster/column_schema": columns[model.name]}
