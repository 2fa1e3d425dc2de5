"""The sandbox's ERP, read through the files it exports."""

import asyncio
import random
from datetime import UTC, datetime
from pathlib import Path

from invbi_pipeline.channels.registry import open_channel
from invbi_pipeline.config import SystemConfig
from invbi_pipeline.domain.words import Dataset
from invbi_pipeline.sandbox.contract import ItemSpec
from invbi_pipeline.sandbox.erp import ErpAccount
from invbi_pipeline_tests.channels.files.exports import Noon

FILES = {
    "stock": {"path": "stock.csv", "columns": {"listing_key": "code", "location_key": "location", "quantity": "on_hand"}},
    "movements": {
        "path": "movements.csv",
        "columns": {
            **{name: name for name in ("kind", "units", "counted", "occurred_at", "order_id", "reference")},
            "movement_id": "id",
            "listing_key": "code",
            "location_key": "location",
        },
    },
    "listings": {"path": "items.csv", "columns": {"listing_key": "code", "barcode": "barcode", "status": "status"}},
}


def test_an_exported_ledger_and_its_numbers_are_read_as_they_are_booked(tmp_path: Path) -> None:
    clock = Noon()
    erp = ErpAccount("erp", clock, random.Random(1), tmp_path)
    erp.add_location("warehouse", "Warehouse")
    code = erp.add_item(ItemSpec("00123", "5012345678900", "Shirt, blue", "shirt", {}, 9.0, "GBP"))
    erp.stock(code, "warehouse", 10)
    erp.book_order(code, "warehouse", -2, "sale", "amazon_uk", "205-1", "205-1/7/PKG1")
    erp.count(code, "warehouse", 7)
    erp.export()
    config = SystemConfig.model_validate({"platform": "files", "roles": ["counts"], "files": FILES})
    channel = open_channel("erp", config, clock, random.Random(1), folder=tmp_path)
    stock = asyncio.run(channel.read(Dataset.STOCK))
    movements = asyncio.run(channel.read(Dataset.MOVEMENTS)).frames["movements"]
    listings = asyncio.run(channel.read(Dataset.LISTINGS)).frames["listings"]
    assert stock.frames["stock"].select("listing_key", "location_key", "quantity").rows() == [("00123", "warehouse", "7")]
    assert stock.platform_time == datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert movements.select("kind", "units", "counted", "reference").rows() == [
        ("sale", "-2", None, "amazon_uk/205-1/7/PKG1"),
        ("count", "-1", "7", ""),
    ]
    assert listings.select("raw_sku", "barcode", "status").rows() == [("00123", "5012345678900", "active")]
