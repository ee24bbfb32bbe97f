"""One daemon: what happens to its containers, who is told about it, and which failures it has been told to make.

Every method may be called from any thread. As in a real daemon, a change is in the listing before its event is out.
"""

import itertools
import secrets
import time
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from simulator import documents
from simulator.container import Container
from simulator.failures import DEFAULT_PATHS, LISTING, Failure, Rule, Rules
from simulator.filters import event_passes
from simulator.stream import Broadcast
from simulator.world import World

GARBAGE = b"}{ this is no JSON\n"


class Engine:
    """A daemon without containers, until some are added."""

    def __init__(
        self,
        *,
        api_version: str = "1.41",
        min_api_version: str = "1.12",
        engine_id: str | None = None,
        podman: bool = False,
    ) -> None:
        self.api_version = api_version
        self.min_api_version = min_api_version
        self.engine_id = engine_id or f"SIM:{uuid.uuid4().hex.upper()}"
        self.podman = podman
        self.dialect = documents.dialect_of(api_version, podman=podman)
        self.world = World(self.dialect)
        self.streams = Broadcast()
        self.rules = Rules()
        self._requests: list[tuple[str, str]] = []
        self._last_time_ns = 0
        self._exec_numbers = itertools.count(1)

    @property
    def containers(self) -> Mapping[str, Container]:
        """Return a live, read-only view of the containers by ID, oldest first."""
        return self.world.containers

    @property
    def requests(self) -> list[tuple[str, str]]:
        """Return method and path, without version and query, of every request so far."""
        return list(self._requests)

    @property
    def open_streams(self) -> int:
        """Count the clients that watch."""
        return len(self.streams)

    def record(self, method: str, path: str) -> None:
        """Count a request."""
        self._requests.append((method, path))

    def reset_requests(self) -> None:
        """Forget the requests so far."""
        self._requests.clear()

    def add(self, name: str | None = None, *, state: str = "running", started: bool = True, **fields: Any) -> str:
        """Make a container and return its ID; emit `create`, and `start` if it is running.

        `fields` are further fields of Container. Without `created`, it is now, and later than every container before.
        """
        if state == "running" and not started:
            state = "created"
        now = time.time()
        fields.setdefault("id", secrets.token_hex(32))
        fields.setdefault("started_at", None if state == "created" else now)
        fields.setdefault("finished_at", now if state in {"exited", "dead", "restarting"} else None)
        with self.world.lock:
            fields["created"] = fields.get("created") or self.world.next_created()
            container = Container(name=name or f"container-{fields['id'][:12]}", state=state, **fields)
            self.world.load([container])
            self._emit(container, "create")
            if state == "running":
                self._emit(container, "start")
        return container.id

    def create(self, name: str | None = None, **fields: Any) -> str:
        """Make a container that has not been started."""
        return self.add(name, state="created", **fields)

    def load(self, containers: Iterable[Container]) -> None:
        """Take over many containers at once, without events."""
        self.world.load(containers)

    def amend(self, container_id: str, **changes: Any) -> None:
        """Change any fields of a container, without an event."""
        self.world.amend(container_id, **changes)

    def start(self, container_id: str) -> None:
        """Start a container."""
        with self.world.lock:
            begun: dict[str, Any] = {"started_at": time.time(), "exit_code": 0, "oom_killed": False}
            if self.containers[container_id].health is not None:
                begun["health"] = "starting"
            self._change(container_id, "start", state="running", **begun)

    def die(self, container_id: str, exit_code: int = 137, *, oom: bool = False) -> None:
        """Let a container's process end by itself; whoever asks about its health then is told `unhealthy`."""
        with self.world.lock:
            finished: dict[str, Any] = {"finished_at": time.time(), "exit_code": exit_code, "oom_killed": oom}
            if self.containers[container_id].health is not None:
                finished["health"] = "unhealthy"
            container = self.world.amend(container_id, state="exited", **finished)
            if oom:
                self._emit(container, "oom")
            self._emit(container, "died" if self.podman else "die", exitCode=str(exit_code))

    def stop(self, container_id: str, exit_code: int = 0) -> None:
        """Stop a container: it is killed, dies and has stopped."""
        with self.world.lock:
            self._change(container_id, "kill", {"signal": "15"})
            self.die(container_id, exit_code)
            self._change(container_id, "stop")

    def restart(self, container_id: str) -> None:
        """Stop a container if it is up, and start it again."""
        with self.world.lock:
            if self.containers[container_id].is_up:
                self.stop(container_id)
            self.start(container_id)
            self._change(container_id, "restart")

    def pause(self, container_id: str) -> None:
        """Pause a container."""
        self._change(container_id, "pause", state="paused")

    def unpause(self, container_id: str) -> None:
        """Let a paused container go on."""
        self._change(container_id, "unpause", state="running")

    def destroy(self, container_id: str) -> None:
        """Remove a container, killing it first if it is up."""
        with self.world.lock:
            if self.containers[container_id].is_up:
                self._change(container_id, "kill", {"signal": "9"})
                self.die(container_id)
            self._emit(self.world.remove(container_id), "destroy")

    def rename(self, container_id: str, name: str) -> None:
        """Give a container another name."""
        with self.world.lock:
            old_name = self.containers[container_id].name
            self._change(container_id, "rename", {"oldName": f"/{old_name}"}, name=name)

    def set_health(self, container_id: str, health: str) -> None:
        """Set the result of a container's health check: `healthy`, `unhealthy` or `starting`."""
        self._change(container_id, f"health_status: {health}", health=health)

    def exec_probe(self, container_id: str, command: str = "/bin/sh -c true") -> None:
        """Run a health probe: three events, and no change."""
        with self.world.lock:
            exec_id = {"execID": f"{next(self._exec_numbers):064x}"}
            self._change(container_id, f"exec_create: {command}", exec_id)
            self._change(container_id, f"exec_start: {command}", exec_id)
            self._change(container_id, "exec_die", exec_id | {"exitCode": "0"})

    def replace_item(self, container_id: str, raw: bytes) -> None:
        """List raw bytes instead of a container's item, until that container changes."""
        self.world.replace_item(container_id, raw)

    def clear(self) -> None:
        """Drop every container, without events."""
        self.world.clear()

    def fail(self, failure: Failure, path: str | None = None, times: int | None = None, **params: Any) -> None:
        """Fail from now on, or the next `times` times, where the path matches the pattern.

        The path is LISTING unless the failure is one of streams (EVENTS) or of connections (EVERYTHING).
        `params` are those of Rule: status, message, body, every, seconds, rate, seed, minimum.
        """
        path = path or DEFAULT_PATHS.get(failure, LISTING)
        self.rules.add(Rule(failure=failure, path=path, times=times, **params))
        if failure is Failure.ENDS:
            for stream in self.streams.take_all():
                stream.connection.call(stream.end)
        if failure is Failure.GARBAGE:
            self.emit_raw(GARBAGE)

    def heal(self) -> None:
        """Lift every failure; hanging requests are answered now."""
        self.rules.heal()

    def drop_streams(self) -> None:
        """Break off every open stream."""
        for stream in self.streams.take_all():
            stream.connection.call(stream.connection.abort)

    def emit_raw(self, data: bytes) -> None:
        """Send bytes to every open stream, whatever its filters."""
        with self.world.lock:
            if not self.rules.silent():
                self.streams.send(data)

    def _change(self, container_id: str, action: str, extra: dict[str, str] | None = None, **changes: Any) -> None:
        with self.world.lock:
            container = self.containers[container_id]
            if changes:
                container = self.world.amend(container_id, **changes)
            self._emit(container, action, **(extra or {}))

    def _emit(self, container: Container, action: str, **extra: str) -> None:
        self._last_time_ns = max(time.time_ns(), self._last_time_ns + 1)
        if self.rules.skip() or self.rules.silent() or not self.open_streams:
            return
        event = documents.event(container, action, extra, self._last_time_ns, self.dialect)
        self.streams.send(msgspec.json.encode(event) + b"\n", lambda filters: event_passes(event, filters))
