"""Bulk queries: one query over everything, answered as a JSON lines file some time later.

Limits: 1 to 5 connections, nested at most 2 deep and never inside a plain list, 5 operations at once. Rows of a nested
connection carry `__parentId` and, unless `groupObjects` was asked for, do not follow their parent directly
(https://shopify.dev/docs/api/usage/bulk-operations/queries).
The rows are those of the moment the operation was created; it completes after a time on the world's clock.
"""

import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLResolveInfo,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
    parse,
    validate,
)

from invbi_pipeline.sandbox.shopify.catalogue import gid, iso
from invbi_pipeline.sandbox.shopify.paging import Page
from invbi_pipeline.sandbox.shopify.shop import Shop

__all__ = ["BulkDesk", "Operation"]

_JSON = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)
_CHUNK = 1000  # root rows resolved at a time
_MOST_AT_ONCE = 5
_MOST_CONNECTIONS = 5
_DEEPEST = 2
_MOST_BYTES = 65_535
_KEPT = timedelta(days=7)


@dataclass(slots=True, eq=False)
class Operation:
    id: int
    query: str
    created_at: datetime
    due_at: datetime  # the world's time
    started_at: datetime
    token: str
    lines: bytes = b""
    objects: int = 0
    roots: int = 0
    cancelled_at: datetime | None = None
    announced: bool = False


@dataclass(slots=True)
class BulkDesk:
    """Runs bulk queries. `run_page(document, rows)` executes the query for a range of its root rows."""

    shop: Shop
    base_url: str
    run_page: Callable[[DocumentNode, range], dict[str, Any]]
    schema: Callable[[], Any]
    objects_per_s: float = 2000.0
    operations: dict[int, Operation] = field(default_factory=dict)

    def run_query(self, info: GraphQLResolveInfo, **args: Any) -> dict[str, Any]:
        """Answer bulkOperationRunQuery."""
        query: str = args["query"]
        running = [operation for operation in self.operations.values() if self._status(operation) in {"CREATED", "RUNNING"}]
        if len(running) >= _MOST_AT_ONCE:
            named = ", ".join(gid("BulkOperation", operation.id) for operation in running)
            message = f"Too many bulk query operations are already in progress for this app and shop: {named}."
            return _refused(message, "OPERATION_IN_PROGRESS")
        try:
            document = self._checked(query)
        except GraphQLError as problem:
            return _refused(problem.message, "INVALID")
        now = self.shop.world.now()
        operation = Operation(self.shop.next_id(), query, self.shop.now(), now, now, secrets.token_urlsafe(12))
        operation.lines, operation.objects, operation.roots = self._rows(document, args.get("groupObjects", False))
        operation.due_at = now + timedelta(seconds=1 + operation.objects / self.objects_per_s)
        self.operations[operation.id] = operation
        return {"bulkOperation": self._describe(operation, "CREATED"), "userErrors": []}

    def cancel(self, info: GraphQLResolveInfo, **args: Any) -> dict[str, Any]:
        """Answer bulkOperationCancel."""
        operation = self._operation(args["id"])
        if operation is None:
            return {"bulkOperation": None, "userErrors": [{"field": ["id"], "message": "Bulk operation does not exist"}]}
        if self._status(operation) not in {"CREATED", "RUNNING"}:
            message = "A bulk operation cannot be canceled when it is completed"
            return {"bulkOperation": self._describe(operation), "userErrors": [{"field": None, "message": message}]}
        operation.cancelled_at = self.shop.now()
        return {"bulkOperation": self._describe(operation), "userErrors": []}

    def find(self, global_id: str) -> dict[str, Any] | None:
        """Return a bulk operation as the API shows it."""
        operation = self._operation(global_id)
        return self._describe(operation) if operation else None

    def current(self, info: GraphQLResolveInfo, **args: Any) -> dict[str, Any] | None:
        if not self.operations or args.get("type") == "MUTATION":
            return None
        return self._describe(next(reversed(self.operations.values())))

    def listed(self, info: GraphQLResolveInfo, **args: Any) -> Page:
        newest = [self._describe(operation) for operation in reversed(self.operations.values())]
        return Page(newest[: args.get("first") or 50], lambda row: (row["id"],))

    def download(self, operation_id: int, token: str) -> bytes | None:
        """Return the result file; None before it is there, for a wrong address, and when it is no longer kept."""
        operation = self.operations.get(operation_id)
        if operation is None or operation.token != token or self._status(operation) != "COMPLETED":
            return None
        return operation.lines if self.shop.world.now() < operation.due_at + _KEPT else None

    def tick(self) -> None:
        """Tell subscribers of operations that have finished."""
        for operation in self.operations.values():
            if not operation.announced and self._status(operation) == "COMPLETED":
                operation.announced = True
                self.shop.happened("bulk_operations/finish", self._describe(operation))

    # private

    def _operation(self, global_id: str) -> Operation | None:
        number = global_id.rpartition("/")[2]
        return self.operations.get(int(number)) if number.isdigit() else None

    def _status(self, operation: Operation) -> str:
        if operation.cancelled_at is not None:
            return "CANCELED"
        now = self.shop.world.now()
        if now >= operation.due_at:
            return "COMPLETED"
        return "CREATED" if now == operation.started_at else "RUNNING"

    def _describe(self, operation: Operation, status: str = "") -> dict[str, Any]:
        status = status or self._status(operation)
        done = status == "COMPLETED"
        completed = operation.cancelled_at or (self.shop.clock.stated(operation.due_at) if done else None)
        url = f"{self.base_url}/bulk/{operation.id}/{operation.token}.jsonl"
        return {
            "__typename": "BulkOperation",
            "id": gid("BulkOperation", operation.id),
            "status": status,
            "type": "QUERY",
            "query": operation.query,
            "createdAt": iso(operation.created_at),
            "completedAt": iso(completed) if completed else None,
            "errorCode": None,
            "fileSize": str(len(operation.lines)) if done and operation.lines else None,
            "objectCount": str(operation.objects if done else 0),
            "rootObjectCount": str(operation.roots if done else 0),
            "partialDataUrl": None,
            "url": url if done and operation.lines else None,  # null where nothing was found
        }

    def _checked(self, query: str) -> DocumentNode:
        """Parse and check a bulk query. Raises GraphQLError for whatever Shopify would refuse."""
        if len(query.encode()) > _MOST_BYTES:
            raise GraphQLError(f"query is longer than {_MOST_BYTES} bytes")
        document = parse(query, no_location=True)
        problems = validate(self.schema(), document)
        if problems:
            raise problems[0]
        walk = _Walk(self.schema(), document)
        if walk.connection_in_list():
            raise GraphQLError("Queries that contain a connection field within a list field are not currently supported.")
        depths = list(walk.connections())
        if not depths:
            raise GraphQLError("Bulk queries must contain at least one connection.")
        if len(depths) > _MOST_CONNECTIONS:
            raise GraphQLError(f"Bulk queries cannot contain more than {_MOST_CONNECTIONS} connections.")
        if max(depths) > _DEEPEST:
            raise GraphQLError(f"Bulk queries cannot contain connections with a nesting depth greater than {_DEEPEST}.")
        return document

    def _rows(self, document: DocumentNode, group: bool) -> tuple[bytes, int, int]:
        walk = _Walk(self.schema(), document)
        out: list[str] = []
        roots = start = 0
        while True:
            data = self.run_page(document, range(start, start + _CHUNK))
            children: list[dict[str, Any]] = []
            parents = list(walk.flat(data, children, group))
            here = sum("__parentId" not in row for row in parents)
            roots += here
            out += map(_JSON.encode, (*parents, *children))
            if here < _CHUNK:
                break
            start += _CHUNK
        text = "".join(line + "\n" for line in out)
        return text.encode(), len(out), roots


class _Walk:
    """Finds the connections of a bulk query, in its text and in its answer."""

    def __init__(self, schema: Any, document: DocumentNode) -> None:
        self._schema = schema
        self._fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
        operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
        self._operation = operations[0]
        self._connections: dict[tuple[str, int], list[tuple[str, FieldNode, Any]]] = {}

    def connections(self) -> Iterator[int]:
        """Yield the depth of each connection: 0 for the outermost."""
        yield from self._depths(self._schema.query_type, self._operation.selection_set, 0)

    def connection_in_list(self) -> bool:
        """Return whether a connection stands inside a plain list, such as refunds { refundLineItems }."""
        return self._in_list(self._schema.query_type, self._operation.selection_set, False)

    def flat(self, data: dict[str, Any], children: list[dict[str, Any]], group: bool) -> Iterator[dict[str, Any]]:
        """Yield the root rows of an answer; their children go to `children`, or, grouped, come right after their parent."""
        for node, on_type in self._fields(self._schema.query_type, self._operation.selection_set):
            value = data.get(node.alias.value if node.alias else node.name.value)
            if value is not None and self._is_connection(node, on_type):
                yield from self._nodes(node, on_type, value, None, children, group)

    def _nodes(
        self, node: FieldNode, on_type: Any, value: dict[str, Any], parent: str | None, later: list[dict[str, Any]], group: bool
    ) -> Iterator[dict[str, Any]]:
        connection = get_named_type(on_type.fields[node.name.value].type)
        for inner, _ in self._fields(connection, node.selection_set):
            rows = value.get(inner.alias.value if inner.alias else inner.name.value)
            if inner.name.value == "edges":
                for deeper, edge_type in self._fields(get_named_type(connection.fields["edges"].type), inner.selection_set):
                    if deeper.name.value == "node":
                        named = get_named_type(edge_type.fields["node"].type)
                        for row in rows or ():
                            yield from self._one(row["node"], named, deeper.selection_set, parent, later, group)
            elif inner.name.value == "nodes":
                named = get_named_type(connection.fields["nodes"].type)
                for row in rows or ():
                    yield from self._one(row, named, inner.selection_set, parent, later, group)

    def _one(
        self,
        row: dict[str, Any],
        named: Any,
        selections: SelectionSetNode | None,
        parent: str | None,
        later: list[dict[str, Any]],
        group: bool,
    ) -> Iterator[dict[str, Any]]:
        own = dict(row)
        nested: list[tuple[FieldNode, Any, dict[str, Any]]] = []
        for name, node, on_type in self._nested(named, selections):
            if name in own:
                nested.append((node, on_type, own.pop(name)))
        if parent is not None:
            own["__parentId"] = parent
        yield own
        for node, on_type, value in nested:
            grandchildren = self._nodes(node, on_type, value, own.get("id"), later, group)
            if group:
                yield from grandchildren
            else:
                later.extend(grandchildren)

    def _nested(self, named: Any, selections: SelectionSetNode | None) -> list[tuple[str, FieldNode, Any]]:
        """Return the connections of a node's selection, by the name they have in the answer."""
        key = (named.name, id(selections))
        if key not in self._connections:
            self._connections[key] = [
                (node.alias.value if node.alias else node.name.value, node, on_type)
                for node, on_type in self._fields(named, selections)
                if self._is_connection(node, on_type)
            ]
        return self._connections[key]

    def _depths(self, on: Any, selections: SelectionSetNode | None, depth: int) -> Iterator[int]:
        for node, on_type in self._fields(on, selections):
            field_def = on_type.fields.get(node.name.value)
            if field_def is None:
                continue
            is_connection = self._is_connection(node, on_type)
            if is_connection:
                yield depth
            yield from self._depths(get_named_type(field_def.type), node.selection_set, depth + is_connection)

    def _in_list(self, on: Any, selections: SelectionSetNode | None, inside: bool) -> bool:
        for node, on_type in self._fields(on, selections):
            field_def = on_type.fields.get(node.name.value)
            if field_def is None:
                continue
            is_connection = self._is_connection(node, on_type)
            if is_connection and inside:
                return True
            wire_name = node.name.value in {"nodes", "edges"} and on_type.name.endswith("Connection")
            if self._in_list(
                get_named_type(field_def.type), node.selection_set, not wire_name and (inside or _is_list(field_def.type))
            ):
                return True
        return False

    def _is_connection(self, node: FieldNode, on_type: Any) -> bool:
        field_def = on_type.fields.get(node.name.value)
        return field_def is not None and get_named_type(field_def.type).name.endswith("Connection")

    def _fields(self, on: Any, selections: SelectionSetNode | None) -> Iterator[tuple[FieldNode, GraphQLObjectType]]:
        for node in selections.selections if selections else ():
            if isinstance(node, FieldNode):
                if not node.name.value.startswith("__"):
                    yield node, on
            elif isinstance(node, InlineFragmentNode):
                inner = self._schema.type_map[node.type_condition.name.value] if node.type_condition else on
                yield from self._fields(inner, node.selection_set)
            elif isinstance(node, FragmentSpreadNode):
                fragment = self._fragments[node.name.value]
                yield from self._fields(self._schema.type_map[fragment.type_condition.name.value], fragment.selection_set)


def _is_list(type_: Any) -> bool:
    return isinstance(type_.of_type if isinstance(type_, GraphQLNonNull) else type_, GraphQLList)


def _refused(message: str, code: str) -> dict[str, Any]:
    return {"bulkOperation": None, "userErrors": [{"field": ["query"], "message": message, "code": code}]}
