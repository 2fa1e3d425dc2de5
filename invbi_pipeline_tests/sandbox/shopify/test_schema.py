"""The emulator's schema is a true subset of the published one, and its short cut answers what the library would."""

from pathlib import Path

import pytest
from graphql import (
    ExecutionContext,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
    parse,
    validate,
)

from invbi_pipeline.sandbox import shopify
from invbi_pipeline.sandbox.contract import Line
from invbi_pipeline.sandbox.shopify.context import Context
from invbi_pipeline.sandbox.shopify.executor import execute, the_schema
from invbi_pipeline_tests.sandbox.shopify.shopkit import new_shop
from invbi_pipeline_tests.shared import shared

EVERYTHING = """{
  shop { id name myshopifyDomain currencyCode ianaTimezone primaryDomain { host url } }
  currentAppInstallation { id accessScopes { handle } app { id title } }
  inventoryProperties { quantityNames { name comprises belongsTo isInUse displayName } }
  locations(first: 5) { edges { cursor node { id name isActive address { country formatted } } }
    pageInfo { endCursor } }
  inventoryItems(first: 3) { nodes { id legacyResourceId sku tracked duplicateSkuCount requiresShipping updatedAt
    locationsCount { count precision } variants(first: 1) { nodes { id } }
    variant { id sku barcode title displayName price selectedOptions { name value } product { id title status handle } }
    inventoryLevels(first: 2) { nodes { id isActive updatedAt item { id } location { id name }
      quantities(names: ["available", "committed", "on_hand", "incoming"]) { id name quantity updatedAt } } } } }
  orders(first: 3, sortKey: UPDATED_AT) { nodes { id name legacyResourceId createdAt updatedAt cancelledAt closed test edited
    sourceName displayFinancialStatus displayFulfillmentStatus retailLocation { id } customer { id email }
    shippingAddress { address1 zip countryCodeV2 } totalPriceSet { shopMoney { amount currencyCode } }
    lineItems(first: 5) { nodes { id sku quantity currentQuantity unfulfilledQuantity variant { id inventoryItem { id } } } }
    fulfillmentOrders(first: 5) { nodes { id status orderId assignedLocation { name location { id } }
      lineItems(first: 5) { nodes { id totalQuantity remainingQuantity lineItem { id } } } } }
    fulfillments(first: 5) { id name status createdAt location { id }
      fulfillmentLineItems(first: 5) { nodes { id quantity lineItem { id } } } }
    refunds(first: 5) { id createdAt note
      refundLineItems(first: 5) { nodes { id quantity restockType restocked location { id } lineItem { id } } } }
    agreements(first: 9) { nodes { __typename id happenedAt reason
      sales(first: 5) { nodes { id actionType lineType quantity ... on ProductSale { lineItem { id } } } } } } } }
}"""


@pytest.fixture(scope="module")
def published() -> GraphQLSchema:
    return build_schema(shared("specs/shopify/admin-2026-07.graphql").read_text(encoding="utf-8"), assume_valid=True)


@pytest.fixture(scope="module")
def ours() -> GraphQLSchema:
    return build_schema((Path(shopify.__file__).parent / "schema.graphql").read_text(encoding="utf-8"))


def _own_types(schema: GraphQLSchema) -> list[str]:
    return [name for name in schema.type_map if not name.startswith("__")]


def test_every_type_of_the_emulator_is_published_as_the_same_kind(ours: GraphQLSchema, published: GraphQLSchema) -> None:
    for name in _own_types(ours):
        assert type(published.type_map[name]) is type(ours.type_map[name]), name


def test_every_field_and_argument_is_published_with_the_same_type_and_default(
    ours: GraphQLSchema, published: GraphQLSchema
) -> None:
    for name in _own_types(ours):
        type_, known = ours.type_map[name], published.type_map[name]
        if not isinstance(type_, (GraphQLObjectType, GraphQLInterfaceType)):
            continue
        assert isinstance(known, (GraphQLObjectType, GraphQLInterfaceType))
        for field_name, field_def in type_.fields.items():
            theirs = known.fields[field_name]
            assert str(field_def.type) == str(theirs.type), f"{name}.{field_name}"
            for argument, definition in field_def.args.items():
                assert str(definition.type) == str(theirs.args[argument].type), f"{name}.{field_name}({argument})"
                assert definition.default_value == theirs.args[argument].default_value, f"{name}.{field_name}({argument})"
        assert {i.name for i in type_.interfaces} <= {i.name for i in known.interfaces}


def test_inputs_enums_and_unions_hold_nothing_unpublished(ours: GraphQLSchema, published: GraphQLSchema) -> None:
    for name in _own_types(ours):
        type_, known = ours.type_map[name], published.type_map[name]
        if isinstance(type_, GraphQLInputObjectType):
            assert isinstance(known, GraphQLInputObjectType)
            for field_name, definition in type_.fields.items():
                assert str(definition.type) == str(known.fields[field_name].type), f"{name}.{field_name}"
                assert definition.default_value == known.fields[field_name].default_value
            required = {key for key, value in known.fields.items() if str(value.type).endswith("!")}
            assert required <= set(type_.fields)
        elif isinstance(type_, GraphQLEnumType):
            assert isinstance(known, GraphQLEnumType)
            assert set(type_.values) <= set(known.values), name
        elif isinstance(type_, GraphQLUnionType):
            assert isinstance(known, GraphQLUnionType)
            assert {t.name for t in type_.types} <= {t.name for t in known.types}
        else:
            assert isinstance(type_, (GraphQLScalarType, GraphQLObjectType, GraphQLInterfaceType))


def test_the_idempotency_directive_is_the_published_one(ours: GraphQLSchema, published: GraphQLSchema) -> None:
    mine, theirs = ours.get_directive("idempotent"), published.get_directive("idempotent")
    assert mine is not None
    assert theirs is not None
    assert {name: str(a.type) for name, a in mine.args.items()} == {name: str(a.type) for name, a in theirs.args.items()}
    assert mine.locations == theirs.locations


def test_a_query_for_everything_is_valid_in_the_published_schema(published: GraphQLSchema) -> None:
    assert validate(published, parse(EVERYTHING)) == []


def test_the_short_cut_answers_exactly_what_the_library_would() -> None:
    shop = new_shop()
    order = shop.account.order([Line(shop.items[0], 2), Line(shop.items[1], 1)], shop.locations[0])
    shop.account.fulfil(order, {shop.items[0]: 2})
    shop.account.refund(order, shop.items[0], 1, shop.locations[1])
    shop.account.edit(order, shop.items[1], 3)
    shop.account.order([Line(shop.items[2], 1)], shop.locations[1], pos=True)
    office = shop.account._office
    document = parse(EVERYTHING)
    quick = execute(document, Context(shop.account._shop, office), {}, None)
    thorough = execute(document, Context(shop.account._shop, office), {}, None, ExecutionContext)
    assert quick.errors is None
    assert thorough.errors is None
    assert quick.data == thorough.data


def test_every_leaf_of_every_type_can_be_read() -> None:
    shop = new_shop()
    order = shop.account.order([Line(shop.items[0], 2)], shop.locations[0])
    shop.account.fulfil(order)
    shop.account.refund(order, shop.items[0], 1, None)
    paths = {
        "InventoryItem": "inventoryItems(first: 1) { nodes { %s } }",
        "InventoryLevel": "inventoryItems(first: 1) { nodes { inventoryLevels(first: 1) { nodes { %s } } } }",
        "ProductVariant": "productVariants(first: 1) { nodes { %s } }",
        "Product": "products(first: 1) { nodes { %s } }",
        "Location": "locations(first: 1) { nodes { %s } }",
        "Order": "orders(first: 1) { nodes { %s } }",
        "LineItem": "orders(first: 1) { nodes { lineItems(first: 1) { nodes { %s } } } }",
        "FulfillmentOrder": "orders(first: 1) { nodes { fulfillmentOrders(first: 1) { nodes { %s } } } }",
        "Fulfillment": "orders(first: 1) { nodes { fulfillments(first: 1) { %s } } }",
        "Refund": "orders(first: 1) { nodes { refunds(first: 1) { %s } } }",
        "Shop": "shop { %s }",
        "MailingAddress": "orders(first: 1) { nodes { shippingAddress { %s } } }",
        "Customer": "orders(first: 1) { nodes { customer { %s } } }",
    }
    for name, path in paths.items():
        type_ = the_schema().type_map[name]
        assert isinstance(type_, GraphQLObjectType)
        leaves = [key for key, value in type_.fields.items() if not value.args and _is_leaf(value.type)]
        document = parse("{" + path % " ".join(leaves) + "}")
        context = Context(shop.account._shop, shop.account._office)
        assert execute(document, context, {}, None, ExecutionContext).errors is None, name


def _is_leaf(type_: object) -> bool:
    name = str(type_).strip("[]!").replace("]", "")
    return isinstance(the_schema().type_map[name.replace("!", "")], (GraphQLScalarType, GraphQLEnumType))
