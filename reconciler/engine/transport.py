"""I/O: makes a connection of the kind that an Engine's URL names, ready for HTTP.

The URL is checked here again, whoever has stored it. Nothing is looked up, run or connected for a URL that
is not accepted.
"""

import contextlib
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import BadStatusLine
from typing import Any, cast

from reconciler.core.engine_url import BadEngineUrl, EngineUrl, parse_engine_url
from reconciler.engine.errors import Trouble
from reconciler.engine.tls import SPEAKS_TLS, TlsFiles, context_of, tls_words
from reconciler.engine.wire import Deadline, connect_tcp


@dataclass(frozen=True, slots=True, kw_only=True)
class Transport:
    """A connection, the name of its other end for HTTP, and what its errors mean.

    `limit`, `end` and `close` limit what is received, end a read, and close it, where that takes more than usual.
    """

    sock: Any
    authority: str = "localhost"
    explain: Callable[[BaseException], str]
    limit: Callable[[int], None] | None = None
    end: Callable[[], None] | None = None
    close: Callable[[], None] | None = None


def connect(url: str, tls: TlsFiles | None, seconds: float) -> Transport:
    """Connect to the machine or socket that a URL names, within a time. Raises Trouble, or errors of libraries."""
    try:
        parts = parse_engine_url(url)
    except BadEngineUrl as error:
        raise Trouble(f"cannot be asked: its URL is not usable: {error}") from None
    if parts.scheme == "unix":
        return Transport(sock=_unix_socket(parts.path, seconds), explain=_plain_words)
    if parts.scheme == "ssh":
        return _over_ssh(parts, seconds)
    if parts.scheme == "https" or (parts.scheme == "tcp" and tls):
        return _over_tls(parts, tls, seconds)
    sock = connect_tcp(parts.host, parts.port, seconds)
    return Transport(sock=sock, authority=_authority(parts), explain=_plain_words)


def _unix_socket(path: str, seconds: float) -> socket.socket:
    """Return a connection to a local Engine, made by the SDK's transport; what comes over it is bounded here.

    The SDK takes a third of the time in which a process starts, and most processes never connect to a local Engine.
    """
    from docker.transport.unixconn import UnixHTTPConnection

    # its types ask for whole seconds, and it takes any number
    connection = UnixHTTPConnection("http+unix://localhost", path, timeout=seconds)  # type: ignore[arg-type]
    connection.connect()
    return cast("socket.socket", connection.sock)


def _over_tls(url: EngineUrl, files: TlsFiles | None, seconds: float) -> Transport:
    """Connect by TLS, after reading the files for it."""
    # before anything connects, so that we say what is wrong with the files even if nobody answers
    context = context_of(files)

    def explain(error: BaseException) -> str:
        return tls_words(error, files, url.host)

    deadline = Deadline(seconds, seconds)
    sock = connect_tcp(url.host, url.port, seconds)
    with _in_words(explain), _closed_on_error(sock):
        # the handshake gets what connecting has left
        sock.settimeout(deadline.left())
        secure = context.wrap_socket(sock, server_hostname=url.host)
        return Transport(sock=secure, authority=_authority(url), explain=explain)


def _over_ssh(url: EngineUrl, seconds: float) -> Transport:
    """Connect by ssh, if its extra is installed."""
    try:
        from reconciler.engine.ssh import SshChannel
    except ImportError as error:
        raise Trouble("needs the ssh extra: pip install -r requirements-ssh.txt") from error
    channel = SshChannel(url, seconds)
    return Transport(
        sock=channel.sock, explain=channel.words, limit=channel.limit, end=channel.end, close=channel.release
    )


@contextlib.contextmanager
def _in_words(explain: Callable[[BaseException], str]) -> Iterator[None]:
    """Raise Trouble instead of an error that the transport can explain."""
    try:
        yield
    except OSError as error:
        if words := explain(error):
            raise Trouble(words) from error
        raise


@contextlib.contextmanager
def _closed_on_error(sock: Any) -> Iterator[None]:
    """Close the socket if the steps in this block fail."""
    try:
        yield
    except BaseException:
        sock.close()
        raise


def _authority(url: EngineUrl) -> str:
    return f"[{url.host}]:{url.port}" if ":" in url.host else f"{url.host}:{url.port}"


def _plain_words(error: BaseException) -> str:
    """Return in words that the answer was a TLS alert instead of HTTP, or nothing."""
    return SPEAKS_TLS if isinstance(error, BadStatusLine) and str(error).startswith("\x15\x03") else ""
