"""Published OpenAPI 3 and Swagger 2 models as judges of what we send and what the sandbox answers.

``OpenApi(path)`` takes one model or a folder of them. A model says what it lists and nothing else: a field, a query parameter or
a status it does not name is a failure, as is a read-only field in a request. Every `validate_*` raises `AssertionError` with
all violations it found.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote

import httpx
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError

__all__ = ["OpenApi"]

_FORMATS = FormatChecker(formats=())
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_METHODS = ("get", "put", "post", "delete", "patch")
# Keys of a Schema Object that JSON Schema knows under the same name and that hold no schema themselves.
_PLAIN = (
    *("type", "enum", "format", "minLength", "maxLength", "pattern", "minimum", "maximum", "exclusiveMinimum"),
    *("exclusiveMaximum", "minItems", "maxItems", "uniqueItems", "required", "multipleOf", "const"),
)


@_FORMATS.checks("date-time")
def _is_date_time(value: object) -> bool:
    if not isinstance(value, str):
        return True
    if not _RFC3339.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


class OpenApi:
    """A published model, or a folder of them, with strict validation of requests and responses."""

    def __init__(self, path: Path) -> None:
        files = sorted(path.rglob("*.json")) if path.is_dir() else [path]
        self._models = [_Model(json.loads(file.read_text(encoding="utf-8"))) for file in files]

    def validate_request(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | Sequence[tuple[str, str]] | None = None,
        body: object = None,
    ) -> None:
        """Judge a request. `path` is as sent (segments percent-encoded, no server prefix); `body` is the parsed JSON."""
        model, operation = self._operation(method, path)
        pairs = list(params.items()) if isinstance(params, Mapping) else list(params or ())
        _raise(f"request {method} {path}", [*model.query_problems(operation, pairs), *model.body_problems(operation, body)])

    def validate_response(self, method: str, path: str, status: int, body: object) -> None:
        """Judge an answer's parsed JSON body against the schema of its status."""
        model, operation = self._operation(method, path)
        _raise(f"answer {status} to {method} {path}", model.answer_problems(operation, status, body))

    def check(self, response: httpx.Response, mount: str = "") -> None:
        """Judge an httpx answer and the request that led to it; `mount` is the server's path before the platform's own."""
        request = response.request
        raw = request.url.raw_path.decode().partition("?")[0].removeprefix(mount)
        sent = json.loads(request.content) if request.content else None
        query = parse_qsl(request.url.query.decode(), keep_blank_values=True)
        self.validate_request(request.method, raw, query, sent)
        self.validate_response(request.method, raw, response.status_code, response.json() if response.content else None)

    def covers(self, method: str, path: str) -> bool:
        """Say whether a model names this operation."""
        return any(model.find(method, path) is not None for model in self._models)

    def validate_schema(self, name: str, value: object) -> None:
        """Judge a value (a webhook's object, say) against a named schema."""
        for model in self._models:
            if name in model.schemas:
                _raise(f"value of schema {name}", model.problems({"$ref": f"#/$defs/{name}"}, value))
                return
        raise AssertionError(f"no model has a schema {name}")

    def _operation(self, method: str, path: str) -> tuple["_Model", dict[str, Any]]:
        for model in self._models:
            operation = model.find(method, path)
            if operation is not None:
                return model, operation
        raise AssertionError(f"no model knows {method} {path}")


class _Model:
    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._swagger = "swagger" in document
        self.schemas: dict[str, Any] = (
            document.get("definitions", {}) if self._swagger else document.get("components", {}).get("schemas", {})
        )

    @cached_property
    def _routes(self) -> list[tuple[re.Pattern[str], int, dict[str, Any]]]:
        base = self._document.get("basePath", "").rstrip("/")
        routes = []
        for template, operations in self._document.get("paths", {}).items():
            pieces = re.split(r"(\{[^}]+\})", base + template)
            pattern = "".join("[^/]+" if piece.startswith("{") else re.escape(quote(piece, safe="/%:")) for piece in pieces)
            routes.append((re.compile(pattern), pattern.count("[^/]+"), operations))
        return sorted(routes, key=lambda route: route[1])  # literal paths before templates

    def find(self, method: str, path: str) -> dict[str, Any] | None:
        name = method.lower()
        for pattern, _, operations in self._routes:
            if name in _METHODS and name in operations and pattern.fullmatch(path):
                common = operations.get("parameters", [])
                return {**operations[name], "parameters": [*common, *operations[name].get("parameters", [])]}
        return None

    # parameters -----------------------------------------------------------------------------------------------------

    def query_problems(self, operation: dict[str, Any], pairs: list[tuple[str, Any]]) -> Iterator[str]:
        known = {p["name"]: p for p in map(self._resolve, operation["parameters"]) if p["in"] == "query"}
        given: dict[str, list[Any]] = {}
        for name, value in pairs:
            given.setdefault(name, []).append(value)
        for name, parameter in known.items():
            if parameter.get("required") and name not in given:
                yield f"query parameter {name} is required"
        for name, values in given.items():
            if name not in known:
                yield f"query parameter {name} is not in the model"
            else:
                yield from (f"query parameter {name}: {problem}" for problem in self._value_problems(known[name], values))

    def _value_problems(self, parameter: dict[str, Any], values: list[Any]) -> Iterator[str]:
        schema = parameter.get("schema", parameter)
        if schema.get("type") == "array":
            repeats = parameter.get("collectionFormat") == "multi" or (not self._swagger and parameter.get("explode", True))
            if len(values) > 1 and not repeats:
                yield "is repeated, and the model wants one comma-separated value"
            members = [member for value in values for member in _members(value)]
            item = schema.get("items", {})
            yield from self.problems(self._convert(schema, request=True), [_typed(member, item) for member in members])
        elif len(values) > 1:
            yield "is repeated"
        else:
            yield from self.problems(self._convert(schema, request=True), _typed(values[0], schema))

    def body_problems(self, operation: dict[str, Any], body: object) -> Iterator[str]:
        schema, required = self._body_schema(operation)
        if schema is None:
            if body is not None:
                yield "a body is sent and the model has none"
        elif body is None:
            if required:
                yield "a body is required"
        else:
            yield from self.problems(schema, body, request=True)

    def _body_schema(self, operation: dict[str, Any]) -> tuple[dict[str, Any] | None, bool]:
        if self._swagger:
            bodies = [p for p in map(self._resolve, operation["parameters"]) if p["in"] == "body"]
            return (
                (self._convert(bodies[0]["schema"], request=True), bool(bodies[0].get("required"))) if bodies else (None, False)
            )
        content = self._resolve(operation.get("requestBody", {}))
        schema = content.get("content", {}).get("application/json", {}).get("schema")
        return (None if schema is None else self._convert(schema, request=True)), bool(content.get("required"))

    # answers --------------------------------------------------------------------------------------------------------

    def answer_problems(self, operation: dict[str, Any], status: int, body: object) -> Iterator[str]:
        responses = operation["responses"]
        stated = responses.get(str(status), responses.get("default"))
        if stated is None and status >= 400 and "Error" in self.schemas and "200" in responses:
            # Square's model states the success only; its error bodies are {"errors": [Error, ...]} for every operation.
            error = self._convert({"$ref": "Error"})
            listed = {"type": "array", "items": error, "minItems": 1}
            yield from self.problems({"type": "object", "required": ["errors"], "properties": {"errors": listed}}, body)
            return
        if stated is None:
            yield f"status {status} is not in the model"
            return
        answer = self._resolve(stated)
        schema = answer.get("schema") if self._swagger else answer.get("content", {}).get("application/json", {}).get("schema")
        if schema is not None:
            yield from self.problems(self._convert(schema), body)

    # schemas --------------------------------------------------------------------------------------------------------

    def problems(self, schema: dict[str, Any], value: object, *, request: bool = False) -> Iterator[str]:
        definitions = self._request_definitions if request else self._definitions
        validator = Draft202012Validator({**schema, "$defs": definitions}, format_checker=_FORMATS)
        for error in validator.iter_errors(value):
            yield _said(error)

    @cached_property
    def _definitions(self) -> dict[str, Any]:
        return {name: self._convert(schema) for name, schema in self.schemas.items()}

    @cached_property
    def _request_definitions(self) -> dict[str, Any]:
        return {name: self._convert(schema, request=True) for name, schema in self.schemas.items()}

    def _convert(self, schema: dict[str, Any], *, request: bool = False, closed: bool = True) -> dict[str, Any]:
        """Turn a Schema Object into JSON Schema 2020-12: nullable becomes a type, listed properties become all there are."""
        if "$ref" in schema:
            reference = {"$ref": "#/$defs/" + schema["$ref"].rpartition("/")[2]}
            return {"anyOf": [reference, {"type": "null"}]} if schema.get("nullable") else reference
        made = {key: schema[key] for key in _PLAIN if key in schema}
        if isinstance(made.get("required"), bool):  # a Swagger 2 parameter, which says of itself that it must be there
            del made["required"]
        if "items" in schema:
            made["items"] = self._convert(schema["items"], request=request)
        if "properties" in schema:
            listed = schema["properties"].items()
            kept = {name: prop for name, prop in listed if not (request and prop.get("readOnly"))}
            made["properties"] = {name: self._convert(prop, request=request) for name, prop in kept.items()}
            if closed and "additionalProperties" not in schema:
                made["additionalProperties"] = False
        if "additionalProperties" in schema:
            extra = schema["additionalProperties"]
            made["additionalProperties"] = extra if isinstance(extra, bool) else self._convert(extra, request=request)
        for word in ("oneOf", "anyOf"):
            if word in schema:
                made[word] = [self._convert(member, request=request) for member in schema[word]]
        if "allOf" in schema:
            members = [self.schemas[m["$ref"].rpartition("/")[2]] if "$ref" in m else m for m in schema["allOf"]]
            made["allOf"] = [self._convert(member, request=request, closed=False) for member in members]
            made["unevaluatedProperties"] = False
        if schema.get("nullable"):
            if "type" in made:
                made["type"] = [made["type"], "null"]
            if "enum" in made:
                made["enum"] = [*made["enum"], None]
        return made

    def _resolve(self, node: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in node:
            return node
        found: Any = self._document
        for step in node["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        resolved: dict[str, Any] = found
        return resolved


def _members(value: object) -> list[Any]:
    if isinstance(value, str):
        return value.split(",")
    return list(value) if isinstance(value, Sequence) else [value]


def _typed(value: object, schema: Mapping[str, Any]) -> object:
    """Give a query parameter's text the type its schema names, where it can be read so."""
    if not isinstance(value, str):
        return value
    kind = schema.get("type")
    if kind == "integer" and re.fullmatch(r"-?\d+", value):
        return int(value)
    if kind == "boolean" and value in ("true", "false"):
        return value == "true"
    return value


def _said(error: ValidationError) -> str:
    where = "/".join(str(step) for step in error.absolute_path) or "(top)"
    inner = "; ".join(_said(cause) for cause in (error.context or []))
    message = error.message if len(error.message) < 300 else error.message[:300] + "..."
    return f"{where}: {message}" + (f" [{inner}]" if inner else "")


def _raise(what: str, problems: Sequence[str] | Iterator[str]) -> None:
    found = list(problems)
    if found:
        raise AssertionError(f"{what} breaks the published model:\n  " + "\n  ".join(found))
