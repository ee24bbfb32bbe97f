"""Real receivers for what is sent: one for webhooks, and one for mail."""

import asyncio
import contextlib
import http.server
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from email.message import Message as Mail
from email.parser import BytesParser
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass(frozen=True, slots=True)
class Got:
    """A request that a receiver has got."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Receives webhooks. It answers with the next of `answers` (status and headers), and with 204 when none is left.

    `meanwhile` is called before it answers.
    """

    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    got: list[Got] = field(default_factory=list)
    meanwhile: Callable[[], object] = lambda: None
    url: str = ""

    def answer(self, status: int, **headers: str) -> None:
        """Give this answer next."""
        self.answers.append((status, {name.replace("_", "-"): value for name, value in headers.items()}))


@contextlib.contextmanager
def webhook_receiver(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Serve a receiver on loopback, over TLS if a context is given."""
    receiver = Receiver()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.got.append(Got(self.path, headers, body))
            receiver.meanwhile()
            status, answered = receiver.answers.pop(0) if receiver.answers else (204, {})
            self.send_response(status)
            for name, value in {"content-length": "0", **answered}.items():
                self.send_header(name, value)
            self.end_headers()

        do_GET = do_POST  # noqa: N815

        def handle(self) -> None:
            with contextlib.suppress(OSError):
                super().handle()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    receiver.url = f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class MailServer:
    """Receives mail. It refuses with `refusal`, and waits before it greets or takes a mail, if it is told to."""

    port: int = 0
    refusal: str = ""
    greet_after: float = 0
    take_after: float = 0
    mails: list[Mail] = field(default_factory=list)
    meanwhile: Callable[[], object] = lambda: None
    connections: list[asyncio.BaseTransport] = field(default_factory=list)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep a mail, unless told otherwise."""
        if self.refusal:
            return self.refusal
        self.mails.append(BytesParser(policy=default).parsebytes(envelope.content or b""))  # type: ignore[arg-type]
        self.meanwhile()
        await asyncio.sleep(self.take_after)
        return "250 OK"


class _Late(SMTP):
    """Greets when its handler says so."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.event_handler.connections.append(transport)
        super().connection_made(transport)

    async def _handle_client(self) -> None:
        await asyncio.sleep(self.event_handler.greet_after)
        await super()._handle_client()


@contextlib.contextmanager
def mail_server() -> Iterator[MailServer]:
    """Serve a mail server on loopback."""
    handler = MailServer()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    made = loop.create_server(lambda: _Late(handler, loop=loop), "127.0.0.1", 0)
    server = asyncio.run_coroutine_threadsafe(made, loop).result(10)
    handler.port = server.sockets[0].getsockname()[1]
    try:
        yield handler
    finally:
        asyncio.run_coroutine_threadsafe(_end(server, handler), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end(server: asyncio.Server, handler: MailServer) -> None:
    server.close()
    for connection in handler.connections:
        connection.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    # the loop closes connections in its next rounds
    await asyncio.sleep(0.01)


@contextlib.contextmanager
def deaf_server(say: Sequence[bytes] = (), pause: float = 0) -> Iterator[int]:
    """Listen on loopback, and let whoever connects wait: say these bytes with a pause before each, and no more."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        is_over = threading.Event()
        connections: list[socket.socket] = []

        def serve() -> None:
            listening.settimeout(0.05)
            while not is_over.is_set():
                try:
                    connection, _ = listening.accept()
                except TimeoutError:
                    continue
                connections.append(connection)
                _drip(connection, say, pause, is_over)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            is_over.set()
            thread.join()
            for connection in connections:
                connection.close()


def _drip(connection: socket.socket, say: Sequence[bytes], pause: float, is_over: threading.Event) -> None:
    for piece in say:
        if is_over.wait(pause):
            return
        try:
            connection.sendall(piece)
        except OSError:
            return
