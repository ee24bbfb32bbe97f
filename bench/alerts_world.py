"""A month in a fleet, drawn from a seed: what is true of every container and host at every moment, and what lies.

It knows neither the index nor its rules. Times are in seconds since the beginning.
"""

import random
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import NamedTuple

MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0
Span = tuple[float, float]


class Piece(NamedTuple):
    """What is true of a container from a moment on."""

    at: float
    state: str = "running"
    health: str = ""
    exit_code: int | None = None


@dataclass
class Truth:
    """What is true of the container that stands for a row: its states, restarts, ends for want of memory, deploys."""

    row: str
    host: str
    pieces: list[Piece] = field(default_factory=lambda: [Piece(0.0)])
    restarts: list[float] = field(default_factory=list)
    ooms: list[float] = field(default_factory=list)
    leases: list[Span] = field(default_factory=list)

    def at(self, moment: float) -> Piece:
        """Return what is true at a moment."""
        return self.pieces[bisect_right(self.pieces, moment, key=lambda piece: piece.at) - 1]


class Lie(NamedTuple):
    """A daemon's listing lacks containers although they are there: all of them, or one."""

    begins: float
    ends: float
    row: str


@dataclass
class World:
    """The truth of a fleet over some days."""

    seconds: float
    truths: dict[str, Truth] = field(default_factory=dict)
    hosts: dict[str, list[Span]] = field(default_factory=dict)
    lies: dict[str, list[Lie]] = field(default_factory=dict)
    index_down: list[Span] = field(default_factory=list)
    workers_down: list[Span] = field(default_factory=list)
    clock_steps: list[tuple[float, float]] = field(default_factory=list)

    def rows_of(self, host: str) -> list[Truth]:
        """Return the truths of a host."""
        return [truth for truth in self.truths.values() if truth.host == host]


class _Life:
    """Draws the life of one container: episode after episode, with days between them."""

    def __init__(self, truth: Truth, seconds: float, dice: random.Random) -> None:
        self.truth, self.seconds, self.dice = truth, seconds, dice
        self.now = dice.expovariate(1 / (3 * DAY))

    def be(self, state: str = "running", health: str = "", exit_code: int | None = None) -> None:
        self.truth.pieces.append(Piece(self.now, state, health, exit_code))

    def wait(self, least: float, most: float) -> None:
        self.now += self.dice.uniform(least, most)

    def live(self) -> None:
        kinds = {self.deploy: 30, self.quick_update: 12, self.crash: 14, self.restart: 12, self.stop: 6, self.job: 4}
        kinds |= {self.vanish: 5, self.unhealthy: 9, self.loop: 4, self.out_of_memory: 3, self.failed_deploy: 3}
        kinds |= {self.flap: 1, self.away: 12}
        while self.now < self.seconds - HOUR:
            self.dice.choices(list(kinds), list(kinds.values()))[0]()
            self.be()
            self.now += 15 * MINUTE + self.dice.expovariate(1 / (3 * DAY))

    def deploy(self) -> None:
        began = self.now
        self.wait(1, 20)
        self.be("stopped", exit_code=self.dice.choice([0, 143, 137, 1]))
        self.wait(1, 60)
        self.be("missing")
        self.wait(1, 240)
        self.be("created")
        self.wait(0.5, 90)
        self.be("running", "starting")
        self.wait(1, 60)
        self.be("running", "healthy")
        self.truth.leases.append((began, self.now + self.dice.choice([0.0, 5.0, 120.0])))

    def failed_deploy(self) -> None:
        began = self.now
        self.wait(1, 20)
        self.be("missing")
        self.wait(5, 60)
        self.be("failed")
        self.truth.leases.append((began, self.now + 1))
        self.wait(5 * MINUTE, 2 * HOUR)

    def quick_update(self) -> None:
        self.be("stopped", exit_code=143)
        self.wait(0.5, 10)
        self.be("missing")
        self.wait(1, 30)
        self.be("running", "starting")
        self.wait(1, 30)

    def crash(self) -> None:
        self.be("stopped", exit_code=self.dice.choice([1, 2, 139, 255]))
        self.wait(10 * MINUTE, 5 * HOUR)

    def restart(self) -> None:
        self.be("restarting", exit_code=1)
        self.wait(0.1, 20)
        self.truth.restarts.append(self.now)

    def stop(self) -> None:
        self.be("stopped", exit_code=self.dice.choice([0, 130, 137, 143]))
        self.wait(MINUTE, DAY)

    job = stop

    def vanish(self) -> None:
        self.be("missing")
        self.wait(10 * MINUTE, 5 * HOUR)

    def unhealthy(self) -> None:
        self.be("running", "unhealthy")
        self.wait(*self.dice.choice([(5, 40), (10 * MINUTE, 2 * HOUR)]))
        self.be("running", "healthy")

    def loop(self) -> None:
        for _ in range(self.dice.randint(20, 60)):
            self.be("restarting", exit_code=1)
            self.wait(1, 40)
            self.truth.restarts.append(self.now)
            self.be()
            self.wait(1, 10)

    def out_of_memory(self) -> None:
        self.truth.ooms.append(self.now)
        self.be("restarting", exit_code=137)
        self.wait(0.2, 5)
        self.truth.restarts.append(self.now)

    def away(self) -> None:
        """Be away for about as long as it takes until somebody is told."""
        ways = [("missing", "", None), ("running", "unhealthy", None), ("stopped", "", 1)]
        state, health, exit_code = self.dice.choice(ways)
        self.be(state, health, exit_code)
        self.wait(20, 150)

    def flap(self) -> None:
        for _ in range(self.dice.randint(4, 8)):
            self.be("missing")
            self.wait(150, 200)
            self.be()
            self.wait(150, 200)


def spans(dice: random.Random, seconds: float, mean_between: float, lengths: Span) -> list[Span]:
    """Draw spans that do not overlap."""
    found, now = [], dice.expovariate(1 / mean_between)
    while now < seconds - HOUR:
        length = dice.uniform(*lengths)
        found.append((now, now + length))
        now += length + 10 * MINUTE + dice.expovariate(1 / mean_between)
    return found


def drawn(seed: int, hosts: int, rows: int, days: float) -> World:
    """Draw a fleet and its days."""
    dice, seconds = random.Random(seed), days * DAY
    world = World(seconds)
    for number in range(hosts):
        name = f"host-{number}"
        short = spans(dice, seconds, 4 * DAY, (2, 80))
        world.hosts[name] = merged(short + spans(dice, seconds, 15 * DAY, (8 * MINUTE, 3 * HOUR)))
        for each in range(rows):
            truth = Truth(f"{name}:{each}", name)
            _Life(truth, seconds, dice).live()
            world.truths[truth.row] = truth
        named = [f"{name}:{each}" for each in range(rows)]
        lying = spans(dice, seconds, 4 * DAY, (1, 40))
        world.lies[name] = [Lie(a, b, dice.choice([*named, ""])) for a, b in lying]
    _trouble(world, dice)
    _bad_luck(world, dice)
    return world


def _trouble(world: World, dice: random.Random) -> None:
    """Draw what happens to many hosts at once, and to the index."""
    seconds = world.seconds
    for begins, ends in spans(dice, seconds, 4 * DAY, (6 * MINUTE, HOUR)):
        for name in dice.sample(sorted(world.hosts), round(0.6 * len(world.hosts))):
            world.hosts[name] = merged([*world.hosts[name], (begins, ends + dice.uniform(0, 20))])
    world.index_down = merged(spans(dice, seconds, 2 * DAY, (3, 90)) + spans(dice, seconds, 9 * DAY, (HOUR, 3 * HOUR)))
    world.workers_down = spans(dice, seconds, 12 * DAY, (15 * MINUTE, HOUR))
    moments = spans(dice, seconds, 4 * DAY, (1, 2))
    world.clock_steps = [(at, dice.choice([-5 * HOUR, -120.0, -20.0, 20.0, 90.0, HOUR])) for at, _ in moments]


def _bad_luck(world: World, dice: random.Random) -> None:
    """Let something else happen while containers are away for a moment: that is when alerters tell what is not so."""
    moments = [(piece.at, truth) for truth in world.truths.values() for piece in truth.pieces[1:]]
    moments = [(at, truth) for at, truth in moments if truth.at(at).state != "running" or truth.at(at).health]
    for at, truth in dice.sample(moments, len(moments) // 12):
        begins = at + dice.uniform(1, 40)
        kind = dice.randrange(8)
        if kind == 0:
            world.clock_steps.append((begins, dice.choice([-5 * HOUR, -90.0, 45.0, 90.0, HOUR])))
        elif kind == 1:
            world.index_down.append((begins, begins + dice.uniform(3, 600)))
        else:
            world.hosts[truth.host].append((begins, begins + dice.uniform(20, 600)))
    world.clock_steps.sort()
    world.index_down = merged(world.index_down)
    world.hosts = {name: merged(outages) for name, outages in world.hosts.items()}


def merged(found: list[Span]) -> list[Span]:
    """Return spans in order, and without overlaps."""
    made: list[Span] = []
    for begins, ends in sorted(found):
        if made and begins <= made[-1][1]:
            made[-1] = (made[-1][0], max(ends, made[-1][1]))
        else:
            made.append((begins, ends))
    return made


def within(found: list[Span], moment: float) -> bool:
    """Tell whether a moment lies in one of these spans, which are in order."""
    index = bisect_right(found, moment, key=lambda span: span[0]) - 1
    return index >= 0 and moment < found[index][1]
