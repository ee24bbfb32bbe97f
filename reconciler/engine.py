"""I/O: ask one Engine for one complete listing. The only importer of docker.

Whatever goes wrong between here and the daemon becomes one `EngineUnavailable`; a listing is
complete or it does not exist (I1). SDK objects and dictionaries go no further than this file.
"""

import contextlib
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import IncompleteRead
from pathlib import Path

import msgspec
import requests
import urllib3.exceptions
from docker import APIClient
from docker.errors import DockerException
from docker.tls import TLSConfig

from reconciler.exceptions import EngineUnavailable
from reconciler.labels import text_problem
from reconciler.observation import (
    MAX_CONTAINER_ID_CHARS,
    MAX_IMAGE_CHARS,
    MAX_PORT,
    MAX_STATE_CHARS,
    Observation,
    Reason,
    Skip,
    Snapshot,
    main_port,
    normalise_state,
)

TOTAL_TIMEOUT_FACTOR = 3
"""A body may take this many timeouts in all, so that a drip-feeding daemon cannot hold a pass for ever."""

_CHUNK_BYTES = 1 << 20
_OLDEST_API = "1.24"

_negotiated: dict[str, str] = {}
"""API version by Engine URL; forgotten after any error, for a daemon may come back newer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """PEM files for a verified TLS connection."""

    ca: Path
    cert: Path
    key: Path


class _Port(msgspec.Struct):
    PrivatePort: int = 0
    Type: str = "tcp"


class _Item(msgspec.Struct):
    Id: str
    State: str
    Names: list[str] | None = None
    Image: str = ""
    Created: int = 0
    Ports: list[_Port] | None = None
    Labels: dict[str, str] | None = None


class _Identity(msgspec.Struct):
    """What can still be read of an item that is otherwise unusable."""

    Id: str
    Names: msgspec.Raw = msgspec.Raw(b"null")


class _Version(msgspec.Struct):
    ApiVersion: str


class _Message(msgspec.Struct):
    message: str


_items = msgspec.json.Decoder(list[msgspec.Raw])
_item = msgspec.json.Decoder(_Item)
_identity = msgspec.json.Decoder(_Identity)
_names = msgspec.json.Decoder(list[str])
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
        return decode_listing(self.listing_body(), self)

    def listing_body(self) -> bytes:
        """Return the raw JSON body of the listing. Raises EngineUnavailable."""
        with self._border(), self._client() as client:
            version = _negotiated.get(self.url)
            if version is None:
                body = self._get(client, f"{client.base_url}/version")
                version = _negotiated[self.url] = _version.decode(body).ApiVersion
            return self._get(client, f"{client.base_url}/v{version}/containers/json?all=1")

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
        return client

    def _get(self, client: APIClient, url: str) -> bytes:
        deadline = time.monotonic() + self.timeout_seconds * TOTAL_TIMEOUT_FACTOR
        timeouts = (self.timeout_seconds, self.timeout_seconds)
        with client.get(url, timeout=timeouts, stream=True, allow_redirects=False) as response:
            chunks = []
            while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
                chunks.append(chunk)
                if time.monotonic() > deadline:
                    raise self.unavailable(f"did not finish its answer within {deadline_text(self)}")
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
            msgspec.MsgspecError,
            IncompleteRead,
            OSError,
            ValueError,
        ) as error:
            _negotiated.pop(self.url, None)
            raise self.unavailable(_reason(error, self.timeout_seconds)) from error


def deadline_text(engine: Engine) -> str:
    """Return the whole time allowed for one answer, for a message."""
    return f"{engine.timeout_seconds * TOTAL_TIMEOUT_FACTOR:g} s"


def decode_listing(body: bytes, engine: Engine) -> Snapshot:
    """Decode a listing item by item, so that one malformed item is one refused container.

    Raises EngineUnavailable if the body is not a JSON list.
    """
    try:
        raws = _items.decode(body)
    except msgspec.ValidationError:
        raise engine.unavailable(f"answered with something that is not a list{_begins(body)}") from None
    except msgspec.DecodeError as error:
        raise engine.unavailable(f"answered with something that is not JSON: {error}{_begins(body)}") from error
    observations: dict[str, Observation] = {}
    refusals: list[Skip] = []
    for raw in raws:
        try:
            observation = _observation(_item.decode(raw))
        except (msgspec.MsgspecError, ValueError) as error:
            refusals.append(_refusal(raw, str(error)))
            continue
        if observation.container_id in observations:
            skip = Skip(observation.container_id, observation.name, Reason.DUPLICATE, "listed more than once")
            refusals.append(skip)
        else:
            observations[observation.container_id] = observation
    return Snapshot(observations=tuple(observations.values()), refusals=tuple(refusals))


def _observation(item: _Item) -> Observation:
    _check("Id", item.Id, MAX_CONTAINER_ID_CHARS)
    _check("Image", item.Image, MAX_IMAGE_CHARS)
    _check("State", item.State, MAX_STATE_CHARS)
    if not item.Id or not item.State:
        raise ValueError("Id or State is empty")
    ports = [(port.PrivatePort, port.Type) for port in item.Ports] if item.Ports else []
    if ports and not all(0 <= number <= MAX_PORT for number, _ in ports):
        raise ValueError(f"a port is out of range: {ports}")
    return Observation(
        item.Id,
        item.Names[0].removeprefix("/") if item.Names else "",
        item.Image,
        normalise_state(item.State),
        item.Labels or {},
        main_port(ports) if ports else 0,
        item.Created,
    )


def _check(field: str, value: str, max_chars: int) -> None:
    if problem := text_problem(value, max_chars):
        raise ValueError(f"{field} is {problem}")


def _refusal(raw: msgspec.Raw, problem: str) -> Skip:
    try:
        identity = _identity.decode(raw)
    except msgspec.MsgspecError:
        return Skip("", "", Reason.MALFORMED, f"{problem}; its Id is unreadable, so nothing may go missing")
    try:
        names = _names.decode(identity.Names)
    except msgspec.MsgspecError:
        names = []
    return Skip(identity.Id, names[0].removeprefix("/") if names else "", Reason.MALFORMED, problem)


def _said(body: bytes) -> str:
    try:
        return f": {_message.decode(body).message}"
    except msgspec.MsgspecError:
        return _begins(body)


def _begins(body: bytes) -> str:
    return f" (it begins {body[:60]!r})" if body else " (an empty body)"


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
        (isinstance(link, _NO_CONNECTION), f"took no connection within {timeout_seconds:g} s"),
        (isinstance(link, _TIMEOUTS), f"sent nothing for {timeout_seconds:g} s"),
        (
            isinstance(link, ssl.SSLCertVerificationError),
            f"was refused over TLS: {getattr(link, 'verify_message', '')}",
        ),
        (isinstance(link, ssl.SSLError), f"failed over TLS: {getattr(link, 'reason', None) or link}"),
        (isinstance(link, (IncompleteRead, urllib3.exceptions.IncompleteRead)), "broke off its answer"),
        (isinstance(link, msgspec.MsgspecError), f"answered /version with something unusable: {link}"),
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
