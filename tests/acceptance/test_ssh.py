"""A real Docker Engine behind a real ssh server: what works, how each step fails, and what is left behind."""

import contextlib
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from getpass import getuser
from pathlib import Path

import paramiko
import pytest
from paramiko.common import AUTH_SUCCESSFUL, OPEN_SUCCEEDED

from dev.engine import DockerEngine
from dev.packages import find_program
from dev.process import ServiceError
from dev.sshd import Sshd, make_key
from reconciler.engine import Engine
from reconciler.exceptions import EngineUnavailable, NoDetails
from tests.acceptance.conftest import Containers
from tests.builders import certain, workload
from tests.conftest import unavailable
from tests.environment import DIRECTORY
from tests.waiting import WAIT_SECONDS, eventually, within

TIMEOUT_SECONDS = 10.0
SHORT_SECONDS = 0.5
INSPECT_SECONDS = 5.0


@contextlib.contextmanager
def server(folder: str, **env: str) -> Iterator[Sshd]:
    made = Sshd(DIRECTORY / folder, env=env)
    try:
        made.start()
    except ServiceError as error:
        unavailable(str(error))
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def sshd(docker_engine: DockerEngine) -> Iterator[Sshd]:
    """An ssh server whose sessions find the private Engine."""
    if find_program("docker") is None:
        unavailable("docker, the command, which ssh runs on the far side")
    with server("ssh", DOCKER_HOST=docker_engine.url) as made:
        yield made


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of a user without known hosts, without a key and without an agent."""
    (tmp_path / ".ssh").mkdir(mode=0o700)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return tmp_path


@pytest.fixture
def engine(sshd: Sshd, home: Path) -> Engine:
    """The Engine as seen by a user who knows the server and has a key for it."""
    trust(home, sshd)
    give_key(home, sshd.key)
    return engine_at(sshd.url)


def trust(home: Path, sshd: Sshd) -> None:
    (home / ".ssh" / "known_hosts").write_text(sshd.known_host)


def give_key(home: Path, key: Path) -> None:
    copy = home / ".ssh" / "id_ed25519"
    copy.touch(mode=0o600)
    copy.write_bytes(key.read_bytes())


def engine_at(url: str, seconds: float = TIMEOUT_SECONDS) -> Engine:
    return Engine(host="edge", url=url, timeout_seconds=seconds)


def reason_of(engine: Engine) -> str:
    with pytest.raises(EngineUnavailable) as caught:
        engine.listing()
    return caught.value.reason


@contextlib.contextmanager
def listener(answer: Callable[[socket.socket], object] = lambda _: None) -> Iterator[str]:
    """Accept TCP connections, answer each of them as told, and keep them open until the end."""
    kept: list[socket.socket] = []

    def serve(listening: socket.socket) -> None:
        while True:
            try:
                kept.append(listening.accept()[0])
                answer(kept[-1])
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=[listening])
        thread.start()
        try:
            yield f"ssh://nobody@127.0.0.1:{listening.getsockname()[1]}"
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in kept:
                connection.close()


# what works


def test_a_session_over_ssh_gives_all_that_a_pass_wants(engine: Engine, containers: Containers) -> None:
    made = containers.create(workload("shop", role="web"), command=["sh", "-c", "exit 3"])
    made.start()
    made.wait()
    with engine.session() as session:
        assert made.id in session.listing().listed_ids
        assert len(session.identity(5)) > 20
        assert session.inspect(made.id, INSPECT_SECONDS).exit_code == 3
        with pytest.raises(NoDetails, match="HTTP 404"):
            session.inspect("c" * 64, INSPECT_SECONDS)
        assert made.id in session.listing().listed_ids


def test_an_event_arrives_over_ssh_and_the_stream_can_be_ended(engine: Engine, containers: Containers) -> None:
    with closing(engine.events(WAIT_SECONDS)) as stream:
        made = containers.create(workload("shop", role="web"))
        heard = iter(stream)
        assert certain(made.id).encode() in next(heard)
        ending = threading.Timer(0.2, stream.end)
        ending.start()
        assert list(heard) == []
        ending.join()


def test_the_users_ssh_configuration_is_followed(sshd: Sshd, engine: Engine, home: Path) -> None:
    lines = ("Host edge", "HostName 127.0.0.1", f"Port {sshd.port}", f"User {getuser()}", "IdentityFile ~/.ssh/absent")
    (home / ".ssh" / "config").write_text("\n".join(lines))
    assert engine_at("ssh://edge").about() == engine.about()


# who is let in, and who is believed


def test_a_host_that_nobody_vouched_for_is_refused(sshd: Sshd, engine: Engine, home: Path) -> None:
    (home / ".ssh" / "known_hosts").unlink()
    expected = (
        f"shows a host key that ~/.ssh/known_hosts does not have for [127.0.0.1]:{sshd.port}: ssh-ed25519 SHA256:"
    )
    assert reason_of(engine).startswith(expected)


def test_a_host_whose_key_has_changed_is_refused(sshd: Sshd, engine: Engine, home: Path) -> None:
    make_key(home / "other")
    kind, key, *_ = (home / "other.pub").read_text().split()
    (home / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{sshd.port} {kind} {key}\n")
    expected = f"shows another host key than ~/.ssh/known_hosts has for [127.0.0.1]:{sshd.port}: ssh-ed25519 SHA256:"
    assert reason_of(engine).startswith(expected)


def test_a_key_that_the_host_does_not_know_is_refused(engine: Engine, home: Path) -> None:
    make_key(home / "other")
    give_key(home, home / "other")
    assert reason_of(engine).startswith(f"does not let {getuser()} in with any key of the ssh agent or of ~/.ssh")


def test_a_user_without_a_key_is_refused(engine: Engine, home: Path) -> None:
    (home / ".ssh" / "id_ed25519").unlink()
    assert reason_of(engine).startswith(f"does not let {getuser()} in with any key of the ssh agent or of ~/.ssh")


# what is wrong on the far side


def test_a_host_without_docker_says_so(home: Path) -> None:
    with server("bare", PATH="/nonexistent") as bare:
        trust(home, bare)
        give_key(home, bare.key)
        reason = reason_of(engine_at(bare.url))
    assert reason.startswith("gave no answer over ssh: `docker system dial-stdio` ended with 127: ")
    assert reason.endswith("not found")


def test_a_host_whose_engine_is_down_says_so(home: Path) -> None:
    with server("down", DOCKER_HOST="unix:///nonexistent.sock") as down:
        trust(home, down)
        give_key(home, down.key)
        reason = reason_of(engine_at(down.url))
    assert reason.startswith("gave no answer over ssh: `docker system dial-stdio` ended with 1: ")
    assert "/nonexistent.sock" in reason


def test_a_port_where_nobody_listens_says_so(home: Path) -> None:
    assert reason_of(engine_at("ssh://nobody@127.0.0.1:1")) == "cannot be reached: connection refused"


def test_a_port_that_speaks_something_else_says_so(home: Path) -> None:
    with listener(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n" * 200)) as url:
        assert reason_of(engine_at(url)) == "does not speak ssh"
    with listener(lambda connection: connection.close()) as url:
        assert reason_of(engine_at(url)) == "does not speak ssh"


# every step has a limit


def drip(connection: socket.socket) -> None:
    """Send line after line that is no banner, each of them in time."""
    for _ in range(400):
        connection.sendall(b"patience\r\n")
        time.sleep(SHORT_SECONDS / 5)


@pytest.mark.parametrize(
    "answer",
    [lambda _: None, lambda connection: connection.sendall(b"SSH-2.0-silence\r\n"), drip],
    ids=["nothing", "a-banner", "lines-for-ever"],
)
def test_a_host_that_does_not_come_to_the_point_costs_its_timeout_and_no_more(
    home: Path, answer: Callable[[socket.socket], object]
) -> None:
    """I19."""
    with listener(answer) as url, within(SHORT_SECONDS):
        reason = reason_of(engine_at(url, SHORT_SECONDS))
    assert reason == f"was not reached over ssh within {SHORT_SECONDS:g} s"


class Staller(paramiko.ServerInterface):
    """A server that lets everybody in, except that it never returns from one step."""

    def __init__(self, step: str, released: threading.Event) -> None:
        self._step = step
        self._released = released

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        self._stall("auth")
        return AUTH_SUCCESSFUL

    def check_channel_request(self, kind: str, chanid: int) -> int:
        self._stall("channel")
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self._stall("exec")
        return True

    def _stall(self, step: str) -> None:
        if step == self._step:
            self._released.wait()


@pytest.mark.parametrize("step", ["auth", "channel", "exec"])
def test_a_host_that_stalls_in_mid_step_costs_its_timeout_and_no_more(sshd: Sshd, home: Path, step: str) -> None:
    """I19."""
    released = threading.Event()
    served: list[paramiko.Transport] = []

    def serve(connection: socket.socket) -> None:
        served.append(paramiko.Transport(connection))
        served[-1].add_server_key(paramiko.Ed25519Key.from_private_key_file(str(sshd.key)))
        served[-1].start_server(server=Staller(step, released))

    give_key(home, sshd.key)
    with listener(serve) as url:
        port = url.rpartition(":")[2]
        (home / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{port} {sshd.key.with_suffix('.pub').read_text()}")
        with within(1):
            reason = reason_of(engine_at(url, 1))
        released.set()
        for transport in served:
            transport.close()
            transport.join()
    assert reason == "was not reached over ssh within 1 s"


def test_an_inspect_over_ssh_gets_no_more_than_its_time(home: Path) -> None:
    """I19."""
    given = pytest.raises(NoDetails)
    with listener() as url, engine_at(url).session() as session, within(SHORT_SECONDS), given as caught:
        session.inspect("c" * 64, SHORT_SECONDS)
    assert caught.value.stuck


def test_an_agent_that_does_not_answer_costs_the_timeout(
    sshd: Sshd, engine: Engine, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind(str(home / "agent"))
        agent.listen()
        monkeypatch.setenv("SSH_AUTH_SOCK", str(home / "agent"))
        with within(3):
            assert reason_of(engine_at(sshd.url, 3)) == "cannot be asked over ssh: the ssh agent does not answer"


@pytest.mark.parametrize("command", ["sleep 30", "exec sleep 30"])
def test_a_command_that_says_nothing_costs_the_timeout(home: Path, tmp_path: Path, command: str) -> None:
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{command}\n")
    program.chmod(0o755)
    with server("mute", PATH=f"{program.parent}:/usr/bin:/bin") as mute:
        trust(home, mute)
        give_key(home, mute.key)
        with within(3):
            assert reason_of(engine_at(mute.url, 3)) == "sent nothing for 3 s"


# nothing is left behind


def test_neither_success_nor_failure_leaves_a_thread_or_a_file_open(
    sshd: Sshd, engine: Engine, home: Path, tmp_path: Path
) -> None:
    def held() -> tuple[int, int]:
        return threading.active_count(), len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - only counted

    engine.listing()
    before = held()
    for _ in range(3):
        engine.listing()
        engine.events(INSPECT_SECONDS).close()
    (home / ".ssh" / "id_ed25519").unlink()
    for _ in range(3):
        reason_of(engine)
    (home / ".ssh" / "known_hosts").unlink()
    for _ in range(3):
        reason_of(engine)
    # fewer, if earlier tests had left any
    eventually(lambda: all(now <= then for now, then in zip(held(), before, strict=True)), what="all is let go of")


def test_a_proxy_command_is_followed_and_ends_with_the_session(sshd: Sshd, engine: Engine, home: Path) -> None:
    relay = home / "relay.py"
    relay.write_text(RELAY)
    lines = ("Host 127.0.0.1", f"ProxyCommand {sys.executable} {relay} {home / 'pid'} {sshd.port}")
    (home / ".ssh" / "config").write_text("\n".join(lines))
    engine.listing()
    assert not Path(f"/proc/{(home / 'pid').read_text()}").exists()


RELAY = """
import os, pathlib, socket, sys, threading
pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))
s = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
def up():
    while data := os.read(0, 65536):
        s.sendall(data)
    os._exit(0)
threading.Thread(target=up).start()
while data := s.recv(65536):
    os.write(1, data)
os._exit(0)
"""
