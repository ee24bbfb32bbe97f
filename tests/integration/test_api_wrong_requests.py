"""Whatever is sent to the API, the answer is as the OpenAPI document says, and never an error of ours."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.core.signals import request_finished
from django.db import close_old_connections
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.models import Incident, Silence
from reconciler.models import Container, Deployment, Host, Workload
from tests.api import ApiClient, described
from tests.builders import cid
from web.api.endpoint import Endpoint
from web.api.registry import ENDPOINTS
from web.models import Scope

pytestmark = pytest.mark.django_db

each_endpoint = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda each: f"{each.method} {each.path}")
HARD = ["", "null", "\0", "%00", "%2F", "'", '"', "-1", "1e9", "\n", "\u202e", "🐳", "x" * 300, "9" * 30]
TEXTS = st.text(max_size=300) | st.sampled_from(HARD)
OF_OTHER_TYPES: list[Any] = [None, True, -1, 0, 1.5, 2**31, 2**63, 10**400, [], {}, [None]]
KEYS = {
    "hosts": ["local", "west"],
    "workloads": ["shop", "lost"],
    "containers": ["shop:web", "lost:web@west"],
    "incidents": ["900000"],
    "silences": ["900000"],
}
WORDS = {
    "host": ["local", "west"],
    "workload": ["shop", "lost"],
    "row": ["shop:web", "lost:web@west"],
    "state": ["running", "pending"],
    "after": ["0", "7"],
    "container_id": [cid("web"), cid("new")],
    "expected_container_id": ["", cid("web")],
    "ends_at": [(timezone.now() + timedelta(hours=1)).isoformat(), "2026-01-01T00:00:00Z"],
}
"""What is found, of what the texts with these names stand for."""
HEADERS = {
    "If-None-Match": ["", "*", 'W/"a"', '"', "é"],
    "Accept": ["", "text/event-stream", "text/html", "é"],
    "Last-Event-ID": ["", "0", "é", "x" * 23],
    "Content-Type": ["", "text/plain", "application/json; charset=utf-16", "multipart/form-data; boundary=x"],
    "Content-Length": ["", "-1", "1e3", "99999999999999999999", "x"],
}
TOKENS = ["Bearer", "Bearer ", "Bearer tf_x_y", "Bearer é", "Basic x", "é", "x" * 300]


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema of the document, or the one that it refers to."""
    found = re.fullmatch(r"#/components/schemas/(\w+)", schema.get("$ref", ""))
    return dict(described()["components"]["schemas"][found[1]]) if found else schema


def allowed_by(schema: dict[str, Any], name: str = "") -> st.SearchStrategy[Any]:
    """Return values that a schema allows, for something with this name."""
    schema = resolved(schema)
    if schema.get("type") == "array":
        return st.lists(allowed_by(schema["items"], name), max_size=3)
    if schema.get("type") == "object":
        return objects(schema)
    if name in WORDS or "enum" in schema or "minimum" in schema:
        # the greatest `wait` takes its time
        return st.sampled_from(WORDS.get(name) or schema.get("enum") or [schema["minimum"], schema["minimum"] + 1])
    return st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=10)


def wrong_for(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return values of any kind, and those that a schema only just does not allow."""
    schema = resolved(schema)
    limits = {"minimum": -1, "maximum": 1}
    beyond = [schema[limit] + step for limit, step in limits.items() if limit in schema]
    others = (
        st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | TEXTS | st.lists(TEXTS, max_size=2)
    )
    return others | st.sampled_from(beyond) if beyond else others


def objects(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return objects that a schema allows."""
    members = {name: allowed_by(member, name) for name, member in schema["properties"].items()}
    required = {name: members.pop(name) for name in schema.get("required", ())}
    return st.fixed_dictionaries(required, optional=members)


def spoilt(good: st.SearchStrategy[dict[str, Any]], members: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return objects of which a member is wrong, is missing or is not known."""
    wrong = [st.fixed_dictionaries({name: wrong_for(schema)}) for name, schema in members.items()]
    unknown = st.dictionaries(TEXTS, wrong_for({}), min_size=1, max_size=2)
    with_one_wrong = st.builds(lambda one, other: {**one, **other}, good, st.one_of(unknown, *wrong))
    without_one = st.builds(lambda one: dict(list(one.items())[1:]), good)
    return with_one_wrong | without_one


def operation_of_endpoint(endpoint: Endpoint) -> dict[str, Any]:
    """Return what the document says of an endpoint."""
    operation: dict[str, Any] = described()["paths"][f"/{endpoint.path}"][endpoint.method.lower()]
    return operation


def known_keys(endpoint: Endpoint) -> list[str]:
    """Return ids or names that an endpoint finds."""
    return next((keys for kind, keys in KEYS.items() if f"{kind}/{{" in endpoint.path), [""])


class Request:
    """A request to an endpoint, of which everything is right but one part."""

    def __init__(self, endpoint: Endpoint, data: Any) -> None:
        self._draw = data.draw
        self._operation = operation_of_endpoint(endpoint)
        self._wrong = self._draw(st.sampled_from(["nothing", "key", "query", "body", "headers", "token"]), "wrong")
        known = st.sampled_from(known_keys(endpoint))
        key = self._draw(TEXTS.filter(bool) if self._wrong == "key" else known, "key")
        self.path = endpoint.path.replace(f"{{{endpoint.key_name}}}", key) if endpoint.key_name else endpoint.path
        self.query = self._parameters()
        self.body = self._body()
        self.headers = self._headers()

    def _parameters(self) -> dict[str, Any]:
        members = {each["name"]: each["schema"] for each in self._operation["parameters"] if each["in"] == "query"}
        good = objects({"properties": members})
        query = self._draw(spoilt(good, members) if self._wrong == "query" else good)
        return {name: value if isinstance(value, list) else str(value) for name, value in query.items()}

    def _body(self) -> bytes | None:
        if "requestBody" not in self._operation:
            return None
        schema = resolved(self._operation["requestBody"]["content"]["application/json"]["schema"])
        if self._wrong != "body":
            return json.dumps(self._draw(objects(schema))).encode()
        bytes_ = (
            st.none() | st.binary(max_size=50) | st.sampled_from([b"", b"null", b"[]", b"[" * 50_000, b'"\\ud800"'])
        )
        wrong = spoilt(objects(schema), schema["properties"]).map(lambda body: json.dumps(body).encode())
        return self._draw(wrong | bytes_)  # type: ignore[no-any-return]

    def _headers(self) -> dict[str, str]:
        if self._wrong == "token":
            return {"Authorization": self._draw(st.sampled_from(TOKENS))}
        if self._wrong != "headers":
            return {}
        possible = {name: st.sampled_from(values) for name, values in HEADERS.items()}
        return dict(self._draw(st.fixed_dictionaries({}, optional=possible)))


@pytest.fixture
def api(valkey: redis.Redis, local: Host) -> ApiClient:
    """A client that may do everything, in a world with one of everything but containers."""
    Host.objects.create(name="west", last_error="refused")
    Workload.objects.create(id="shop", ref_id="shop")
    return ApiClient(Scope.ADMIN)


def make_things() -> None:
    """Let there be containers, a deploy, an incident and a silence, whatever requests have made of them."""
    web = Container(id="shop:web", workload_id="shop", container_id=cid("web"), state="running")
    announced = Container(id="lost:web@west", workload_id="lost", host_id="west")
    columns = ["workload", "workload_kind", "role", "host", "container_id", "state"]
    now = timezone.now()
    lease = Deployment(row_id="shop:web", began_at=now, ends_at=now + timedelta(minutes=10))
    Deployment.objects.bulk_create([lease], ignore_conflicts=True)
    # ids that no sequence comes to here
    fired = {"condition": "missing", "severity": "page", "subject": "shop:web", "phase": "firing"}
    moments = {"since": now, "opened_at": now, "fires_at": now, "fired_at": now}
    Incident.objects.bulk_create([Incident(pk=900_000, **fired, **moments)], ignore_conflicts=True)
    Silence.objects.bulk_create([Silence(pk=900_000, ends_at=now + timedelta(hours=1))], ignore_conflicts=True)
    Container.objects.bulk_create([web, announced], update_conflicts=True, unique_fields=["id"], update_fields=columns)


def hang_up(answer: Any) -> None:
    """Let a stream give its place back, and leave this test's connection to the database open."""
    if answer.streaming:
        request_finished.disconnect(close_old_connections)
        answer.close()
        request_finished.connect(close_old_connections)


@each_endpoint
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_sent_the_answer_is_as_the_document_says(api: ApiClient, endpoint: Endpoint, data: Any) -> None:
    make_things()
    sent = Request(endpoint, data)
    answer = api.ask(endpoint.method, sent.path, query=sent.query, body=sent.body, headers=sent.headers)
    hang_up(answer)
    assert answer.status_code < 500


def good_body(operation: dict[str, Any]) -> dict[str, Any]:
    """Return a body that an endpoint takes, and that changes something."""
    schema = resolved(operation["requestBody"]["content"]["application/json"]["schema"])
    possible = {
        "workload": "shop",
        "container_id": cid("new"),
        "expected_container_id": cid("web"),
        "ends_at": (timezone.now() + timedelta(hours=1)).isoformat(),
    }
    return {name: value for name, value in possible.items() if name in schema["properties"]}


def hard_requests(endpoint: Endpoint) -> Iterator[tuple[str, dict[str, str], bytes | None]]:
    """Yield paths, queries and bodies in which a single value is one that is easily forgotten."""
    operation = operation_of_endpoint(endpoint)
    key = "{" + endpoint.key_name + "}"
    path = endpoint.path.replace(key, known_keys(endpoint)[0])
    body = good_body(operation) if "requestBody" in operation else None
    encoded = None if body is None else json.dumps(body).encode()
    for value in filter(None, HARD if endpoint.key_name else ()):
        yield endpoint.path.replace(key, value), {}, encoded
    for parameter in operation["parameters"]:
        if parameter["in"] == "query":
            yield from ((path, {parameter["name"]: value}, encoded) for value in HARD)
    if body is not None:
        members = resolved(operation["requestBody"]["content"]["application/json"]["schema"])["properties"]
        for name in members:
            yield from ((path, {}, json.dumps({**body, name: value}).encode()) for value in [*HARD, *OF_OTHER_TYPES])


@each_endpoint
def test_no_single_value_is_forgotten(api: ApiClient, endpoint: Endpoint) -> None:
    for path, query, body in hard_requests(endpoint):
        make_things()
        answer = api.ask(endpoint.method, path, query=query, body=body)
        assert answer.status_code < 500, (path, query, body)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"]),
    path=TEXTS | st.sampled_from([each.path for each in ENDPOINTS]),
)
def test_no_path_and_no_method_is_an_error_of_ours(api: ApiClient, method: str, path: str) -> None:
    assert api.ask(method, path).status_code < 500
