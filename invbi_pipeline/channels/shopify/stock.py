"""Shopify's inventory levels as the STOCK wall frame: the number called `available`, per item and location.

`available` is what a shopper can buy: on_hand less committed, reserved, damaged, safety stock and quality control
(https://shopify.dev/docs/apps/build/orders-fulfillment/inventory-management-apps). It may be negative. An item that is not
tracked has no number; a level that is not active is no level.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import IO, Any, Final

import polars as pl

from invbi_pipeline.channels.shopify.api import Answer, Api, gid
from invbi_pipeline.channels.shopify.bulk import run_bulk
from invbi_pipeline.channels.shopify.catalogue import id_number, payload, read_rows, wall
from invbi_pipeline.channels.shopify.documents import BULK_STOCK, LEVELS, PROOF, TRACKING
from invbi_pipeline.domain.frames import STOCK
from invbi_pipeline.domain.words import Quantity

__all__ = ["all_levels", "bulk_levels", "prove", "stock_frame"]

_TEXT: Final = pl.String()
_ID: Final = pl.Struct({"id": _TEXT})
_LEVEL: Final = pl.Schema(
    {
        "id": _TEXT,
        "isActive": pl.Boolean(),
        "updatedAt": _TEXT,
        "quantities": pl.List(pl.Struct({"name": _TEXT, "quantity": pl.Int64(), "updatedAt": _TEXT})),
        "location": _ID,
        "item": pl.Struct({"id": _TEXT, "tracked": pl.Boolean()}),
    }
)
_BULK: Final = pl.Schema({**_LEVEL, "tracked": pl.Boolean(), "__parentId": _TEXT})


def stock_frame(system: str, levels: pl.DataFrame) -> pl.DataFrame:
    """Return the STOCK wall frame of levels (columns of the query).

    The version is the quantity's own change time, the level's where it has none; both are the platform's clock.
    """
    number = pl.col("quantities").list.filter(pl.element().struct.field("name") == "available").list.first()
    quantity, tracked = number.struct.field("quantity"), pl.col("item").struct.field("tracked")
    changed = pl.coalesce(number.struct.field("updatedAt"), "updatedAt")
    state = (
        pl.when(~tracked)
        .then(pl.lit(str(Quantity.UNTRACKED)))
        .when(quantity.is_null() | ~pl.col("isActive"))
        .then(pl.lit(str(Quantity.UNKNOWN)))
        .otherwise(pl.lit(str(Quantity.KNOWN)))
    )
    return wall(
        levels.lazy()
        .with_columns(payload())
        .select(
            pl.lit(system).alias("system"),
            id_number(pl.col("item").struct.field("id")).alias("listing_key"),
            id_number(pl.col("location").struct.field("id")).alias("location_key"),
            state.alias("state"),
            pl.when(state == str(Quantity.KNOWN)).then(quantity).alias("quantity"),
            pl.lit(None, pl.String).alias("reserved"),
            changed.fill_null("").alias("version"),
            changed.alias("changed_at"),
            pl.col("payload"),
        )
        .unique(["listing_key", "location_key"], keep="last", maintain_order=True),
        list(STOCK),
    )


async def all_levels(api: Api, locations: Sequence[str], query: str = "") -> pl.DataFrame:
    """Page through the levels of these locations, all of them or those a search finds.

    With a search the levels of items whose tracking was switched come too: that changes the item, not its levels.
    """
    nodes: list[dict[str, Any]] = []
    for location in locations:
        place = gid("Location", location)
        async for page in api.all_nodes(LEVELS, ["location", "inventoryLevels"], {"location": place, "query": query or None}):
            nodes += [{**level, "location": {"id": place}} for level in page.data["nodes"]]
    if query:
        switched = [
            n["id"] async for page in api.all_nodes(TRACKING, ["inventoryItems"], {"query": query}) for n in page.data["nodes"]
        ]
        for location in locations if switched else ():
            async for levels, _ in _by_item(api, switched, gid("Location", location)):
                nodes += [level for level in levels if level["id"]]
    return pl.DataFrame(nodes, schema=_LEVEL)


async def bulk_levels(api: Api, into: IO[bytes]) -> tuple[pl.DataFrame, datetime]:
    """Read every level by a bulk operation; return them and the platform's clock when it was asked for."""
    file = await run_bulk(api, BULK_STOCK, into)
    rows = read_rows(into, file.objects, _BULK)
    is_item = pl.col("__parentId").is_null()
    items = rows.filter(is_item).select("id", "tracked")
    file.check(rows.height, items.height)
    levels = (
        rows.lazy()
        .filter(~is_item)
        .drop("item", "tracked")
        .join(items.lazy().rename({"id": "__parentId"}), on="__parentId", how="left", maintain_order="left")
        .with_columns(pl.struct(pl.col("__parentId").alias("id"), "tracked").alias("item"))
        .select(_LEVEL.names())
        .collect()
    )
    return levels, file.asked_at


async def prove(api: Api, system: str, points: Sequence[tuple[str, str]]) -> tuple[pl.DataFrame, Answer | None]:
    """Read these (listing_key, location_key) now, by id; return their STOCK wall frame and the first answer.

    Each point has its row: `unknown` where the item is gone or not stocked there.
    """
    found: list[dict[str, Any]] = []
    first: Answer | None = None
    for location in dict.fromkeys(place for _, place in points):
        place = gid("Location", location)
        items = [gid("InventoryItem", key) for key in dict.fromkeys(key for key, at in points if at == location)]
        async for levels, answer in _by_item(api, items, place):
            first = first or answer
            found += levels
    return stock_frame(system, pl.DataFrame(found, schema=_LEVEL)), first


async def _by_item(api: Api, items: Sequence[str], location: str) -> AsyncIterator[tuple[list[dict[str, Any]], Answer]]:
    """Yield the levels of these items at a location, an empty one (id "") where there is none."""
    for start in range(0, len(items), PROOF.size):
        ids = list(items[start : start + PROOF.size])
        answer = await api.run(PROOF, {"ids": ids, "location": location})
        levels = []
        for asked, node in zip(ids, answer.data["nodes"], strict=True):
            level = (node or {}).get("inventoryLevel") or {"id": "", "isActive": False, "quantities": []}
            item = {"id": asked, "tracked": (node or {}).get("tracked", True)}
            levels.append({**level, "item": item, "location": {"id": location}})
        yield levels, answer
