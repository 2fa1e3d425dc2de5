"""What a query costs in points, and the answer's `extensions.cost`.

The emulator's rule, in Shopify's published terms (https://shopify.dev/docs/api/usage/limits): a scalar costs 0, an object 1,
a connection 2 plus its page size times what one node costs, a plain list with `first` its size times what one entry costs, a
mutation 10 (its payload is free). The actual cost counts the nodes that came back.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    is_leaf_type,
)

__all__ = ["MAX_QUERY_COST", "MUTATION_COST", "Pricing"]

MAX_QUERY_COST = 1000
MUTATION_COST = 10
_CONNECTION_COST = 2


class Pricing:
    """Prices one operation of one document."""

    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: Mapping[str, FragmentDefinitionNode],
        operation: OperationDefinitionNode,
        variables: Mapping[str, Any],
    ) -> None:
        self._schema = schema
        self._fragments = fragments
        self._operation = operation
        self._variables = variables

    def requested(self) -> int:
        """Return the most the operation can cost."""
        if self._operation.operation is OperationType.MUTATION:
            return MUTATION_COST * len(self._operation.selection_set.selections)
        return self._fields(self._schema.query_type, self._operation.selection_set, None, False)

    def actual(self, data: Mapping[str, Any] | None) -> int:
        """Return what it cost, given what came back."""
        if self._operation.operation is OperationType.MUTATION:
            return self.requested()
        return self._fields(self._schema.query_type, self._operation.selection_set, data, True) if data else 0

    def _fields(self, parent: Any, selections: SelectionSetNode | None, data: Any, known: bool) -> int:
        total = 0
        for node, on_type in self._flat(parent, selections):
            field_def = on_type.fields.get(node.name.value) if hasattr(on_type, "fields") else None
            if field_def is None or is_leaf_type(get_named_type(field_def.type)):
                continue
            name = node.alias.value if node.alias else node.name.value
            value = data.get(name) if known and isinstance(data, Mapping) else None
            if not known or value is not None:
                total += self._field(node, field_def, value, known)
        return total

    def _field(self, node: FieldNode, field_def: GraphQLField, value: Any, known: bool) -> int:
        named = get_named_type(field_def.type)
        if isinstance(named, GraphQLObjectType) and named.name.endswith("Connection"):
            return _CONNECTION_COST + self._connection(node, named, value, known)
        if _is_list(field_def.type) and "first" in field_def.args:
            if known:
                return sum(1 + self._fields(named, node.selection_set, entry, True) for entry in value)
            return self._size(node, 10) * (1 + self._fields(named, node.selection_set, None, False))
        if known and isinstance(value, Sequence):
            return 1 + sum(self._fields(named, node.selection_set, entry, True) for entry in value)
        return 1 + self._fields(named, node.selection_set, value, known)

    def _connection(self, node: FieldNode, connection: GraphQLObjectType, value: Any, known: bool) -> int:
        total = 0
        for inner, _ in self._flat(connection, node.selection_set):
            name = inner.alias.value if inner.alias else inner.name.value
            if inner.name.value == "nodes":
                named = get_named_type(connection.fields["nodes"].type)
                selections: list[tuple[Any, SelectionSetNode | None, Any]] = [(named, inner.selection_set, None)]
                entries = value.get(name, ()) if known else ()
            elif inner.name.value == "edges":
                edge = get_named_type(connection.fields["edges"].type)
                selections = [
                    (get_named_type(on_type.fields["node"].type), deeper.selection_set, None)
                    for deeper, on_type in self._flat(edge, inner.selection_set)
                    if deeper.name.value == "node"
                ]
                entries = [row.get("node") for row in value.get(name, ())] if known else ()
            else:
                continue
            for named, selection_set, _unused in selections:
                if known:
                    total += sum(1 + self._fields(named, selection_set, entry, True) for entry in entries)
                else:
                    total += self._size(node, 250) * (1 + self._fields(named, selection_set, None, False))
        return total

    def _size(self, node: FieldNode, default: int) -> int:
        for argument in node.arguments:
            if argument.name.value in {"first", "last"}:
                if isinstance(argument.value, IntValueNode):
                    return int(argument.value.value)
                if isinstance(argument.value, VariableNode):
                    given = self._variables.get(argument.value.name.value)
                    return given if isinstance(given, int) else default
        return default

    def _flat(self, parent: Any, selections: SelectionSetNode | None) -> list[tuple[FieldNode, Any]]:
        """Return the fields of a selection with the type they are on, fragments opened."""
        found: list[tuple[FieldNode, Any]] = []
        for node in selections.selections if selections else ():
            if isinstance(node, FieldNode):
                found.append((node, parent))
            elif isinstance(node, InlineFragmentNode):
                on_type = self._schema.type_map[node.type_condition.name.value] if node.type_condition else parent
                found += self._flat(on_type, node.selection_set)
            elif isinstance(node, FragmentSpreadNode) and node.name.value in self._fragments:
                fragment = self._fragments[node.name.value]
                on_type = self._schema.type_map[fragment.type_condition.name.value]
                found += self._flat(on_type, fragment.selection_set)
        return found


def _is_list(type_: Any) -> bool:
    inner = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
    return isinstance(inner, GraphQLList)
