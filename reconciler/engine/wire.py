"""I/O: sockets whose waits have a bound and whose bytes are counted, and how to connect them.

It knows bytes and time, and nothing about HTTP, TLS or what is asked for.
"""

import contextlib
import io
import os
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from reconciler.engine.alarm import within
from reconciler.engine.errors import Trouble

MAX_ADDRESSES = 8
_KEEPALIVE = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """How many bytes may be received, and the words for a Trouble if there are more."""

    most_bytes: int
    complaint: str


class Meter:
    """Counts everything that is received against an allowance: heads, framing and trailers as well as bodies."""

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self._left = allowance.most_bytes

    def allow(self, allowance: Allowance) -> None:
        """Start counting again, with another allowance."""
        self._allowance, self._left = allowance, allowance.most_bytes

    def take(self, received_bytes: int) -> None:
        """Count bytes. Raises Trouble if they are too many."""
        self._left -= received_bytes
        if trouble := self.trouble():
            raise trouble

    def trouble(self) -> Trouble | None:
        """Return what is wrong if too many bytes were received."""
        return Trouble(self._allowance.complaint) if self._left < 0 else None


class BoundedSocket:
    """A connected socket of any kind, in the form that http.client wants, with a deadline and a meter."""

    def __init__(self, sock: Any, deadline: Deadline, meter: Meter) -> None:
        self.sock = sock
        self.deadline = deadline
        self.meter = meter

    def sendall(self, data: bytes) -> None:
        self.sock.settimeout(self.deadline.left())
        self.sock.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reads(self))

    def settimeout(self, _seconds: float | None) -> None:
        """Do nothing: the deadline bounds the waits, and this would bound each single one only."""

    def close(self) -> None:
        self.sock.close()

    def end(self) -> None:
        """End a read that is under way, so that it returns. May be called from any thread."""
        with contextlib.suppress(OSError, ValueError), socket.socket(fileno=os.dup(self.sock.fileno())) as end:
            end.shutdown(socket.SHUT_RDWR)


class _Reads(io.RawIOBase):
    """What such a socket receives. All waits share the deadline's time, so that dripping does not extend it."""

    def __init__(self, socket_: BoundedSocket) -> None:
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
        self._socket.meter.take(received or 0)
        return received

    def close(self) -> None:
        self._file.close()
        super().close()


def connect_unix(path: str, seconds: float) -> socket.socket:
    """Return a connection to a unix socket. Raises Trouble or OSError."""
    return _connect(socket.AF_UNIX, path, seconds)


def connect_tcp(host: str, port: int, seconds: float) -> socket.socket:
    """Return a connection to one of a machine's addresses, made within a time. Raises Trouble or OSError."""
    end = time.monotonic() + seconds
    try:
        found = within(seconds, partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM))
    except UnicodeError:
        raise Trouble("cannot be reached: no machine can have such a name") from None
    except TimeoutError:
        raise Trouble(f"has a name that was not resolved within {seconds:g} s", stuck=True) from None
    addresses = [(family, address) for family, _, _, _, address in found[:MAX_ADDRESSES]]
    return connect_one_of(addresses, end - time.monotonic())


def connect_one_of(addresses: Sequence[tuple[int, Any]], seconds: float) -> socket.socket:
    """Return a connection to the first address that accepts one; each address gets its share of the time.

    Raises Trouble if the time is up, or OSError.
    """
    end = time.monotonic() + seconds
    errors: list[OSError] = []
    for tried, (family, address) in enumerate(addresses):
        left = end - time.monotonic()
        if left <= 0:
            errors.append(TimeoutError())
            break
        try:
            return _connect(family, address, left / (len(addresses) - tried))
        except OSError as error:
            errors.append(error)
    if any(isinstance(error, TimeoutError) for error in errors):
        raise Trouble(f"took no connection within {seconds:.3g} s", stuck=True)
    raise errors[0]


def _connect(family: int, address: Any, seconds: float) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.settimeout(seconds)
        if family != socket.AF_UNIX:
            for level, option, value in _KEEPALIVE:
                made.setsockopt(level, option, value)
        made.connect(address)
    except BaseException:
        made.close()
        raise
    return made
