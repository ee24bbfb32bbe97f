"""I/O: one HTTP connection to an Engine, of whatever kind its URL names, with an end to every wait.

Knows HTTP and nothing of what is asked for. The SDK's transports are used for what urllib3 lacks; its
client is not: what it and requests do around one request costs more than the request.
"""

import contextlib
import io
import os
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from http.client import BadStatusLine
from typing import Any, NamedTuple

from docker.transport.unixconn import UnixHTTPConnection
from docker.utils import parse_host
from urllib3 import HTTPResponse
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util import parse_url

from reconciler.engine.errors import Trouble
from reconciler.engine.tls import SPEAKS_TLS, TlsFiles, context_of, tls_words

CHUNK_BYTES = 1 << 20

_KEEPALIVE = [
    *HTTPConnection.default_socket_options,
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
]
"""Let the kernel notice within half a minute that a peer has vanished."""


class Deadline:
    """How long a request may take, in seconds: so long a silence, and so much in all."""

    def __init__(self, silence_seconds: float, total_seconds: float = float("inf")) -> None:
        self._silence = silence_seconds
        self._total = total_seconds
        self._deadline = time.monotonic() + total_seconds

    def left(self) -> float:
        """Return how long the next wait may be. Raises Trouble if there is no time left."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise self.trouble()
        return min(self._silence, left)

    def trouble(self) -> Trouble:
        """Return what a wait that was too long means."""
        if time.monotonic() >= self._deadline:
            return Trouble(f"did not finish its answer within {self._total:g} s", stuck=True)
        return Trouble(f"sent nothing for {self._silence:g} s", stuck=True)


class Answer(NamedTuple):
    """A whole answer; `server` and `date` are what the headers of these names say."""

    status: int
    server: str
    date: str
    body: bytes


class Connection:
    """A connection that is opened when it is needed, and anew after a failure; for one thread, but for `end`."""

    def __init__(self, url: str, tls: TlsFiles | None, timeout_seconds: float) -> None:
        self._url = url
        self._tls = tls
        self._timeout = timeout_seconds
        self._transport: Transport | None = None
        self._socket: DeadlineSocket | None = None

    def get(self, path: str, deadline: Deadline) -> Answer:
        """Return the answer to a GET. Raises one of LIBRARY_ERRORS, and is closed then."""
        with self._closed_on_error():
            response = self._ask(path, deadline)
            body = b"".join(iter(partial(response.read1, CHUNK_BYTES, decode_content=True), b""))
            headers = response.headers
            return Answer(response.status, headers.get("Server", ""), headers.get("Date", ""), body)

    def stream(self, path: str, deadline: Deadline) -> HTTPResponse:
        """Return the answer to a GET, its body yet to come. Raises one of LIBRARY_ERRORS, and is closed then."""
        with self._closed_on_error():
            return self._ask(path, deadline)

    def end(self) -> None:
        """End what is being read, from whatever thread: the read returns."""
        transport, socket_ = self._transport, self._socket
        if transport and transport.end:
            transport.end()
        elif socket_:
            socket_.end()

    def close(self) -> None:
        """Let go of everything; the next request opens it anew."""
        transport, self._transport, self._socket = self._transport, None, None
        if transport:
            transport.http.close()
            if transport.close:
                transport.close()

    def _ask(self, path: str, deadline: Deadline) -> HTTPResponse:
        transport = self._transport
        if transport is None or transport.http.sock is None:
            transport = self._open(deadline)
        if self._socket:
            self._socket.deadline = deadline
        # what a daemon said before it hung up can still be read, and says more than a broken pipe
        with contextlib.suppress(BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
            transport.http.request("GET", transport.prefix + path, preload_content=False)
        return transport.http.getresponse()

    def _open(self, deadline: Deadline) -> "Transport":
        self.close()
        transport = self._transport = _transport_to(self._url, self._tls)
        # whatever http.client opened by itself would wait as long as it likes
        transport.http.auto_open = 0
        transport.http.timeout = min(self._timeout, deadline.left())
        transport.http.connect()
        self._socket = transport.http.sock = DeadlineSocket(transport.http.sock, deadline)
        return transport

    @contextlib.contextmanager
    def _closed_on_error(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            words = self._transport.explain(error) if self._transport else ""
            self.close()
            if words:
                raise Trouble(words) from error
            raise


class DeadlineSocket:
    """A connected socket of whatever kind, as http.client wants one; its waits are bounded by a deadline."""

    def __init__(self, sock: Any, deadline: Deadline) -> None:
        self.sock = sock
        self.deadline = deadline

    def sendall(self, data: bytes) -> None:
        self.sock.settimeout(self.deadline.left())
        self.sock.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reads(self))

    def settimeout(self, _seconds: float | None) -> None:
        """Ignore what is no more than the sum of one wait."""

    def close(self) -> None:
        self.sock.close()

    def end(self) -> None:
        with contextlib.suppress(OSError, ValueError), socket.socket(fileno=os.dup(self.sock.fileno())) as end:
            end.shutdown(socket.SHUT_RDWR)


class _Reads(io.RawIOBase):
    """What such a socket receives: every wait takes from the same time, so that dripping gains nothing."""

    def __init__(self, socket_: DeadlineSocket) -> None:
        self._socket = socket_
        self._file = socket_.sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        deadline = self._socket.deadline
        self._socket.sock.settimeout(deadline.left())
        try:
            received: int | None = self._file.readinto(buffer)
        except TimeoutError:
            raise deadline.trouble() from None
        return received

    def close(self) -> None:
        self._file.close()
        super().close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Transport:
    """A connection of one kind, not yet made: how its errors read, and what more it takes to end or to close it."""

    http: HTTPConnection
    prefix: str = ""
    explain: Callable[[BaseException], str]
    end: Callable[[], None] | None = None
    close: Callable[[], None] | None = None


def _transport_to(url: str, tls: TlsFiles | None) -> Transport:
    base = str(parse_host(url, tls=tls is not None))
    scheme, _, rest = base.partition("://")
    if scheme == "http+unix":
        return Transport(http=UnixHTTPConnection(base, f"/{rest.lstrip('/')}"), explain=_plain_words)
    if scheme == "ssh":
        return _ssh_transport(url)
    if scheme not in ("http", "https"):
        raise Trouble(f"cannot be asked: it is of a kind not known here, {scheme}://")
    target = parse_url(base)
    host, prefix = target.host or "", target.path or ""
    if scheme == "http":
        http = HTTPConnection(host, target.port, socket_options=_KEEPALIVE)
        return Transport(http=http, prefix=prefix, explain=_plain_words)
    https = HTTPSConnection(host, target.port, socket_options=_KEEPALIVE, ssl_context=context_of(tls))
    return Transport(http=https, prefix=prefix, explain=partial(tls_words, files=tls, name=host.strip("[]")))


def _ssh_transport(url: str) -> Transport:
    try:
        from reconciler.engine.ssh import SshConnection
    except ImportError as error:
        raise Trouble("needs the ssh extra: pip install -r requirements-ssh.txt") from error
    http = SshConnection(url)
    return Transport(http=http, explain=http.words, end=http.end, close=http.release)


def _plain_words(error: BaseException) -> str:
    """Recognise a TLS alert where HTTP was expected."""
    return SPEAKS_TLS if isinstance(error, BadStatusLine) and str(error).startswith("\x15\x03") else ""
