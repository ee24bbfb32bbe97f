"""One storm after the other: blows, then waits for the truth, then judges."""

import contextlib
import random
import threading
import time
from dataclasses import dataclass, field

import psycopg

from soak.fleet import Fleet
from soak.judge import Verdict, compare, judge_history, judge_missing, watch_missing
from soak.record import Record, Span
from soak.storm import CALM_SECONDS, STORM_SECONDS, Fault, draw
from soak.world import World

RECOVERY_SECONDS = 60.0
FILL_SECONDS = 180.0
POLL_SECONDS = 0.5
LATE_SECONDS = 15.0
ACTS_A_SECOND = 25.0
REAL_ACTS_A_SECOND = 0.7
REVIVAL_SECONDS = 1.0
HIDDEN_SECONDS = 15.0
"""For so long before and after a fault that hides a host nobody can tell what history should know: three intervals."""


@dataclass(slots=True)
class Soak:
    """A world, what was done to it, and what was judged."""

    world: World
    record: Record = field(default_factory=Record)
    fleet: Fleet = field(init=False)
    storms: int = 0
    had_to_tell: int = 0
    longest_recovery: float = 0.0
    _began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        """Begin without containers."""
        self.fleet = Fleet(self.world, self.record, random.Random(0))

    def fill(self) -> list[str]:
        """Make the first containers; return what the index has not found of them."""
        watch_missing(self.world.postgres.url)
        self.fleet.fill()
        return self._wait_for_truth(time.monotonic(), FILL_SECONDS, "the first fill")

    def storm(self, name: str) -> list[str]:
        """Let a storm of this name blow; return which promises were broken."""
        faults = draw(self.world, name)
        self.storms += 1
        print(f"storm {name}: {'; '.join(fault.what for fault in faults) or 'nothing goes wrong'}", flush=True)
        began, self.fleet.dice = time.time(), random.Random(name)
        over = threading.Event()
        real = threading.Thread(target=self._act_for_real, args=(over,), daemon=True)
        real.start()
        self._blow(faults)
        over.set()
        real.join()
        self.world.heal()
        self.world.wait_for_errands()
        calm = time.monotonic()
        self._note_hidden(faults, began)
        self.fleet.settle(began)
        for host in self.world.engines.keys() & {fault.strikes for fault in faults}:
            self.record.doubt(host)
        return [*self._wait_for_truth(calm, RECOVERY_SECONDS, f"storm {name}"), *self._judge(f"storm {name}")]

    def summary(self) -> str:
        """Say what was done and judged."""
        return (
            f"{self.storms} storms in {time.monotonic() - self._began:.0f} s, {self.record.acts} acts on containers, "
            f"{self.had_to_tell} states that history had to tell, longest recovery {self.longest_recovery:.1f} s"
        )

    def _blow(self, faults: list[Fault]) -> None:
        """Let the faults begin and end when they are due, and let something happen to containers all the while."""
        steps = [(fault.at, fault.begin) for fault in faults] + [(fault.until, fault.end) for fault in faults]
        began = time.monotonic()
        revive_at = 0.0
        ends_at = STORM_SECONDS if faults else CALM_SECONDS
        for at, step in [*sorted(steps, key=lambda step: step[0]), (ends_at, None)]:
            while (now := time.monotonic() - began) < at:
                self.fleet.act()
                if now > revive_at:
                    self.world.crew.revive()
                    revive_at = now + REVIVAL_SECONDS
                time.sleep(self.fleet.dice.uniform(0, 2 / ACTS_A_SECOND))
            if step:
                step()

    def _act_for_real(self, over: threading.Event) -> None:
        while not over.wait(1 / REAL_ACTS_A_SECOND):
            self.fleet.act_for_real()

    def _note_hidden(self, faults: list[Fault], began: float) -> None:
        hidden = Span(began - HIDDEN_SECONDS, time.time() + HIDDEN_SECONDS)
        for fault in faults:
            if fault.hides is not None:
                self.record.note_unseen(hidden, fault.hides)

    def _judge(self, after: str) -> list[str]:
        missing = judge_missing(self.world.postgres.url, self.record)
        history = judge_history(self.world.postgres.url, self.record)
        self.had_to_tell = history.had_to_tell
        return [f"{after}: {verdict}" for verdict in (missing, history) if verdict]

    def _wait_for_truth(self, since: float, seconds: float, after: str) -> list[str]:
        """Return nothing as soon as the table is right, or what is wrong with it so many seconds after a moment."""
        verdict = Verdict(faults=("the database does not answer",))
        tell_at = LATE_SECONDS
        while (waited := time.monotonic() - since) < seconds:
            self.world.crew.revive()
            with contextlib.suppress(psycopg.Error):
                verdict = compare(self.world.postgres.url, self.record)
                if not verdict and self.world.crew.is_ready():
                    print(f"  right after {waited:.1f} s, {len(self.record.living())} containers", flush=True)
                    self.longest_recovery = max(self.longest_recovery, waited)
                    return []
            if waited > tell_at:
                print(f"  not yet after {waited:.1f} s: {verdict or 'the page does not answer'}", flush=True)
                tell_at += LATE_SECONDS
            time.sleep(POLL_SECONDS)
        return [f"{after}: not right after {seconds:g} s: {verdict if verdict else 'the page does not answer'}"]
