"""Every document against Shopify's own published schema, and its cost reckoned again from its text."""

import pytest
from graphql import (
    FieldNode,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    is_leaf_type,
    parse,
    validate,
    visit,
)
from graphql.language import Visitor
from graphql.type import GraphQLInterfaceType, GraphQLList, GraphQLNonNull, GraphQLObjectType

from invbi_pipeline.channels.redact import is_personal
from invbi_pipeline.channels.shopify import documents
from invbi_pipeline.channels.shopify.documents import MORE, Document
from invbi_pipeline.channels.shopify.facts import FACTS, MAX_COST

BULKS = {name: value for name, value in vars(documents).items() if name.startswith("BULK_") and isinstance(value, str)}
DOCUMENTS = {name: value for name, value in vars(documents).items() if isinstance(value, Document)} | {
    f"MORE {owner}.{field}": document for (owner, field), document in MORE.items()
}


def cost(schema: GraphQLSchema, text: str, size: int) -> int:
    """An object is 1, a connection 2 and size x node, a list with `first` size x entry; pageInfo and scalars are free."""

    def of(parent: object, selections: SelectionSetNode | None) -> int:
        total = 0
        for node in selections.selections if selections else ():
            if isinstance(node, InlineFragmentNode):
                on = schema.type_map[node.type_condition.name.value] if node.type_condition else parent
                total += of(on, node.selection_set)
            elif isinstance(node, FieldNode) and not node.name.value.startswith("__"):
                total += field(parent, node)
        return total

    def field(parent: object, node: FieldNode) -> int:
        assert isinstance(parent, GraphQLObjectType | GraphQLInterfaceType)
        type_, name = parent.fields[node.name.value].type, node.name.value
        named = get_named_type(type_)
        if is_leaf_type(named) or name == "pageInfo":
            return 0
        first = next((a.value for a in node.arguments if a.name.value == "first"), None)
        count = int(first.value) if isinstance(first, IntValueNode) else size if isinstance(first, VariableNode) else 0
        if isinstance(named, GraphQLObjectType) and named.name.endswith("Connection"):
            assert node.selection_set is not None
            nodes = next(n for n in node.selection_set.selections if isinstance(n, FieldNode) and n.name.value == "nodes")
            return 2 + count * (1 + of(get_named_type(named.fields["nodes"].type), nodes.selection_set))
        inner = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
        if isinstance(inner, GraphQLList) and count:
            return count * (1 + of(named, node.selection_set))
        return 1 + (size if name == "nodes" else 1) * of(named, node.selection_set)

    operation = next(node for node in parse(text).definitions if isinstance(node, OperationDefinitionNode))
    return of(schema.query_type, operation.selection_set)


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_a_document_is_valid_against_the_published_schema(published: GraphQLSchema, name: str) -> None:
    assert validate(published, parse(DOCUMENTS[name].text)) == []


@pytest.mark.parametrize("name", sorted(BULKS))
def test_a_bulk_query_is_valid_and_within_the_limits_of_bulk_operations(published: GraphQLSchema, name: str) -> None:
    document = parse(BULKS[name])
    assert validate(published, document) == []
    assert len(BULKS[name].encode()) < 65_535
    assert 1 <= BULKS[name].count("edges") <= 5


@pytest.mark.parametrize("name", sorted(name for name, document in DOCUMENTS.items() if not document.text.startswith("mutation")))
def test_a_query_costs_what_is_declared_and_never_more_than_shopify_allows(published: GraphQLSchema, name: str) -> None:
    document = DOCUMENTS[name]
    assert cost(published, document.text, document.size) <= document.cost <= MAX_COST


def test_no_document_asks_for_a_field_of_a_buyer() -> None:
    asked: set[str] = set()

    class Names(Visitor):
        def enter_field(self, node: FieldNode, *_: object) -> None:
            asked.add(node.name.value)

    for text in (*(document.text for document in DOCUMENTS.values()), *BULKS.values()):
        visit(parse(text), Names())
    assert not [name for name in asked if is_personal(name)]


def test_both_mutations_carry_the_idempotency_key_that_the_schema_does_not_demand() -> None:
    assert all("@idempotent(key: $key)" in document.text for document in (documents.SET, documents.ADJUST))


def test_every_fact_of_a_rate_names_its_source() -> None:
    assert all(limit.source.startswith("https://shopify.dev/") for limit in FACTS.limits)
