"""The text of the reports: tab-separated, with the columns that Amazon's reports have."""

from collections.abc import Iterable
from datetime import datetime

from invbi_pipeline.sandbox.amazon.listings import Listing
from invbi_pipeline.sandbox.amazon.store import Store

__all__ = ["fba_stock", "listings_all_data"]

_LISTINGS = (
    *("item-name", "item-description", "listing-id", "seller-sku", "price", "quantity", "open-date", "image-url"),
    *("item-is-marketplace", "product-id-type", "zshop-shipping-fee", "item-note", "item-condition", "zshop-category1"),
    *("zshop-browse-path", "zshop-storefront-feature", "asin1", "asin2", "asin3", "will-ship-internationally"),
    *("expedited-shipping", "zshop-boldface", "product-id", "bid-for-featured-placement", "add-delete", "pending-quantity"),
    *("fulfillment-channel", "merchant-shipping-group", "status"),
)
_FBA = (
    *("sku", "fnsku", "asin", "product-name", "condition", "your-price", "mfn-listing-exists", "mfn-fulfillable-quantity"),
    *("afn-listing-exists", "afn-warehouse-quantity", "afn-fulfillable-quantity", "afn-unsellable-quantity"),
    *("afn-reserved-quantity", "afn-total-quantity", "per-unit-volume", "afn-inbound-working-quantity"),
    *("afn-inbound-shipped-quantity", "afn-inbound-receiving-quantity", "afn-researching-quantity"),
    *("afn-reserved-future-supply", "afn-future-supply-buyable"),
)


def listings_all_data(store: Store, as_of: datetime) -> str:
    """Return GET_MERCHANT_LISTINGS_ALL_DATA: every listing, active or not; no quantity where Amazon fulfils."""
    held = _pending_units(store)
    return _text(_LISTINGS, (_listing_row(store, listing, as_of, held.get(listing.sku, 0)) for listing in store.alive()))


def fba_stock(store: Store, as_of: datetime) -> str:
    """Return GET_FBA_MYI_UNSUPPRESSED_INVENTORY_DATA: the stock in Amazon's warehouses."""
    rows = (_fba_row(store, listing, as_of) for listing in store.alive() if listing.fulfillable is not None)
    return _text(_FBA, rows)


def _listing_row(store: Store, listing: Listing, as_of: datetime, held: int) -> dict[str, str]:
    row = {
        "item-name": listing.title,
        "listing-id": f"{listing.created_at:%m%d}{listing.asin}",
        "seller-sku": listing.sku,
        "price": f"{listing.price_cents / 100:.2f}",
        "open-date": f"{listing.created_at:%d/%m/%Y %H:%M:%S} UTC",
        "item-is-marketplace": "y",
        "item-condition": "11",
        "asin1": listing.asin,
        "product-id-type": ("3" if len(listing.barcode) == 12 else "4") if listing.barcode else "1",
        "product-id": listing.barcode or listing.asin,
        "fulfillment-channel": listing.channel,
        "merchant-shipping-group": "Migrated Template",
        "status": "Active" if listing.buyable else "Inactive",
    }
    if listing.by_merchant:
        quantity = store.shown(listing, as_of).quantity
        row |= {"quantity": "" if quantity is None else str(quantity), "pending-quantity": str(held)}
    return row


def _fba_row(store: Store, listing: Listing, as_of: datetime) -> dict[str, str]:
    shown = store.shown(listing, as_of)
    warehouse = (shown.fulfillable or 0) + listing.unfulfillable + shown.reserved
    return {
        "sku": listing.sku,
        "fnsku": listing.fnsku,
        "asin": listing.asin,
        "product-name": listing.title,
        "condition": "New",
        "your-price": f"{listing.price_cents / 100:.2f}",
        "mfn-listing-exists": "Yes" if listing.by_merchant else "No",
        "afn-listing-exists": "Yes",
        "afn-warehouse-quantity": str(warehouse),
        "afn-fulfillable-quantity": "" if shown.fulfillable is None else str(shown.fulfillable),
        "afn-unsellable-quantity": str(listing.unfulfillable),
        "afn-reserved-quantity": str(shown.reserved),
        "afn-total-quantity": str(warehouse),
        "afn-inbound-working-quantity": "0",
        "afn-inbound-shipped-quantity": "0",
        "afn-inbound-receiving-quantity": "0",
        "afn-researching-quantity": "0",
    }


def _pending_units(store: Store) -> dict[str, int]:
    """Return the units of each SKU in merchant orders that are placed and not yet shipped."""
    held: dict[str, int] = {}
    for order in store.orders.values():
        if not order.by_amazon:
            waiting = order.open_units()
            for line in order.lines:
                if waiting[line.item_id]:
                    held[line.sku] = held.get(line.sku, 0) + waiting[line.item_id]
    return held


def _text(columns: tuple[str, ...], rows: Iterable[dict[str, str]]) -> str:
    lines = ["\t".join(columns)]
    lines.extend("\t".join(_cell(row.get(column, "")) for column in columns) for row in rows)
    return "\r\n".join(lines) + "\r\n"


def _cell(value: str) -> str:
    return value.replace("\t", " ").replace("\r", " ").replace("\n", " ")
