"""Every kind of fault: what it strikes, how it begins and how it ends."""

import random
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from simulator import EVENTS, EVERYTHING, INSPECTS, LISTING, Failure
from soak.crew import WITH_CLOCKS
from soak.record import EVERY_HOST
from soak.servers import Server, freeze, start_again
from soak.world import BEHIND_PROXIES, World

MANY = 5
WRONG_BY_SECONDS = (-3600, -90, -5, 5, 90, 3600)
OTHER_SETTINGS = (
    {"RECONCILE_INTERVAL": "3", "ENGINE_TIMEOUT": "4", "EVENT_WINDOW": "0.3", "LOG_FORMAT": "JSON"},
    {"RECONCILE_INTERVAL": "4", "LOCK_TTL": "20", "HOLD_SECONDS": "8", "INSPECT_MOST": "20", "LOG_FORMAT": "LINE"},
    {"RECONCILE_INTERVAL": "5", "ENGINE_TIMEOUT": "5", "EVENT_WINDOW": "0.1", "LOCK_TTL": "30", "HOLD_SECONDS": "5"},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Something that goes wrong. No two of a storm strike the same. `hides` names the host that nobody can judge."""

    strikes: str
    what: str
    begin: Callable[[], object]
    end: Callable[[], object] = lambda: None
    hides: str | None = None


Deal = Callable[[World, random.Random], Act]


def kill_process(world: World, dice: random.Random) -> Act:
    """A process of the index is killed, and soon started again."""
    name = dice.choice(world.crew.names)
    return Act(strikes=name, what=f"{name} is killed", begin=lambda: world.crew.kill(name))


def stop_process(world: World, dice: random.Random) -> Act:
    """A process of the index does nothing for a while, and then goes on as if nothing had been."""
    name = dice.choice(world.crew.names)
    send = partial(world.crew.send, name)
    begin, end = partial(send, signal.SIGSTOP), partial(send, signal.SIGCONT)
    return Act(strikes=name, what=f"{name} is stopped", begin=begin, end=end)


def kill_server(name: str) -> Deal:
    """A server is killed, and started again in the end."""

    def deal(world: World, _: random.Random) -> Act:
        server = world.server(name)
        return Act(strikes=name, what=f"{name} is killed", begin=server.kill, end=partial(start_again, server))

    return deal


def stop_server(name: str) -> Deal:
    """A server does nothing for a while."""

    def deal(world: World, _: random.Random) -> Act:
        server: Server = world.server(name)
        begin, end = partial(freeze, server, signal.SIGSTOP), partial(freeze, server, signal.SIGCONT)
        return Act(strikes=name, what=f"{name} is stopped", begin=begin, end=end)

    return deal


def fill_disk(world: World, _: random.Random) -> Act:
    """The disk of the database is full; PostgreSQL may end by that."""

    def end() -> None:
        world.disk.free()
        start_again(world.postgres)

    return Act(strikes="PostgreSQL", what="the disk of PostgreSQL is full", begin=world.disk.fill, end=end)


def swallow(name: str) -> Deal:
    """All connections to a server are half open from now on; new ones are carried again in the end."""

    def deal(world: World, _: random.Random) -> Act:
        proxy = world.proxies[name]
        return Act(strikes=name, what=f"{name} is half open", begin=proxy.swallow, end=proxy.heal)

    return deal


def swallow_engines(world: World, dice: random.Random) -> Act:
    """All connections to some Engines are half open."""
    names = dice.sample(BEHIND_PROXIES, 3)

    def begin() -> None:
        for name in names:
            world.proxies[name].swallow()

    def end() -> None:
        for name in names:
            world.proxies[name].heal()

    return Act(strikes="engines", what=f"engines are half open: {', '.join(names)}", begin=begin, end=end)


def step_clock(world: World, dice: random.Random) -> Act:
    """The clock of a process is wrong for a while."""
    name, seconds = dice.choice(WITH_CLOCKS), dice.choice(WRONG_BY_SECONDS)
    return Act(
        strikes=f"clock of {name}",
        what=f"clock of {name} is wrong by {seconds} s",
        begin=lambda: world.crew.set_clock(name, seconds),
        end=lambda: world.crew.set_clock(name, 0),
        # an outage that it notes is at another time
        hides=EVERY_HOST,
    )


def change_settings(world: World, dice: random.Random) -> Act:
    """Settings are changed: half of the processes are restarted with them, and the others later."""
    settings = dice.choice(OTHER_SETTINGS)
    names = dice.sample(world.crew.names, len(world.crew.names))

    def restart(names: Sequence[str]) -> None:
        world.crew.settings.update(settings)
        for name in names:
            world.crew.ask_to_end(name)

    half = len(names) // 2
    begin, end = partial(restart, names[:half]), partial(restart, names[half:])
    shown = " ".join(f"{name}={value}" for name, value in settings.items())
    return Act(strikes="settings", what=f"settings are changed: {shown}", begin=begin, end=end)


def remove_host(world: World, dice: random.Random) -> Act:
    """A host is removed with its rows, and added again."""
    name = dice.choice(list(world.simulated))
    begin, end = partial(world.ask, world.remove_host, name), partial(world.ask, world.add_host, name)
    return Act(strikes="hosts", what=f"host {name} is removed and added", begin=begin, end=end, hides=name)


def switch_host_off(world: World, dice: random.Random) -> Act:
    """A host is switched off, and on again."""
    name = dice.choice(list(world.simulated))
    begin, end = partial(world.ask, world.switch_off, name), partial(world.ask, world.switch_on, name)
    return Act(strikes="hosts", what=f"host {name} is switched off and on", begin=begin, end=end, hides=name)


def lie(failure: Failure, path: str, **params: int) -> Deal:
    """Some Engines fail or lie."""

    def deal(world: World, dice: random.Random) -> Act:
        names = dice.sample(list(world.simulated), MANY)

        def begin() -> None:
            for name in names:
                world.simulated[name].fail(failure, path, **params)

        def end() -> None:
            for name in names:
                world.simulated[name].heal()

        what = f"{failure.value} for {path} from {', '.join(names)}"
        return Act(strikes=f"{failure.value} {path}", what=what, begin=begin, end=end)

    return deal


DATABASE = (kill_server("PostgreSQL"), stop_server("PostgreSQL"), fill_disk, swallow("PostgreSQL"), None)
VALKEY = (kill_server("Valkey"), stop_server("Valkey"), swallow("Valkey"), None)
ENGINES = (*(act(name) for act in (kill_server, stop_server) for name in ("local", "edge")), swallow_engines)
PROCESSES = (kill_process, kill_process, stop_process)
CLOCK = (step_clock, None)
HOSTS = (remove_host, switch_host_off, change_settings)
LIES = (
    lie(Failure.HANG, EVERYTHING),
    lie(Failure.HANG, INSPECTS),
    lie(Failure.ERROR, LISTING),
    lie(Failure.RANDOM_ERROR, INSPECTS),
    lie(Failure.TRUNCATED, LISTING),
    lie(Failure.TRUNCATED_CHUNKED, LISTING),
    lie(Failure.NOT_JSON, LISTING),
    lie(Failure.NOT_A_LIST, LISTING),
    lie(Failure.DRIP, LISTING),
    lie(Failure.EMPTY, LISTING, times=1),
    lie(Failure.REFUSED, EVERYTHING),
    lie(Failure.SILENT, EVENTS),
    lie(Failure.GARBAGE, EVENTS),
    lie(Failure.SKIP, EVENTS),
    lie(Failure.ENDS, EVENTS),
)
