"""The OpenAPI document tells the truth, and the page shows all of it."""

import re

import pytest
from django.test import Client
from jsonschema import Draft202012Validator

from reconciler.models import Host
from tests.api import ROOT, described
from web.api.endpoint import Endpoint
from web.api.registry import ENDPOINTS

pytestmark = pytest.mark.django_db

each_endpoint = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda each: f"{each.method} {each.path}")


def test_the_document_is_a_valid_one_of_its_kind() -> None:
    schemas = described()["components"]["schemas"]
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)
    text = str(described())
    assert set(re.findall(r"#/components/schemas/(\w+)", text)) <= set(schemas)


@each_endpoint
def test_the_document_tells_each_endpoint_its_scope_and_its_errors(endpoint: Endpoint) -> None:
    operation = described()["paths"][f"/{endpoint.path}"][endpoint.method.lower()]
    assert bool(operation["security"]) == (endpoint.scope is not None)
    assert {"400", "503"} <= set(operation["responses"])


def test_no_two_endpoints_have_one_name() -> None:
    names = [operation["operationId"] for path in described()["paths"].values() for operation in path.values()]
    assert sorted(set(names)) == sorted(names)


def test_everybody_may_read_the_document(client: Client, local: Host) -> None:
    answer = client.get(f"{ROOT}openapi.json")
    assert (answer.status_code, answer.json()) == (200, described())


def test_the_page_shows_every_endpoint_and_loads_nothing_from_elsewhere(client: Client, local: Host) -> None:
    page = client.get(ROOT).content.decode()
    assert [each.path for each in ENDPOINTS if f"{each.method} {ROOT}{each.path}" not in page] == []
    assert re.findall(r'(?:src|href)="(?!#|openapi\.json|/static/)[^"]*"|<script|style=', page) == []


def test_the_page_tells_every_member_of_every_type(client: Client, local: Host) -> None:
    page = client.get(ROOT).content.decode()
    members = [name for each in described()["components"]["schemas"].values() for name in each.get("properties", {})]
    assert [name for name in members if f"<code>{name}</code>" not in page] == []
