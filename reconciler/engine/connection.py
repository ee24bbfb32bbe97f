"""I/O: one HTTP connection to an Engine, of the kind that its URL names. Every wait has a bound.

It knows HTTP, and nothing about what is asked for. The SDK's transports are used where urllib3 has none.
The SDK's client is not used: what it and requests do around one request costs more than the request.
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
"""With these the kernel notices within half a minute that the other side has vanished."""


class Deadline:
    """How long a request may take in seconds: how long a silence may be, and how long the whole answer."""

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
        """Return the error for a wait that was too long."""
        if time.monotonic() >= self._deadline:
            return Trouble(f"did not finish its answer within {self._total:g} s", stuck=True)
        return Trouble(f"sent nothing for {self._silence:g} s", stuck=True)


class Answer(NamedTuple):
    """A whole answer; `server` and `date` are the values of the headers with these names."""

    status: int
    server: str
    date: str
    body: bytes


class Connection:
    """A connection that opens when it is needed, and again after a failure. For one thread only, except `end`."""

    def __init__(self, url: str, tls: TlsFiles | None, timeout_seconds: float) -> None:
        self._url = url
        self._tls = tls
        self._timeout = timeout_seconds
        self._transport: Transport | None = None
        self._socket: DeadlineSocket | None = None

    def get(self, path: str, deadline: Deadline) -> Answer:
        """Return the answer to a GET. Raises one of LIBRARY_ERRORS; the connection is closed then."""
        with self._closed_on_error():
            response = self._ask(path, deadline)
            body = b"".join(iter(partial(response.read1, CHUNK_BYTES, decode_content=True), b""))
            headers = response.headers
            return Answer(response.status, headers.get("Server", ""), headers.get("Date", ""), body)

    def stream(self, path: str, deadline: Deadline) -> HTTPResponse:
        """Return the answer to a GET before its body. Raises one of LIBRARY_ERRORS; the connection is closed then."""
        with self._closed_on_error():
            return self._ask(path, deadline)

    def end(self) -> None:
        """End a read that is under way, so that it returns. May be called from any thread."""
        transport, socket_ = self._transport, self._socket
        if transport and transport.end:
            transport.end()
        elif socket_:
            socket_.end()

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""
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
        # what a daemon sent before it hung up can still be read, and says more than a broken pipe
        with contextlib.suppress(BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
            transport.http.request("GET", transport.prefix + path, preload_content=False)
        return transport.http.getresponse()

    def _open(self, deadline: Deadline) -> "Transport":
        """Connect, and bind the socket's waits to the deadline."""
        self.close()
        transport = self._transport = _transport_to(self._url, self._tls)
        # a connection that http.client opened by itself would have no bound for its waits
        transport.http.auto_open = 0
        transport.http.timeout = min(self._timeout, deadline.left())
        transport.http.connect()
        self._socket = transport.http.sock = DeadlineSocket(transport.http.sock, deadline)
        return transport

    @contextlib.contextmanager
    def _closed_on_error(self) -> Iterator[None]:
        """Close the connection after any error, and raise Trouble if the transport knows what the error means."""
        try:
            yield
        except BaseException as error:
            words = self._transport.explain(error) if self._transport else ""
            self.close()
            if words:
                raise Trouble(words) from error
            raise


class DeadlineSocket:
    """A connected socket of any kind, in the form that http.client wants; a deadline bounds its waits."""

    def __init__(self, sock: Any, deadline: Deadline) -> None:
        self.sock = sock
        self.deadline = deadline

    def sendall(self, data: bytes) -> None:
        self.sock.settimeout(self.deadline.left())
        self.sock.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reads(self))

    def settimeout(self, _seconds: float | None) -> None:
        """Do nothing: the deadline bounds the waits, and http.client only knows a timeout for each single wait."""

    def close(self) -> None:
        self.sock.close()

    def end(self) -> None:
        with contextlib.suppress(OSError, ValueError), socket.socket(fileno=os.dup(self.sock.fileno())) as end:
            end.shutdown(socket.SHUT_RDWR)


class _Reads(io.RawIOBase):
    """What such a socket receives. All waits share the deadline's time, so that dripping does not extend it."""

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
    """A connection of one kind before it is made: what its errors mean, and how to end and to close it."""

    http: HTTPConnection
    prefix: str = ""
    explain: Callable[[BaseException], str]
    end: Callable[[], None] | None = None
    close: Callable[[], None] | None = None


def _transport_to(url: str, tls: TlsFiles | None) -> Transport:
    """Return the transport for a URL. Raises Trouble if it is of a kind that is not known."""
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
    """Return in words that the answer was a TLS alert instead of HTTP, or nothing."""
    return SPEAKS_TLS if isinstance(error, BadStatusLine) and str(error).startswith("\x15\x03") else ""
