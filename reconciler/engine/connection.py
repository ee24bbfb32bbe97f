"""I/O: one HTTP connection to an Engine. Every wait has a bound, and every answer a limit.

It knows HTTP, and nothing about what is asked for.
"""

import contextlib
import logging
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from urllib3 import HTTPResponse
from urllib3.connection import HTTPConnection

from reconciler.engine.errors import Trouble, one_line
from reconciler.engine.tls import TlsFiles
from reconciler.engine.transport import Transport, connect
from reconciler.engine.wire import Allowance, BoundedSocket, Deadline, Meter

OK = 200
CHUNK_BYTES = 1 << 20
MAX_ERROR_BYTES = 1 << 16
_HEAD = Allowance(most_bytes=1 << 18, complaint="sent a head without an end")
_CHUNK = Allowance(most_bytes=2 * CHUNK_BYTES, complaint="sent framing without an end")

# it would log what a daemon put into its headers
logging.getLogger("urllib3.connection").setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
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
        self._headers: dict[str, str] = {}
        self._http: HTTPConnection | None = None
        self._transport: Transport | None = None
        self._socket: BoundedSocket | None = None
        self._ended = False

    def get(self, path: str, deadline: Deadline, allowance: Allowance) -> Answer:
        """Return the answer to a GET. Raises Trouble, or errors of libraries; the connection is closed then."""
        with self._closed_on_error():
            response = self._ask(path, deadline, allowance)
            if response.status != OK:
                complaint = f"answered HTTP {response.status}, and more than {MAX_ERROR_BYTES >> 10} KiB with it"
                self._allow(Allowance(most_bytes=MAX_ERROR_BYTES, complaint=complaint))
            body = b"".join(iter(partial(response.read1, CHUNK_BYTES), b""))
            headers = response.headers
            return Answer(
                status=response.status, server=headers.get("Server", ""), date=headers.get("Date", ""), body=body
            )

    def stream(self, path: str, deadline: Deadline) -> HTTPResponse:
        """Return the answer to a GET before its body. Raises as `get` does; the connection is closed then."""
        with self._closed_on_error():
            return self._ask(path, deadline, _HEAD)

    def read(self, response: HTTPResponse, deadline: Deadline) -> bytes:
        """Return some bytes of a stream as soon as there are any; nothing at its end. Raises as `get` does."""
        with self._closed_on_error():
            if self._socket:
                self._socket.deadline = deadline
            self._allow(_CHUNK)
            return response.read1(CHUNK_BYTES)

    def end(self) -> None:
        """End a read that is under way, so that it returns. May be called from any thread."""
        self._ended = True
        transport, socket_ = self._transport, self._socket
        if transport and transport.end:
            transport.end()
        elif socket_:
            socket_.end()

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""
        transport, self._transport, self._socket = self._transport, None, None
        http, self._http = self._http, None
        # it does not matter any more what is wrong with the connection
        with contextlib.suppress(Exception):
            if http:
                http.close()
        with contextlib.suppress(Exception):
            if transport and transport.close:
                transport.close()

    def _ask(self, path: str, deadline: Deadline, allowance: Allowance) -> HTTPResponse:
        """Send a GET over the open connection, or over a new one, and return the answer before its body."""
        http = self._http
        if http is None or http.sock is None:
            http = self._open(deadline)
        if self._socket:
            self._socket.deadline = deadline
        self._allow(allowance)
        # what a daemon sent before it hung up can still be read, and says more than a broken pipe
        with contextlib.suppress(BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
            http.request("GET", path, headers=self._headers, preload_content=False, decode_content=False)
        response = http.getresponse()
        if encoding := response.headers.get("Content-Encoding"):
            raise Trouble(f"answered in the encoding {one_line(encoding)}, and was asked to use none")
        return response

    def _allow(self, allowance: Allowance) -> None:
        if self._socket:
            self._socket.meter.allow(allowance)
        if self._transport and self._transport.limit:
            self._transport.limit(allowance.most_bytes)

    def _open(self, deadline: Deadline) -> HTTPConnection:
        """Connect, and bind the socket to the deadline and the allowance."""
        self.close()
        transport = self._transport = connect(self._url, self._tls, min(self._timeout, deadline.left()))
        self._socket = BoundedSocket(transport.sock, deadline, Meter(_HEAD))
        self._headers = {"Host": transport.authority}
        http = self._http = HTTPConnection("localhost")
        http.sock = self._socket
        # whatever http.client opened by itself would have no bounds
        http.auto_open = 0
        return http

    @contextlib.contextmanager
    def _closed_on_error(self) -> Iterator[None]:
        """Close the connection after any error, and raise Trouble if the transport knows what the error means."""
        try:
            yield
        except BaseException as error:
            words = self._transport.explain(error) if self._transport and not self._ended else ""
            self.close()
            if words:
                raise Trouble(words) from error
            raise
