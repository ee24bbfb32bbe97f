"""Just enough HTTP/1.1 for an Engine API: requests without trailers, keep-alive, chunked answers."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import cast
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

JOINED_BYTES = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a client asked for."""

    method: str
    path: str
    query: dict[str, str]
    keep_alive: bool
    body_length: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A whole answer."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"


def json_response(document: object, status: int = 200) -> Response:
    """Encode a document."""
    return Response(status=status, body=msgspec.json.encode(document) + b"\n")


def error_response(status: int, message: str) -> Response:
    """Return an error in the form that a daemon gives it."""
    return json_response({"message": message}, status)


class Connection(asyncio.Protocol):
    """One client's connection: hands over its requests one by one and writes what it is told to.

    Only `call` may be used from other threads than the loop's.
    """

    def __init__(self, handle: Callable[["Connection", Request], None], headers: bytes) -> None:
        self.on_lost: Callable[[], None] | None = None
        self._handle = handle
        self._headers = headers
        self._buffer = b""
        self._request: Request | None = None
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._transport = None
        if self.on_lost is not None:
            self.on_lost()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._next()

    def reply(self, response: Response) -> None:
        """Write a whole answer and turn to the next request."""
        head = self._head(response.status, response.content_type, len(response.body))
        body = b"" if self._request is not None and self._request.method == "HEAD" else response.body
        if len(body) > JOINED_BYTES:
            self.write(head)
            self.write(body)
        else:
            self.write(head + body)
        self.finish()

    def begin(self, status: int, *, content_type: str = "application/json", length: int | None = None) -> None:
        """Write the head of an answer, which is chunked unless its length is given."""
        self.write(self._head(status, content_type, length))

    def chunk(self, data: bytes) -> None:
        """Write one chunk; an empty one ends the answer."""
        self.write(b"%x\r\n%b\r\n" % (len(data), data))

    def write(self, data: bytes) -> None:
        """Write bytes, unless the client has gone."""
        if self._transport is not None:
            self._transport.write(data)

    def finish(self) -> None:
        """End an answer: turn to the next request, or hang up if the client asked for it."""
        request, self._request = self._request, None
        if request is not None and not request.keep_alive:
            self.close()
        else:
            self._loop.call_soon(self._next)

    def close(self) -> None:
        """Hang up after what is written has been sent."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Hang up at once."""
        if self._transport is not None:
            self._transport.abort()

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Do something after a while, unless the client has gone by then."""
        self._loop.call_later(seconds, self._act, act)

    def call(self, act: Callable[[], None]) -> None:
        """Do something soon, in the loop's thread, unless the client has gone. May be called from any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._act, act)

    def _head(self, status: int, content_type: str, length: int | None) -> bytes:
        framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
        date = formatdate(usegmt=True)
        head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: {content_type}\r\nDate: {date}\r\n"
        return f"{head}{framing}\r\n".encode() + self._headers

    def _act(self, act: Callable[[], None]) -> None:
        if self._transport is not None:
            act()

    def _next(self) -> None:
        if self._request is not None or self._transport is None:
            return
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        try:
            request = parse_head(head.decode("latin-1"))
        except ValueError:
            self.begin(400, length=0)
            self.close()
            return
        if len(rest) >= request.body_length:
            self._buffer = rest[request.body_length :]
            self._request = request
            self._handle(self, request)


def parse_head(head: str) -> Request:
    """Read the request line and the headers. Raise ValueError if they cannot be read."""
    first, *lines = head.split("\r\n")
    method, target, protocol = first.split(" ")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    url = urlsplit(target)
    connection = headers.get("connection", "keep-alive" if protocol == "HTTP/1.1" else "close")
    return Request(
        method=method,
        path=unquote(url.path),
        query=dict(parse_qsl(url.query, keep_blank_values=True)),
        keep_alive=connection.lower() != "close",
        body_length=int(headers.get("content-length", 0)),
    )
