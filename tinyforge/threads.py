"""gunicorn's threads, of which each parts with its own client."""

import contextlib
import json
import socket
import time
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

LINGER_SECONDS = 2.0
WHAT_CAN_BE_READ = "the server cannot answer this request; its first line and each header may have 8190 bytes"


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

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answer a request; a client that takes nothing of a stream is given up, which is no error of ours."""
        try:
            return super().handle_request(req, conn)
        except TimeoutError:
            self.log.info("A client has taken nothing of its answer for too long, and was given up.")
            return False

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer a request that gunicorn cannot read, or that an error of ours has spoiled."""
        super().handle_error(req, TellsProblems(client), addr, exc)


class TellsProblems:
    """A client's connection, on which an error page of gunicorn is sent in the form of RFC 9457 instead.

    Programs read the errors of the API, and gunicorn does not know yet what a request is for when it cannot read it.
    """

    def __init__(self, client: socket.socket) -> None:
        self._client = client
        self.gettimeout, self.setblocking = client.gettimeout, client.setblocking

    def sendall(self, page: bytes) -> None:
        """Send the status of a page of HTML, and what can be done."""
        _, status, title = page.partition(b"\r\n")[0].decode("latin1").split(" ", 2)
        told = {"type": "about:blank", "title": title, "status": int(status), "detail": WHAT_CAN_BE_READ}
        body = json.dumps(told).encode()
        head = f"HTTP/1.1 {status} {title}", "Connection: close", "Content-Type: application/problem+json"
        length = f"Content-Length: {len(body)}"
        self._client.sendall("\r\n".join((*head, length, "", "")).encode("latin1") + body)


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
