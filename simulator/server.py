"""Serves any number of engines from one thread. Listens on loopback and unix sockets only."""

import asyncio
import functools
import resource
import threading
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

from simulator.documents import PODMAN_RELEASE, release
from simulator.engine import Engine
from simulator.inflict import serve
from simulator.wire import Connection

LOOPBACK = "127.0.0.1"
BACKLOG = 1024
T = TypeVar("T")

ACCEPT_SECONDS = 0.02


@dataclass(slots=True, kw_only=True, eq=False)
class Listener:
    """One engine's address, with the connections made to it."""

    engine: Engine
    socket: Path | None
    port: int
    listening: asyncio.Server | None = None
    connections: set["ServedConnection"] = field(default_factory=set)

    @property
    def url(self) -> str:
        """Return the address as a client writes it."""
        return f"unix://{self.socket}" if self.socket else f"tcp://{LOOPBACK}:{self.port}"

    async def open(self) -> None:
        """Start listening."""
        loop = asyncio.get_running_loop()
        make = functools.partial(ServedConnection, self, server_headers(self.engine))
        if self.socket:
            self.listening = await loop.create_unix_server(make, str(self.socket), backlog=BACKLOG)
        else:
            self.listening = await loop.create_server(make, LOOPBACK, self.port, backlog=BACKLOG)
            self.port = self.listening.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening, hang up on everybody and remove the socket."""
        if self.listening is None:
            return
        self.listening.close()
        self.listening = None
        # a connection that was accepted a moment ago may not be registered yet
        await asyncio.sleep(ACCEPT_SECONDS)
        while self.connections:
            for connection in self.connections:
                connection.abort()
            await asyncio.sleep(0)
        if self.socket:
            self.socket.unlink(missing_ok=True)


class ServedConnection(Connection):
    """A connection that registers with its listener, and that its engine may refuse."""

    def __init__(self, listener: Listener, headers: bytes) -> None:
        super().__init__(functools.partial(serve, listener.engine), headers)
        self._listener = listener

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._listener.connections.add(self)
        if self._listener.engine.rules.refuse():
            self.abort()

    def connection_lost(self, _exc: Exception | None) -> None:
        self._listener.connections.discard(self)
        super().connection_lost(_exc)


class Server:
    """A thread with an event loop in which engines are served. Use it in a `with` statement."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="simulator", daemon=True)
        self._listeners: dict[Engine, Listener] = {}

    def __enter__(self) -> Self:
        allow_many_sockets()
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._await(self._close_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def serve(self, engine: Engine, *, socket: Path | None = None, port: int = 0) -> str:
        """Start to serve an engine and return its URL.

        Without an address, the engine gets its former one, or a free port. Serving it twice raises ValueError.
        """
        listener = self._listeners.get(engine)
        if listener and listener.listening:
            raise ValueError(f"already served at {listener.url}")
        if listener is None or socket or port:
            listener = Listener(engine=engine, socket=socket, port=port)
        self._await(listener.open())
        self._listeners[engine] = listener
        return listener.url

    def close(self, engine: Engine) -> None:
        """Stop an engine as if its daemon had been stopped: its streams end, and its socket is removed."""
        self._await(self._listeners[engine].close())

    async def _close_all(self) -> None:
        await asyncio.gather(*(listener.close() for listener in self._listeners.values()))

    def _await(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


def server_headers(engine: Engine) -> bytes:
    """Return the headers that every answer of an engine carries, with the empty line that ends them."""
    name = f"Libpod/{PODMAN_RELEASE}" if engine.podman else f"Docker/{release(engine.api_version)}"
    return f"Api-Version: {engine.api_version}\r\nOstype: linux\r\nServer: {name} (linux)\r\n\r\n".encode()


def allow_many_sockets() -> None:
    """Raise the soft limit of open files to the hard one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
