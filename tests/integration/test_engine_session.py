"""A conversation with one simulated daemon: listing, identity and inspects, and what its failures cost."""

import gc
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from reconciler.engine import About, Session
from reconciler.engine import Engine as Client
from reconciler.engine.versions import known_versions
from reconciler.exceptions import EngineUnavailable, NoDetails
from simulator import INSPECTS, Engine, Failure, Server
from tests.waiting import WAIT_SECONDS, eventually, within

TIMEOUT_SECONDS = 1.0
INSPECT_SECONDS = 0.5


@pytest.fixture
def daemon() -> Engine:
    return Engine(engine_id="THIS:ONE")


@pytest.fixture
def client(simulator: Server, daemon: Engine) -> Client:
    return client_of(simulator.serve(daemon))


@pytest.fixture
def session(client: Client) -> Iterator[Session]:
    with client.session() as session:
        yield session


def client_of(url: str) -> Client:
    return Client(host="local", url=url, timeout_seconds=TIMEOUT_SECONDS)


def identity_of(client: Client) -> str:
    with client.session() as session:
        return session.identity(3 * TIMEOUT_SECONDS)


def no_details(session: Session, container_id: str = "c" * 64, seconds: float = INSPECT_SECONDS) -> NoDetails:
    with pytest.raises(NoDetails) as caught:
        session.inspect(container_id, seconds)
    return caught.value


@contextmanager
def canned(answers: dict[str, Any], protocol: str = "HTTP/1.1", name: str = "") -> Iterator[str]:
    """Serve JSON documents by the end of their paths, with or without the name of a server."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = protocol

        def do_GET(self) -> None:
            document = next(answer for end, answer in answers.items() if self.path.partition("?")[0].endswith(end))
            body = json.dumps(document).encode()
            self.send_response_only(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Server", name)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        try:
            yield f"tcp://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def raw(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """Serve one connection; its first request has been read already."""

    def serve(listener: socket.socket) -> None:
        with closing(listener.accept()[0]) as connection:
            connection.recv(65_536)
            answer(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=[listener])
        thread.start()
        try:
            yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            thread.join()


# one daemon


def test_a_session_tells_what_is_there_who_says_so_and_what_became_of_it(daemon: Engine, session: Session) -> None:
    container_id = daemon.add("web", state="exited", exit_code=137, oom_killed=True, restart_count=2)
    details = session.inspect(container_id, INSPECT_SECONDS)
    assert (session.listing().listed_ids, session.identity(3 * TIMEOUT_SECONDS)) == (
        frozenset({container_id}),
        "THIS:ONE",
    )
    assert (details.exit_code, details.oom_killed, details.restart_count) == (137, True, 2)


def test_no_answer_comes_from_another_daemon_than_the_first(simulator: Server, daemon: Engine, client: Client) -> None:
    """I1: if another daemon takes over the address during a session, it does not answer for the first one."""
    with client.session() as session:
        session.listing()
        simulator.close(daemon)
        simulator.serve(Engine(engine_id="ANOTHER"), port=int(client.url.rpartition(":")[2]))
        with pytest.raises(EngineUnavailable, match="hung up without an answer"):
            session.identity(3 * TIMEOUT_SECONDS)


def test_a_server_that_closes_after_every_answer_is_asked_again(client: Client) -> None:
    answers = {"/version": {"ApiVersion": "1.41"}, "/json": [], "/info": {"ID": "THIS:ONE"}}
    with canned(answers, protocol="HTTP/1.0") as url, client_of(url).session() as session:
        assert (session.listing().size, session.identity(3 * TIMEOUT_SECONDS), session.listing().size) == (
            0,
            "THIS:ONE",
            0,
        )


def test_what_goes_wrong_with_the_caller_is_no_fault_of_the_engine(client: Client) -> None:
    with pytest.raises(ValueError, match="my own"), client.session():
        raise ValueError("my own")


# identity


def test_podman_has_no_identity_that_lasts(simulator: Server) -> None:
    assert identity_of(client_of(simulator.serve(Engine(podman=True, engine_id="INVENTED")))) == ""


def test_podman_in_the_place_of_docker_is_known_by_its_answer(client: Client) -> None:
    """What /version said is still remembered from a daemon whose end nobody noticed."""
    assert identity_of(client) == "THIS:ONE"
    with canned({"/info": {"ID": "INVENTED"}}, name="Libpod/5.4.0 (linux)") as url:
        docker = known_versions.get(client.url)
        assert docker
        known_versions.remember(url, docker)
        assert identity_of(client_of(url)) == ""


def test_podman_is_known_behind_a_proxy_that_hides_its_name() -> None:
    version = {"ApiVersion": "1.41", "Components": [{"Name": "Podman Engine"}, {"Name": "Conmon"}]}
    with canned({"/version": version, "/info": {"ID": "INVENTED"}}) as url:
        assert identity_of(client_of(url)) == ""


@pytest.mark.parametrize("info", [{"Name": "host"}, {"ID": ""}])
def test_a_daemon_that_tells_no_id_fails_to_say_who_it_is(info: object) -> None:
    """I14: only Podman has no name that lasts; two others that tell none may be two daemons."""
    answers = {"/version": {"ApiVersion": "1.41"}, "/info": info}
    with canned(answers) as url, pytest.raises(EngineUnavailable, match="answered /info without an ID"):
        identity_of(client_of(url))


@pytest.mark.parametrize("info", [None, [], "ID", {"ID": 1}, {"ID": None}, {"ID": "i" * 256}, {"ID": "nul\0"}])
def test_an_identity_that_cannot_be_stored_is_refused(info: object) -> None:
    answers = {"/version": {"ApiVersion": "1.41"}, "/info": info}
    with canned(answers) as url, pytest.raises(EngineUnavailable, match="answered /info with"):
        identity_of(client_of(url))


IDENTITY_FAILURES = {
    "cut": (Failure.REFUSED, "hung up without an answer"),
    "hang": (Failure.HANG, "sent nothing for 1 s"),
    "http-500": (Failure.ERROR, "answered HTTP 500: simulated failure"),
    "truncated": (Failure.TRUNCATED, "broke off its answer"),
    "truncated-chunked": (Failure.TRUNCATED_CHUNKED, "broke off its answer"),
    "not-json": (Failure.NOT_JSON, "answered /info with something unusable"),
    "drip": (Failure.DRIP, "did not finish its answer within 3 s"),
}


@pytest.mark.parametrize(("failure", "reason"), IDENTITY_FAILURES.values(), ids=IDENTITY_FAILURES)
def test_every_failure_to_say_who_it_is_is_named_and_passes(
    daemon: Engine, session: Session, failure: Failure, reason: str
) -> None:
    daemon.fail(failure, "/info")
    with pytest.raises(EngineUnavailable) as caught:
        session.identity(3 * TIMEOUT_SECONDS)
    daemon.heal()
    assert caught.value.reason.startswith(reason)
    assert session.identity(3 * TIMEOUT_SECONDS) == "THIS:ONE"


# inspects

INSPECT_FAILURES = {
    "cut": (Failure.REFUSED, {}, False, "hung up without an answer"),
    "hang": (Failure.HANG, {}, True, "did not finish its answer within 0.5 s"),
    "slow": (Failure.SLOW, {"seconds": 1.5}, True, "did not finish its answer within 0.5 s"),
    "drip": (Failure.DRIP, {"every": 0.05}, True, "did not finish its answer within 0.5 s"),
    "http-404": (
        Failure.ERROR,
        {"status": 404, "message": "No such container: c"},
        False,
        "answered HTTP 404: No such",
    ),
    "http-500": (Failure.ERROR, {"status": 500}, False, "answered HTTP 500: simulated failure"),
    "truncated": (Failure.TRUNCATED, {}, False, "broke off its answer"),
    "truncated-chunked": (Failure.TRUNCATED_CHUNKED, {}, False, "broke off its answer"),
    "not-json": (Failure.NOT_JSON, {}, False, "answered an inspect with something unusable"),
    "a-list": (Failure.NOT_A_LIST, {"body": b"[]"}, False, "answered an inspect with something unusable"),
    "empty-state": (Failure.NOT_A_LIST, {"body": b'{"State": {"ExitCode": "1"}}'}, False, "answered an inspect with"),
}


@pytest.mark.parametrize(("failure", "params", "stuck", "reason"), INSPECT_FAILURES.values(), ids=INSPECT_FAILURES)
def test_every_failure_to_inspect_is_named_costs_its_time_and_spoils_nothing(
    daemon: Engine, session: Session, failure: Failure, params: dict[str, Any], stuck: bool, reason: str
) -> None:
    """I8, I19."""
    broken, sound = daemon.add("broken", state="exited", exit_code=1), daemon.add("sound", state="exited", exit_code=2)
    daemon.fail(failure, f"/containers/{broken}/json", **params)
    session.listing()
    with within(INSPECT_SECONDS):
        error = no_details(session, broken)
    assert (error.container_id, error.stuck) == (broken, stuck)
    assert error.reason.startswith(f"the Engine {reason}")
    assert session.inspect(sound, INSPECT_SECONDS).exit_code == 2
    assert session.listing().listed_ids == {broken, sound}


def test_a_container_that_is_gone_has_no_details(session: Session) -> None:
    assert "answered HTTP 404: No such container" in no_details(session).reason


def test_an_answer_that_comes_too_late_answers_no_other_inspect(daemon: Engine, session: Session) -> None:
    late, other = daemon.add("late", state="exited", exit_code=1), daemon.add("other", state="exited", exit_code=2)
    daemon.fail(Failure.HANG, INSPECTS, times=1)
    assert no_details(session, late).stuck
    daemon.heal()
    assert session.inspect(other, INSPECT_SECONDS).exit_code == 2


def drip(connection: socket.socket) -> None:
    """Begin an answer whose body never comes."""
    with suppress(OSError):
        for byte in b"HTTP/1.1 200 OK\r\nServer: " + b"x" * 1000:
            connection.sendall(bytes([byte]))
            time.sleep(INSPECT_SECONDS / 10)


def pause(connection: socket.socket) -> None:
    """Begin an answer just in time, and send nothing after that."""
    time.sleep(INSPECT_SECONDS * 0.8)
    connection.sendall(b"HTTP/1.1 200")
    connection.recv(1)


@pytest.mark.parametrize("answer", [drip, pause])
def test_headers_take_no_more_time_than_a_body(answer: Callable[[socket.socket], None]) -> None:
    """I19."""
    with raw(answer) as url, client_of(url).session() as session, within(INSPECT_SECONDS):
        assert no_details(session).stuck


def test_a_failed_inspect_does_not_make_the_session_ask_for_the_version_again(daemon: Engine, session: Session) -> None:
    daemon.fail(Failure.ERROR, INSPECTS)
    for _ in range(3):
        no_details(session)
    session.listing()
    assert daemon.requests.count(("GET", "/version")) == 1


def test_a_daemon_that_went_away_is_named_by_an_inspect(simulator: Server, daemon: Engine, session: Session) -> None:
    session.listing()
    simulator.close(daemon)
    assert "hung up" in no_details(session).reason
    assert "cannot be reached: connection refused" in no_details(session).reason


# nothing is left behind


def test_sessions_leave_no_connection_and_no_thread(daemon: Engine, client: Client) -> None:
    """I19."""

    def open_files() -> int:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - only counted

    client.listing()
    gc.collect()
    before, threads = open_files(), threading.active_count()
    daemon.fail(Failure.HANG, INSPECTS)
    for _ in range(10):
        with client.session() as session:
            session.listing()
            no_details(session, seconds=0.02)
            no_details(session, seconds=0.02)
    # fewer, if earlier tests had left any
    eventually(lambda: open_files() <= before and threading.active_count() <= threads, what="all is let go of")


# the stream


def test_a_stream_that_is_ended_on_purpose_ends_without_an_error(daemon: Engine, client: Client) -> None:
    stream = client.events(WAIT_SECONDS)
    ending = threading.Timer(0.1, stream.end)
    ending.start()
    assert list(stream) == []
    stream.close()
    ending.join()
    client.listing()
    assert daemon.requests.count(("GET", "/version")) == 1


def test_a_stream_that_is_silent_for_too_long_says_for_how_long(client: Client) -> None:
    """I19."""
    with closing(client.events(0.1)) as stream, pytest.raises(EngineUnavailable, match=r"sent nothing for 0\.1 s"):
        list(stream)


# for a person


def test_an_engine_tells_what_it_is(simulator: Server) -> None:
    daemon = Engine(api_version="1.44", engine_id="THIS:ONE")
    daemon.add("web")
    assert client_of(simulator.serve(daemon)).about() == About(
        product="Docker", version="25.0.3", api_version="1.44", engine_id="THIS:ONE", containers=1
    )


def test_podman_tells_what_it_is(simulator: Server) -> None:
    about = client_of(simulator.serve(Engine(podman=True))).about()
    assert (about.product, about.version, about.engine_id) == ("Podman", "5.4.2", "")


@pytest.mark.parametrize("path", ["/version", "/info", "/containers/json"])
def test_an_engine_that_cannot_be_used_tells_why(daemon: Engine, client: Client, path: str) -> None:
    client.about()
    daemon.fail(Failure.ERROR, path, status=403, message="not allowed")
    with pytest.raises(EngineUnavailable, match="answered HTTP 403: not allowed"):
        client.about()


def test_what_a_daemon_says_of_an_error_can_be_stored(daemon: Engine, client: Client) -> None:
    daemon.fail(Failure.ERROR, message="nul\0\n" + "x" * 9999)
    with pytest.raises(EngineUnavailable) as caught:
        client.listing()
    assert caught.value.reason.isprintable()
    assert len(caught.value.reason) < 400


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"\x15\x03\x03\x00\x02\x02\x46\n", "speaks TLS, and was asked without"),
        (b"220 an FTP server\r\n", "failed: BadStatusLine: 220 an FTP server"),
    ],
)
def test_a_port_that_does_not_answer_with_http_says_what_it_said(answer: bytes, reason: str) -> None:
    with raw(lambda connection: connection.sendall(answer)) as url, pytest.raises(EngineUnavailable) as caught:
        client_of(url).listing()
    assert caught.value.reason == reason


def test_ssh_without_its_extra_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['paramiko'] = None\n"
        "from reconciler.engine import Engine\n"
        "Engine(host='edge', url='ssh://edge.example.org', timeout_seconds=1).listing()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip().endswith("needs the ssh extra: pip install -r requirements-ssh.txt")
