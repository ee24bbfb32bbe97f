"""I/O: sends a signed webhook. The only importer of HTTP in this app.

The address is checked where it is used: on each connection, after its name was resolved. So a name that means another
address a moment later (DNS rebinding) leads nowhere else. Redirects are not followed, proxies are not used.
"""

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from django.utils import timezone

from alerts.core.addresses import refusal_of
from alerts.core.retries import retry_after_of
from alerts.sending.errors import NotSent

STEP_SECONDS = 10.0
"""For connecting, and between two pieces of an answer."""
TOTAL_SECONDS = 25.0
MOST_ADDRESSES = 3
GONE = 410
UNAVAILABLE = 503
"""By this a receiver says for certain that it did nothing; by others from 500 on it does not."""


class Refused(OSError):
    """A connection was not made, because its address is not allowed."""


def post(url: str, body: bytes, headers: Mapping[str, str], networks: Sequence[str] | None) -> None:
    """Send a body to an address; an empty one is sent with GET. Raises NotSent.

    Private addresses have to be in one of the `networks`. None stands for an address that is trusted whatever it is.
    """
    parts = urlsplit(url)
    connection = _connection(parts.scheme, parts.hostname or "", parts.port, networks)
    path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    with contextlib.closing(connection), _cut_off(connection) as is_cut_off:
        _connect(connection, is_cut_off)
        try:
            with_agent = {"user-agent": "tinyforge-container-index", **headers}
            connection.request("POST" if body else "GET", path, body or None, with_agent)
            with connection.getresponse() as answer:
                _judge(answer)
        except (OSError, http.client.HTTPException) as error:
            raise NotSent(f"no answer: {_said(error, is_cut_off)}", is_certain=False) from error


def _connect(connection: http.client.HTTPConnection, is_cut_off: threading.Event) -> None:
    try:
        connection.connect()
    except Refused as error:
        raise NotSent(str(error), is_certain=True) from error
    except (OSError, ValueError) as error:
        raise NotSent(f"no connection: {_said(error, is_cut_off)}", is_certain=True) from error
    if is_cut_off.is_set():
        raise NotSent(f"no connection within {TOTAL_SECONDS:g} s", is_certain=True)


def _judge(answer: http.client.HTTPResponse) -> None:
    """Raise NotSent unless the receiver says that it has taken the message."""
    status = answer.status
    if 200 <= status < 300:
        return
    reason = f"the receiver answered {status}"
    if 300 <= status < 400:
        reason += ": redirects are not followed; set the channel's target to where it leads"
    is_certain = status < 500 or status == UNAVAILABLE
    retry_after = retry_after_of(answer.headers.get("retry-after", ""), timezone.now())
    raise NotSent(reason, is_certain=is_certain, retry_after=retry_after, is_gone=status == GONE)


def _said(error: Exception, is_cut_off: threading.Event) -> str:
    """Return what an error means; its own text could hold what the receiver has said."""
    if is_cut_off.is_set():
        return f"it took longer than {TOTAL_SECONDS:g} s"
    if isinstance(error, TimeoutError):
        return f"nothing came within {STEP_SECONDS:g} s"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, socket.gaierror):
        return "its name cannot be resolved"
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__


@contextlib.contextmanager
def _cut_off(connection: http.client.HTTPConnection) -> Iterator[threading.Event]:
    """Cut a connection off when the time is up, because a receiver may send its answer byte by byte."""
    is_cut_off = threading.Event()

    def cut() -> None:
        is_cut_off.set()
        with contextlib.suppress(OSError):
            if connection.sock is not None:
                connection.sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(TOTAL_SECONDS, cut)
    timer.daemon = True
    timer.start()
    try:
        yield is_cut_off
    finally:
        timer.cancel()


def _checked_socket(host: str, port: int, networks: Sequence[str] | None) -> socket.socket:
    """Return a connection to the first address of a name that takes one. Raises OSError; Refused if none is allowed."""
    failure: OSError = Refused(f"{host} has no address")
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[:MOST_ADDRESSES]:
        if networks is not None and (refusal := refusal_of(str(address[0]), networks)):
            failure = Refused(refusal)
            continue
        made = socket.socket(family, kind, protocol)
        made.settimeout(STEP_SECONDS)
        try:
            made.connect(address)
        except OSError as error:
            made.close()
            failure = error
        else:
            return made
    raise failure


def _connection(scheme: str, host: str, port: int | None, networks: Sequence[str] | None) -> http.client.HTTPConnection:
    kind = _Https if scheme == "https" else _Http
    made = kind(host, port, timeout=STEP_SECONDS)
    made.networks = networks
    return made


class _Http(http.client.HTTPConnection):
    networks: Sequence[str] | None = ()

    def connect(self) -> None:
        self.sock = _checked_socket(self.host, self.port, self.networks)


class _Https(http.client.HTTPSConnection):
    networks: Sequence[str] | None = ()

    def connect(self) -> None:
        plain = _checked_socket(self.host, self.port, self.networks)
        context = ssl.create_default_context()
        # the handshake comes after, so that it can be cut off
        self.sock = context.wrap_socket(plain, server_hostname=self.host, do_handshake_on_connect=False)
        self.sock.do_handshake()
