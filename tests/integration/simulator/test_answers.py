"""What a simulated Engine answers: as a real one, in every version of the API."""

import contextlib
import http.client
import socket
import time
from pathlib import Path
from typing import Any

import docker
import pytest
import requests

from simulator import Engine, Server
from tests.integration.simulator.conftest import LISTING, Get, actions, only_item
from tests.waiting import WAIT_SECONDS, eventually


@pytest.mark.parametrize("prefix", ["", "/v1.41", "/v1.12"])
@pytest.mark.parametrize("path", ["/_ping", "/version", "/info", "/containers/json"])
def test_every_endpoint_answers_with_and_without_a_version(get: Get, prefix: str, path: str) -> None:
    assert get(prefix + path).status_code == 200


def test_a_ping_names_the_api_version(get: Get) -> None:
    answer = get("/_ping")
    assert (answer.text, answer.headers["Api-Version"]) == ("OK", "1.41")


def test_a_head_request_has_no_body_and_keeps_the_connection(url: str) -> None:
    connection = http.client.HTTPConnection(url.removeprefix("tcp://"), timeout=WAIT_SECONDS)
    with contextlib.closing(connection):
        for method in ("HEAD", "GET"):
            connection.request(method, "/_ping")
            answer = connection.getresponse()
            assert answer.read() == (b"OK" if method == "GET" else b"")


def test_requests_sent_in_one_go_are_answered_in_order(url: str) -> None:
    host, port = url.removeprefix("tcp://").split(":")
    with socket.create_connection((host, int(port)), timeout=WAIT_SECONDS) as connection:
        connection.sendall(b"GET /_ping HTTP/1.1\r\n\r\nGET /no HTTP/1.1\r\nConnection: close\r\n\r\n")
        said = b"".join(iter(lambda: connection.recv(4096), b""))
    assert said.index(b"HTTP/1.1 200 OK") < said.index(b"HTTP/1.1 404 Not Found")


def test_the_version_document_reads_like_a_real_one(get: Get) -> None:
    document = get("/version").json()
    assert document["Components"][0]["Details"]["MinAPIVersion"] == document["MinAPIVersion"] == "1.12"


def test_info_counts_the_containers(get: Get, engine: Engine) -> None:
    engine.add("a")
    engine.create("b")
    document = get("/info").json()
    assert [document[key] for key in ("ID", "Containers", "ContainersRunning")] == [engine.engine_id, 2, 1]


def test_an_unknown_path_or_method_is_not_found(get: Get, url: str) -> None:
    assert get("/images/json").json() == {"message": "page not found"}
    assert (
        requests.post(url.replace("tcp", "http") + "/containers/json", data="{}", timeout=WAIT_SECONDS).status_code
        == 404
    )


def test_requests_are_counted_without_version_and_query(get: Get, engine: Engine) -> None:
    get("/v1.41" + LISTING)
    assert engine.requests == [("GET", "/containers/json")]
    engine.reset_requests()
    assert engine.requests == []


def test_a_listing_item_has_the_shape_of_a_real_one(get: Get, engine: Engine) -> None:
    container_id = engine.add("web", image="nginx:1", labels={"a": "b"}, ports=[(80, "tcp"), (443, "tcp", 8443)])
    item = only_item(get)
    assert item | {"Id": container_id, "Names": ["/web"], "Labels": {"a": "b"}, "State": "running"} == item
    assert item["Ports"] == [
        {"PrivatePort": 80, "Type": "tcp"},
        {"IP": "0.0.0.0", "PublicPort": 8443, "PrivatePort": 443, "Type": "tcp"},
    ]
    assert list(item) == [
        *("Id", "Names", "Image", "ImageID", "Command", "Created", "Ports", "Labels", "State", "Status"),
        *("HostConfig", "NetworkSettings", "Mounts"),
    ]


def test_a_listing_is_newest_first(get: Get, engine: Engine) -> None:
    for name in ("old", "new"):
        engine.add(name)
    engine.add("oldest", created=1)
    assert [item["Names"][0] for item in get(LISTING).json()] == ["/new", "/old", "/oldest"]


def test_only_containers_that_are_up_are_listed_unless_all_are_asked_for(get: Get, engine: Engine) -> None:
    for state in ("running", "paused", "restarting", "exited", "created", "dead"):
        engine.add(state, state=state)
    assert len(get("/containers/json").json()) == 3
    assert len(get("/containers/json?all=true").json()) == 6


def test_a_listing_can_be_filtered(get: Get, engine: Engine) -> None:
    engine.add("web", labels={"role": "web"})
    engine.add("db", labels={"role": "db"}, state="exited")
    ask = "/containers/json?filters="
    assert [item["Names"] for item in get(ask + '{"label":["role=web"]}').json()] == [["/web"]]
    assert [item["Names"] for item in get(ask + '{"status":["exited"]}').json()] == [["/db"]]
    assert get(ask + '{"colour":["red"]}').status_code == 400


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"started_at": 7205}, "Up 2 hours"),
        ({"started_at": 300, "health": "unhealthy"}, "Up 5 minutes (unhealthy)"),
        ({"started_at": 90, "health": "starting"}, "Up About a minute (health: starting)"),
        ({"state": "paused", "started_at": 4 * 86_400}, "Up 4 days (Paused)"),
        ({"state": "exited", "exit_code": 137, "finished_at": 300}, "Exited (137) 5 minutes ago"),
        ({"state": "restarting", "exit_code": 1}, "Restarting (1) Less than a second ago"),
        ({"state": "created"}, "Created"),
        ({"state": "removing"}, "Removal In Progress"),
        ({"state": "dead"}, "Dead"),
    ],
)
def test_the_status_is_worded_as_by_a_real_daemon(
    get: Get, engine: Engine, fields: dict[str, Any], status: str
) -> None:
    now = time.time()
    engine.add("web", **{key: now - value if key.endswith("_at") else value for key, value in fields.items()})
    assert only_item(get)["Status"] == status


def test_the_status_ages_though_the_listing_is_cached(get: Get, engine: Engine) -> None:
    engine.add("web", started_at=time.time() - 2.8)
    before = only_item(get)["Status"]
    eventually(lambda: only_item(get)["Status"] != before, what="another age")


@pytest.mark.parametrize(("api_version", "present"), [("1.51", False), ("1.52", True)])
def test_health_is_an_object_of_its_own_from_1_52_on(server: Server, api_version: str, present: bool) -> None:
    engine = Engine(api_version=api_version)
    engine.set_health(engine.add("web"), "unhealthy")
    item = requests.get(server.serve(engine).replace("tcp", "http") + LISTING, timeout=WAIT_SECONDS).json()[0]
    assert item.get("Health") == ({"Status": "unhealthy", "FailingStreak": 1} if present else None)
    assert ("ImageManifestDescriptor" in item) is present


def test_a_container_without_health_check_has_health_none_from_1_52_on(server: Server) -> None:
    engine = Engine(api_version="1.52")
    engine.add("web")
    item = requests.get(server.serve(engine).replace("tcp", "http") + LISTING, timeout=WAIT_SECONDS).json()[0]
    assert item["Health"] == {"Status": "none", "FailingStreak": 0}


def test_every_change_is_in_the_next_listing(get: Get, engine: Engine) -> None:
    container_id = engine.add("web")
    seen = []
    for change in (engine.pause, engine.unpause, engine.die, engine.start, engine.stop, engine.restart):
        change(container_id)
        seen.append(only_item(get)["State"])
    assert seen == ["paused", "running", "exited", "running", "exited", "running"]
    engine.rename(container_id, "other")
    assert only_item(get)["Names"] == ["/other"]
    engine.destroy(container_id)
    assert get(LISTING).json() == []


def test_an_item_can_be_replaced_by_anything(get: Get, engine: Engine) -> None:
    engine.add("good")
    engine.replace_item(engine.add("bad"), b'{"Id": null}')
    assert [item["Id"] for item in get(LISTING).json()] == [None, next(iter(engine.containers))]


def test_a_cleared_engine_has_no_containers(get: Get, engine: Engine) -> None:
    engine.add("web")
    engine.clear()
    assert (get(LISTING).json(), dict(engine.containers)) == ([], {})


def test_an_id_can_be_given_but_not_twice(engine: Engine) -> None:
    assert engine.add(id="a" * 64) == "a" * 64
    with pytest.raises(ValueError, match="already in use"):
        engine.add(id="a" * 64)


def test_an_inspection_tells_how_a_container_ended(get: Get, engine: Engine) -> None:
    container_id = engine.add("web", labels={"a": "b"})
    engine.die(container_id, 137, oom=True)
    document = get(f"/containers/{container_id[:12]}/json").json()
    state = document["State"]
    assert (document["Name"], document["Config"]["Labels"]) == ("/web", {"a": "b"})
    assert (state["Status"], state["OOMKilled"], state["ExitCode"]) == ("exited", True, 137)


def test_an_unknown_container_is_not_found(get: Get) -> None:
    answer = get("/containers/x/json")
    assert (answer.status_code, answer.json()) == (404, {"message": "No such container: x"})


def test_a_version_too_old_is_refused_in_dockers_words(server: Server) -> None:
    url = server.serve(Engine(api_version="1.52", min_api_version="1.44")).replace("tcp", "http")
    answer = requests.get(f"{url}/v1.20/info", timeout=WAIT_SECONDS)
    assert (answer.status_code, answer.json()["message"]) == (
        400,
        (
            "client version 1.20 is too old. Minimum supported API version is 1.44, "
            "please upgrade your client to a newer version"
        ),
    )


def test_a_version_too_new_is_refused(get: Get) -> None:
    assert "too new. Maximum supported API version is 1.41" in get("/v1.52/info").json()["message"]


@pytest.mark.parametrize("api_version", ["1.41", "1.44", "1.52"])
def test_the_sdk_negotiates_and_lists(server: Server, api_version: str, tmp_path: Path) -> None:
    engine = Engine(api_version=api_version)
    container_id = engine.add("web")
    address = server.serve(engine, socket=tmp_path / "docker.sock")
    with contextlib.closing(docker.APIClient(address, version="auto", timeout=int(WAIT_SECONDS))) as client:
        assert client.containers(all=True)[0]["Id"] == container_id


def test_the_sdk_pings_and_inspects(client: docker.APIClient, engine: Engine) -> None:
    assert client.ping()
    assert client.inspect_container(engine.add("web"))["State"]["Running"]
    with pytest.raises(docker.errors.NotFound):
        client.inspect_container("nothing")


def test_the_sdk_follows_events(client: docker.APIClient, engine: Engine) -> None:
    events = client.events(decode=True, filters={"type": "container"})
    engine.add("web")
    assert actions(events, 2) == ["create", "start"]
    events.close()
