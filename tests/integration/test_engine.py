"""The Engine's adapter with a simulated daemon that fails in every way, and what a pass makes of that."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.observation import Reason
from reconciler.core.report import Report, Trigger
from reconciler.engine import Engine as Client
from reconciler.exceptions import EngineUnavailable
from reconciler.models import Container, Host
from reconciler.reconcile import reconcile
from simulator import Engine, Failure, Server
from tests.builders import workload
from tests.waiting import within

TIMEOUT_SECONDS = 1.0


@pytest.fixture
def daemon() -> Engine:
    return Engine()


@pytest.fixture
def client(simulator: Server, daemon: Engine) -> Client:
    return client_of(simulator.serve(daemon))


def client_of(url: str) -> Client:
    return Client(host="local", url=url, timeout_seconds=TIMEOUT_SECONDS)


def failure_of(client: Client) -> EngineUnavailable:
    with pytest.raises(EngineUnavailable) as caught:
        client.listing()
    return caught.value


def look(client: Client) -> Report:
    return reconcile(Host.objects.get_or_create(name="local")[0], client, trigger=Trigger.MANUAL)


def add(daemon: Engine, role: str, **fields: Any) -> str:
    return daemon.add(role, labels=workload("shop", role=role), **fields)


def rows() -> list[dict[str, Any]]:
    return [dict(row) for row in Container.objects.order_by("id").values()]


def states() -> dict[str, str]:
    return dict(Container.objects.values_list("role", "state"))


# no answer is not an empty answer

FAILURES: dict[str, tuple[tuple[Failure, str | None, dict[str, Any]], str]] = {
    "cut": ((Failure.REFUSED, "/containers/json", {}), ""),
    "hang": ((Failure.HANG, None, {}), "sent nothing for 1 s"),
    "hang-version": ((Failure.HANG, "/version", {}), "sent nothing for 1 s"),
    "http-400": ((Failure.ERROR, None, {"status": 400}), "answered HTTP 400: simulated failure"),
    "http-404": ((Failure.ERROR, None, {"status": 404}), "answered HTTP 404: simulated failure"),
    "http-500": ((Failure.ERROR, None, {"status": 500}), "answered HTTP 500: simulated failure"),
    "http-503": ((Failure.ERROR, None, {"status": 503}), "answered HTTP 503: simulated failure"),
    "http-204": ((Failure.ERROR, None, {"status": 204}), "answered HTTP 204"),
    "http-500-version": ((Failure.ERROR, "/version", {}), "answered HTTP 500: simulated failure"),
    "truncated": ((Failure.TRUNCATED, None, {}), "broke off its answer"),
    "truncated-version": ((Failure.TRUNCATED, "/version", {}), "broke off its answer"),
    "truncated-chunked": ((Failure.TRUNCATED_CHUNKED, None, {}), "broke off its answer"),
    "not-json": ((Failure.NOT_JSON, None, {}), "answered with something that is not JSON"),
    "not-json-version": ((Failure.NOT_JSON, "/version", {}), "answered /version with something unusable"),
    "object": ((Failure.NOT_A_LIST, None, {}), "answered with something that is not a list"),
    "null": ((Failure.NOT_A_LIST, None, {"body": b"null"}), "answered with something that is not a list"),
    "string": ((Failure.NOT_A_LIST, None, {"body": b'"[]"'}), "answered with something that is not a list"),
    "nothing": ((Failure.NOT_A_LIST, None, {"body": b""}), "answered with something that is not JSON"),
    "half-a-list": ((Failure.NOT_A_LIST, None, {"body": b'[{"Id": "a"},'}), "answered with something that is not JSON"),
    "two-lists": ((Failure.NOT_A_LIST, None, {"body": b"[][]"}), "answered with something that is not JSON"),
    "drip": ((Failure.DRIP, None, {"every": 0.1}), "did not finish its answer within 3 s"),
    "version-refused": ((Failure.VERSION, None, {}), "answered HTTP 400: client version 1.41 is too old"),
}


@pytest.fixture(params=FAILURES)
def failing(request: pytest.FixtureRequest, daemon: Engine, client: Client) -> tuple[Client, str]:
    """An Engine whose daemon fails in one of the possible ways, and the reason that is expected."""
    (failure, path, params), reason = FAILURES[request.param]
    add(daemon, "web")
    daemon.fail(failure, path, **params)
    return client, reason


def test_every_failure_is_one_error_that_names_host_address_and_reason(failing: tuple[Client, str]) -> None:
    """I1."""
    client, reason = failing
    error = failure_of(client)
    assert str(error).startswith(f"host local: the Engine at {client.url} {reason}")
    assert error.reason.startswith(reason)
    assert error.reason


def test_a_failure_that_lasts_reads_the_same_each_time(failing: tuple[Client, str]) -> None:
    client, _ = failing
    assert str(failure_of(client)) == str(failure_of(client))


def test_a_connection_cut_early_or_late_reads_the_same(daemon: Engine, client: Client) -> None:
    """Whether the request was already sent is chance; it must not look like a new error."""
    daemon.fail(Failure.REFUSED)
    assert len({str(failure_of(client)) for _ in range(30)}) == 1


@pytest.mark.django_db
def test_no_failure_changes_any_row(failing: tuple[Client, str]) -> None:
    """I1."""
    client, reason = failing
    Container.objects.create(id="shop:web", workload_id="shop", container_id="gone", state="running")
    before = rows()
    report = look(client)
    assert (report.outcome, rows()) == ("failed", before)
    assert Host.objects.get(name="local").last_error.startswith(reason)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("unix:///nowhere/docker.sock", "cannot be reached: no such file or directory"),
        ("tcp://127.0.0.1:1", "cannot be reached: connection refused"),
        ("tcp://no-such-host.invalid:2375", ""),
        ("tcp://127.0.0.1:99999", ""),
        ("tcp://", ""),
        ("gopher://somewhere", ""),
        ("", ""),
        ("nonsense", ""),
    ],
)
def test_an_address_where_nobody_is_gives_the_same_error(url: str, reason: str) -> None:
    """I1."""
    error = failure_of(client_of(url))
    assert error.reason.startswith(reason)
    assert str(error) == str(failure_of(client_of(url)))


def test_a_socket_that_goes_away_is_a_failure(simulator: Server, daemon: Engine, tmp_path: Path) -> None:
    """I1."""
    client = client_of(simulator.serve(daemon, socket=tmp_path / "docker.sock"))
    client.listing()
    simulator.close(daemon)
    assert failure_of(client).reason == "cannot be reached: no such file or directory"


def test_a_daemon_that_goes_away_is_a_failure(simulator: Server, daemon: Engine, client: Client) -> None:
    """I1."""
    client.listing()
    simulator.close(daemon)
    assert failure_of(client).reason == "cannot be reached: connection refused"


def test_a_daemon_that_drips_is_left_after_three_timeouts(daemon: Engine, client: Client) -> None:
    """I19."""
    client.listing()
    daemon.fail(Failure.DRIP, every=0.05)
    with within(3 * TIMEOUT_SECONDS):
        failure_of(client)


def test_a_redirect_is_not_followed(daemon: Engine, client: Client) -> None:
    daemon.fail(Failure.ERROR, status=302)
    assert failure_of(client).reason.startswith("answered HTTP 302")


# what looks wrong and is right


def test_an_answer_that_is_slow_but_right_is_accepted(daemon: Engine, client: Client) -> None:
    container_id = add(daemon, "web")
    daemon.fail(Failure.SLOW, seconds=0.2 * TIMEOUT_SECONDS)
    assert client.listing().listed_ids == {container_id}


@pytest.fixture
def slow_body_url() -> Iterator[str]:
    """A daemon that sends a right body in pieces: the whole takes longer than a timeout, no single piece does."""
    body = json.dumps([{"Id": "a" * 64, "State": "running"}]).encode()

    def serve(listener: socket.socket) -> None:
        with closing(listener.accept()[0]) as connection:
            for answer in (b'{"ApiVersion": "1.41"}', body):
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer))
                for start in range(0, len(answer), 12):
                    connection.sendall(answer[start : start + 12])
                    time.sleep(TIMEOUT_SECONDS / 4)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=[listener])
        thread.start()
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


def test_a_body_that_is_slow_but_right_is_accepted(slow_body_url: str) -> None:
    started = time.monotonic()
    assert client_of(slow_body_url).listing().listed_ids == {"a" * 64}
    assert time.monotonic() - started > TIMEOUT_SECONDS


def test_a_daemon_without_containers_is_an_empty_answer(client: Client) -> None:
    """I1."""
    assert client.listing().size == 0


def test_a_listing_holds_what_does_not_run(daemon: Engine, client: Client) -> None:
    for state in ("running", "exited", "created", "paused", "dead"):
        daemon.add(state, state=state)
    assert {o.name: o.state for o in client.listing().observations} == {
        "running": "running",
        "exited": "stopped",
        "created": "created",
        "paused": "paused",
        "dead": "stopped",
    }


def test_an_observation_is_the_container_in_our_own_terms(daemon: Engine, client: Client) -> None:
    ports = [(443, "tcp"), (80, "tcp", 8080), (53, "udp")]
    container_id = daemon.add("web", labels={"a": "b"}, image="app:1", ports=ports, created=1_700_000_000)
    (seen,) = client.listing().observations
    assert (seen.container_id, seen.name, seen.image, seen.labels) == (container_id, "web", "app:1", {"a": "b"})
    assert (seen.state, seen.port, seen.created) == ("running", 80, 1_700_000_000)


@pytest.mark.django_db
def test_a_daemon_that_heals_is_believed_again(daemon: Engine, client: Client) -> None:
    add(daemon, "web")
    daemon.fail(Failure.ERROR)
    assert look(client).outcome == "failed"
    daemon.heal()
    assert (look(client).outcome, states()) == ("applied", {"web": "running"})


# the API version


@pytest.mark.parametrize(
    ("version", "oldest"), [("1.41", "1.12"), ("1.44", "1.24"), ("1.52", "1.44"), ("1.60", "1.60")]
)
def test_the_version_is_the_daemons(simulator: Server, version: str, oldest: str) -> None:
    daemon = Engine(api_version=version, min_api_version=oldest)
    add(daemon, "web")
    assert client_of(simulator.serve(daemon)).listing().size == 1


@pytest.mark.parametrize(("before", "after"), [("1.41", "1.52"), ("1.52", "1.41")])
def test_the_version_is_asked_for_anew_after_an_error(simulator: Server, before: str, after: str) -> None:
    """A daemon that was upgraded, or downgraded, behind the same address."""
    old, new = Engine(api_version=before), Engine(api_version=after, min_api_version=after)
    client = client_of(simulator.serve(old))
    client.listing()
    simulator.close(old)
    failure_of(client)
    simulator.serve(new, port=int(client.url.rpartition(":")[2]))
    add(new, "web")
    assert client.listing().size == 1


def test_a_daemon_that_came_back_newer_is_refused_once_at_most(simulator: Server) -> None:
    """Nobody looked while the daemon was away, so its refusal makes the next pass ask for the version again."""
    old, new = Engine(api_version="1.41"), Engine(api_version="1.52", min_api_version="1.44")
    client = client_of(simulator.serve(old))
    client.listing()
    simulator.close(old)
    simulator.serve(new, port=int(client.url.rpartition(":")[2]))
    assert "too old" in failure_of(client).reason
    assert client.listing().size == 0


# one malformed item is one refused container

GOOD = {"Names": ["/bad"], "Image": "app:1", "Labels": workload("shop", role="bad"), "State": "running", "Ports": []}


def item(**fields: Any) -> str:
    return json.dumps({"Id": "ID", **GOOD, **fields})


MALFORMED = {
    "names-text": item(Names="/bad"),
    "names-of-numbers": item(Names=[1]),
    "labels-list": item(Labels=["a"]),
    "labels-of-numbers": item(Labels={"a": 1}),
    "ports-text": item(Ports="80"),
    "port-text": item(Ports=[{"PrivatePort": "80", "Type": "tcp"}]),
    "port-too-high": item(Ports=[{"PrivatePort": 65_536, "Type": "tcp"}]),
    "port-negative": item(Ports=[{"PrivatePort": -1, "Type": "tcp"}]),
    "port-huge": item(Ports=[{"PrivatePort": 10**30, "Type": "tcp"}]),
    "created-text": item(Created="yesterday"),
    "image-null": item(Image=None),
    "image-overlong": item(Image="i" * 513),
    "image-nul": item(Image="nul\0"),
    "state-null": item(State=None),
    "state-missing": json.dumps({"Id": "ID", "Names": ["/bad"], "Labels": GOOD["Labels"]}),
    "state-empty": item(State=""),
    "state-object": item(State={"Status": "running"}),
    "state-overlong": item(State="s" * 33),
    "state-nul": item(State="running\0"),
    "state-longer-in-lower-case": item(State="\u0130" * 32),
    "lone-surrogate": item(Image="SURROGATE").replace("SURROGATE", "\\ud800"),
}
NO_ID = {
    "id-missing": json.dumps(GOOD),
    "id-null": item(Id=None),
    "id-number": item(Id=1),
    "id-empty": item(Id=""),
    "id-list": item(Id=["a"]),
    "item-null": "null",
    "item-text": '"container"',
    "item-number": "1",
    "item-list": "[]",
    "item-empty": "{}",
}


def spoil(daemon: Engine, client: Client, raw: bytes) -> Report:
    """Make a pass over three good containers, then spoil one, remove one and make the next pass."""
    bad, gone, _ = [add(daemon, role) for role in ("bad", "gone", "good")]
    assert look(client).created == 3
    daemon.destroy(gone)
    daemon.replace_item(bad, raw.replace(b'"ID"', f'"{bad}"'.encode()))
    return look(client)


@pytest.mark.django_db
@pytest.mark.parametrize("raw", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_item_is_refused_keeps_its_row_and_hides_no_other(daemon: Engine, client: Client, raw: str) -> None:
    """I3, I8."""
    report = spoil(daemon, client, raw.encode())
    assert (report.outcome, [skip.reason for skip in report.skips]) == ("applied", [Reason.MALFORMED])
    assert states() == {"bad": "running", "gone": "missing", "good": "running"}


@pytest.mark.django_db
@pytest.mark.parametrize("raw", NO_ID.values(), ids=NO_ID)
def test_an_item_without_a_readable_id_withholds_the_sweep_alone(daemon: Engine, client: Client, raw: str) -> None:
    """I3: the item could be any container."""
    report = spoil(daemon, client, raw.encode())
    assert (report.outcome, report.unchanged, [skip.reason for skip in report.skips]) == ("applied", 1, ["malformed"])
    assert set(states().values()) == {"running"}


@pytest.mark.django_db
@pytest.mark.parametrize("raw", [item(Id="i" * 65), item(Id="nul\0")])
def test_an_id_that_cannot_be_stored_is_refused_and_hides_no_other(daemon: Engine, client: Client, raw: str) -> None:
    """I8."""
    report = spoil(daemon, client, raw.encode())
    assert (report.outcome, report.unchanged, [skip.reason for skip in report.skips]) == ("applied", 1, ["malformed"])


@pytest.mark.django_db
@pytest.mark.parametrize(
    "raw",
    [
        b'{"Id": "ID", "State": "running", "Image": "\xff\xfe"}',
        b'{"Id": "ID", "State": "running", "Names": ["\xff"]}',
        b'{"Id": "ID", "State": "running", "Labels": {"\xff": "\xff"}}',
        b'{"Id": "\xff", "State": "running"}',
    ],
    ids=["image", "name", "label", "id"],
)
def test_bytes_that_are_no_text_never_make_a_row_go_missing_whose_container_is_there(
    daemon: Engine, client: Client, raw: bytes
) -> None:
    """I1, I3, I8."""
    report = spoil(daemon, client, raw)
    assert report.outcome == "applied"
    assert (states()["bad"], states()["good"]) == ("running", "running")


@pytest.mark.parametrize(
    "raw",
    [
        item(Names=None),
        item(Names=[]),
        item(Labels=None),
        item(Ports=None),
        item(Created=0),
        '{"Id": "ID", "State": "x"}',
    ],
)
def test_what_daemons_leave_out_is_no_reason_to_refuse(daemon: Engine, client: Client, raw: str) -> None:
    container_id = add(daemon, "bad")
    daemon.replace_item(container_id, raw.replace('"ID"', f'"{container_id}"').encode())
    assert [seen.container_id for seen in client.listing().observations] == [container_id]


def test_a_refusal_names_the_container_and_the_trouble(daemon: Engine, client: Client) -> None:
    container_id = add(daemon, "bad")
    daemon.replace_item(container_id, item(Image="i" * 513).replace('"ID"', f'"{container_id}"').encode())
    (skip,) = client.listing().refusals
    assert (skip.container_id, skip.name, skip.detail) == (container_id, "bad", "Image is longer than 512 characters")


def test_a_container_listed_twice_is_seen_once(daemon: Engine, client: Client) -> None:
    first, second = add(daemon, "a"), add(daemon, "b")
    daemon.replace_item(second, json.dumps({"Id": first, "State": "running"}).encode())
    listing = client.listing()
    assert [seen.container_id for seen in listing.observations] == [first]
    assert [(skip.container_id, skip.reason) for skip in listing.refusals] == [(first, Reason.DUPLICATE)]
