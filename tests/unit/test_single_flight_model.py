"""Single flight, proved: every interleaving of requesters, commands, workers and ticks, with faults.

The operations on the three keys mirror the Lua scripts of reconciler/lock.py line by line;
tests/integration/test_lock_conformance.py holds them to a real Valkey. The processes follow
reconcile_in_turn, tasks and the command; a breadth-first search visits every state they can get into.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import pytest

# The three keys, and what each script does to them


class Keys(NamedTuple):
    lock: str = ""
    asked: tuple[str, str] | None = None  # trigger, event_ns
    called: str = ""  # the queue in which the pass waits that somebody was told to start


OF_ROUNDS = ("boot", "tick")
Grant = tuple[str, str] | None


def request(keys: Keys, trigger: str = "event", event_ns: str = "") -> tuple[Keys, bool]:
    queue = "rounds" if trigger in OF_ROUNDS else "urgent"
    asked = keys.asked or (trigger, "")
    first = trigger if queue == "urgent" and asked[0] in OF_ROUNDS else asked[0]
    keys = keys._replace(asked=(first, asked[1] or event_ns))
    if keys.lock or keys.called in (queue, "urgent"):
        return keys, False
    return keys._replace(called=queue), True


def acquire(keys: Keys, token: str, *, only_if_asked: bool = False) -> tuple[Keys, Grant]:
    if keys.lock:
        return keys, None
    if only_if_asked and keys.asked is None:
        return keys, None
    return Keys(lock=token), keys.asked or ("", "")


def release_unless_asked(keys: Keys, token: str) -> tuple[Keys, Grant]:
    if keys.lock != token:
        return keys, None
    if keys.asked is None:
        return keys._replace(lock=""), None
    return Keys(lock=token), keys.asked


def release(keys: Keys, token: str) -> tuple[Keys, bool]:
    return (keys._replace(lock=""), True) if keys.lock == token else (keys, False)


def renew(keys: Keys, token: str) -> tuple[Keys, bool]:
    return keys, keys.lock == token


# The world


class Process(NamedTuple):
    """One requester, command or worker; `memo` is what a mutant's operation in two steps remembers between them."""

    step: str
    half: int = 0
    memo: object = None
    is_command: bool = False
    is_tick: bool = False  # took a tick's message: acquires unconditionally
    rounds: int = 0
    covers: int = 0  # the requests made before its listing began, a bit each
    lost: bool = False  # its lock expired or was flushed while it worked


class Faults(NamedTuple):
    """How many faults of each kind may still happen."""

    kill: int = 0
    slow: int = 0
    lose: int = 0
    flush: int = 0


class World(NamedTuple):
    processes: tuple[Process, ...]
    keys: Keys = Keys()
    asked_messages: int = 0
    tick_messages: int = 0
    made: int = 0
    answered: int = 0
    passes: int = 0
    is_faulty: bool = False
    faults: Faults = Faults()


Half = Callable[[Keys, str, object, Process], tuple[Keys, object]]


@dataclass(frozen=True)
class Rules:
    """The protocol: each operation is one atomic step, or two in a mutant that is not atomic."""

    request: tuple[Half, ...] = (lambda keys, _token, _memo, _process: request(keys),)
    acquire: tuple[Half, ...] = (
        lambda keys, token, _memo, process: acquire(keys, token, only_if_asked=not process.is_tick),
    )
    release_unless_asked: tuple[Half, ...] = (lambda keys, token, _memo, _process: release_unless_asked(keys, token),)
    release: tuple[Half, ...] = (lambda keys, token, _memo, _process: release(keys, token),)
    after_listing: Callable[[Keys], Keys] = lambda keys: keys
    most_rounds: int = 10
    command_hands_over: bool = True
    hold_first_pass: bool = False  # the first pass ends only once every request was made
    calls_expire: bool = True


HALF_DONE = object()
UNDER_WAY = frozenset({"granted", "listing", "ended"})
STILL = frozenset({"idle", "gone", "dead"})


def world(
    *, requests: int = 0, commands: int = 0, workers: int = 2, ticks: int = 0, asked_messages: int = 0, **faults: int
) -> World:
    requesters = (Process("ask"),) * requests
    by_hand = (Process("ask", is_command=True, is_tick=True),) * commands
    processes = requesters + by_hand + (Process("idle"),) * workers
    return World(processes, asked_messages=asked_messages, tick_messages=ticks, faults=Faults(**faults))


class Actor:
    """One process that is about to take its next step."""

    def __init__(self, world: World, index: int, rules: Rules) -> None:
        self.world, self.index, self.rules = world, index, rules
        self.process = world.processes[index]

    def become(self, step: str, keys: Keys | None = None, **changes: Any) -> World:
        """Return the world with this process at another step."""
        own = {name: changes.pop(name) for name in tuple(changes) if name in Process._fields}
        processes = list(self.world.processes)
        processes[self.index] = self.process._replace(step=step, **{"half": 0, "memo": None} | own)
        keys = self.world.keys if keys is None else keys
        return self.world._replace(processes=tuple(processes), keys=keys, **changes)

    def operate(self, halves: tuple[Half, ...], then: Callable[[object], dict[str, Any]], **changes: Any) -> World:
        """Do an operation, or the next half of it."""
        half = self.process.half
        keys, answer = halves[half](self.world.keys, str(self.index), self.process.memo, self.process)
        if half + 1 < len(halves):
            return self.become(self.process.step, keys, half=half + 1, memo=answer, **changes)
        return self.become(keys=keys, **{**changes, **then(answer)})

    def leave(self) -> dict[str, Any]:
        return {"step": "gone" if self.process.is_command else "idle", "rounds": 0, "covers": 0, "lost": False}

    # requesters, and the beginning of commands

    def ask(self) -> Iterator[World]:
        made = self.world.made | 1 << self.index
        told = {"step": "acquire"} if self.process.is_command else {"step": "told"}
        untold = {"step": "acquire"} if self.process.is_command else {"step": "gone"}
        yield self.operate(self.rules.request, lambda is_told: told if is_told else untold, made=made)

    def told(self) -> Iterator[World]:
        yield self.become("gone", asked_messages=self.world.asked_messages + 1)

    # workers

    def idle(self) -> Iterator[World]:
        if self.world.asked_messages:
            yield self.become("acquire", is_tick=False, asked_messages=self.world.asked_messages - 1)
        if self.world.tick_messages:
            yield self.become("acquire", is_tick=True, tick_messages=self.world.tick_messages - 1)

    def acquire(self) -> Iterator[World]:
        yield self.operate(self.rules.acquire, lambda grant: {"step": "granted"} if grant else self.leave())

    def granted(self) -> Iterator[World]:
        yield self.become("listing", covers=self.world.made, passes=self.world.passes + 1)

    def listing(self) -> Iterator[World]:
        is_held = self.rules.hold_first_pass and self.world.passes == 1
        if not is_held or all(process.step != "ask" for process in self.world.processes):
            answered = self.world.answered | self.process.covers
            keys = self.rules.after_listing(self.world.keys)
            yield self.become("ended", keys, answered=answered, rounds=self.process.rounds + 1)

    def ended(self) -> Iterator[World]:
        more = "granted" if self.process.rounds < self.rules.most_rounds else "hand over"
        yield self.operate(self.rules.release_unless_asked, lambda grant: {"step": more if grant else "finally"})

    def hand_over(self) -> Iterator[World]:
        yield self.operate(self.rules.request, lambda _: {"step": "let go"})

    def let_go(self) -> Iterator[World]:
        yield self.operate(self.rules.release, lambda _: {"step": "ask again"})

    def ask_again(self) -> Iterator[World]:
        yield self.operate(self.rules.request, lambda told: {"step": "finally, again" if told else "finally"})

    def finally_(self) -> Iterator[World]:
        yield self.operate(self.rules.release, lambda _: self.leave())

    def finally_again(self) -> Iterator[World]:
        yield self.operate(self.rules.release, lambda _: {"step": "again"})

    def again(self) -> Iterator[World]:
        if self.process.is_command and not self.rules.command_hands_over:
            yield self.become(**self.leave())
        elif self.process.is_tick and not self.process.is_command:
            yield self.become(**self.leave(), tick_messages=self.world.tick_messages + 1)
        else:
            yield self.become(**self.leave(), asked_messages=self.world.asked_messages + 1)


STEPS = {
    "ask": Actor.ask,
    "told": Actor.told,
    "idle": Actor.idle,
    "acquire": Actor.acquire,
    "granted": Actor.granted,
    "listing": Actor.listing,
    "ended": Actor.ended,
    "hand over": Actor.hand_over,
    "let go": Actor.let_go,
    "ask again": Actor.ask_again,
    "finally": Actor.finally_,
    "finally, again": Actor.finally_again,
    "again": Actor.again,
}


def steps(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    """Yield what the processes can do next."""
    seen = set()
    for index, process in enumerate(world.processes):
        if process.step not in STEPS or process in seen:
            continue
        if process.step in {"ask", "idle"} and not process.half:
            seen.add(process)  # alike and untouched: one stands for all
        for after in STEPS[process.step](Actor(world, index, rules)):
            yield f"{index} {process.step}", after


def accidents(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    """Yield what can happen to the processes: expiry, and faults while any are left."""
    faults, keys = world.faults, world.keys
    if keys.called and rules.calls_expire:
        yield "call expires", world._replace(keys=keys._replace(called=""))
    if keys.lock:
        holder = int(keys.lock)
        if world.processes[holder].step == "dead":
            yield "lock of the dead expires", world._replace(keys=keys._replace(lock=""))
        elif faults.slow:
            after = lose_lock(world)._replace(keys=keys._replace(lock=""))
            yield "lock of the slow expires", spend(after, "slow")
    if faults.kill:
        for index, process in enumerate(world.processes):
            if process.step not in STILL and process != Process("ask", is_command=process.is_command):
                yield f"{index} is killed", spend(Actor(world, index, rules).become("dead"), "kill")
    if faults.lose and world.asked_messages:
        yield "message lost", spend(world._replace(asked_messages=world.asked_messages - 1), "lose")
    if faults.lose and world.tick_messages:
        yield "tick lost", spend(world._replace(tick_messages=world.tick_messages - 1), "lose")
    if faults.flush:
        flushed = spend(lose_lock(world)._replace(keys=Keys()), "flush")
        yield "keys flushed", flushed
        yield "redis restarted", flushed._replace(asked_messages=0, tick_messages=0)


def spend(world: World, fault: str) -> World:
    left = getattr(world.faults, fault) - 1
    return world._replace(faults=world.faults._replace(**{fault: left}), is_faulty=True)


def lose_lock(world: World) -> World:
    if not world.keys.lock:
        return world
    processes = list(world.processes)
    holder = int(world.keys.lock)
    processes[holder] = processes[holder]._replace(lost=True)
    return world._replace(processes=tuple(processes))


# What must hold

Check = Callable[[World, Rules, bool], str]


def alone(world: World, rules: Rules, at_rest: bool) -> str:
    """Return a sentence if two passes are under way that both believe in their lock, and no fault took it away."""
    believers = [process for process in world.processes if process.step in UNDER_WAY and not process.lost]
    return "two passes overlap" if len(believers) > 1 else ""


def answered(world: World, rules: Rules, at_rest: bool) -> str:
    """Return a sentence if, at rest, no listing followed some request; after a fault, the next tick may answer it."""
    if not at_rest:
        return ""
    if not world.is_faulty:
        return "" if world.answered == world.made and world.keys == Keys() else "a request was lost"
    expired = world.keys._replace(lock="")
    keys, grant = rules.acquire[0](expired, "tick", None, Process("acquire", is_tick=True))
    if grant is None:
        return "the next tick does not look"
    return "" if release_unless_asked(keys, "tick") == (Keys(), None) else "the next tick leaves something behind"


def passes(most: int, least: int = 0) -> Check:
    """Return a check for the number of passes that were made."""

    def check(world: World, rules: Rules, at_rest: bool) -> str:
        if world.passes > most:
            return "a pass too many"
        return "a pass too few" if at_rest and world.passes < least else ""

    return check


class Explored(NamedTuple):
    states: int
    violation: str = ""
    trace: tuple[str, ...] = ()


def explore(start: World, rules: Rules = Rules(), checks: Iterable[Check] = (alone, answered)) -> Explored:
    """Visit every state, nearest first; stop at the first that breaks a rule, with the way that leads to it."""
    came_from: dict[World, tuple[World, str] | None] = {start: None}
    waiting = deque([start])
    while waiting:
        here = waiting.popleft()
        after = list(steps(here, rules))
        for check in checks:
            if violation := check(here, rules, not after):
                return Explored(len(came_from), violation, trace_to(here, came_from))
        for name, there in (*after, *accidents(here, rules)):
            if there not in came_from:
                came_from[there] = (here, name)
                waiting.append(there)
    return Explored(len(came_from))


def trace_to(here: World, came_from: Mapping[World, tuple[World, str] | None]) -> tuple[str, ...]:
    names = []
    while step := came_from[here]:
        here, name = step
        names.append(name)
    return tuple(reversed(names))


# The proof


def request_of_a_round_first(keys: Keys, token: str, _memo: object, _process: Process) -> tuple[Keys, bool]:
    return request(keys, "boot" if token == "0" else "event")


@pytest.mark.parametrize(
    "bounds",
    [
        {"requests": 3, "workers": 2, "ticks": 1},
        pytest.param({"requests": 2, "workers": 3, "ticks": 2}, marks=pytest.mark.slow),
        pytest.param({"requests": 2, "commands": 1, "workers": 2, "ticks": 1}, marks=pytest.mark.slow),
        {"requests": 1, "commands": 2, "workers": 2},
    ],
)
@pytest.mark.parametrize("most_rounds", [1, 10])
def test_without_faults_passes_never_overlap_and_every_request_is_answered_by_a_later_listing(
    bounds: dict[str, int], most_rounds: int
) -> None:
    """I12."""
    explored = explore(world(**bounds), Rules(most_rounds=most_rounds))
    assert explored[1:] == ("", ())
    assert explored.states > 500


@pytest.mark.parametrize("bounds", [{"requests": 3, "workers": 2, "ticks": 1}, {"requests": 2, "workers": 3}])
def test_a_request_of_a_round_among_urgent_ones_is_no_reason_for_a_pass_too_many_or_too_few(
    bounds: dict[str, int],
) -> None:
    """I12."""
    explored = explore(
        world(**bounds), Rules(request=(request_of_a_round_first,)), (alone, answered, passes(4, least=1))
    )
    assert explored[1:] == ("", ())
    assert explored.states > 100


@pytest.mark.parametrize("fault", ["kill", "slow", "lose", "flush"])
@pytest.mark.parametrize("most_rounds", [1, 10])
def test_after_a_fault_the_next_tick_answers_what_was_asked(fault: str, most_rounds: int) -> None:
    """I12."""
    explored = explore(world(requests=2, ticks=1, **{fault: 1}), Rules(most_rounds=most_rounds))
    assert explored[1:] == ("", ())
    assert explored.states > 1_000


@pytest.mark.slow
def test_after_every_fault_at_once_the_next_tick_answers_what_was_asked() -> None:
    """I12."""
    explored = explore(world(requests=2, ticks=1, kill=1, slow=1, lose=1, flush=1))
    assert explored[1:] == ("", ())
    assert explored.states > 10_000


@pytest.mark.parametrize("requests", [1, 2, 3, 4])
def test_requests_made_while_a_pass_is_under_way_lead_to_exactly_one_more(requests: int) -> None:
    start = world(requests=requests)
    processes = (*start.processes[:-1], Process("listing", is_tick=True))
    under_way = start._replace(processes=processes, keys=Keys(lock=str(len(processes) - 1)), passes=1)
    rules = Rules(hold_first_pass=True)
    assert explore(under_way, rules, (alone, answered, passes(2, least=2)))[1:] == ("", ())


def test_a_message_that_finds_nothing_asked_makes_no_pass() -> None:
    assert explore(world(asked_messages=3), checks=(passes(0),))[1:] == ("", ())


def test_there_are_never_more_passes_than_requests_and_ticks() -> None:
    explored = explore(world(requests=3, ticks=1), checks=(passes(4, least=1),))
    assert explored[1:] == ("", ())


# Mutants: the explorer must find what is wrong with each


def asked_first(keys: Keys, token: str, _memo: object, _process: Process) -> tuple[Keys, object]:
    return keys, None if keys.lock != token else keys.asked or "nothing asked"


def then_deleted(keys: Keys, token: str, memo: Any, _process: Process) -> tuple[Keys, object]:
    if memo == "nothing asked":
        return keys._replace(lock="") if keys.lock == token else keys, None
    return (Keys(lock=token), memo) if memo else (keys, None)


def lock_first(keys: Keys, _token: str, _memo: object, _process: Process) -> tuple[Keys, bool]:
    return keys, bool(keys.lock)


def then_asked(keys: Keys, _token: str, was_locked: object, _process: Process) -> tuple[Keys, bool]:
    asked = keys._replace(asked=("event", ""))
    if was_locked or keys.called:
        return asked, False
    return asked._replace(called="urgent"), True


def acquire_keeping(*kept: str) -> tuple[Half, ...]:
    def acquire_and_keep(keys: Keys, token: str, _memo: object, process: Process) -> tuple[Keys, Grant]:
        after, grant = acquire(keys, token, only_if_asked=not process.is_tick)
        return (after._replace(**{name: getattr(keys, name) for name in kept}) if grant else after), grant

    return (acquire_and_keep,)


def free_first(keys: Keys, _token: str, _memo: object, process: Process) -> tuple[Keys, bool]:
    return keys, not keys.lock and bool(keys.asked or process.is_tick)


def then_locked(keys: Keys, token: str, was_free: object, _process: Process) -> tuple[Keys, Grant]:
    return (Keys(lock=token), keys.asked or ("", "")) if was_free else (keys, None)


def delete_any(keys: Keys, _token: str, _memo: object, _process: Process) -> tuple[Keys, bool]:
    return keys._replace(lock=""), True


def call_everybody(keys: Keys, _token: str, _memo: object, _process: Process) -> tuple[Keys, bool]:
    return keys._replace(asked=("event", ""), called="" if keys.lock else "urgent"), False


LATE_CLEAR = Rules(
    acquire=acquire_keeping("asked", "called"), after_listing=lambda keys: keys._replace(asked=None, called="")
)

MUTANTS = {
    "release checks, then deletes": (
        Rules(release_unless_asked=(asked_first, then_deleted)),
        world(requests=2),
        "a request was lost",
    ),
    "request looks at the lock, then asks": (
        Rules(request=(lock_first, then_asked)),
        world(requests=2),
        "a request was lost",
    ),
    "asked is cleared after the listing": (LATE_CLEAR, world(requests=2), "a request was lost"),
    "asked is never cleared": (Rules(acquire=acquire_keeping("asked")), world(requests=1), "a pass too many"),
    "called outlives the acquisition": (
        Rules(acquire=acquire_keeping("called"), calls_expire=False),
        world(requests=2),
        "a request was lost",
    ),
    "acquire looks, then locks": (
        Rules(acquire=(free_first, then_locked)),
        world(requests=1, ticks=1),
        "two passes overlap",
    ),
    "release deletes anybody's lock": (
        Rules(release=(delete_any,)),
        world(requests=2, ticks=1, slow=1),
        "two passes overlap",
    ),
    "nobody is told to start": (Rules(request=(call_everybody,)), world(requests=1), "a request was lost"),
    "a command drops what it was to hand over": (
        Rules(most_rounds=1, command_hands_over=False),
        world(requests=1, commands=1),
        "a request was lost",
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_the_explorer_finds_the_way_to_what_is_wrong_with(name: str) -> None:
    rules, start, violation = MUTANTS[name]
    most = sum(process.step == "ask" for process in start.processes) + start.tick_messages
    checks = (alone, answered, passes(most + 2 * start.faults.slow if rules.most_rounds > 1 else 99))
    explored = explore(start, rules, checks)
    assert explored.violation == violation
    assert explored.trace
    assert explore(start, replace(Rules(), most_rounds=rules.most_rounds), checks).violation == ""


def test_the_lost_request_of_a_release_that_is_not_atomic_comes_between_its_two_halves() -> None:
    rules, start, _ = MUTANTS["release checks, then deletes"]
    trace = explore(start, rules).trace
    asked, *halves = (trace.index("1 ask"), *(at for at, name in enumerate(trace) if name.endswith("ended")))
    assert halves[0] < asked < halves[1]
