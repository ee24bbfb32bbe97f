"""The OpenAPI document, made from the endpoints and from the types that serve."""

from collections.abc import Iterator, Sequence
from functools import cache
from http import HTTPStatus
from typing import Any

import msgspec

from web.api.endpoint import Endpoint
from web.problems import CONTENT_TYPE as PROBLEM_TYPE
from web.problems import Problem, ProblemDetails
from web.version import VERSION

_REFERENCE = "#/components/schemas/{name}"
_TOKEN = "token"  # noqa: S105 - the name of the scheme
_INTRODUCTION = """\
What Tinyforge's container index knows: which container serves which workload, on which host, and in what state.

Show a token, `Authorization: Bearer tf_…`. Every error is an `application/problem+json` of RFC 9457. Answers to GET
have an `ETag` of their content; send it as `If-None-Match`, and you get 304 if nothing has changed."""


@cache
def document(endpoints: Sequence[Endpoint]) -> bytes:
    """Return the document as JSON."""
    return msgspec.json.encode(describe(endpoints))


def describe(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """Return the document."""
    kinds = {kind for endpoint in endpoints for kind in _kinds_of(endpoint)} | {ProblemDetails}
    _, schemas = msgspec.json.schema_components(kinds, ref_template=_REFERENCE)
    queries = {endpoint.query.__name__ for endpoint in endpoints}
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        operation = _operation(endpoint, schemas[endpoint.query.__name__])
        paths.setdefault(f"/{endpoint.path}", {})[endpoint.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "Tinyforge container index", "version": VERSION, "description": _INTRODUCTION},
        "servers": [{"url": "/api/v1"}],
        "paths": paths,
        "components": {
            "schemas": {name: schema for name, schema in sorted(schemas.items()) if name not in queries},
            "securitySchemes": {_TOKEN: {"type": "http", "scheme": "bearer"}},
        },
    }


def problems_of(endpoint: Endpoint) -> list[Problem]:
    """Return every error that an endpoint may answer with."""
    of_all = [Problem.BAD_REQUEST, Problem.UNAVAILABLE]
    of_scope = [Problem.UNAUTHORIZED, Problem.FORBIDDEN] if endpoint.scope else []
    of_key = [Problem.NOT_FOUND] if endpoint.key_name else []
    of_body = [Problem.TOO_LARGE] if endpoint.body else []
    return sorted(
        {*of_all, *of_scope, *of_key, *of_body, *endpoint.problems}, key=lambda kind: (kind.status, kind.name)
    )


def _kinds_of(endpoint: Endpoint) -> Iterator[Any]:
    yield from (endpoint.answer, endpoint.query)
    if endpoint.body:
        yield endpoint.body


def _operation(endpoint: Endpoint, query: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": endpoint.handler.__name__,
        "summary": endpoint.summary,
        "parameters": [*_key_parameter(endpoint), *_query_parameters(query)],
        "responses": {**_success(endpoint), **_failures(endpoint)},
        "security": [{_TOKEN: []}] if endpoint.scope else [],
    }
    if endpoint.scope:
        operation["description"] = f"Wants the scope `{endpoint.scope}`."
    if endpoint.body:
        operation["requestBody"] = {"required": True, "content": _content("application/json", endpoint.body)}
    return operation


def _key_parameter(endpoint: Endpoint) -> Iterator[dict[str, Any]]:
    if endpoint.key_name:
        yield {"name": endpoint.key_name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _query_parameters(query: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name, schema in query["properties"].items():
        kept = {key: value for key, value in schema.items() if key != "description"}
        parameter = {"name": name, "in": "query", "required": name in query["required"], "schema": kept}
        yield parameter | ({"description": schema["description"]} if "description" in schema else {})


def _success(endpoint: Endpoint) -> dict[str, Any]:
    status = HTTPStatus(endpoint.status)
    content = _content("application/json", endpoint.answer)
    if endpoint.can_stream:
        content["text/event-stream"] = {"schema": {"type": "string"}}
    answer = {"description": status.phrase, "content": content}
    if not endpoint.is_tagged:
        return {str(status.value): answer}
    unchanged = {"description": "The content is what `If-None-Match` names"}
    return {str(status.value): answer | {"headers": {"ETag": {"schema": {"type": "string"}}}}, "304": unchanged}


def _failures(endpoint: Endpoint) -> dict[str, Any]:
    return {
        str(kind.status.value): {
            "description": kind.status.phrase,
            "content": _content(PROBLEM_TYPE, ProblemDetails),
        }
        for kind in problems_of(endpoint)
    }


def _content(media_type: str, kind: Any) -> dict[str, Any]:
    (schema,), _ = msgspec.json.schema_components([kind], ref_template=_REFERENCE)
    return {media_type: {"schema": schema}}
