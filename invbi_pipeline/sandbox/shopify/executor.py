"""Executes GraphQL with graphql-core on the schema file, with a short cut for leaf fields, which are nearly all there are.

The library resolves, awaits, type-checks and serializes each value by itself, about ten microseconds a field, and coerces the
arguments anew for each parent. The stored values already have the wire's form here, so a leaf without arguments is read
straight off its object and arguments are coerced once. A test runs the same queries through the library's own context and
compares.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from pathlib import Path as FilePath
from typing import Any

from graphql import (
    DocumentNode,
    ExecutionContext,
    ExecutionResult,
    FieldNode,
    GraphQLError,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
    execute_sync,
    get_named_type,
    is_leaf_type,
    located_error,
)
from graphql.execution.values import get_argument_values
from graphql.pyutils import Path, Undefined

from invbi_pipeline.sandbox.shopify.catalogue_resolvers import LIVE_FIELDS
from invbi_pipeline.sandbox.shopify.context import Context
from invbi_pipeline.sandbox.shopify.fields import CATALOGUE_FIELDS, CONNECTION_FIELDS, EDGE_FIELDS, Getter
from invbi_pipeline.sandbox.shopify.order_fields import ORDER_FIELDS
from invbi_pipeline.sandbox.shopify.resolvers import RESOLVERS, type_name

__all__ = ["execute", "the_schema"]

_FIELDS = {**CATALOGUE_FIELDS, **ORDER_FIELDS}
_Leaf = tuple[Callable[..., Any], bool]


@lru_cache(maxsize=1)
def the_schema() -> GraphQLSchema:
    """Return the emulator's schema with its resolvers (built once, about 50 ms)."""
    schema = build_schema(FilePath(__file__).with_name("schema.graphql").read_text(encoding="utf-8"))
    for name, type_ in schema.type_map.items():
        if isinstance(type_, (GraphQLInterfaceType, GraphQLUnionType)):
            type_.resolve_type = lambda value, info, abstract: type_name(value)
        if not isinstance(type_, GraphQLObjectType) or name.startswith("__"):
            continue
        for field_name, field_def in type_.fields.items():
            field_def.resolve = _resolver(name, field_name)
    return schema


def execute(
    document: DocumentNode,
    context: Context,
    variables: Mapping[str, Any],
    operation_name: str | None,
    context_class: type[ExecutionContext] | None = None,
) -> ExecutionResult:
    """Execute a validated document."""
    return execute_sync(
        the_schema(),
        document,
        root_value={},
        context_value=context,
        variable_values=dict(variables),
        operation_name=operation_name,
        execution_context_class=context_class or _LeafFirst,
    )


@dataclass(frozen=True, slots=True)
class _Step:
    """What one field of one selection needs each time it is met: worked out once a request."""

    plain: Getter | None  # reads the source, where that is enough; else the field's resolver is called
    args: dict[str, Any]
    type: GraphQLOutputType
    inner: GraphQLObjectType
    many: bool


class _LeafFirst(ExecutionContext):
    """Reads leaves directly, goes straight through objects and lists of objects, and leaves the rest to the library."""

    def execute_fields(
        self,
        parent_type: GraphQLObjectType,
        source_value: Any,
        path: Path | None,
        fields: dict[str, list[FieldNode]],
    ) -> dict[str, Any]:
        leaves = _leaves(parent_type.name)
        parent_name = parent_type.name
        results: dict[str, Any] = {}
        for response_name, nodes in fields.items():
            leaf = leaves.get(nodes[0].name.value)
            if leaf is not None:
                getter, live = leaf
                results[response_name] = getter(source_value, self.context_value) if live else getter(source_value)
                continue
            value = self.execute_field(parent_type, source_value, nodes, Path(path, response_name, parent_name))
            if value is not Undefined:
                results[response_name] = value
        return results

    def execute_field(
        self,
        parent_type: GraphQLObjectType,
        source: Any,
        field_nodes: list[FieldNode],
        path: Path,
    ) -> Any:
        step = self._step(parent_type, field_nodes[0])
        if step is None:
            return super().execute_field(parent_type, source, field_nodes, path)
        try:
            if step.plain is not None:
                result = step.plain(source)
            else:
                field_def = parent_type.fields[field_nodes[0].name.value]
                info = self.build_resolve_info(field_def, field_nodes, parent_type, path)
                result = field_def.resolve(source, info, **step.args) if field_def.resolve else None
            if result is None:
                return self._null(step.type, f"{parent_type.name}.{field_nodes[0].name.value}")
            below = self.collect_subfields(step.inner, field_nodes)
            if not step.many:
                return self.execute_fields(step.inner, result, path, below)
            inner = step.inner
            return [self.execute_fields(inner, item, Path(path, index, None), below) for index, item in enumerate(result)]
        except GraphQLError as problem:
            self.handle_field_error(located_error(problem, field_nodes, path.as_list()), step.type, path)
            return None

    def _null(self, type_: GraphQLOutputType, name: str) -> None:
        if isinstance(type_, GraphQLNonNull):
            raise GraphQLError(f"Cannot return null for non-nullable field {name}.")

    def _step(self, parent_type: GraphQLObjectType, node: FieldNode) -> _Step | None:
        context: Context = self.context_value
        key = (parent_type.name, id(node))
        if key not in context.steps:
            context.steps[key] = self._new_step(parent_type, node)
        step: _Step | None = context.steps[key]
        return step

    def _new_step(self, parent_type: GraphQLObjectType, node: FieldNode) -> _Step | None:
        """Return the step of an object, or of a list whose entries are never null; None: the library does it."""
        name = node.name.value
        field_def = parent_type.fields.get(name)
        if field_def is None:
            return None
        bare = _bare(field_def.type)
        many = isinstance(bare, GraphQLList)
        entry = bare.of_type if isinstance(bare, GraphQLList) else bare
        inner = _bare(entry)
        if not isinstance(inner, GraphQLObjectType) or (many and not isinstance(entry, GraphQLNonNull)):
            return None
        full = name in RESOLVERS.get(parent_type.name, {})
        plain = None if full else _plain(parent_type.name, name)
        args = get_argument_values(field_def, node, self.variable_values)
        return _Step(plain, args, field_def.type, inner, many)


def _bare(type_: Any) -> Any:
    return type_.of_type if isinstance(type_, GraphQLNonNull) else type_


@lru_cache(maxsize=256)
def _leaves(type_: str) -> dict[str, _Leaf]:
    object_type = the_schema().type_map[type_]
    found: dict[str, _Leaf] = {}
    if not isinstance(object_type, GraphQLObjectType) or type_.startswith("__"):
        return found
    for name, field_def in object_type.fields.items():
        if field_def.args or not is_leaf_type(get_named_type(field_def.type)) or name in RESOLVERS.get(type_, {}):
            continue
        live = LIVE_FIELDS.get(type_, {}).get(name)
        found[name] = (live, True) if live is not None else (_plain(type_, name), False)
    return found


def _plain(type_: str, name: str) -> Getter:
    if type_.endswith("Connection"):
        return CONNECTION_FIELDS[name]
    if type_.endswith("Edge"):
        return EDGE_FIELDS[name]
    return _FIELDS.get(type_, {}).get(name) or itemgetter(name)


def _resolver(type_: str, name: str) -> Callable[..., Any]:
    full = RESOLVERS.get(type_, {}).get(name)
    if full is not None:
        return full
    live = LIVE_FIELDS.get(type_, {}).get(name)
    if live is not None:
        return lambda source, info: live(source, info.context)
    plain = _plain(type_, name)
    return lambda source, info: plain(source)
