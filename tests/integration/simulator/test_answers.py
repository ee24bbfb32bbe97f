import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import docker
import pytest
import requests

from simulator import EVERYTHING, INSPECTS, Engine, Failure, Fleet, Server, populate
from tests.waiting import WAIT_SECONDS, eventually

LISTING = "/containers/json?all=1"


Get = Callable[..., requests.Response]
Events = Iterator[dict[str, Any]]
Watch = Callable[..., Events]


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def url(server: Server, engine: Engine) -> str:
    return server.serve(engine)


@pytest.fixture
def get(url: str) -> Iterator[Get]:
    with requests.Session() as session:
        yield lambda path, timeout=WAIT_SECONDS: session.get(url.replace("tcp", "http") + path, timeout=timeout)


@pytest.fixture
def client(url: str) -> Iterator[docker.APIClient]:
    with contextlib.closing(docker.APIClient(url, version="auto", timeout=int(WAIT_SECONDS))) as client:
        yield client


@pytest.fixture
def watch(url: str, engine: Engine) -> Iterator[Watch]:
    """Yield the decoded events of a stream until it ends."""
    with requests.Session() as session:

        def open_stream(**filters: list[str]) -> Events:
            answer = session.get(
                url.replace("tcp", "http") + "/events",
                params={"filters": json.dumps(filters)} if filters else {},
                stream=True,
                timeout=WAIT_SECONDS,
            )
            return (json.loads(line) for line in answer.iter_lines(chunk_size=None))

        yield open_stream
        engine.drop_streams()


def actions(events: Events, count: int) -> list[str]:
    return [next(events)["Action"] for _ in range(count)]


def only_item(get: Get) -> dict[str, Any]:
    (item,) = get(LISTING).json()
    return dict(item)


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


def test_events_come_in_the_order_of_a_real_daemon(watch: Watch, engine: Engine) -> None:
    events = watch(type=["container"])
    container_id = engine.add("web")
    engine.restart(container_id)
    engine.die(container_id, oom=True)
    engine.start(container_id)
    engine.destroy(container_id)
    assert actions(events, 13) == [
        *("create", "start", "kill", "die", "stop", "start", "restart"),
        *("oom", "die", "start", "kill", "die", "destroy"),
    ]


def test_events_carry_times_that_only_grow(watch: Watch, engine: Engine) -> None:
    events = watch()
    engine.restart(engine.add("web"))
    times = [next(events)["timeNano"] for _ in range(7)]
    assert times == sorted(set(times))


def test_an_event_describes_its_container(watch: Watch, engine: Engine) -> None:
    events = watch()
    container_id = engine.add("web", labels={"a": "b"}, image="nginx:1")
    engine.die(container_id, 3)
    event = [next(events) for _ in range(3)][-1]
    assert event["Actor"] == {
        "ID": container_id,
        "Attributes": {"a": "b", "image": "nginx:1", "name": "web", "exitCode": "3"},
    }
    assert [event[key] for key in ("status", "id", "from", "Type")] == ["die", container_id, "nginx:1", "container"]


def test_an_event_has_no_legacy_fields_from_1_52_on(server: Server) -> None:
    engine = Engine(api_version="1.52")
    address = server.serve(engine).replace("tcp", "http")
    with requests.get(f"{address}/events", stream=True, timeout=WAIT_SECONDS) as answer:
        engine.add("web")
        event = json.loads(next(answer.iter_lines(chunk_size=None)))
    assert {"status", "id", "from"}.isdisjoint(event)
    assert event["Action"] == "create"


def test_podman_says_died(server: Server) -> None:
    engine = Engine(podman=True)
    address = server.serve(engine).replace("tcp", "http")
    container_id = engine.add("web")
    with requests.get(f"{address}/events", stream=True, timeout=WAIT_SECONDS) as answer:
        engine.die(container_id)
        assert json.loads(next(answer.iter_lines(chunk_size=None)))["Action"] == "died"


def test_health_and_its_probes_are_told(watch: Watch, engine: Engine) -> None:
    container_id = engine.add("web")
    events = watch()
    engine.exec_probe(container_id, "true")
    engine.set_health(container_id, "unhealthy")
    assert actions(events, 4) == ["exec_create: true", "exec_start: true", "exec_die", "health_status: unhealthy"]


def test_a_change_is_listed_before_its_event_is_out(watch: Watch, engine: Engine, get: Get) -> None:
    events = watch()
    container_id = engine.add("web")
    engine.die(container_id)
    actions(events, 3)
    assert only_item(get)["State"] == "exited"


def test_a_stream_carries_only_what_its_filters_want(watch: Watch, engine: Engine) -> None:
    events = watch(type=["container"], event=["die", "health_status"])
    container_id = engine.add("web")
    engine.set_health(container_id, "healthy")
    engine.die(container_id)
    assert actions(events, 2) == ["health_status: healthy", "die"]


def test_an_unknown_filter_is_refused(get: Get) -> None:
    assert get('/events?filters={"colour":["red"]}').status_code == 400


def test_amending_a_container_tells_nobody(watch: Watch, engine: Engine, get: Get) -> None:
    container_id = engine.add("web")
    events = watch()
    engine.amend(container_id, state="exited")
    engine.start(container_id)
    assert actions(events, 1) == ["start"]


def test_a_refused_connection_is_closed_without_a_word(get: Get, engine: Engine) -> None:
    engine.fail(Failure.REFUSED, times=1)
    with pytest.raises(requests.ConnectionError):
        get("/_ping")
    assert engine.requests == []
    assert get("/_ping").ok


def test_a_connection_kept_alive_is_refused_at_its_next_request(get: Get, engine: Engine) -> None:
    get("/_ping")
    engine.fail(Failure.REFUSED)
    with pytest.raises(requests.ConnectionError):
        get("/_ping")


def test_a_hanging_engine_says_nothing(get: Get, engine: Engine) -> None:
    engine.fail(Failure.HANG)
    with pytest.raises(requests.ReadTimeout):
        get(LISTING, timeout=0.1)


def test_a_request_that_hung_is_answered_when_the_engine_heals(url: str, engine: Engine) -> None:
    engine.fail(Failure.HANG)
    connection = http.client.HTTPConnection(url.removeprefix("tcp://"), timeout=WAIT_SECONDS)
    with contextlib.closing(connection):
        connection.request("GET", LISTING)
        eventually(lambda: engine.requests)
        engine.heal()
        assert connection.getresponse().read() == b"[]\n"


def test_an_error_has_status_and_message(get: Get, engine: Engine) -> None:
    engine.fail(Failure.ERROR, status=503, message="no disk")
    answer = get(LISTING)
    assert (answer.status_code, answer.json()) == (503, {"message": "no disk"})


@pytest.mark.parametrize("failure", [Failure.TRUNCATED, Failure.TRUNCATED_CHUNKED])
def test_a_truncated_body_breaks_off(get: Get, engine: Engine, failure: Failure) -> None:
    engine.add("web")
    engine.fail(failure)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        get(LISTING)


def test_a_body_that_is_no_json_comes_with_200(get: Get, engine: Engine) -> None:
    engine.fail(Failure.NOT_JSON)
    answer = get(LISTING)
    assert (answer.status_code, answer.text[:6]) == (200, "<html>")


@pytest.mark.parametrize("body", [b"null", b"{}"])
def test_a_body_that_is_no_list_comes_with_200(get: Get, engine: Engine, body: bytes) -> None:
    engine.fail(Failure.NOT_A_LIST, body=body)
    answer = get(LISTING)
    assert (answer.status_code, answer.content) == (200, body)


def test_a_dripping_body_outlasts_a_read_timeout(url: str, engine: Engine) -> None:
    engine.fail(Failure.DRIP, every=0.02)
    host, port = url.removeprefix("tcp://").split(":")
    with socket.create_connection((host, int(port)), timeout=WAIT_SECONDS) as connection:
        connection.sendall(b"GET /containers/json HTTP/1.1\r\n\r\n")
        began = time.monotonic()
        while time.monotonic() < began + 0.4:
            assert connection.recv(4096)
        engine.heal()
        with contextlib.suppress(ConnectionError):
            while connection.recv(4096):
                pass


def test_a_slow_answer_is_right(get: Get, engine: Engine) -> None:
    engine.add("web")
    engine.fail(Failure.SLOW, seconds=0.1)
    began = time.monotonic()
    assert only_item(get)["Names"] == ["/web"]
    assert time.monotonic() - began >= 0.1


def test_an_empty_answer_is_a_lie(get: Get, engine: Engine) -> None:
    engine.add("web")
    engine.fail(Failure.EMPTY, times=1)
    assert [len(get(LISTING).json()) for _ in range(2)] == [0, 1]


def test_a_version_can_be_refused_at_will(get: Get, engine: Engine) -> None:
    engine.fail(Failure.VERSION)
    answer = get("/v1.41" + LISTING)
    assert (answer.status_code, answer.json()["message"].split(",")[0]) == (
        400,
        "client version 1.41 is too old. Minimum supported API version is 1.44",
    )


def test_random_errors_hit_the_same_requests_each_time(get: Get, engine: Engine) -> None:
    def statuses() -> list[int]:
        engine.heal()
        engine.fail(Failure.RANDOM_ERROR, rate=0.3, seed=7)
        return [get(LISTING).status_code for _ in range(50)]

    first = statuses()
    assert first == statuses()
    assert 5 < first.count(500) < 25


def test_inspects_can_fail_alone(get: Get, engine: Engine) -> None:
    container_id = engine.add("web")
    engine.fail(Failure.ERROR, path=INSPECTS)
    assert get(f"/v1.41/containers/{container_id}/json").status_code == 500
    assert get(LISTING).ok
    assert get("/v1.41" + LISTING).ok


def test_inspects_fail_at_random(get: Get, engine: Engine) -> None:
    container_id = engine.add("web")
    engine.fail(Failure.RANDOM_ERROR, path=INSPECTS, rate=0.3)
    statuses = [get(f"/containers/{container_id}/json").status_code for _ in range(50)]
    assert 5 < statuses.count(500) < 25
    assert statuses.count(200) == 50 - statuses.count(500)


def test_inspects_hang_alone(get: Get, engine: Engine) -> None:
    container_id = engine.add("web")
    engine.fail(Failure.HANG, path=INSPECTS)
    with pytest.raises(requests.ReadTimeout):
        get(f"/containers/{container_id}/json", timeout=0.1)
    assert get(LISTING).ok


def test_everything_can_hang(get: Get, engine: Engine) -> None:
    engine.fail(Failure.HANG, path=EVERYTHING)
    for path in ("/version", "/_ping", LISTING):
        with pytest.raises(requests.ReadTimeout):
            get(path, timeout=0.1)


def test_the_latest_failure_comes_first_and_healing_lifts_all(get: Get, engine: Engine) -> None:
    engine.fail(Failure.ERROR, status=500)
    engine.fail(Failure.ERROR, status=503, times=1)
    assert [get(LISTING).status_code for _ in range(2)] == [503, 500]
    engine.heal()
    assert get(LISTING).ok


def test_a_silent_stream_stays_open_and_says_nothing(watch: Watch, engine: Engine) -> None:
    events = watch()
    engine.fail(Failure.SILENT)
    engine.add("unheard")
    late = watch()
    engine.heal()
    engine.add("heard")
    for stream in (events, late):
        assert next(stream)["Actor"]["Attributes"]["name"] == "heard"


def test_skipped_events_are_lost(watch: Watch, engine: Engine) -> None:
    events = watch()
    engine.fail(Failure.SKIP, times=1)
    engine.add("web")
    assert actions(events, 1) == ["start"]


def test_streams_can_be_made_to_end_at_once(watch: Watch, engine: Engine) -> None:
    before = watch()
    engine.fail(Failure.ENDS)
    assert [list(before), list(watch()), list(watch())] == [[], [], []]


def test_garbage_is_no_json(watch: Watch, engine: Engine) -> None:
    before = watch()
    engine.fail(Failure.GARBAGE)
    for stream in (before, watch()):
        with pytest.raises(ValueError, match="Expecting value"):
            next(stream)


def test_raw_bytes_reach_every_stream(watch: Watch, engine: Engine) -> None:
    events = watch(event=["die"])
    engine.emit_raw(b'{"Action": "invented"}\n')
    assert actions(events, 1) == ["invented"]


def test_dropped_streams_break_off(watch: Watch, engine: Engine) -> None:
    events = watch()
    assert engine.open_streams == 1
    engine.drop_streams()
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        next(events)
    assert engine.open_streams == 0


def test_a_client_that_leaves_is_counted_out(url: str, engine: Engine) -> None:
    with requests.get(url.replace("tcp", "http") + "/events", stream=True, timeout=WAIT_SECONDS):
        assert engine.open_streams == 1
    eventually(lambda: engine.open_streams == 0)


def test_a_closed_engine_refuses_and_comes_back_at_its_address(
    server: Server, engine: Engine, url: str, watch: Watch
) -> None:
    events = watch()
    server.close(engine)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        next(events)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])))
    assert server.serve(engine) == url
    assert requests.get(url.replace("tcp", "http") + "/_ping", timeout=WAIT_SECONDS).ok


def test_a_socket_goes_with_its_engine(server: Server, engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    assert server.serve(engine, socket=path) == f"unix://{path}"
    server.close(engine)
    assert not path.exists()
    server.serve(engine)
    assert path.is_socket()


def test_an_engine_is_served_once(server: Server, engine: Engine, url: str) -> None:
    with pytest.raises(ValueError, match="already served"):
        server.serve(engine)


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_a_thousand_engines_answer_from_one_process(tmp_path: Path, kind: str) -> None:
    with Server() as server, contextlib.ExitStack() as open_connections:
        for number in range(1000):
            engine = Engine()
            engine.add(f"web-{number}")
            url = server.serve(engine, socket=tmp_path / f"{number}.sock" if kind == "unix" else None)
            connection = open_connections.enter_context(connect(url))
            connection.sendall(b"GET /containers/json HTTP/1.1\r\n\r\n")
            assert f"/web-{number}".encode() in connection.recv(4096)
    assert list(tmp_path.iterdir()) == []


def connect(url: str) -> socket.socket:
    if url.startswith("tcp"):
        return socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=WAIT_SECONDS)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(WAIT_SECONDS)
    connection.connect(url.removeprefix("unix://"))
    return connection


def row_id(labels: Mapping[str, str], rows: dict[str, list[dict[str, Any]]]) -> str:
    """Return the row id that docs/labels.md gives a container on the host `local`; fail if a join finds nothing."""
    workloads = {(row["kind"], row["ref_id"]): row["id"] for row in rows["workloads"]}
    if workload := labels.get("tinyforge.workload.id"):
        assert workload in workloads.values()
        return f"{workload}:{labels['tinyforge.role']}"
    if instance := labels.get("tinyforge.instance-id"):
        (project,) = [row["project_id"] for row in rows["instances"] if row["id"] == instance]
        assert ("project", project) in workloads
        return instance
    if site := labels.get("tinyforge.static-site"):
        return f"{workloads['site', site]}:site"
    (stack,) = [
        row["id"] for row in rows["stacks"] if row["compose_project_name"] == labels["com.docker.compose.project"]
    ]
    return f"{workloads['stack', stack]}:{labels['com.docker.compose.service']}"


def test_every_populated_container_has_a_row_of_its_own(engine: Engine) -> None:
    rows = populate(engine, 1003)
    assert len({row_id(container.labels, rows) for container in engine.containers.values()}) == 1003


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("workloads", ["id"]),
        ("workloads", ["kind", "ref_id"]),
        ("instances", ["id"]),
        ("stacks", ["id"]),
        ("stacks", ["compose_project_name"]),
    ],
)
def test_populations_of_different_seeds_share_nothing(table: str, columns: list[str]) -> None:
    rows = [row for seed in (1, 11) for row in populate(Engine(), 200, seed)[table]]
    assert len({tuple(row[column] for column in columns) for row in rows}) == len(rows)


def test_a_population_is_the_same_each_time() -> None:
    one, other = Engine(), Engine()
    assert populate(one, 50, 3) == populate(other, 50, 3)
    assert list(one.containers) == list(other.containers)


def test_a_large_population_is_quick(engine: Engine) -> None:
    began = time.process_time()
    populate(engine, 10_000)
    assert time.process_time() - began < 3


def test_an_unchanged_listing_costs_nothing(engine: Engine) -> None:
    populate(engine, 10_000)
    first = engine.world.listing(everything=True, filters={})
    assert engine.world.listing(everything=True, filters={}) is first


@pytest.fixture
def fleet() -> Fleet:
    return Fleet(10, 20)


def running(states: Sequence[dict[str, str]]) -> set[str]:
    return {container_id for engine in states for container_id, state in engine.items() if state == "running"}


def test_a_fleets_engines_share_no_container(fleet: Fleet) -> None:
    assert len({container_id for engine in fleet.states() for container_id in engine}) == 200


def test_a_fleet_is_the_same_each_time(fleet: Fleet) -> None:
    assert fleet.change(0.1) == Fleet(10, 20).change(0.1)


def test_a_fleet_lists_what_it_has_changed(server: Server, fleet: Fleet) -> None:
    url = server.serve(fleet.engines[3]).replace("tcp", "http") + LISTING
    before = {item["Id"]: item["State"] for item in requests.get(url, timeout=WAIT_SECONDS).json()}
    changed = fleet.change(0.1)[3]
    after = {item["Id"]: item["State"] for item in requests.get(url, timeout=WAIT_SECONDS).json()}
    assert after == fleet.states()[3]
    assert sorted(changed) == sorted(each for each in before if before[each] != after[each])
    assert len(changed) == 2


def test_a_fleet_changes_the_same_share_of_every_engine(fleet: Fleet) -> None:
    before = fleet.states()
    changed = fleet.change(0.1)
    assert [len(ids) for ids in changed] == [2] * 10
    assert running(before) ^ running(fleet.states()) == {each for ids in changed for each in ids}


def test_a_share_of_a_fleet_can_hang(server: Server, fleet: Fleet) -> None:
    assert fleet.hang(0.2) == [2, 7]
    urls = [server.serve(engine).replace("tcp", "http") for engine in fleet.engines]
    for number, url in enumerate(urls):
        if number in {2, 7}:
            with pytest.raises(requests.ReadTimeout):
                requests.get(f"{url}/version", timeout=0.1)
        else:
            assert requests.get(f"{url}/version", timeout=WAIT_SECONDS).ok
    fleet.heal()
    assert requests.get(f"{urls[7]}/version", timeout=WAIT_SECONDS).ok


def test_a_large_fleet_is_quick() -> None:
    began = time.process_time()
    Fleet(200, 100)
    assert time.process_time() - began < 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_serves_until_told_to_end(tmp_path: Path, number: signal.Signals) -> None:
    path, ready = tmp_path / "docker.sock", tmp_path / "ready"
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "simulator",
        "--socket",
        path,
        "--sample",
        "--containers",
        "8",
        "--ready-file",
        ready,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]) as process:
        assert process.stdout is not None
        assert f"13 containers ready at unix://{path}".encode() in process.stdout.readline()
        eventually(ready.exists)
        with contextlib.closing(docker.APIClient(f"unix://{path}", version="auto")) as client:
            assert len(client.containers(all=True)) == 13
        os.kill(process.pid, number)
        assert process.wait(WAIT_SECONDS) == 0
    assert not path.exists()
