"""The page that shows the API to people: the OpenAPI document as plain tables."""

from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt

from web.api.openapi import describe
from web.api.registry import ENDPOINTS
from web.problems import not_allowed


@csrf_exempt
def page(request: HttpRequest) -> HttpResponse:
    """Show the API."""
    if request.method not in ("GET", "HEAD"):
        return not_allowed({"GET"})
    described = describe(ENDPOINTS)
    schemas = described["components"]["schemas"]
    context = {
        "info": described["info"],
        "operations": list(_operations(described)),
        "types": [(name, schema.get("description", ""), _members(schema)) for name, schema in schemas.items()],
    }
    return render(request, "web/api.html", context)


def words_of(schema: dict[str, Any]) -> str:
    """Return in words what a schema allows."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(words_of(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {words_of(schema['items'])}"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"{words_of(schema['additionalProperties'])} by name"
    return str(schema.get("format") or schema.get("type", "anything"))


def _operations(described: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            answers = {
                status: next(iter(answer.get("content", {}).values()), None)
                for status, answer in operation["responses"].items()
            }
            yield {
                "method": method.upper(),
                "path": described["servers"][0]["url"] + path,
                "summary": operation["summary"],
                "description": operation.get("description", "Open to everybody."),
                "parameters": [
                    (each["name"], words_of(each["schema"]), each.get("description", ""))
                    for each in operation["parameters"]
                ],
                "body": _body(operation),
                "answers": [(status, words_of(found["schema"]) if found else "") for status, found in answers.items()],
            }


def _body(operation: dict[str, Any]) -> str:
    """Return the name of the type that a body has; empty if there is none."""
    contents = operation.get("requestBody", {}).get("content", {}).values()
    return next((words_of(each["schema"]) for each in contents), "")


def _members(schema: dict[str, Any]) -> list[tuple[str, str, str]]:
    if "enum" in schema:
        return [("", words_of(schema), "")]
    return [
        (name, words_of(member), member.get("description", "")) for name, member in schema.get("properties", {}).items()
    ]
