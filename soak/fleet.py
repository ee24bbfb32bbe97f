"""Acts on containers, simulated and real. Each is noted in the record before it is done."""

import itertools
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import docker
import requests

from dev.engine import DockerEngine
from simulator import Engine
from soak.record import GONE, Record, Span
from soak.world import IMAGE, World, client_of, states_of

AT_FIRST = 20
AT_FIRST_REAL = 6
WORDS = {"exited": "stopped", "dead": "stopped"}


@dataclass(slots=True)
class Fleet:
    """All containers, and what can happen to them. The dice decide who and what."""

    world: World
    record: Record
    dice: random.Random
    _numbers: "itertools.count[int]" = field(init=False, default_factory=itertools.count)
    _labels: dict[str, dict[str, str]] = field(init=False, default_factory=dict)

    def fill(self) -> None:
        """Make the first containers."""
        for host in self.world.simulated:
            for _ in range(AT_FIRST):
                self._add(host)
        for host, engine in self.world.engines.items():
            with client_of(engine) as client:
                for _ in range(AT_FIRST_REAL):
                    self._run_real(host, client)

    def act(self) -> None:
        """Let something happen to one container of a simulated host."""
        host = self.dice.choice(list(self.world.simulated))
        engine = self.world.simulated[host]
        if self.dice.random() * AT_FIRST > len(engine.containers) - AT_FIRST // 2:
            self._add(host)
            return
        container_id = self.dice.choice(list(engine.containers))
        self.dice.choice(self._acts(engine.containers[container_id].state))(host, engine, container_id)

    def act_for_real(self) -> None:
        """Let something happen to one container of a real host, if its Engine can do it at present."""
        host = self.dice.choice(list(self.world.engines))
        try:
            with client_of(self.world.engines[host]) as client:
                self._act_for_real(host, client)
        except (docker.errors.DockerException, requests.RequestException):
            # it is being killed by the storm; what has become of the container is read in settle()
            return

    def settle(self, began: float) -> None:
        """Note what has become of the containers of real hosts since a moment: some may have ended with it."""
        for host, engine in self.world.engines.items():
            if self._settle(host, engine):
                # nobody knows when it happened
                self.record.note_unseen(Span(began, time.time()), host)

    def _settle(self, host: str, engine: DockerEngine) -> bool:
        acts = self.record.acts
        real = {key: WORDS.get(state, state) for key, state in states_of(engine).items()}
        known = {key: state for key, (where, state) in self.record.living().items() if where == host}
        for key, state in real.items():
            if known.get(key) != state:
                self.record.note(host, key, state)
        for key in known.keys() - real.keys():
            self.record.note(host, key, GONE)
        return self.record.acts > acts

    def _acts(self, state: str) -> list[Callable[[str, Engine, str], None]]:
        always = [self._remove, self._redeploy]
        if state == "running":
            return [*always, self._die, self._pause, self._restart, self._stop, self._die]
        if state == "paused":
            return [*always, self._unpause, self._unpause]
        return [*always, self._start, self._start, self._start]

    def _add(self, host: str, labels: dict[str, str] | None = None) -> None:
        # an id of our own, so that it is on record before the container is there
        key = f"{next(self._numbers):012x}".ljust(64, "f")
        self._labels[key] = labels or _labels(host, key[:12])
        self.record.note(host, key, "created", "running")
        self.world.simulated[host].add(id=key, labels=self._labels[key])

    def _die(self, host: str, engine: Engine, key: str) -> None:
        self.record.note(host, key, "stopped")
        engine.die(key, self.dice.choice([0, 1, 137]))

    def _stop(self, host: str, engine: Engine, key: str) -> None:
        self.record.note(host, key, "stopped")
        engine.stop(key)

    def _start(self, host: str, engine: Engine, key: str) -> None:
        self.record.note(host, key, "running")
        engine.start(key)

    def _restart(self, host: str, engine: Engine, key: str) -> None:
        self.record.note(host, key, "stopped", "running")
        engine.restart(key)

    def _pause(self, host: str, engine: Engine, key: str) -> None:
        self.record.note(host, key, "paused")
        engine.pause(key)

    def _unpause(self, host: str, engine: Engine, key: str) -> None:
        self.record.note(host, key, "running")
        engine.unpause(key)

    def _remove(self, host: str, engine: Engine, key: str) -> None:
        self.record.note(host, key, "stopped", GONE)
        engine.destroy(key)

    def _redeploy(self, host: str, engine: Engine, key: str) -> None:
        """Start a container with the same labels, then remove the old one, as deploys do."""
        self._add(host, self._labels[key])
        self._remove(host, engine, key)

    def _run_real(self, host: str, client: docker.DockerClient) -> None:
        labels = _labels(host, str(next(self._numbers)))
        made = client.api.create_container(
            IMAGE, labels=labels, host_config=client.api.create_host_config(network_mode="none")
        )
        self.record.note(host, made["Id"], "created", "running")
        client.api.start(made["Id"])

    def _act_for_real(self, host: str, client: docker.DockerClient) -> None:
        known = {key: state for key, (where, state) in self.record.living().items() if where == host}
        if len(known) < AT_FIRST_REAL // 2:
            self._run_real(host, client)
            return
        key = self.dice.choice(list(known))
        match known[key], self.dice.randrange(4):
            case _, 0:
                self.record.note(host, key, "running", "stopped", "removing", GONE)
                client.api.remove_container(key, force=True)
                self._run_real(host, client)
            case "running", 1:
                self.record.note(host, key, "paused")
                client.api.pause(key)
            case "running", _:
                self.record.note(host, key, "stopped")
                client.api.kill(key)
            case "paused", _:
                self.record.note(host, key, "running")
                client.api.unpause(key)
            case _:
                self.record.note(host, key, "running")
                client.api.start(key)


def _labels(host: str, role: str) -> dict[str, str]:
    return {
        "tinyforge.workload.id": f"soak-{host}",
        "tinyforge.workload.kind": "project",
        "tinyforge.role": f"r{role.lstrip('0') or 0}",
    }
