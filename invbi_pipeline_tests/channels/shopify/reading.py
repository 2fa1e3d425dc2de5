"""Short ways to read a channel's frames in tests."""

import asyncio
from collections.abc import Sequence

import polars as pl

from invbi_pipeline.channels.protocol import Reading, Write, WriteResult
from invbi_pipeline.domain.words import CorrectionKind, Dataset
from invbi_pipeline_tests.channels.shopify.conftest import Shop

__all__ = ["correction", "frame", "numbers", "read", "rows", "write"]


def read(shop: Shop, dataset: Dataset, since: str = "") -> Reading:
    return asyncio.run(shop.channel.read(dataset, since))


def frame(shop: Shop, name: str, since: str = "") -> pl.DataFrame:
    dataset = Dataset.ORDERS if name in {"order_lines", "effects", "movements", "returns"} else Dataset(name)
    return read(shop, dataset, since).frames[name]


def rows(table: pl.DataFrame, *columns: str) -> list[tuple[str | None, ...]]:
    return sorted(table.select(columns).iter_rows(), key=str)


def numbers(table: pl.DataFrame) -> dict[tuple[str, str], tuple[str, str | None]]:
    return {
        (row["listing_key"], row["location_key"]): (row["state"], row["quantity"])
        for row in table.select("listing_key", "location_key", "state", "quantity").iter_rows(named=True)
    }


def correction(
    key: str, place: str, quantity: int, compare: int | None = None, *, kind: CorrectionKind = CorrectionKind.SET, name: str = ""
) -> Write:
    name = name or f"{key}/{place}/{quantity}"
    return Write(name, kind, key, place, quantity, compare, f"key-{name}", "till/m-1" if kind is CorrectionKind.POST else "")


def write(shop: Shop, writes: Sequence[Write]) -> dict[str, WriteResult]:
    async def collect() -> list[WriteResult]:
        return [result async for result in shop.channel.write(writes)]

    results = asyncio.run(collect())
    assert sorted(result.correction_id for result in results) == sorted(sent.correction_id for sent in writes)
    return {result.correction_id: result for result in results}
