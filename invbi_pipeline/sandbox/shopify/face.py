"""The HTTP face of an emulated shop: POST /admin/api/2026-07/graphql.json and the files of bulk operations."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    FieldsOnCorrectTypeRule,
    FragmentDefinitionNode,
    GraphQLError,
    KnownArgumentNamesRule,
    OperationDefinitionNode,
    coerce_input_value,
    is_input_type,
    parse,
    specified_rules,
    type_from_ast,
    validate,
)
from graphql.validation import ValidationRule
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from invbi_pipeline.sandbox.contract import UNLIMITED
from invbi_pipeline.sandbox.shopify.context import Context
from invbi_pipeline.sandbox.shopify.cost import MAX_QUERY_COST, Pricing
from invbi_pipeline.sandbox.shopify.executor import execute, the_schema
from invbi_pipeline.sandbox.shopify.hooks import API_VERSION
from invbi_pipeline.sandbox.shopify.office import Office
from invbi_pipeline.sandbox.wire import Bucket, WireMiddleware

__all__ = ["Face", "shopify_trouble"]

_DOCS = "https://shopify.dev/api/usage/rate-limits"


def shopify_trouble(kind: str) -> Response:
    """Return Shopify's answer to a planted wire fault."""
    if kind == "200_errors":
        message = "Internal error. Looks like something went wrong on our end."
        return JSONResponse({"errors": [{"message": message, "extensions": {"code": "INTERNAL_SERVER_ERROR"}}]})
    if kind == "429":
        body = {"errors": "Exceeded 2 calls per second for api client. Reduce request rates to resume uninterrupted service."}
        return JSONResponse(body, status_code=429, headers={"Retry-After": "2.0"})
    if kind == "token_expired":
        return _unauthorized()
    status = {"503": 503, "504": 504}.get(kind, 500)
    words = {503: "Service Unavailable", 504: "Gateway Timeout", 500: "Internal Server Error"}[status]
    return JSONResponse({"errors": words}, status_code=status)


def _unauthorized() -> Response:
    message = "[API] Invalid API key or access token (unrecognized login or wrong password)"
    return JSONResponse({"errors": message}, status_code=401)


class Face:
    """Answers HTTP for one shop."""

    def __init__(self, office: Office, token: str, points: Bucket) -> None:
        self._office = office
        self._shop = office.shop
        self._token = token
        self._points = points
        routes = [
            Route(f"/admin/api/{API_VERSION}/graphql.json", self._graphql, methods=["POST"]),
            Route("/bulk/{operation:int}/{token}.jsonl", self._download, methods=["GET"]),
        ]
        wire = Middleware(WireMiddleware, wire=self._shop.wire, clock=self._shop.world, errors=shopify_trouble)
        handlers: Mapping[Any, Callable[..., Any]] = {404: _not_found, 405: _not_found}
        self.app = Starlette(routes=routes, middleware=[wire], exception_handlers=handlers)

    async def _download(self, request: Request) -> Response:
        lines = self._office.bulks.download(request.path_params["operation"], request.path_params["token"])
        if lines is None:
            return Response("<Error><Code>NoSuchKey</Code></Error>", status_code=404, media_type="application/xml")
        return Response(lines, media_type="application/jsonl")

    async def _graphql(self, request: Request) -> Response:
        if self._shop.wire.refuse or request.headers.get("x-shopify-access-token") != self._token:
            return _unauthorized()
        raw = await request.body()
        if request.headers.get("content-type", "").startswith("application/graphql"):
            asked: Any = {"query": raw.decode(errors="replace")}
        else:
            try:
                asked = json.loads(raw)
            except ValueError:
                return JSONResponse({"errors": {"query": "Required parameter missing or invalid"}}, status_code=400)
        if not isinstance(asked, dict) or not isinstance(asked.get("query"), str):
            return JSONResponse({"errors": {"query": "Required parameter missing or invalid"}}, status_code=400)
        answer = self._answer(asked["query"], asked.get("variables") or {}, asked.get("operationName"))
        body = json.dumps(answer, separators=(",", ":"), ensure_ascii=False).encode()
        headers = {"X-Shopify-API-Version": API_VERSION, "X-Request-Id": f"{self._shop.next_id():x}"}
        return Response(body, media_type="application/json; charset=utf-8", headers=headers)

    def _answer(self, query: str, variables: Mapping[str, Any], operation_name: str | None) -> dict[str, Any]:
        document, problems = _checked(query)
        if document is None or problems:
            return {"errors": list(problems)}
        operation = _operation(document, operation_name)
        if operation is None:
            return {"errors": [{"message": "An operation name is required", "extensions": {"code": "BAD_REQUEST"}}]}
        bad_variables = _variable_problems(operation, variables)
        if bad_variables:
            return {"errors": bad_variables}
        fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
        pricing = Pricing(the_schema(), fragments, operation, variables)
        requested = pricing.requested()
        refusal = self._too_dear(requested)
        if refusal is not None:
            return {"errors": [refusal], "extensions": {"cost": self._cost(requested, None)}}
        context = Context(self._shop, self._office)
        result = execute(document, context, variables, operation_name)
        actual = pricing.actual(result.data)
        if self._shop.wire.enforce_limits:
            self._points.take(min(actual, self._points.available()))
        answer: dict[str, Any] = {"data": result.data}
        if result.errors:
            answer["errors"] = [_shown(error) for error in result.errors]
        answer["extensions"] = {"cost": self._cost(requested, actual)}
        if context.search_notes:
            answer["extensions"]["search"] = context.search_notes
        return answer

    def _too_dear(self, requested: int) -> dict[str, Any] | None:
        if requested > MAX_QUERY_COST:
            message = f"Query cost is {requested}, which exceeds the single query max cost limit ({MAX_QUERY_COST})."
            details = {"cost": requested, "maxCost": MAX_QUERY_COST, "documentation": _DOCS}
            return {"message": message, "extensions": {"code": "MAX_COST_EXCEEDED", **details}}
        if self._shop.wire.enforce_limits and self._points.available() < requested:
            return {"message": "Throttled", "extensions": {"code": "THROTTLED", "documentation": _DOCS}}
        return None

    def _cost(self, requested: int, actual: int | None) -> dict[str, Any]:
        status = {
            "maximumAvailable": self._points.burst,
            "currentlyAvailable": int(self._points.available()),
            "restoreRate": self._points.rate if self._shop.wire.enforce_limits else UNLIMITED,
        }
        return {"requestedQueryCost": requested, "actualQueryCost": actual, "throttleStatus": status}


async def _not_found(request: Request, problem: Exception) -> Response:
    return JSONResponse({"errors": "Not Found"}, status_code=404)


class _FieldRule(FieldsOnCorrectTypeRule):
    """Says of an unknown field what Shopify says."""

    def enter_field(self, node: FieldNode, *_args: Any) -> None:
        parent = self.context.get_parent_type()
        if parent is not None and self.context.get_field_def() is None:
            name = node.name.value
            details = {"code": "undefinedField", "typeName": parent.name, "fieldName": name}
            self.report_error(GraphQLError(f"Field '{name}' doesn't exist on type '{parent.name}'", node, extensions=details))


class _ArgumentRule(KnownArgumentNamesRule):
    """Says of an unknown argument what Shopify says."""

    def enter_argument(self, node: ArgumentNode, *_args: Any) -> None:
        field_def = self.context.get_field_def()
        if self.context.get_argument() is None and field_def is not None and self.context.get_directive() is None:
            parent = self.context.get_parent_type()
            field_name = next((name for name, known in getattr(parent, "fields", {}).items() if known is field_def), "")
            details = {
                "code": "argumentNotAccepted",
                "name": field_name,
                "typeName": "Field",
                "argumentName": node.name.value,
            }
            message = f"Field '{field_name}' doesn't accept argument '{node.name.value}'"
            self.report_error(GraphQLError(message, node, extensions=details))


def _rules() -> list[type[ValidationRule]]:
    swapped: dict[Any, Any] = {FieldsOnCorrectTypeRule: _FieldRule, KnownArgumentNamesRule: _ArgumentRule}
    return [swapped.get(rule, rule) for rule in specified_rules]


@lru_cache(maxsize=256)
def _checked(query: str) -> tuple[DocumentNode | None, tuple[dict[str, Any], ...]]:
    """Parse and validate a document, once for each text."""
    try:
        document = parse(query)
    except GraphQLError as problem:
        return None, (_shown(problem),)
    return document, tuple(_shown(problem) for problem in validate(the_schema(), document, _rules()))


def _operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode | None:
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if name:
        return next((node for node in operations if node.name and node.name.value == name), None)
    return operations[0] if len(operations) == 1 else None


def _variable_problems(operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return Shopify's INVALID_VARIABLE errors: one for each variable, with every problem in it."""
    found: list[dict[str, Any]] = []
    for definition in operation.variable_definitions:
        name = definition.variable.name.value
        type_ = type_from_ast(the_schema(), definition.type)
        if type_ is None or not is_input_type(type_) or (name not in variables and definition.default_value is not None):
            continue
        problems = _coercion_problems(variables.get(name), type_, name in variables)
        if problems:
            places = ", ".join(f"{'.'.join(map(str, p['path']))} ({p['explanation']})" for p in problems if p["path"])
            where = f" for {places}" if places else ""
            found.append(
                {
                    "message": f"Variable ${name} of type {type_} was provided invalid value{where}",
                    "locations": _places(definition),
                    "extensions": {"code": "INVALID_VARIABLE", "value": variables.get(name), "problems": problems},
                }
            )
    return found


def _coercion_problems(value: Any, type_: Any, given: bool) -> list[dict[str, Any]]:
    problems: list[dict[str, Any]] = []
    if not given and not str(type_).endswith("!"):
        return problems

    def on_error(path: Sequence[str | int], bad: Any, error: GraphQLError) -> None:
        where, explanation = list(path), error.message
        if "is not defined by type" in explanation:
            unknown, type_name = explanation.split("'")[1], explanation.split("type '")[1].split("'")[0]
            where, explanation = [*where, unknown], f"Field is not defined on {type_name}"
        problems.append({"path": where, "explanation": explanation})

    coerce_input_value(value, type_, on_error)
    return problems


def _places(node: Any) -> list[dict[str, int]]:
    return [{"line": node.loc.start_token.line, "column": node.loc.start_token.column}] if node.loc else []


def _shown(error: GraphQLError) -> dict[str, Any]:
    formatted: dict[str, Any] = dict(error.formatted)
    formatted.setdefault("extensions", {"code": "GRAPHQL_VALIDATION_FAILED" if not error.path else "INTERNAL_SERVER_ERROR"})
    return formatted
