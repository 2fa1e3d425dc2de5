"""Rows of the wall from Amazon's listings: from items and summaries one by one, from the report of all listings at once."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import polars as pl

from invbi_pipeline.channels.wall import Row, iso, payload_of
from invbi_pipeline.domain.frames import LISTINGS, STOCK
from invbi_pipeline.domain.words import Fulfilment, ListingStatus, Quantity
from invbi_pipeline.errors import BadAnswer

__all__ = [
    "MERCHANT",
    "channels_of",
    "listing_row",
    "merchant_rows",
    "report_channels",
    "report_listings",
    "report_stock",
    "summary_row",
]

Json = Mapping[str, Any]

MERCHANT: Final = "DEFAULT"  # the fulfilment channel code of what the merchant ships
_REPORT: Final = (
    "seller-sku",
    "asin1",
    "item-name",
    "price",
    "quantity",
    "fulfillment-channel",
    "status",
    "product-id",
    "product-id-type",
)
_BARCODES: Final = ("3", "4")  # product-id-type: 1 ASIN, 2 ISBN, 3 UPC, 4 EAN


def channels_of(item: Json) -> frozenset[str]:
    """Return the fulfilment channel codes of a listing."""
    return frozenset(each["fulfillmentChannelCode"] for each in item.get("fulfillmentAvailability") or ())


def _summary(item: Json) -> Json:
    return next(iter(item.get("summaries") or ()), {})


def listing_row(item: Json) -> Row:
    """LISTINGS. Active is what can be bought; platform-fulfilled is what Amazon alone ships."""
    summary = _summary(item)
    price = next((offer.get("price") or {} for offer in item.get("offers") or () if offer.get("offerType") == "B2C"), {})
    codes = channels_of(item)
    return {
        "listing_key": item["sku"],
        "raw_sku": item["sku"],
        "barcode": "",
        "title": summary.get("itemName"),
        "status": ListingStatus.ACTIVE if "BUYABLE" in (summary.get("status") or ()) else ListingStatus.INACTIVE,
        "fulfilment": Fulfilment.PLATFORM if codes and MERCHANT not in codes else Fulfilment.MERCHANT,
        "product_id": summary.get("asin"),
        "variant_id": summary.get("asin"),
        "price": price.get("amount"),
        "currency": price.get("currencyCode"),
        "updated_at": iso(summary.get("lastUpdatedDate")),
        "payload": payload_of(item),
    }


def merchant_rows(items: Iterable[Json]) -> Iterator[Row]:
    """STOCK of what the merchant ships; a listing for which Amazon states no quantity has none, and that is not 0."""
    for item in items:
        held = {each["fulfillmentChannelCode"]: each.get("quantity") for each in item.get("fulfillmentAvailability") or ()}
        if held and MERCHANT not in held:
            continue
        quantity, changed = held.get(MERCHANT), iso(_summary(item).get("lastUpdatedDate"))
        yield {
            "listing_key": item["sku"],
            "location_key": "",
            "state": Quantity.UNTRACKED if quantity is None else Quantity.KNOWN,
            "quantity": quantity,
            "version": changed or "",
            "changed_at": changed,
            "payload": payload_of({"sku": item["sku"], "fulfillmentAvailability": item.get("fulfillmentAvailability")}),
        }


def summary_row(summary: Json, code: str) -> Row:
    """STOCK in Amazon's warehouses: what can be sold, and what is reserved besides; what is on its way is in neither."""
    details: Json = summary.get("inventoryDetails") or {}
    quantity = details.get("fulfillableQuantity")
    changed = iso(summary.get("lastUpdatedTime"))
    return {
        "listing_key": summary.get("sellerSku"),
        "location_key": code,
        "state": Quantity.UNKNOWN if quantity is None else Quantity.KNOWN,
        "quantity": quantity,
        "reserved": (details.get("reservedQuantity") or {}).get("totalReservedQuantity"),
        "version": changed or "",
        "changed_at": changed,
        "payload": payload_of(summary),
    }


# --- the report of all listings -------------------------------------------------------------------------------------------


def _checked(report: pl.DataFrame) -> pl.LazyFrame:
    missing = [name for name in _REPORT if name not in report.columns]
    if missing:
        raise BadAnswer(f"Amazon's report of all listings has no column {', '.join(missing)}.")
    blank = [pl.when(pl.col(name).str.strip_chars() != "").then(pl.col(name)).alias(name) for name in _REPORT]
    payload = pl.struct(_REPORT).struct.json_encode().alias("payload")
    return report.lazy().select(*blank, payload).with_columns(pl.col("fulfillment-channel").fill_null(MERCHANT))


def report_channels(report: pl.DataFrame) -> dict[str, frozenset[str]]:
    """Return the fulfilment channel codes by SKU."""
    codes = _checked(report).group_by("seller-sku").agg(pl.col("fulfillment-channel").unique()).collect()
    return {sku: frozenset(held) for sku, held in codes.iter_rows()}


def report_listings(report: pl.DataFrame, system: str, currency: str) -> pl.DataFrame:
    """LISTINGS and payload. The report states prices without a currency: they are in the marketplace's."""
    known = _checked(report).select(
        pl.lit(system).alias("system"),
        pl.col("seller-sku").alias("listing_key"),
        pl.col("seller-sku").alias("raw_sku"),
        pl.when(pl.col("product-id-type").is_in(_BARCODES)).then("product-id").otherwise(pl.lit("")).alias("barcode"),
        pl.col("item-name").alias("title"),
        pl.when(pl.col("status") == "Active")
        .then(pl.lit(ListingStatus.ACTIVE.value))
        .otherwise(pl.lit(ListingStatus.INACTIVE.value))
        .alias("status"),
        pl.when(pl.col("fulfillment-channel") == MERCHANT)
        .then(pl.lit(Fulfilment.MERCHANT.value))
        .otherwise(pl.lit(Fulfilment.PLATFORM.value))
        .alias("fulfilment"),
        pl.col("asin1").alias("product_id"),
        pl.col("asin1").alias("variant_id"),
        pl.col("price"),
        pl.when(pl.col("price").is_not_null()).then(pl.lit(currency)).alias("currency"),
        pl.col("payload"),
    )
    return _wall(known, LISTINGS)


def report_stock(report: pl.DataFrame, system: str) -> pl.DataFrame:
    """STOCK of what the merchant ships and payload; the report says nothing of numbers in Amazon's warehouses."""
    merchant = _checked(report).filter(pl.col("fulfillment-channel") == MERCHANT)
    known = merchant.select(
        pl.lit(system).alias("system"),
        pl.col("seller-sku").alias("listing_key"),
        pl.lit("").alias("location_key"),
        pl.when(pl.col("quantity").is_null())
        .then(pl.lit(Quantity.UNTRACKED.value))
        .otherwise(pl.lit(Quantity.KNOWN.value))
        .alias("state"),
        pl.col("quantity"),
        pl.lit("").alias("version"),
        pl.col("payload"),
    )
    return _wall(known, STOCK)


def _wall(known: pl.LazyFrame, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    held = known.collect()
    absent = [pl.lit(None, pl.String).alias(name) for name in schema if name not in held.columns]
    return held.with_columns(absent).select(*schema, "payload")
