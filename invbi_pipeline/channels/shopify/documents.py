"""The GraphQL documents, and what each may cost.

No field of a buyer is asked for. Page sizes are chosen so that the most a page may cost stays within `MAX_COST`, reckoned as
https://shopify.dev/docs/api/usage/limits says: an object 1 point, a connection 2 and its size times a node's cost, a list its
size times an entry's cost. A test reckons each again from the document itself.
"""

from dataclasses import dataclass
from typing import Final

from invbi_pipeline.channels.shopify.facts import MUTATION_COST

__all__ = [
    "ACTIVATE",
    "ADJUST",
    "AGREEMENTS",
    "BULK_LISTINGS",
    "BULK_ORDERS",
    "BULK_RUN",
    "BULK_STATE",
    "BULK_STOCK",
    "CHECK",
    "COUNT_LISTINGS",
    "COUNT_ORDERS",
    "DETAILS",
    "EXIST",
    "LEVELS",
    "LISTINGS",
    "LOCATIONS",
    "MORE",
    "ORDERS",
    "PRODUCTS",
    "PROOF",
    "RETURNS",
    "SET",
    "SHORT_LIST",
    "SUBSCRIBE",
    "SUBSCRIPTIONS",
    "TRACKING",
    "UPDATE_SUBSCRIPTION",
    "Document",
]


@dataclass(frozen=True, slots=True)
class Document:
    """A document, the most it may cost, and how many nodes it asks for or takes at a time."""

    text: str
    cost: float
    size: int = 0


SHORT_LIST: Final = 10  # most entries asked for of a list that has no pages
_PAGE: Final = "pageInfo { hasNextPage endCursor }"

CHECK: Final = Document(
    """query Check {
  shop { myshopifyDomain currencyCode }
  currentAppInstallation { accessScopes { handle } }
  productVariantsCount { count precision }
}""",
    4,
)

LOCATIONS: Final = Document(
    f"""query Locations($first: Int!, $after: String) {{
  locations(first: $first, after: $after, includeInactive: true, includeLegacy: true, sortKey: ID) {{
    nodes {{ id name isActive }} {_PAGE}
  }}
}}""",
    252,
    250,
)

# --- listings ------------------------------------------------------------------------------------------------------------

_VARIANT: Final = "id sku barcode title price updatedAt inventoryItem { id tracked }"

COUNT_LISTINGS: Final = Document(
    "query CountListings { shop { currencyCode } productVariantsCount(limit: null) { count precision } }", 2
)

LISTINGS: Final = Document(
    f"""query Listings($first: Int!, $after: String) {{
  productVariants(first: $first, after: $after, sortKey: ID) {{
    nodes {{ {_VARIANT} product {{ id title status updatedAt }} }} {_PAGE}
  }}
}}""",
    752,
    250,
)

PRODUCTS: Final = Document(  # a product's change time moves with its variants', the other way round it does not
    f"""query Products($first: Int!, $after: String, $query: String!) {{
  products(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {{
    nodes {{ id title status updatedAt variants(first: 20) {{ nodes {{ {_VARIANT} }} {_PAGE} }} }} {_PAGE}
  }}
}}""",
    948,
    22,
)

BULK_LISTINGS: Final = f"""{{
  productVariants {{ edges {{ node {{ {_VARIANT} product {{ id title status updatedAt }} }} }} }}
}}"""

# --- stock ---------------------------------------------------------------------------------------------------------------

_LEVEL: Final = 'id isActive updatedAt quantities(names: ["available"]) { name quantity updatedAt }'

LEVELS: Final = Document(
    f"""query Levels($location: ID!, $first: Int!, $after: String, $query: String) {{
  location(id: $location) {{
    inventoryLevels(first: $first, after: $after, query: $query) {{
      nodes {{ {_LEVEL} item {{ id tracked }} }} {_PAGE}
    }}
  }}
}}""",
    753,
    250,
)

TRACKING: Final = Document(  # items somebody stopped or began to track: their levels do not change by it
    f"""query Tracking($first: Int!, $after: String, $query: String!) {{
  inventoryItems(first: $first, after: $after, query: $query) {{
    nodes {{ id tracked updatedAt }} {_PAGE}
  }}
}}""",
    252,
    250,
)

PROOF: Final = Document(
    f"""query Proof($ids: [ID!]!, $location: ID!) {{
  nodes(ids: $ids) {{
    ... on InventoryItem {{ id tracked inventoryLevel(locationId: $location) {{ {_LEVEL} }} }}
  }}
}}""",
    501,
    250,
)

EXIST: Final = Document("query Exist($ids: [ID!]!) { nodes(ids: $ids) { id } }", 251, 250)

BULK_STOCK: Final = f"""{{
  inventoryItems {{ edges {{ node {{
    id tracked
    inventoryLevels {{ edges {{ node {{ {_LEVEL} location {{ id }} }} }} }}
  }} }} }}
}}"""

# --- orders --------------------------------------------------------------------------------------------------------------

_ORDER: Final = (
    "id createdAt updatedAt cancelledAt edited currencyCode displayFinancialStatus returnStatus sourceName sourceIdentifier "
    "retailLocation { id }"
)
_LINE: Final = (
    "id sku quantity currentQuantity unfulfilledQuantity originalUnitPriceSet { shopMoney { amount currencyCode } } "
    "variant { inventoryItem { id } }"
)
_SHIPMENT: Final = "id status createdAt updatedAt location { id }"
_REFUND: Final = "id createdAt"
_WORK: Final = "id status createdAt assignedLocation { location { id } }"
_WORK_LINE: Final = "id inventoryItemId totalQuantity remainingQuantity lineItem { id }"
_SHIPPED: Final = "id quantity lineItem { id }"
_REFUNDED: Final = "id quantity restockType restocked location { id } lineItem { id }"


def _agreement(sales: int) -> str:
    sale = "id actionType quantity ... on ProductSale { lineItem { id } }"
    return f"id happenedAt sales(first: {sales}) {{ nodes {{ {sale} }} pageInfo {{ hasNextPage }} }}"


COUNT_ORDERS: Final = Document("query CountOrders($query: String) { ordersCount(query: $query) { count precision } }", 1)

# No `status` filter: left out, open, closed and cancelled orders all come.
ORDERS: Final = Document(
    f"""query Orders($first: Int!, $after: String, $query: String) {{
  orders(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {{
    nodes {{
      {_ORDER}
      fulfillments(first: {SHORT_LIST}) {{ {_SHIPMENT} }}
      refunds(first: {SHORT_LIST}) {{ {_REFUND} }}
      lineItems(first: 5) {{ nodes {{ {_LINE} }} {_PAGE} }}
      fulfillmentOrders(first: 2) {{
        nodes {{ {_WORK} lineItems(first: 5) {{ nodes {{ {_WORK_LINE} }} {_PAGE} }} }} {_PAGE}
      }}
    }}
    {_PAGE}
  }}
}}""",
    962,
    10,
)

NAMED_ORDERS: Final = Document(
    f"""query NamedOrders($ids: [ID!]!) {{
  nodes(ids: $ids) {{
    ... on Order {{
      {_ORDER}
      fulfillments(first: {SHORT_LIST}) {{ {_SHIPMENT} }}
      refunds(first: {SHORT_LIST}) {{ {_REFUND} }}
      lineItems(first: 5) {{ nodes {{ {_LINE} }} {_PAGE} }}
      fulfillmentOrders(first: 2) {{
        nodes {{ {_WORK} lineItems(first: 5) {{ nodes {{ {_WORK_LINE} }} {_PAGE} }} }} {_PAGE}
      }}
    }}
  }}
}}""",
    962,
    10,
)

BULK_ORDERS: Final = f"""{{
  orders {{ edges {{ node {{
    {_ORDER}
    fulfillments {{ {_SHIPMENT} }}
    refunds {{ {_REFUND} }}
    lineItems {{ edges {{ node {{ {_LINE} }} }} }}
    fulfillmentOrders {{ edges {{ node {{ {_WORK} lineItems {{ edges {{ node {{ {_WORK_LINE} }} }} }} }} }} }}
  }} }} }}
}}"""

DETAILS: Final = Document(  # what the sweep cannot hold: which lines a shipment or a refund is of
    f"""query Details($ids: [ID!]!) {{
  nodes(ids: $ids) {{
    id
    ... on Fulfillment {{ fulfillmentLineItems(first: 20) {{ nodes {{ {_SHIPPED} }} {_PAGE} }} }}
    ... on Refund {{ refundLineItems(first: 20) {{ nodes {{ {_REFUNDED} }} {_PAGE} }} }}
  }}
}}""",
    946,
    9,
)

AGREEMENTS: Final = Document(  # when the lines of an edited order came to it
    f"""query Agreements($ids: [ID!]!) {{
  nodes(ids: $ids) {{ id ... on Order {{ agreements(first: 5) {{ nodes {{ {_agreement(10)} }} {_PAGE} }} }} }}
}}""",
    945,
    8,
)


_BACK_LINE: Final = "id ... on ReturnLineItem { returnReason fulfillmentLineItem { lineItem { id } } }"
_DONE: Final = "id fulfillmentLineItem { lineItem { id } } dispositions { id type quantity createdAt location { id } }"


def _back(lines: int) -> str:
    asked = f"id returnLineItems(first: {lines}) {{ nodes {{ {_BACK_LINE} }} {_PAGE} }}"
    work = f"nodes {{ id lineItems(first: {lines}) {{ nodes {{ {_DONE} }} {_PAGE} }} }} {_PAGE}"
    return f"{asked} reverseFulfillmentOrders(first: 2) {{ {work} }}"


RETURNS: Final = Document(  # what became of goods that came back; only of orders whose `returnStatus` says that there are any
    f"""query Returns($ids: [ID!]!) {{
  nodes(ids: $ids) {{ id ... on Order {{ returns(first: 3) {{ nodes {{ {_back(5)} }} {_PAGE} }} }} }}
}}""",
    691,
    3,
)


def _more(owner: str, field: str, selection: str, size: int, cost: float) -> Document:
    text = f"""query More($id: ID!, $after: String) {{
  node(id: $id) {{ ... on {owner} {{ {field}(first: {size}, after: $after) {{ nodes {{ {selection} }} {_PAGE} }} }} }}
}}"""
    return Document(text, cost, size)


MORE: Final = {  # (what it hangs on, which connection): the rest of a list that did not fit on its page
    ("Product", "variants"): _more("Product", "variants", _VARIANT, 250, 503),
    ("Order", "lineItems"): _more("Order", "lineItems", _LINE, 190, 953),
    ("Order", "fulfillmentOrders"): _more(
        "Order", "fulfillmentOrders", f"{_WORK} lineItems(first: 20) {{ nodes {{ {_WORK_LINE} }} {_PAGE} }}", 20, 903
    ),
    ("Order", "agreements"): _more("Order", "agreements", _agreement(250), 1, 506),
    ("Order", "returns"): _more("Order", "returns", _back(10), 3, 426),
    ("Return", "returnLineItems"): _more("Return", "returnLineItems", _BACK_LINE, 190, 573),
    ("Return", "reverseFulfillmentOrders"): _more(
        "Return", "reverseFulfillmentOrders", f"id lineItems(first: 10) {{ nodes {{ {_DONE} }} {_PAGE} }}", 10, 533
    ),
    ("ReverseFulfillmentOrder", "lineItems"): _more("ReverseFulfillmentOrder", "lineItems", _DONE, 100, 503),
    ("FulfillmentOrder", "lineItems"): _more("FulfillmentOrder", "lineItems", _WORK_LINE, 250, 503),
    ("Fulfillment", "fulfillmentLineItems"): _more("Fulfillment", "fulfillmentLineItems", _SHIPPED, 250, 503),
    ("Refund", "refundLineItems"): _more("Refund", "refundLineItems", _REFUNDED, 250, 753),
    ("Order", "fulfillments"): Document(
        f"query More($id: ID!) {{ node(id: $id) {{ ... on Order {{ fulfillments(first: 250) {{ {_SHIPMENT} }} }} }} }}", 501, 250
    ),
    ("Order", "refunds"): Document(
        f"query More($id: ID!) {{ node(id: $id) {{ ... on Order {{ refunds(first: 250) {{ {_REFUND} }} }} }} }}", 251, 250
    ),
}

# --- webhook subscriptions -----------------------------------------------------------------------------------------------

SUBSCRIPTIONS: Final = Document(
    f"""query Subscriptions($uri: String!, $first: Int!, $after: String) {{
  webhookSubscriptions(first: $first, after: $after, uri: $uri) {{
    nodes {{ id topic uri format filter includeFields }} {_PAGE}
  }}
}}""",
    102,
    100,
)
SUBSCRIBE: Final = Document(
    """mutation Subscribe($topic: WebhookSubscriptionTopic!, $wanted: WebhookSubscriptionInput!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: $wanted) {
    webhookSubscription { id } userErrors { field message }
  }
}""",
    MUTATION_COST,
)
UPDATE_SUBSCRIPTION: Final = Document(
    """mutation Resubscribe($id: ID!, $wanted: WebhookSubscriptionInput!) {
  webhookSubscriptionUpdate(id: $id, webhookSubscription: $wanted) {
    webhookSubscription { id } userErrors { field message }
  }
}""",
    MUTATION_COST,
)

# --- bulk operations and writes ------------------------------------------------------------------------------------------

BULK_RUN: Final = Document(
    """mutation BulkRun($query: String!) {
  bulkOperationRunQuery(query: $query, groupObjects: false) {
    bulkOperation { id status } userErrors { field message code }
  }
}""",
    MUTATION_COST,
)
BULK_STATE: Final = Document(
    """query BulkState($id: ID!) {
  bulkOperation(id: $id) { id status errorCode objectCount rootObjectCount fileSize url }
}""",
    1,
)

# 2026-04 and later refuse either mutation without @idempotent and without changeFromQuantity, though the schema asks for neither.
_GROUP: Final = "inventoryAdjustmentGroup { id createdAt } userErrors { field message code }"
SET: Final = Document(
    f"""mutation Set($input: InventorySetQuantitiesInput!, $key: String!) {{
  inventorySetQuantities(input: $input) @idempotent(key: $key) {{ {_GROUP} }}
}}""",
    MUTATION_COST,
    250,
)
ACTIVATE: Final = Document(
    """mutation Connect($item: ID!, $location: ID!, $key: String!) {
  inventoryActivate(inventoryItemId: $item, locationId: $location) @idempotent(key: $key) {
    inventoryLevel { id } userErrors { field message }
  }
}""",
    MUTATION_COST,
)
ADJUST: Final = Document(
    f"""mutation Adjust($input: InventoryAdjustQuantitiesInput!, $key: String!) {{
  inventoryAdjustQuantities(input: $input) @idempotent(key: $key) {{ {_GROUP} }}
}}""",
    MUTATION_COST,
    250,
)
