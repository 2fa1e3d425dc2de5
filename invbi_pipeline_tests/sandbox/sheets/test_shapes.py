"""What the emulator reads is a subset of what Google's discovery document defines."""

from typing import Any

from invbi_pipeline.sandbox.sheets.shapes import MESSAGES
from invbi_pipeline_tests.sandbox.sheets.discovery import discovery_document


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"])
    if schema["type"] == "array":
        inner = schema["items"]
        return "[any]" if inner.get("type") == "array" else f"[{_kind(inner)}]"
    return "{}" if schema["type"] == "object" else str(schema["type"])


def test_every_message_and_field_is_googles_with_the_same_type() -> None:
    schemas = discovery_document()["schemas"]
    for name, fields in MESSAGES.items():
        known = schemas[name].get("properties", {})
        for field, kind in fields.items():
            assert _kind(known[field]) == kind, f"{name}.{field}"
