"""A client of the API for tests: it shows a token, and checks every answer against the OpenAPI document."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from unittest.mock import patch
from urllib.parse import quote

from django.test import Client
from jsonschema import Draft202012Validator, FormatChecker

from tests.waiting import eventually
from web.api.openapi import document
from web.api.registry import ENDPOINTS
from web.models import Scope, Token
from web.newest import NEWEST
from web.places import PLACES

ROOT = "/api/v1/"
PROBLEM = "application/problem+json"


@contextmanager
def followers() -> Iterator[None]:
    """Let the body follow the feed; afterwards no place is taken, and no connection to the database is left open."""
    with patch("web.newest.LINGER_SECONDS", 0.01):
        yield
        assert PLACES._taken == 0
        eventually(lambda: not NEWEST._runs)


@cache
def described() -> dict[str, Any]:
    """Return the OpenAPI document."""
    return json.loads(document(ENDPOINTS))  # type: ignore[no-any-return]


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    """Return what checks a value against a schema of the document."""
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "components": described()["components"],
        **schema,
    }
    return Draft202012Validator(whole, format_checker=FormatChecker())


def operation_of(method: str, path: str) -> dict[str, Any] | None:
    """Return what the document says of a method on a path, given without its query."""
    for endpoint in ENDPOINTS:
        if endpoint.method == method and endpoint.key_in(path) is not None:
            operation: dict[str, Any] = described()["paths"][f"/{endpoint.path}"][method.lower()]
            return operation
    return None


def check(method: str, path: str, answer: Any) -> None:
    """Fail unless an answer is as the document says, and every error in RFC 9457's form."""
    if answer.status_code >= 400:
        assert answer["Content-Type"] == PROBLEM, answer.content
    if answer.status_code >= 400 and method != "HEAD":
        validator({"$ref": "#/components/schemas/ProblemDetails"}).validate(answer.json())
        assert answer.json()["status"] == answer.status_code
    operation = operation_of(method, path)
    if operation and answer.status_code != 405:
        assert str(answer.status_code) in operation["responses"]
        kinds = operation["responses"][str(answer.status_code)].get("content", {})
        if answer.streaming:
            assert answer["Content-Type"] in kinds
        elif answer.content:
            validator(kinds[answer["Content-Type"]]["schema"]).validate(answer.json())


class ApiClient:
    """A client with a token of a scope."""

    def __init__(self, scope: Scope = Scope.READ) -> None:
        _, self.token = Token.objects.issue(f"test {scope}", scope)
        self._client = Client(headers={"Authorization": f"Bearer {self.token}"})

    def get(self, path: str, tag: str = "", **query: Any) -> Any:
        """Ask for a path below the root."""
        return self.ask("GET", path, query=query, headers={"If-None-Match": tag} if tag else {})

    def post(self, path: str, body: object = None) -> Any:
        """Post a body, or none."""
        return self.ask("POST", path, body=body)

    def send(self, method: str, path: str, body: object = None) -> Any:
        """Send a body as JSON, or none."""
        return self.ask(method, path, body=None if body is None else json.dumps(body))

    def ask(self, method: str, path: str, *, query: Any = None, body: Any = None, headers: Any = None) -> Any:
        """Send a request, and check that the answer is as the document says."""
        more = {"data": body, "content_type": "application/json"} if body is not None else {}
        answer = self._client.generic(
            method, ROOT + quote(path), query_params=query or {}, headers=headers or {}, **more
        )
        check(method, path, answer)
        return answer

    def items(self, path: str, **query: Any) -> list[dict[str, Any]]:
        """Return the items of a page."""
        answer = self.get(path, **query)
        assert answer.status_code == 200, answer.content
        return list(answer.json()["items"])
