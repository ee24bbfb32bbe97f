"""gunicorn's threads, of which each parts with its own client."""

import contextlib
import socket
import time
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

LINGER_SECONDS = 2.0


class Threads(ThreadWorker):  # type: ignore[misc]
    """gunicorn's worker `gthread`, except that the thread that lets everybody in waits for nobody.

    Whoever closes a connection has to wait until the client hangs up as well, or else the client may lose the end of
    its answer. gunicorn waits for up to two seconds in the thread that accepts all connections, and meanwhile
    nobody else is let in. Here the thread that has answered waits, and leaves gunicorn nothing to wait for.
    """

    def handle(self, conn: Any) -> Any:
        """Answer a request; return whether the connection stays."""
        stays = super().handle(conn)
        if not stays:
            part_with(conn.sock)
        return stays


def part_with(client: socket.socket, seconds: float = LINGER_SECONDS) -> None:
    """Say that nothing more comes, wait a while for the client to hang up, and listen to it no more."""
    end = time.monotonic() + seconds
    with contextlib.suppress(OSError):
        client.shutdown(socket.SHUT_WR)
        while (left := end - time.monotonic()) > 0:
            client.settimeout(left)
            if not client.recv(65_536):
                break
    with contextlib.suppress(OSError):
        client.shutdown(socket.SHUT_RD)
