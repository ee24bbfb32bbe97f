"""I/O: ask one Engine for one complete listing. The only importer of docker.

Whatever goes wrong between here and the daemon becomes one `EngineUnavailable`; a listing is
complete or it does not exist (I1). SDK objects and dictionaries go no further than this file.
"""

import contextlib
import os
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import IncompleteRead
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import requests
import urllib3.exceptions
from docker import APIClient
from docker.errors import DockerException
from docker.tls import TLSConfig
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.exceptions import NewConnectionError

from reconciler.exceptions import EngineUnavailable
from reconciler.listing import BadListing, begins, decode_listing
from reconciler.observation import Snapshot

TOTAL_TIMEOUT_FACTOR = 3
"""A body may take this many timeouts in all, so that a drip-feeding daemon cannot hold a pass for ever."""

_CHUNK_BYTES = 1 << 20
_CONTAINER_EVENTS = quote('{"type":["container"]}')
_KEEPALIVE = [
    *HTTPConnection.default_socket_options,
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
]
_OLDEST_API = "1.24"

_negotiated: dict[str, str] = {}
"""API version by Engine URL; forgotten after any error, for a daemon may come back newer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """PEM files for a verified TLS connection."""

    ca: Path
    cert: Path
    key: Path


class _Version(msgspec.Struct):
    ApiVersion: str


class _Message(msgspec.Struct):
    message: str


_version = msgspec.json.Decoder(_Version)
_message = msgspec.json.Decoder(_Message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """One host's Engine, by its URL; timeouts in seconds."""

    host: str
    url: str
    timeout_seconds: float
    tls: TlsFiles | None = None

    def listing(self) -> Snapshot:
        """Return every container the daemon has, in one request.

        Raises EngineUnavailable: nothing less than a complete, well-formed list is an answer.
        """
        with self._border(), self._client() as client:
            try:
                return decode_listing(self._get(client, f"{self._base(client)}/containers/json?all=1"))
            except BadListing as error:
                raise self.unavailable(str(error)) from error

    def events(self, silence_seconds: float) -> "EventStream":
        """Subscribe to the daemon's container events; a read fails after so long a silence.

        Raises EngineUnavailable.
        """
        with self._border():
            client = self._client()
            try:
                url = f"{self._base(client)}/events?filters={_CONTAINER_EVENTS}"
                response = client.get(
                    url, timeout=(self.timeout_seconds, silence_seconds), stream=True, allow_redirects=False
                )
                if response.status_code != requests.codes.ok:
                    raise self.unavailable(f"answered HTTP {response.status_code} to a subscription")
            except BaseException:
                client.close()
                raise
            return EventStream(self, client, response)

    def unavailable(self, reason: str) -> EngineUnavailable:
        """Return the one error there is, naming host and URL."""
        return EngineUnavailable(self.host, self.url, reason)

    def _client(self) -> APIClient:
        tls = self.tls and TLSConfig(
            ca_cert=str(self.tls.ca), client_cert=(str(self.tls.cert), str(self.tls.key)), verify=True
        )
        # an explicit version keeps the constructor from asking the daemon, unbounded, on its own
        client = APIClient(self.url, version=_OLDEST_API, timeout=self.timeout_seconds, tls=tls or False)  # type: ignore[arg-type]
        client.trust_env = False
        if self.url.startswith(("tcp:", "http")):
            client.mount("http://", _KeepaliveAdapter())
            client.mount("https://", _KeepaliveAdapter())
        return client

    def _base(self, client: APIClient) -> str:
        """Return the versioned URL to ask under; negotiates once and after every error."""
        version = _negotiated.get(self.url)
        if version is None:
            body = self._get(client, f"{client.base_url}/version")
            try:
                version = _negotiated[self.url] = _version.decode(body).ApiVersion
            except msgspec.MsgspecError as error:
                raise self.unavailable(f"answered /version with something unusable: {error}") from error
        return f"{client.base_url}/v{version}"

    def _get(self, client: APIClient, url: str) -> bytes:
        deadline = time.monotonic() + self.timeout_seconds * TOTAL_TIMEOUT_FACTOR
        timeouts = (self.timeout_seconds, self.timeout_seconds)
        with client.get(url, timeout=timeouts, stream=True, allow_redirects=False) as response:
            chunks = []
            while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
                chunks.append(chunk)
                if time.monotonic() > deadline:
                    whole = self.timeout_seconds * TOTAL_TIMEOUT_FACTOR
                    raise self.unavailable(f"did not finish its answer within {whole:g} s")
            body = b"".join(chunks)
        if response.status_code != requests.codes.ok:
            raise self.unavailable(f"answered HTTP {response.status_code}{_said(body)}")
        return body

    @contextlib.contextmanager
    def _border(self) -> Iterator[None]:
        try:
            yield
        except EngineUnavailable:
            _negotiated.pop(self.url, None)
            raise
        except (
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            DockerException,
            IncompleteRead,
            OSError,
            ValueError,
        ) as error:
            _negotiated.pop(self.url, None)
            raise self.unavailable(_reason(error, self.timeout_seconds)) from error


class EventStream:
    """A subscription: an iterator over the daemon's bytes, which another thread may end."""

    def __init__(self, engine: Engine, client: APIClient, response: requests.Response) -> None:
        self._engine = engine
        self._client = client
        self._response = response
        self._ended = False

    def __iter__(self) -> Iterator[bytes]:
        """Yield bytes as they come, until the stream ends. Raises EngineUnavailable when it breaks."""
        with self._engine._border():
            while not self._ended and (chunk := self._response.raw.read1(_CHUNK_BYTES, decode_content=True)):
                yield chunk

    def end(self) -> None:
        """End the stream, from whatever thread: a read under way returns."""
        self._ended = True
        with contextlib.suppress(OSError, ValueError), socket.socket(fileno=os.dup(self._response.raw.fileno())) as end:
            end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of the connection; for the reading thread."""
        self._response.close()
        self._client.close()


class _KeepaliveAdapter(HTTPAdapter):
    """Lets the kernel notice within half a minute that a peer has vanished."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, socket_options=_KEEPALIVE)


def _said(body: bytes) -> str:
    try:
        return f": {_message.decode(body).message}"
    except msgspec.MsgspecError:
        return begins(body)


_TIMEOUTS = (requests.ReadTimeout, urllib3.exceptions.ReadTimeoutError, TimeoutError)
_NO_CONNECTION = (requests.ConnectTimeout, urllib3.exceptions.ConnectTimeoutError)


def _reason(error: BaseException, timeout_seconds: float) -> str:
    """Say in stable words what a library's exception means; addresses of objects would differ at every tick."""
    chain = list(_chain(error))
    for link in chain:
        if reason := _known_reason(link, timeout_seconds):
            return reason
    return f"failed: {type(chain[-1]).__name__}: {chain[-1]}"


def _known_reason(link: BaseException, timeout_seconds: float) -> str | None:
    reasons: tuple[tuple[bool, str], ...] = (
        (
            isinstance(link, _NO_CONNECTION) and not isinstance(link, NewConnectionError),
            f"took no connection within {timeout_seconds:g} s",
        ),
        (isinstance(link, _TIMEOUTS), f"sent nothing for {timeout_seconds:g} s"),
        (
            isinstance(link, ssl.SSLCertVerificationError),
            f"was refused over TLS: {getattr(link, 'verify_message', '')}",
        ),
        (isinstance(link, ssl.SSLError), f"failed over TLS: {getattr(link, 'reason', None) or link}"),
        (isinstance(link, (IncompleteRead, urllib3.exceptions.IncompleteRead)), "broke off its answer"),
        (isinstance(link, (ConnectionResetError, BrokenPipeError)), "hung up without an answer"),
        (isinstance(link, OSError) and bool(link.errno), f"cannot be reached: {getattr(link, 'strerror', '')}".lower()),
    )
    return next((reason for applies, reason in reasons if applies), None)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    pending: list[BaseException] = [error]
    while pending:
        link = pending.pop(0)
        if id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        causes = [link.__cause__, link.__context__, getattr(link, "reason", None), *link.args]
        pending += [cause for cause in causes if isinstance(cause, BaseException)]
