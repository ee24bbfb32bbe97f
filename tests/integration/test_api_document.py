"""The OpenAPI document tells the truth: whatever is sent, the answer is as it says, and never an error of ours."""

import json
import re
from typing import Any

import pytest
import redis
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from reconciler.models import Container, Host, Workload
from tests.api import ROOT, ApiClient, described
from tests.builders import cid
from web.api.endpoint import Endpoint
from web.api.registry import ENDPOINTS
from web.models import Scope

pytestmark = pytest.mark.django_db

each_endpoint = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda each: f"{each.method} {each.path}")
TEXTS = st.text(max_size=300) | st.sampled_from(["", "shop", "local", "null", "\0", "%00", "'", '"', "-1", "1e9", "🐳"])


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema of the document, or the one that it refers to."""
    found = re.fullmatch(r"#/components/schemas/(\w+)", schema.get("$ref", ""))
    return dict(described()["components"]["schemas"][found[1]]) if found else schema


def allowed_by(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return values that a schema of a parameter allows, or nearly."""
    schema = resolved(schema)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "pattern" in schema:
        return st.from_regex(schema["pattern"]) | st.text(max_size=10)
    if schema["type"] == "array":
        return st.lists(allowed_by(schema["items"]), max_size=3)
    if schema["type"] == "object":
        return objects(schema)
    if schema["type"] == "integer":
        # the greatest `wait` takes its time
        return st.sampled_from([schema["minimum"] - 1, schema["minimum"], schema["maximum"] + 1])
    return st.text(max_size=10) | st.sampled_from(["shop", "local", "running"])


def queries(endpoint: Endpoint) -> st.SearchStrategy[dict[str, Any]]:
    """Return queries for an endpoint: known parameters and others, with good values and bad ones."""
    operation = described()["paths"][f"/{endpoint.path}"][endpoint.method.lower()]
    known = {each["name"]: allowed_by(each["schema"]) for each in operation["parameters"] if each["in"] == "query"}
    good = st.fixed_dictionaries({}, optional=known)
    bad = st.dictionaries(st.sampled_from([*known, "x", ""]) | TEXTS, TEXTS | st.lists(TEXTS, max_size=3), max_size=3)
    return good | bad | st.builds(lambda one, other: {**one, **other}, good, bad)


def objects(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return objects that a schema of a body allows, or nearly: a member may be missing, unknown or of another type."""
    members = {name: allowed_by(member) for name, member in schema["properties"].items()}
    good = st.fixed_dictionaries(
        {name: members[name] for name in schema.get("required", ())},
        optional={name: member for name, member in members.items() if name not in schema.get("required", ())},
    )
    wrong = st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | TEXTS | st.lists(TEXTS, max_size=2)
    bad = st.dictionaries(st.sampled_from([*members, "x"]) | TEXTS, wrong, max_size=3)
    return good | st.builds(lambda one, other: {**one, **other}, good, bad)


def bodies(endpoint: Endpoint) -> st.SearchStrategy[bytes | None]:
    """Return bodies for an endpoint: such as it takes, such as it nearly takes, any bytes, and none."""
    operation = described()["paths"][f"/{endpoint.path}"][endpoint.method.lower()]
    anything = (
        st.none() | st.binary(max_size=50) | st.sampled_from([b"", b"null", b"[]", b"[" * 50_000, b'{"a":"\\ud800"}'])
    )
    if "requestBody" not in operation:
        return anything
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    return allowed_by(schema).map(lambda body: json.dumps(body).encode()) | anything


@pytest.fixture
def api(valkey: redis.Redis, local: Host) -> ApiClient:
    """A client that may do everything, in a world with one of everything."""
    Host.objects.create(name="west", last_error="refused")
    Workload.objects.create(id="shop", ref_id="shop")
    Container.objects.create(id="shop:web", workload_id="shop", container_id=cid("web"), state="running")
    Container.objects.create(id="lost:web@west", workload_id="lost", host_id="west")
    return ApiClient(Scope.ADMIN)


@each_endpoint
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_sent_the_answer_is_as_the_document_says(api: ApiClient, endpoint: Endpoint, data: Any) -> None:
    key = data.draw(st.sampled_from(["shop", "shop:web", "local", "west"]) | TEXTS.filter(bool))
    path = endpoint.path.replace(f"{{{endpoint.key_name}}}", key) if endpoint.key_name else endpoint.path
    body = data.draw(bodies(endpoint)) if endpoint.method != "GET" else None
    tag = data.draw(st.sampled_from(["", "*", 'W/"a"', '"', "é"]))
    headers = {"If-None-Match": tag} if tag else {}
    answer = api.ask(endpoint.method, path, query=data.draw(queries(endpoint)), body=body, headers=headers)
    assert answer.status_code < 500


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"]),
    path=TEXTS | st.sampled_from([each.path for each in ENDPOINTS]),
)
def test_no_path_and_no_method_is_an_error_of_ours(api: ApiClient, method: str, path: str) -> None:
    assert api.ask(method, path).status_code < 500


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
