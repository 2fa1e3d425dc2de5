"""Webhook bodies in the shape of the REST resources (the bare resource, without an outer key)."""

from collections.abc import Mapping
from typing import Any

from invbi_pipeline.sandbox.shopify.catalogue import Item, Level, Location, Product, gid, iso
from invbi_pipeline.sandbox.shopify.orders import Agreement, Fulfilment, Order, OrderLine, Refund, Return, buyer

__all__ = ["body_of"]

_FINANCIAL = {"VOIDED": "voided", "PENDING": "pending", "PAID": "paid", "PARTIALLY_REFUNDED": "partially_refunded"}
_FULFILMENT = {"FULFILLED": "fulfilled", "PARTIALLY_FULFILLED": "partial", "RESTOCKED": "restocked"}


def body_of(subject: object) -> Mapping[str, Any]:
    """Return the webhook body about a stored thing."""
    if isinstance(subject, Level):
        return _level(subject)
    if isinstance(subject, Order):
        return _order(subject)
    if isinstance(subject, Refund):
        return _refund(subject)
    if isinstance(subject, Agreement):
        return {"order_edit": _edit(subject)}
    if isinstance(subject, Return):
        return _return(subject)
    if isinstance(subject, Fulfilment):
        return _fulfilment(subject)
    if isinstance(subject, Item):
        return _item(subject)
    if isinstance(subject, Product):
        return {"id": subject.id, "title": subject.title, "status": subject.status.lower(), "updated_at": iso(subject.updated_at)}
    if isinstance(subject, Location):
        return {"id": subject.id, "name": subject.name, "active": subject.active, "updated_at": iso(subject.updated_at)}
    if isinstance(subject, dict):  # a bulk operation, as the API describes it
        names = {"errorCode": "error_code", "createdAt": "created_at", "completedAt": "completed_at"}
        shown = {new: subject[old] for old, new in names.items()}
        return {"admin_graphql_api_id": subject["id"], "status": subject["status"].lower(), "type": "query", **shown}
    raise TypeError(f"no webhook speaks of a {type(subject).__name__}")


def _level(level: Level) -> dict[str, Any]:
    return {
        "inventory_item_id": level.item.id,
        "location_id": level.location.id,
        "available": level.available,
        "updated_at": iso(level.updated_at),
        "admin_graphql_api_id": level.gid,
    }


def _item(item: Item) -> dict[str, Any]:
    return {
        "id": item.id,
        "sku": item.sku,
        "created_at": iso(item.created_at),
        "updated_at": iso(item.updated_at),
        "tracked": item.tracked,
        "admin_graphql_api_id": item.gid,
    }


def _line(line: OrderLine) -> dict[str, Any]:
    variant = line.item.variant
    return {
        "id": line.id,
        "admin_graphql_api_id": gid("LineItem", line.id),
        "variant_id": None if line.item.deleted else variant.id,
        "product_id": None if line.item.deleted else variant.product.id,
        "title": line.title,
        "name": f"{line.title} - {line.variant_title}",
        "variant_title": line.variant_title,
        "sku": line.sku,
        "quantity": line.quantity,
        "current_quantity": line.current,
        "fulfillable_quantity": line.unfulfilled,
        "fulfillment_status": "fulfilled" if line.fulfilled and not line.unfulfilled else None,
        "price": f"{line.price:.2f}",
        "requires_shipping": True,
        "taxable": True,
        "gift_card": False,
        "vendor": "House",
        "grams": 200,
        "product_exists": not line.item.deleted,
        "properties": [],
        "total_discount": "0.00",
    }


def _fulfilment(fulfilment: Fulfilment) -> dict[str, Any]:
    return {
        "id": fulfilment.id,
        "order_id": fulfilment.order.id,
        "admin_graphql_api_id": gid("Fulfillment", fulfilment.id),
        "name": fulfilment.name,
        "status": "success",
        "service": "manual",
        "location_id": fulfilment.location.id,
        "created_at": iso(fulfilment.created_at),
        "updated_at": iso(fulfilment.created_at),
        "line_items": [{**_line(line.line), "quantity": line.quantity} for line in fulfilment.lines],
    }


def _refund(refund: Refund) -> dict[str, Any]:
    return {
        "id": refund.id,
        "order_id": refund.order.id,
        "admin_graphql_api_id": gid("Refund", refund.id),
        "created_at": iso(refund.created_at),
        "processed_at": iso(refund.created_at),
        "note": refund.note,
        "restock": any(line.restock_type != "NO_RESTOCK" for line in refund.lines),
        "user_id": None,
        "refund_line_items": [
            {
                "id": line.id,
                "quantity": line.quantity,
                "line_item_id": line.line.id,
                "location_id": line.location.id if line.location else None,
                "restock_type": line.restock_type.lower(),
                "subtotal": round(line.line.price * line.quantity, 2),
                "line_item": _line(line.line),
            }
            for line in refund.lines
        ],
        "transactions": [],
        "order_adjustments": [],
    }


def _edit(edit: Agreement) -> dict[str, Any]:
    return {
        "id": edit.id,
        "app_id": None,
        "created_at": iso(edit.happened_at),
        "notify_customer": False,
        "order_id": edit.order.id,
        "staff_note": "",
        "user_id": None,
        "line_items": {
            "additions": [{"id": sale.line.id, "delta": sale.quantity} for sale in edit.sales if sale.quantity > 0],
            "removals": [{"id": sale.line.id, "delta": -sale.quantity} for sale in edit.sales if sale.quantity < 0],
        },
    }


def _return(back: Return) -> dict[str, Any]:
    return {
        "id": back.id,
        "admin_graphql_api_id": gid("Return", back.id),
        "status": "open" if back.waiting else "closed",
        "order": {"id": back.order.id, "admin_graphql_api_id": gid("Order", back.order.id)},
        "total_return_line_items": len(back.lines),
        "return_line_items": [{"id": line.id, "admin_graphql_api_id": gid("ReturnLineItem", line.id)} for line in back.lines],
    }


def _order(order: Order) -> dict[str, Any]:
    total = sum(line.price * line.quantity for line in order.lines)
    body: dict[str, Any] = {
        "id": order.id,
        "admin_graphql_api_id": gid("Order", order.id),
        "name": order.name,
        "number": order.number - 1000,
        "order_number": order.number,
        "created_at": iso(order.created_at),
        "processed_at": iso(order.created_at),
        "updated_at": iso(order.updated_at),
        "closed_at": iso(order.closed_at) if order.closed_at else None,
        "cancelled_at": iso(order.cancelled_at) if order.cancelled_at else None,
        "cancel_reason": "customer" if order.cancelled_at else None,
        "confirmed": True,
        "test": False,
        "currency": order.currency,
        "financial_status": _FINANCIAL.get(order.financial_status, "refunded"),
        "fulfillment_status": _FULFILMENT.get(order.fulfilment_status),
        "location_id": order.retail_location.id if order.retail_location else None,
        "source_name": order.source_name,
        "subtotal_price": f"{total:.2f}",
        "total_price": f"{total:.2f}",
        "total_tax": "0.00",
        "total_discounts": "0.00",
        "taxes_included": True,
        "line_items": [_line(line) for line in order.lines],
        "fulfillments": [_fulfilment(fulfilment) for fulfilment in order.fulfilments],
        "refunds": [_refund(refund) for refund in order.refunds],
        "shipping_lines": [],
        "note": None,
        "tags": "",
    }
    if order.source_name != "pos":
        body |= _personal(order)
    return body


def _personal(order: Order) -> dict[str, Any]:
    person = buyer(order)
    address = {
        **{name: person[name] for name in ("first_name", "last_name", "name", "phone", "address1", "city", "zip")},
        "country": "United Kingdom",
        "country_code": "GB",
    }
    customer = {"id": order.id - 1_000_000, **{name: person[name] for name in ("email", "first_name", "last_name", "phone")}}
    return {
        "email": person["email"],
        "contact_email": person["email"],
        "phone": person["phone"],
        "browser_ip": person["ip"],
        "client_details": {"browser_ip": person["ip"], "user_agent": "Mozilla/5.0"},
        "customer": {**customer, "default_address": address},
        "billing_address": address,
        "shipping_address": address,
    }
