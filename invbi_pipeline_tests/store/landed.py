"""A small warehouse for tests: batches landed with a verdict, minute by minute, and the models built on them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from invbi_pipeline.channels.protocol import Reading
from invbi_pipeline.domain.words import Dataset, FeedVerdict
from invbi_pipeline.store.landing import SWEEP, Batch, land, prepare
from invbi_pipeline.store.models import run_models
from invbi_pipeline.store.tables import LOCATION_MAP
from invbi_pipeline.store.warehouse import Warehouse
from invbi_pipeline_tests.flows.scripted import START, wall

__all__ = ["Landed"]

_DATASETS = {"order_lines": Dataset.ORDERS, "effects": Dataset.ORDERS, "returns": Dataset.ORDERS}


class Landed:
    """Lands reads of one system, `till`, whose location 1 is soho."""

    def __init__(self, tmp_path: Path) -> None:
        self.warehouse = Warehouse(tmp_path / "warehouse.duckdb")
        places = pl.DataFrame({"system": ["till"], "location_key": ["1"], "location": ["soho"]}, schema=dict(LOCATION_MAP))
        self.warehouse.replace("recon.location_map", places)

    def batch(
        self, name: str, rows: Sequence[Mapping[str, Any]], minute: int, *, full: bool = False, scope: str = SWEEP
    ) -> Batch:
        """Return a read of wall frame `name` at this minute."""
        at = START + timedelta(minutes=minute)
        dataset = _DATASETS.get(name) or Dataset(name)
        reading = Reading(dataset, {name: wall(name, "till", rows)}, at.isoformat(), full, True, at, at, at)
        return prepare(reading, "till", f"r{minute}", f"r{minute}.till.{dataset}.{scope}", scope)

    def land(
        self,
        name: str,
        rows: Sequence[Mapping[str, Any]],
        minute: int,
        *,
        full: bool = False,
        scope: str = SWEEP,
        verdict: FeedVerdict = FeedVerdict.BELIEVED,
    ) -> None:
        """Land it with a verdict."""
        batch = replace(self.batch(name, rows, minute, full=full, scope=scope), verdict=verdict)
        with self.warehouse.open() as database:
            land(database, [batch], batch.began_at)

    def rows(self, model: str, *columns: str) -> list[tuple[Any, ...]]:
        """Build staging and return these columns of one model, sorted."""
        run_models(self.warehouse, ["staging"])
        return self.warehouse.query(f"SELECT {', '.join(columns)} FROM staging.{model} ORDER BY ALL").rows()

    def at(self, minute: int) -> datetime:
        return START + timedelta(minutes=minute)
