"""Real watchers that share a fleet and are killed and stopped at random: no host is left alone (I15)."""

import random
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
import redis
from django.utils import timezone

from dev.index import Processes
from reconciler.models import Host
from simulator import Engine, Server
from tests.waiting import eventually, within

HOSTS = 12
ROUNDS = 8
TAKEOVER_SECONDS = 15.0

pytestmark = pytest.mark.slow


class Watchers:
    """Processes that watch, by their process id; some of them are stopped and hang."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self._started = 0
        self.running: dict[int, subprocess.Popen[bytes]] = {}
        self.stopped: dict[int, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        self._started += 1
        made = self._processes.start(f"watcher-{self._started}", "manage", "watch")
        self.running[made.pid] = made

    def kill(self, draw: random.Random) -> None:
        """Kill one of them, without any warning, even if it is stopped."""
        pid = draw.choice(sorted(self.running | self.stopped))
        process = self.running.pop(pid, None) or self.stopped.pop(pid)
        process.kill()
        process.wait()

    def end(self, draw: random.Random) -> None:
        process = self.running.pop(draw.choice(sorted(self.running)))
        process.terminate()
        process.wait()

    def stop(self, draw: random.Random) -> None:
        """Let one of them hang."""
        pid = draw.choice(sorted(self.running))
        self.stopped[pid] = self.running.pop(pid)
        self.stopped[pid].send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        """Let all that hang go on."""
        for process in self.stopped.values():
            process.send_signal(signal.SIGCONT)
        self.running |= self.stopped
        self.stopped.clear()


@pytest.fixture
def watchers(processes: Processes) -> Iterator[Watchers]:
    made = Watchers(processes)
    yield made
    with suppress(ProcessLookupError):
        made.wake()


@pytest.fixture
def engines(processes: Processes, simulator: Server) -> dict[str, Engine]:
    Host.objects.all().delete()
    made = {f"host-{number}": Engine() for number in range(HOSTS)}
    Host.objects.bulk_create(Host(name=name, url=simulator.serve(engine)) for name, engine in made.items())
    return made


def shares() -> Counter[int]:
    """Return how many hosts each process follows, by its id; hosts that nobody follows are those of process 0."""
    now = timezone.now()
    return Counter(int(host.watcher.split("-")[-2]) if host.is_watched(now) else 0 for host in Host.objects.all())


def are_fair(watchers: Watchers) -> bool:
    counts = shares()
    return counts.keys() == watchers.running.keys() and max(counts.values()) - min(counts.values()) <= 1


def streams(engines: dict[str, Engine]) -> set[int]:
    return {engine.open_streams for engine in engines.values()}


@pytest.mark.parametrize("seed", [1, 2])
def test_a_fleet_is_followed_whole_and_once_whichever_watchers_die_or_hang(
    watchers: Watchers, engines: dict[str, Engine], valkey: redis.Redis, seed: int
) -> None:
    draw = random.Random(seed)
    for _ in range(3):
        watchers.start()
    eventually(lambda: are_fair(watchers), what="three watchers share the hosts")
    for _ in range(ROUNDS):
        acts: list[Callable[[], None]] = [watchers.start] if len(watchers.running) < 4 else []
        if len(watchers.running) > 1:
            acts += [lambda: watchers.kill(draw), lambda: watchers.stop(draw), lambda: watchers.end(draw)]
        if watchers.stopped:
            acts.append(watchers.wake)
        draw.choice(acts)()
        with within(TAKEOVER_SECONDS):
            eventually(lambda: are_fair(watchers), what=f"fair shares of {sorted(watchers.running)}")
            if not watchers.stopped:
                eventually(lambda: streams(engines) == {1}, what="every host is followed once")
    valkey.flushall()
    for engine in engines.values():
        engine.add("web")
    asked = "tinyforge:{%s}:asked"
    eventually(lambda: all(valkey.exists(asked % name) for name in engines), what="every host's event is answered")


def test_a_watcher_that_hung_follows_no_host_twice_when_it_wakes(
    watchers: Watchers, engines: dict[str, Engine], processes: Processes
) -> None:
    for _ in range(2):
        watchers.start()
    eventually(lambda: are_fair(watchers), what="two watchers share the hosts")
    watchers.stop(random.Random(0))
    eventually(lambda: are_fair(watchers), what="the other one has all hosts")
    watchers.wake()
    with within(TAKEOVER_SECONDS):
        eventually(lambda: streams(engines) == {1} and are_fair(watchers), what="every host is followed once")
    assert any("was taken for dead and begins anew" in processes.log(f"watcher-{number}") for number in (1, 2))


def test_two_watchers_share_a_fleet_and_one_takes_over_from_another_that_is_killed(
    watchers: Watchers, engines: dict[str, Engine]
) -> None:
    watchers.start()
    watchers.start()
    eventually(lambda: are_fair(watchers) and streams(engines) == {1}, what="two watchers share the hosts")
    watchers.kill(random.Random(0))
    with within(TAKEOVER_SECONDS):
        eventually(lambda: are_fair(watchers) and streams(engines) == {1}, what="one watcher has all hosts")
