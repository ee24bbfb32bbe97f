"""I/O: ask one Engine for a complete listing, for its identity, for a container's details and for its events.

Whatever goes wrong on the way to the daemon becomes one `EngineUnavailable` of that host (I15). A listing
is complete or it does not exist (I1). The types of libraries and daemons do not leave this package.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.parse import quote

from urllib3 import HTTPResponse

from reconciler.core.engine_url import shown_url
from reconciler.core.inspection import BadInspection, decode_details
from reconciler.core.listing import BadListing, decode_listing
from reconciler.core.observation import Details, Snapshot
from reconciler.engine.answers import Version, decode_date, decode_engine_id, decode_version, said
from reconciler.engine.connection import OK, Answer, Connection
from reconciler.engine.errors import Trouble, is_stuck, one_line, reason_of
from reconciler.engine.tls import SPEAKS_TLS, TlsFiles
from reconciler.engine.versions import known_versions
from reconciler.engine.wire import Allowance, Deadline
from reconciler.exceptions import EngineUnavailable, NoDetails

MIB = 1 << 20
DEFAULT_MAX_LISTING_BYTES = 64 * MIB
TOTAL_TIMEOUT_FACTOR = 3
"""How many timeouts a whole body may take, so that a daemon which drips cannot hold a pass for ever."""

_BAD_REQUEST = 400
_CONTAINER_EVENTS = quote('{"type":["container"]}')
_SELF_DESCRIPTION = Allowance(most_bytes=MIB, complaint="sent more than 1 MiB to say what it is")
_INSPECT = Allowance(most_bytes=4 * MIB, complaint="sent more than 4 MiB for one container")


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What an Engine is, for a person; `engine_id` is empty if it has no lasting one."""

    product: str
    version: str
    api_version: str
    engine_id: str
    containers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """One host's Engine, by its URL."""

    host: str
    url: str
    timeout_seconds: float
    tls: TlsFiles | None = None
    max_listing_bytes: int = DEFAULT_MAX_LISTING_BYTES

    @property
    def shown_url(self) -> str:
        """Return the URL as it may be shown: without the password that somebody may have put there."""
        return shown_url(self.url)

    @contextlib.contextmanager
    def session(self) -> "Iterator[Session]":
        """Open a conversation with one daemon, and close it in the end."""
        session = Session(self)
        try:
            yield session
        finally:
            session.close()

    def listing(self) -> Snapshot:
        """Return every container the daemon has, in one request.

        Raises EngineUnavailable: nothing less than a complete, well-formed list is an answer.
        """
        with self.session() as session:
            return session.listing()

    def about(self) -> About:
        """Ask the Engine for everything that a pass needs, and return what it is. Raises EngineUnavailable."""
        known_versions.forget(self.url)
        with self.session() as session:
            containers = session.listing().size
            engine_id = session.identity(self.timeout_seconds)
            version = session.version()
        return About(
            product="Podman" if version.is_podmans else "Docker",
            version=one_line(version.Version),
            api_version=version.ApiVersion,
            engine_id=engine_id,
            containers=containers,
        )

    def events(self, silence_seconds: float) -> "EventStream":
        """Subscribe to the daemon's container events; a read fails after a silence of `silence_seconds`.

        Raises EngineUnavailable.
        """
        session = Session(self)
        try:
            return session.subscribe(silence_seconds)
        except BaseException:
            session.close()
            raise

    def unavailable(self, reason: str) -> EngineUnavailable:
        """Return the only error that leaves this package for a failed Engine; it names the host and the shown URL."""
        return EngineUnavailable(self.host, self.shown_url, reason)

    @contextlib.contextmanager
    def translate_errors(self) -> Iterator[None]:
        """Turn every error of a library into EngineUnavailable, and forget what /version said."""
        try:
            yield
        except Exception as error:
            known_versions.forget(self.url)
            raise self.unavailable(reason_of(error, self.timeout_seconds)) from error


class Session:
    """A conversation over one connection, so that every answer is the same daemon's. For one thread only.

    If the daemon has closed the connection, the next listing or question for the identity fails. After any
    failure a new connection is opened. (A server that closes after every answer gets one for each.)
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection = Connection(engine.url, engine.tls, engine.timeout_seconds)

    def listing(self) -> Snapshot:
        """Return every container the daemon has. Raises EngineUnavailable."""
        with self._engine.translate_errors():
            try:
                answer = self._ask("/containers/json?all=1", self._listing_allowance())
                snapshot = decode_listing(answer.body, tells_health=not self._is_podmans(answer))
                return replace(snapshot, answered_at=decode_date(answer.date))
            except BadListing as error:
                raise Trouble(str(error)) from error

    def identity(self, timeout_seconds: float) -> str:
        """Return the daemon's own ID within a time; empty if it has no lasting one. Raises EngineUnavailable.

        Podman makes up a new one for each answer: pkg/api/handlers/compat/info.go.
        """
        with self._engine.translate_errors():
            deadline = Deadline(min(timeout_seconds, self._engine.timeout_seconds), timeout_seconds)
            answer = self._ask("/info", _SELF_DESCRIPTION, deadline)
            if self._is_podmans(answer):
                return ""
            return decode_engine_id(answer.body)

    def inspect(self, container_id: str, timeout_seconds: float) -> Details:
        """Return what only an inspect tells, within `timeout_seconds`. Raises NoDetails; later requests still work."""
        deadline = Deadline(timeout_seconds, timeout_seconds)
        try:
            answer = self._ask(f"/containers/{quote(container_id, safe='')}/json", _INSPECT, deadline)
            return decode_details(answer.body)
        except BadInspection as error:
            raise NoDetails(container_id, f"the Engine {error}") from error
        except Exception as error:
            reason = reason_of(error, timeout_seconds)
            raise NoDetails(container_id, f"the Engine {reason}", stuck=is_stuck(error)) from error

    def version(self, deadline: Deadline | None = None) -> Version:
        """Return what /version says; the daemon is asked once, and again after every error."""
        url = self._engine.url
        if (version := known_versions.get(url)) is None:
            version = decode_version(self._get("/version", _SELF_DESCRIPTION, deadline).body)
            known_versions.remember(url, version)
        return version

    def subscribe(self, silence_seconds: float) -> "EventStream":
        """Turn the session into a stream of events. Raises EngineUnavailable."""
        with self._engine.translate_errors():
            path = f"/v{self.version().ApiVersion}/events?filters={_CONTAINER_EVENTS}"
            deadline = Deadline(silence_seconds, silence_seconds * TOTAL_TIMEOUT_FACTOR)
            response = self._connection.stream(path, deadline)
            if response.status != OK:
                raise Trouble(f"answered HTTP {response.status} to a subscription")
            return EventStream(self._engine, self._connection, response, silence_seconds)

    def close(self) -> None:
        """End the conversation."""
        self._connection.close()

    def _is_podmans(self, answer: Answer) -> bool:
        """Tell whether Podman gave this answer; a proxy may hide its name, so /version is asked as well."""
        return answer.server.startswith("Libpod/") or self.version().is_podmans

    def _listing_allowance(self) -> Allowance:
        most_bytes = self._engine.max_listing_bytes
        complaint = f"sent a listing of more than {most_bytes / MIB:g} MiB, the most that ENGINE_MAX_BODY_MIB allows"
        return Allowance(most_bytes=most_bytes, complaint=complaint)

    def _ask(self, path: str, allowance: Allowance, deadline: Deadline | None = None) -> Answer:
        """Return the daemon's answer to a path, asked in the negotiated version of the API."""
        return self._get(f"/v{self.version(deadline).ApiVersion}{path}", allowance, deadline)

    def _get(self, path: str, allowance: Allowance, deadline: Deadline | None) -> Answer:
        """Return the answer to a whole path. Raises Trouble if its status is not 200."""
        seconds = self._engine.timeout_seconds
        deadline = deadline or Deadline(seconds, seconds * TOTAL_TIMEOUT_FACTOR)
        answer = self._connection.get(path, deadline, allowance)
        if answer.status == _BAD_REQUEST and b"HTTPS" in answer.body and self._engine.tls is None:
            raise Trouble(SPEAKS_TLS)
        if answer.status != OK:
            raise Trouble(f"answered HTTP {answer.status}{said(answer.body)}")
        return answer


class EventStream:
    """A subscription to events: an iterator over the daemon's bytes, which another thread may end."""

    def __init__(self, engine: Engine, connection: Connection, response: HTTPResponse, silence_seconds: float) -> None:
        self._engine = engine
        self._connection = connection
        self._response = response
        self._silence_seconds = silence_seconds
        self._ended = False

    def __iter__(self) -> Iterator[bytes]:
        """Yield bytes as they come, until the stream ends. Raises EngineUnavailable when it breaks."""
        with self._engine.translate_errors():
            while chunk := self._read():
                yield chunk

    def end(self) -> None:
        """End the stream; a read that is under way returns. May be called from any thread."""
        self._ended = True
        self._connection.end()

    def close(self) -> None:
        """Close the connection. Only the thread that reads may call this."""
        self._response.close()
        self._connection.close()

    def _read(self) -> bytes:
        try:
            return b"" if self._ended else self._connection.read(self._response, Deadline(self._silence_seconds))
        except Exception:
            if self._ended:
                return b""
            raise
