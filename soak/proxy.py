"""A proxy that can swallow: what it has accepted stays open, and nothing is ever carried on it again.

That is what a connection is like whose other end has vanished without a word. After `heal`, new ones are carried.
"""

import asyncio
import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

Address = Path | tuple[str, int]
LOOPBACK = "127.0.0.1"
ACT_SECONDS = 10.0


class Proxy:
    """One address on loopback, and where its connections lead to."""

    def __init__(self, target: Address) -> None:
        self.target = target
        self.port = 0
        self.swallows = False
        self.ends: set[End] = set()

    def swallow(self) -> None:
        """Carry nothing from now on, neither on open connections nor on new ones."""
        self.swallows = True
        for end in list(self.ends):
            end.carries = False

    def heal(self) -> None:
        """Carry new connections again; those that were swallowed stay as they are until a client gives up."""
        self.swallows = False


class Proxies:
    """A thread with an event loop that carries the connections of any number of proxies."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxies", daemon=True)
        self._open: list[tuple[Proxy, asyncio.Server]] = []

    def __enter__(self) -> Self:
        """Start the thread."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the thread, and all connections with it."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(ACT_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def open(self, target: Address) -> Proxy:
        """Return a proxy that leads to an address."""
        proxy = Proxy(target)
        asyncio.run_coroutine_threadsafe(self._listen(proxy), self._loop).result(ACT_SECONDS)
        return proxy

    async def _listen(self, proxy: Proxy) -> None:
        server = await self._loop.create_server(lambda: Entrance(proxy), LOOPBACK, 0)
        proxy.port = server.sockets[0].getsockname()[1]
        self._open.append((proxy, server))

    async def _close(self) -> None:
        for proxy, server in self._open:
            server.close()
            while proxy.ends:
                for end in proxy.ends:
                    end.abort()
                # a connection that is aborted leaves a moment later, and one that is being made comes
                await asyncio.sleep(0)


@dataclass(slots=True, eq=False)
class End(asyncio.Protocol):
    """One end of a carried connection; the other is its peer."""

    proxy: Proxy
    peer: "End | None" = None
    carries: bool = True
    transport: asyncio.Transport | None = None
    waiting: list[bytes] = field(default_factory=list)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send what has come meanwhile."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what streams of bytes have
        self.transport = transport
        self.proxy.ends.add(self)
        self.carries = not self.proxy.swallows and (self.peer is None or self.peer.carries)
        if self.carries and self.waiting:
            transport.write(b"".join(self.waiting))
        self.waiting.clear()

    def data_received(self, data: bytes) -> None:
        """Carry it to the other end, unless it is swallowed."""
        if self.carries and self.peer:
            self.peer.send(data)

    def send(self, data: bytes) -> None:
        """Send it as soon as there is a connection."""
        if self.transport is None:
            self.waiting.append(data)
        elif self.carries:
            self.transport.write(data)

    def abort(self) -> None:
        """Break the connection off."""
        if self.transport:
            self.transport.abort()

    def connection_lost(self, _exc: Exception | None) -> None:
        """Close the other end too. A client is not told that the server has gone if its connection is swallowed."""
        self.proxy.ends.discard(self)
        is_told = self.carries or isinstance(self, Entrance)
        if self.peer and self.peer.transport and is_told:
            self.peer.transport.close()


class Entrance(End):
    """The end of a client."""

    __slots__ = ("connecting",)

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy, peer=End(proxy))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connect to where it leads, unless everything is swallowed."""
        super().connection_made(transport)
        if self.peer:
            self.peer.peer = self
        if self.carries:
            self.connecting = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        loop, exit_end, target = asyncio.get_running_loop(), self.peer, self.proxy.target
        assert exit_end is not None and self.transport is not None  # noqa: S101, PT018
        try:
            if isinstance(target, Path):
                await loop.create_unix_connection(lambda: exit_end, str(target))
            else:
                await loop.create_connection(lambda: exit_end, *target)
        except OSError:
            self.abort()
            return
        if self.transport.is_closing() and exit_end.transport:
            exit_end.transport.close()
