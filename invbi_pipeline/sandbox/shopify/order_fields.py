"""The argument-free fields of orders and what hangs on them: how each is read off the stored thing."""

from collections.abc import Mapping
from operator import attrgetter
from typing import Any

from invbi_pipeline.sandbox.shopify.catalogue import Variant, gid, iso
from invbi_pipeline.sandbox.shopify.fields import Getter, always, moment, number
from invbi_pipeline.sandbox.shopify.orders import FulfilmentOrder, FulfilmentOrderLine, Order, OrderLine, buyer

__all__ = ["ORDER_FIELDS"]


def _id(kind: str) -> Getter:
    return lambda thing: gid(kind, thing.id)


def _bag(amount: float, currency: str) -> dict[str, Any]:
    money = {"amount": f"{amount:.2f}", "currencyCode": currency}
    return {"shopMoney": money, "presentmentMoney": money}


def _ordered_total(order: Order) -> dict[str, Any]:
    return _bag(sum(line.price * line.quantity for line in order.lines), order.currency)


def _current_total(order: Order) -> dict[str, Any]:
    return _bag(sum(line.price * line.current for line in order.lines), order.currency)


def _refunded_total(order: Order) -> dict[str, Any]:
    paid_back = sum(line.price * (line.returned + line.cancelled) for line in order.lines) if order.paid else 0.0
    return _bag(paid_back, order.currency)


def _live_variant(line: OrderLine) -> Variant | None:
    return None if line.item.deleted else line.item.variant


def _customer(order: Order) -> dict[str, Any] | None:
    if order.source_name == "pos":
        return None  # nobody gave a name over the counter
    person = buyer(order)
    return {
        "id": gid("Customer", order.id - 1_000_000),
        "legacyResourceId": str(order.id - 1_000_000),
        "displayName": person["name"],
        "firstName": person["first_name"],
        "lastName": person["last_name"],
        "email": person["email"],
        "phone": person["phone"],
        "createdAt": iso(order.created_at),
        "updatedAt": iso(order.created_at),
    }


def _address(order: Order) -> dict[str, Any] | None:
    if order.source_name == "pos":
        return None
    person = buyer(order)
    return {
        "id": f"{gid('MailingAddress', order.id)}?model_name=Address",
        "name": person["name"],
        "firstName": person["first_name"],
        "lastName": person["last_name"],
        "company": None,
        "address1": person["address1"],
        "address2": None,
        "city": person["city"],
        "province": None,
        "provinceCode": None,
        "zip": person["zip"],
        "country": "United Kingdom",
        "countryCodeV2": "GB",
        "phone": person["phone"],
    }


def _personal(name: str) -> Getter:
    return lambda order: None if order.source_name == "pos" else buyer(order)[name]


def _assigned(at: FulfilmentOrder) -> dict[str, Any]:
    empty = dict.fromkeys(("address1", "address2", "city", "zip", "province", "phone"))
    return {**empty, "name": at.location.name, "countryCode": "GB", "location": at.location}


def _fo_line_item(line: FulfilmentOrderLine) -> str | None:
    return None if line.line.item.deleted else line.line.item.gid


ORDER_FIELDS: Mapping[str, Mapping[str, Getter]] = {
    "Order": {
        "id": _id("Order"),
        "legacyResourceId": number,
        "name": attrgetter("name"),
        "number": attrgetter("number"),
        "createdAt": moment("created_at"),
        "processedAt": moment("created_at"),
        "updatedAt": moment("updated_at"),
        "closed": lambda order: order.closed_at is not None,
        "closedAt": moment("closed_at"),
        "cancelledAt": moment("cancelled_at"),
        "cancelReason": lambda order: "CUSTOMER" if order.cancelled_at else None,
        "confirmed": always(True),
        "test": always(False),
        "edited": attrgetter("edited"),
        "sourceName": attrgetter("source_name"),
        "sourceIdentifier": always(None),
        "currencyCode": attrgetter("currency"),
        "presentmentCurrencyCode": attrgetter("currency"),
        "displayFinancialStatus": attrgetter("financial_status"),
        "displayFulfillmentStatus": attrgetter("fulfilment_status"),
        "fullyPaid": attrgetter("paid"),
        "unpaid": lambda order: not order.paid,
        "fulfillable": lambda order: any(line.unfulfilled for line in order.lines),
        "refundable": lambda order: any(line.current for line in order.lines),
        "restockable": lambda order: any(line.current for line in order.lines),
        "requiresShipping": lambda order: order.source_name != "pos",
        "returnStatus": attrgetter("return_status"),
        "retailLocation": attrgetter("retail_location"),
        "physicalLocation": attrgetter("retail_location"),
        "tags": always([]),
        "note": always(None),
        "poNumber": always(None),
        "email": _personal("email"),
        "phone": _personal("phone"),
        "clientIp": _personal("ip"),
        "customer": _customer,
        "purchasingEntity": lambda order: None,
        "shippingAddress": _address,
        "billingAddress": _address,
        "subtotalPriceSet": _ordered_total,
        "totalPriceSet": _ordered_total,
        "currentTotalPriceSet": _current_total,
        "totalRefundedSet": _refunded_total,
        "subtotalLineItemsQuantity": lambda order: sum(line.quantity for line in order.lines),
        "currentSubtotalLineItemsQuantity": lambda order: sum(line.current for line in order.lines),
        "fulfillmentsCount": lambda order: {"count": len(order.fulfilments), "precision": "EXACT"},
    },
    "LineItem": {
        "id": _id("LineItem"),
        "name": lambda line: line.title if line.variant_title == "Default Title" else f"{line.title} - {line.variant_title}",
        "title": attrgetter("title"),
        "variantTitle": lambda line: None if line.variant_title == "Default Title" else line.variant_title,
        "sku": lambda line: line.sku or None,
        "quantity": attrgetter("quantity"),
        "currentQuantity": attrgetter("current"),
        "unfulfilledQuantity": attrgetter("unfulfilled"),
        "fulfillableQuantity": attrgetter("unfulfilled"),
        "nonFulfillableQuantity": always(0),
        "refundableQuantity": attrgetter("current"),
        "restockable": lambda line: not line.item.deleted,
        "requiresShipping": always(True),
        "isGiftCard": always(False),
        "taxable": always(True),
        "vendor": always("House"),
        "originalUnitPriceSet": lambda line: _bag(line.price, line.item.variant.currency),
        "discountedTotalSet": lambda line: _bag(line.price * line.quantity, line.item.variant.currency),
        "product": lambda line: None if line.item.deleted else line.item.variant.product,
        "variant": _live_variant,
    },
    "FulfillmentOrder": {
        "id": _id("FulfillmentOrder"),
        "status": attrgetter("status"),
        "requestStatus": always("UNSUBMITTED"),
        "createdAt": moment("created_at"),
        "updatedAt": moment("updated_at"),
        "fulfillAt": moment("created_at"),
        "assignedLocation": _assigned,
        "orderId": lambda at: gid("Order", at.order.id),
        "orderName": lambda at: at.order.name,
        "order": attrgetter("order"),
    },
    "FulfillmentOrderLineItem": {
        "id": _id("FulfillmentOrderLineItem"),
        "inventoryItemId": _fo_line_item,
        "lineItem": attrgetter("line"),
        "productTitle": attrgetter("line.title"),
        "variantTitle": attrgetter("line.variant_title"),
        "sku": lambda line: line.line.sku or None,
        "totalQuantity": attrgetter("total"),
        "remainingQuantity": attrgetter("remaining"),
        "requiresShipping": always(True),
        "variant": lambda line: _live_variant(line.line),
    },
    "Fulfillment": {
        "id": _id("Fulfillment"),
        "legacyResourceId": number,
        "name": attrgetter("name"),
        "status": always("SUCCESS"),
        "displayStatus": always("FULFILLED"),
        "createdAt": moment("created_at"),
        "updatedAt": moment("created_at"),
        "deliveredAt": always(None),
        "totalQuantity": lambda fulfilment: sum(line.quantity for line in fulfilment.lines),
        "requiresShipping": always(True),
        "location": attrgetter("location"),
        "order": attrgetter("order"),
    },
    "FulfillmentLineItem": {
        "id": _id("FulfillmentLineItem"),
        "quantity": attrgetter("quantity"),
        "lineItem": attrgetter("line"),
    },
    "Refund": {
        "id": _id("Refund"),
        "legacyResourceId": number,
        "createdAt": moment("created_at"),
        "processedAt": moment("created_at"),
        "updatedAt": moment("created_at"),
        "note": attrgetter("note"),
        "order": attrgetter("order"),
        "totalRefundedSet": lambda refund: _bag(
            sum(line.line.price * line.quantity for line in refund.lines) if refund.order.paid else 0.0, refund.order.currency
        ),
    },
    "RefundLineItem": {
        "id": _id("RefundLineItem"),
        "lineItem": attrgetter("line"),
        "quantity": attrgetter("quantity"),
        "restockType": attrgetter("restock_type"),
        "restocked": lambda line: line.restock_type != "NO_RESTOCK",
        "location": attrgetter("location"),
        "priceSet": lambda line: _bag(line.line.price, line.line.item.variant.currency),
        "subtotalSet": lambda line: _bag(line.line.price * line.quantity, line.line.item.variant.currency),
    },
    "Return": {
        "id": _id("Return"),
        "name": lambda back: f"{back.order.name}-R{back.order.returns.index(back) + 1}",
        "status": lambda back: "OPEN" if back.waiting else "CLOSED",
        "createdAt": moment("created_at"),
        "order": attrgetter("order"),
        "totalQuantity": lambda back: sum(line.quantity for line in back.lines),
    },
    "ReturnLineItem": {
        "id": _id("ReturnLineItem"),
        "quantity": attrgetter("quantity"),
        "returnReason": attrgetter("reason"),
        "returnReasonNote": always(""),
        "fulfillmentLineItem": attrgetter("shipped"),
    },
    "ReverseFulfillmentOrder": {
        "id": _id("ReverseFulfillmentOrder"),
        "status": always("CLOSED"),
        "order": attrgetter("order"),
    },
    "ReverseFulfillmentOrderLineItem": {
        "id": _id("ReverseFulfillmentOrderLineItem"),
        "totalQuantity": attrgetter("quantity"),
        "fulfillmentLineItem": attrgetter("shipped"),
        "dispositions": attrgetter("dispositions"),
    },
    "ReverseFulfillmentOrderDisposition": {
        "id": _id("ReverseFulfillmentOrderDisposition"),
        "type": attrgetter("kind"),
        "quantity": attrgetter("quantity"),
        "location": attrgetter("location"),
        "createdAt": moment("created_at"),
    },
    **{
        kind: {
            "id": _id("SalesAgreement"),
            "happenedAt": moment("happened_at"),
            "reason": always(reason),
            "order": attrgetter("order"),
            "refund": attrgetter("refund"),
        }
        for kind, reason in (("OrderAgreement", "ORDER"), ("OrderEditAgreement", "ORDER_EDIT"), ("RefundAgreement", "REFUND"))
    },
    "ProductSale": {
        "id": _id("Sale"),
        "actionType": attrgetter("action"),
        "lineType": always("PRODUCT"),
        "quantity": attrgetter("quantity"),
        "lineItem": attrgetter("line"),
    },
}
