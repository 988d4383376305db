"""The OpenAPI 3.1 document, made of the routes' own declarations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any, Final

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from crmtray import __version__
from crmtray.protocol import Json

from .operation import ADMIN, PUBLIC, Operation
from .schemas import Problem

TAGS: Final = {
    "Session": "Sign in with an address and a password, or bring a token that the CRM signed with the same secret.",
    "Notifications": "A person's own inbox, and the numbered feed of changes to it that clients follow.",
    "Preferences": "How one wants to be told, and why one was told or not.",
    "Actions": "The buttons of a notification.",
    "Push": "For the CRM: notifications of its own, and events that are looked at at once.",
    "Operations": "For those who run the server.",
}
_REF: Final = "#/components/schemas/{model}"
_DESCRIPTION: Final = (
    "Alerts of a sales CRM for the people who must act on them. JSON everywhere; ids are strings; times are ISO 8601 "
    "in UTC; errors are problem documents (RFC 9457) with a stable `code`. What belongs to others answers 404."
)
Key = tuple[str, str, JsonSchemaMode]


def document(operations: Sequence[Operation]) -> Json:
    schemas, definitions = _schemas(operations)
    paths: dict[str, Json] = {}
    for operation in operations:
        described = _operation(operation, schemas)
        paths.setdefault(operation.path, {})[operation.method.lower()] = described
    used = {operation.tag for operation in operations}
    return {
        "openapi": "3.1.0",
        "info": {"title": "crmtray server", "version": __version__, "description": _DESCRIPTION},
        "tags": [{"name": name, "description": text} for name, text in TAGS.items() if name in used],
        "paths": paths,
        "components": {
            "schemas": definitions,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _schemas(operations: Iterable[Operation]) -> tuple[dict[Key, Json], Json]:
    """The schema of every body, query and answer, and the definitions they refer to."""
    inputs: list[tuple[Key, JsonSchemaMode, Any]] = [(("", "problem", "serialization"), "serialization", Problem)]
    for operation in operations:
        if operation.body is not None:
            inputs.append(((_id(operation), "body", "validation"), "validation", operation.body))
        if operation.answers not in (None, str):
            inputs.append(((_id(operation), "answer", "serialization"), "serialization", operation.answers))
    generator = GenerateJsonSchema(ref_template=_REF)
    found, definitions = generator.generate_definitions(
        [(key, mode, TypeAdapter(kind).core_schema) for key, mode, kind in inputs]
    )
    return {key: schema for (key, _), schema in found.items()}, {str(name): each for name, each in definitions.items()}


def _operation(operation: Operation, schemas: dict[Key, Json]) -> Json:
    described: Json = {
        "operationId": _id(operation),
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": _parameters(operation, schemas),
        "responses": _responses(operation, schemas),
    }
    if operation.access != PUBLIC:
        described["security"] = [{"token": []}]
        described["description"] = _demands(operation)
    if operation.body is not None:
        schema = schemas[_id(operation), "body", "validation"]
        described["requestBody"] = {
            "required": not operation.body_optional,
            "content": {"application/json": {"schema": schema}},
        }
    return {key: value for key, value in described.items() if value not in ([], "")}


def _demands(operation: Operation) -> str:
    if operation.scope is not None:
        return f"The access token must have the scope `{operation.scope}`."
    return "For the roles `admin` and `ceo`." if operation.access == ADMIN else ""


def _parameters(operation: Operation, schemas: dict[Key, Json]) -> list[Json]:
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in re.findall(r"\{(\w+)\}", operation.path)
    ]
    headers = [_IDEMPOTENCY_KEY] if operation.idempotent else []
    return in_path + _query(operation, schemas) + headers


_IDEMPOTENCY_KEY: Final[Json] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key again is the same order: it is answered as before and carried out once.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
}


def _query(operation: Operation, schemas: dict[Key, Json]) -> list[Json]:
    if operation.query is None:
        return []
    schema = TypeAdapter(operation.query).json_schema(ref_template=_REF)
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": _not_null(field)}
        for name, field in schema.get("properties", {}).items()
    ]


def _not_null(field: Json) -> Json:
    """A parameter that is not wanted is left out; it has no null."""
    some = [kind for kind in field.get("anyOf", []) if kind != {"type": "null"}]
    rest = {key: value for key, value in field.items() if key not in ("anyOf", "title", "default")}
    default = {"default": field["default"]} if field.get("default") is not None else {}
    return rest | (some[0] if len(some) == 1 else {"anyOf": some} if some else {}) | default


def _responses(operation: Operation, schemas: dict[Key, Json]) -> Json:
    responses = {str(operation.status): _success(operation, schemas)}
    problem = {"application/problem+json": {"schema": schemas["", "problem", "serialization"]}}
    for status in sorted(operation.errors):
        if str(status) in responses:
            continue
        responses[str(status)] = {"description": HTTPStatus(status).phrase, "content": problem}
    if operation.path == "/health":  # the same report, whether all is well or not
        responses["503"] = responses["200"] | {"description": "A needed service is down"}
    return responses


def _success(operation: Operation, schemas: dict[Key, Json]) -> Json:
    success: Json = {"description": HTTPStatus(operation.status).phrase}
    if operation.answers is str:
        success["content"] = {operation.media: {"schema": {"type": "string"}}}
    elif operation.answers is not None:
        schema = schemas[_id(operation), "answer", "serialization"]
        success["content"] = {operation.media: {"schema": schema}}
    if operation.headers:
        success["headers"] = {
            name: {"description": text, "schema": {"type": "string"}} for name, text in operation.headers.items()
        }
    return success


def _id(operation: Operation) -> str:
    """`get_notifications_id_explain`: stable as long as the route is."""
    words = re.sub(r"\W+", "_", operation.path).strip("_") or "root"
    return f"{operation.method.lower()}_{words}"
