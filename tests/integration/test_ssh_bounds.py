"""I19: an ssh server that sends more than it was asked for, in whatever layer of ssh, is left."""

import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import paramiko
import pytest
from paramiko.common import AUTH_SUCCESSFUL, OPEN_SUCCEEDED

from reconciler.engine import Engine
from reconciler.exceptions import EngineUnavailable
from tests.builders import certain

MIB = 1 << 20
PIECE = b"x" * 30_000
TIMEOUT_SECONDS = 20.0


class Count:
    """How many bytes a server has sent."""

    sent_bytes = 0


@contextmanager
def server(home: Path, serve: Callable[[socket.socket, Count], None]) -> Iterator[tuple[str, Count]]:
    """Serve every TCP connection as told, for as long as somebody reads; give the URL and the count."""
    count = Count()
    threads: list[threading.Thread] = []

    def serve_one(connection: socket.socket) -> None:
        with closing(connection), suppress(OSError, EOFError, paramiko.SSHException):
            serve(connection, count)

    def accept(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                threads.append(threading.Thread(target=serve_one, args=[listener.accept()[0]]))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        (home / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{port} ssh-rsa {KEY.get_base64()}\n")
        accepting = threading.Thread(target=accept, args=[listener])
        accepting.start()
        try:
            yield f"ssh://somebody@127.0.0.1:{port}", count
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for thread in threads:
                thread.join()


KEY = paramiko.RSAKey.generate(2048)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of a user with a key, whom every server of these tests lets in."""
    (tmp_path / ".ssh").mkdir(mode=0o700)
    KEY.write_private_key_file(str(tmp_path / ".ssh" / "id_rsa"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return tmp_path


class Welcome(paramiko.ServerInterface):
    """Lets everybody in and runs every command."""

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return AUTH_SUCCESSFUL

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        return True


def channel_to(connection: socket.socket) -> paramiko.Channel:
    """Log a client in, and return its channel, which heeds no window from then on."""
    transport = paramiko.Transport(connection)
    transport.add_server_key(KEY)
    transport.start_server(server=Welcome())
    channel = certain(transport.accept(TIMEOUT_SECONDS))
    channel.recv(1)
    channel.out_window_size = 1 << 40
    return channel


def flood(send: Callable[[bytes], object], count: Count, head: bytes = b"") -> None:
    for piece in itertools.chain([head], itertools.repeat(PIECE)):
        send(piece)
        count.sent_bytes += len(piece)


def flood_errors(connection: socket.socket, count: Count) -> None:
    flood(channel_to(connection).sendall_stderr, count)


def flood_answer(connection: socket.socket, count: Count) -> None:
    flood(channel_to(connection).sendall, count, b"HTTP/1.1 200 OK\r\n\r\n")


def flood_banner(connection: socket.socket, count: Count) -> None:
    flood(connection.sendall, count)


def flood_packet(connection: socket.socket, count: Count) -> None:
    flood(connection.sendall, count, b"SSH-2.0-x\r\n\x7f\xff\xff\xfc")


OVER_SSH = "sent more over ssh than it was asked for"


@pytest.mark.parametrize(
    ("serve", "reason"),
    [
        (flood_errors, OVER_SSH),
        (flood_answer, "sent more than 1 MiB to say what it is"),
        (flood_banner, OVER_SSH),
        (flood_packet, OVER_SSH),
    ],
)
def test_a_server_that_sends_without_end_is_left_soon(
    home: Path, serve: Callable[[socket.socket, Count], None], reason: str
) -> None:
    with server(home, serve) as (url, count):
        with pytest.raises(EngineUnavailable) as caught:
            Engine(host="edge", url=url, timeout_seconds=TIMEOUT_SECONDS).listing()
        assert caught.value.reason == reason
    # what the kernel has taken beyond that was never read
    assert count.sent_bytes < 32 * MIB


def test_a_known_host_among_broken_lines_is_believed(home: Path) -> None:
    """I15: a line about another machine is no concern of this one."""
    with server(home, flood_answer) as (url, _):
        known = home / ".ssh" / "known_hosts"
        sound = known.read_text()
        known.write_text(f"h ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI\n\n# {sound}|1|x ssh-rsa\n{sound}")
        with pytest.raises(EngineUnavailable, match="sent more than 1 MiB"):
            Engine(host="edge", url=url, timeout_seconds=TIMEOUT_SECONDS).listing()


def test_a_known_host_whose_name_is_hashed_is_believed(home: Path) -> None:
    with server(home, flood_answer) as (url, _):
        known = home / ".ssh" / "known_hosts"
        name, key = known.read_text().split(" ", 1)
        known.write_text(f"{paramiko.HostKeys.hash_host(name)} {key}")
        with pytest.raises(EngineUnavailable, match="sent more than 1 MiB"):
            Engine(host="edge", url=url, timeout_seconds=TIMEOUT_SECONDS).listing()
