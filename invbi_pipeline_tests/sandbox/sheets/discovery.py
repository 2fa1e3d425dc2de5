"""Google's discovery document of Sheets v4 as a schema that requests and answers are checked against."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

__all__ = ["check_message", "discovery_document"]


@lru_cache(maxsize=1)
def discovery_document() -> dict[str, Any]:
    """Return the document that google-api-python-client carries."""
    import googleapiclient

    path = Path(str(googleapiclient.__file__)).parent / "discovery_cache" / "documents" / "sheets.v4.json"
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def check_message(message: Any, name: str) -> None:
    """Raise where a message has an unknown field or a wrong type. A null field is an absent one (protobuf's JSON mapping)."""
    problem = next(_validator(name).iter_errors(_bare(message)), None)
    if problem is not None:
        raise AssertionError(f"{name}: {problem.message} at {list(problem.absolute_path)}")


def _bare(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _bare(below) for key, below in value.items() if below is not None}
    return [_bare(entry) for entry in value] if isinstance(value, list) else value


@lru_cache(maxsize=64)
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": _definitions()})


@lru_cache(maxsize=1)
def _definitions() -> dict[str, Any]:
    return {name: _strict(schema) for name, schema in discovery_document()["schemas"].items()}


def _strict(schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        return {"$ref": f"#/$defs/{schema['$ref']}"}
    if schema.get("type") == "array":
        return {"type": "array", "items": _strict(schema["items"])}
    if schema.get("type") == "object":
        below = schema.get("additionalProperties")
        properties = {name: _strict(value) for name, value in schema.get("properties", {}).items()}
        return {"type": "object", "properties": properties, "additionalProperties": _strict(below) if below else False}
    if schema.get("type") == "any":
        return {}
    return {"type": schema["type"], **({"enum": schema["enum"]} if "enum" in schema else {})}
