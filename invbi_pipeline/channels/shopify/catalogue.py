"""Shopify's variants and locations as wall frames.

A listing is a variant seen as its inventory item: stock, orders and corrections name that id, so it is the `listing_key`.
"""

from collections.abc import Sequence
from typing import IO, Any, Final

import polars as pl

from invbi_pipeline.channels.shopify.api import Answer, Api, gid, number_of
from invbi_pipeline.channels.shopify.bulk import run_bulk
from invbi_pipeline.channels.shopify.documents import BULK_LISTINGS, EXIST, LISTINGS, LOCATIONS, PRODUCTS
from invbi_pipeline.channels.shopify.facts import STATUS
from invbi_pipeline.domain.frames import LISTINGS as LISTINGS_WALL
from invbi_pipeline.domain.frames import LOCATIONS as LOCATIONS_WALL
from invbi_pipeline.domain.words import Fulfilment
from invbi_pipeline.errors import BadAnswer

__all__ = [
    "all_listings", "bulk_listings", "changed_listings", "gone", "id_number", "listings_frame", "locations", "payload", "wall",
]  # fmt: skip

_TEXT: Final = pl.String()
_VARIANT: Final = pl.Schema(
    {
        "id": _TEXT,
        "sku": _TEXT,
        "barcode": _TEXT,
        "title": _TEXT,
        "price": _TEXT,
        "updatedAt": _TEXT,
        "inventoryItem": pl.Struct({"id": _TEXT, "tracked": pl.Boolean()}),
        "product": pl.Struct({"id": _TEXT, "title": _TEXT, "status": _TEXT, "updatedAt": _TEXT}),
    }
)
_ONLY_VARIANT: Final = "Default Title"  # how Shopify calls the variant of a product that has no options


def id_number(global_id: pl.Expr) -> pl.Expr:
    """Return the numeric id of a global id, as text."""
    return global_id.str.extract(r"/(\d+)(?:\?.*)?$", 1)


def payload() -> pl.Expr:
    """Return the row as it came, as JSON. Its schema holds no field of a buyer."""
    return pl.struct(pl.all()).struct.json_encode().alias("payload")


def wall(frame: pl.DataFrame | pl.LazyFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Return the wall's columns, every one a String, and the payload."""
    return frame.lazy().select([*(pl.col(name).cast(pl.String) for name in columns), "payload"]).collect()


def listings_frame(system: str, variants: pl.DataFrame, currency: str) -> pl.DataFrame:
    """Return the LISTINGS wall frame of variants (columns of the query; `product` as a struct)."""
    product, item = pl.col("product").struct, pl.col("inventoryItem").struct
    title = pl.when(pl.col("title") == _ONLY_VARIANT).then(None).otherwise(pl.col("title"))
    moments = pl.max_horizontal("updatedAt", product.field("updatedAt"))  # both are "...Z": text sorts as time
    return wall(
        variants.lazy()
        .with_columns(payload())
        .select(
            pl.lit(system).alias("system"),
            id_number(item.field("id")).alias("listing_key"),
            pl.col("sku").fill_null("").alias("raw_sku"),
            pl.col("barcode").fill_null(""),
            pl.concat_str([product.field("title"), title], separator=" ", ignore_nulls=True).alias("title"),
            id_number(product.field("id")).alias("style"),
            product.field("status").replace_strict(STATUS, default=None, return_dtype=pl.String).alias("status"),
            pl.lit(str(Fulfilment.MERCHANT)).alias("fulfilment"),
            id_number(product.field("id")).alias("product_id"),
            id_number(pl.col("id")).alias("variant_id"),
            pl.col("price"),
            pl.lit(currency).alias("currency"),
            moments.alias("updated_at"),
            pl.col("payload"),
        )
        .unique("listing_key", keep="last", maintain_order=True),
        list(LISTINGS_WALL),
    )


async def all_listings(api: Api) -> pl.DataFrame:
    """Page through every variant."""
    found = [node async for page in api.all_nodes(LISTINGS, ["productVariants"]) for node in page.data["nodes"]]
    return pl.DataFrame(found, schema=_VARIANT)


async def changed_listings(api: Api, query: str) -> pl.DataFrame:
    """Page through the products that changed, with all their variants: a product's status is not the variant's change."""
    found: list[dict[str, Any]] = []
    async for page in api.all_nodes(PRODUCTS, ["products"], {"query": query}):
        for product in page.data["nodes"]:
            await api.complete(product)
            own = {name: product[name] for name in ("id", "title", "status", "updatedAt")}
            found += [{**variant, "product": own} for variant in product["variants"]["nodes"]]
    return pl.DataFrame(found, schema=_VARIANT)


async def gone(api: Api, keys: Sequence[str]) -> frozenset[str]:
    """Return those of these inventory items that the shop has no longer: `nodes` answers null for an id that is nothing's."""
    found: set[str] = set()
    for start in range(0, len(keys), EXIST.size):
        asked = list(keys[start : start + EXIST.size])
        answer = await api.run(EXIST, {"ids": [gid("InventoryItem", key) for key in asked]})
        found |= {key for key, node in zip(asked, answer.data["nodes"], strict=True) if node is None}
    return frozenset(found)


async def bulk_listings(api: Api, into: IO[bytes]) -> pl.DataFrame:
    """Read every variant by a bulk operation."""
    file = await run_bulk(api, BULK_LISTINGS, into)
    variants = read_rows(into, file.objects, _VARIANT)
    file.check(variants.height, variants.height)
    return variants


def read_rows(rows: IO[bytes], objects: int, schema: pl.Schema) -> pl.DataFrame:
    """Read JSON lines of one or several shapes into the columns of `schema`, null where a line lacks one.

    Raises `BadAnswer` for a line that is cut.
    """
    if objects == 0:
        return pl.DataFrame(schema=schema)
    try:
        return pl.read_ndjson(rows, schema=schema)
    except pl.exceptions.PolarsError as broken:
        raise BadAnswer("Shopify's bulk file is cut or broken; nothing of it was taken.") from broken


async def locations(api: Api, system: str) -> tuple[pl.DataFrame, list[str], Answer]:
    """Return the LOCATIONS wall frame, the numeric ids of the active ones, and the last answer."""
    nodes: list[dict[str, Any]] = []
    page = Answer({}, api.http.clock.now())
    async for page in api.all_nodes(LOCATIONS, ["locations"]):
        nodes += page.data["nodes"]
    raw = pl.DataFrame(nodes, schema={"id": _TEXT, "name": _TEXT, "isActive": pl.Boolean()})
    frame = wall(
        raw.with_columns(payload()).select(
            pl.lit(system).alias("system"),
            id_number(pl.col("id")).alias("location_key"),
            pl.col("name"),
            pl.col("isActive").cast(pl.String).alias("active"),
            pl.col("payload"),
        ),
        list(LOCATIONS_WALL),
    )
    return frame, [number_of(node["id"]) for node in nodes if node["isActive"]], page
