"""Compares the index's tables with what was done. Reads them by SQL alone, and shares no code with the index."""

import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psycopg

from soak.record import GONE, Record, happened

POLL_SECONDS = 0.1
CONNECT_SECONDS = 5
PRESENT = (
    "SELECT container_id, host_id, state FROM reconciler_container WHERE container_id <> '' AND state <> 'missing'"
)
MISSING = "SELECT id, container_id FROM reconciler_container WHERE state = 'missing' AND container_id <> ''"
STEPS = """SELECT container_id, to_state FROM reconciler_transition
    WHERE kind = 'container' AND is_step AND container_id <> '' AND (from_state <> to_state OR restarts > 0)
    ORDER BY id"""
OWN = frozenset({"missing", "moved"})
"""What the index alone says of a container that was removed."""
MOST_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How far the tables are from the truth; each a sentence."""

    faults: Sequence[str]

    def __bool__(self) -> bool:
        return bool(self.faults)

    def __str__(self) -> str:
        more = len(self.faults) - MOST_SHOWN
        return "; ".join(self.faults[:MOST_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def compare(database: str, record: Record) -> Verdict:
    """Compare every present row with its container, and every container with its row."""
    living = record.living()
    with psycopg.connect(database, connect_timeout=CONNECT_SECONDS) as connection:
        rows = connection.execute(PRESENT).fetchall()
    return Verdict(faults=list(differences(living, rows)))


def differences(living: dict[str, tuple[str, str]], rows: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    """Say where present rows (container, host, state) are not as the containers that live (host and state, by ID)."""
    counts = Counter(container_id for container_id, _, _ in rows)
    for container_id, host, state in rows:
        if container_id not in living:
            yield f"{host}: {container_id[:12]} is {state} although it was removed"
        elif (host, state) != living[container_id]:
            yield f"{host}: {container_id[:12]} is told as {state} but is {' '.join(living[container_id])}"
    for container_id, (host, state) in living.items():
        if counts[container_id] != 1:
            yield f"{host}: {container_id[:12]}, {state}, has {counts[container_id]} present rows"


def judge_history(database: str, record: Record) -> Verdict:
    """Check that history tells of no change that did not happen, and of none twice. Gaps are no fault here."""
    told: dict[str, list[str]] = defaultdict(list)
    with psycopg.connect(database, connect_timeout=CONNECT_SECONDS) as connection:
        for container_id, state in connection.execute(STEPS):
            told[container_id].append(state)
    faults = []
    for container_id, states in told.items():
        done = record.states(container_id)
        made_up = happened([state for state in states if state not in OWN], done)
        if made_up is not None:
            faults.append(f"{container_id[:12]}: history says {states}, but it went through {list(done)}")
        elif "missing" in states and GONE not in done:
            faults.append(f"{container_id[:12]}: history says it was missing, but nobody removed it")
    return Verdict(faults=faults)


class Guard(threading.Thread):
    """Looks at the table all the time, and remembers every row that is called missing while its container is there."""

    def __init__(self, database: str, record: Record) -> None:
        super().__init__(name="guard", daemon=True)
        self._database = database
        self._record = record
        self._ended = threading.Event()
        self.looks = 0
        self.false_missing: list[str] = []

    def run(self) -> None:
        """Look until stopped; while the database is down there is nothing to see."""
        while not self._ended.is_set():
            try:
                with psycopg.connect(self._database, connect_timeout=CONNECT_SECONDS, autocommit=True) as connection:
                    self._look(connection)
            except psycopg.Error:
                self._ended.wait(POLL_SECONDS)

    def stop(self) -> None:
        """End the thread."""
        self._ended.set()
        self.join()

    def _look(self, connection: psycopg.Connection[tuple[str, str]]) -> None:
        while not self._ended.wait(POLL_SECONDS):
            for row_id, container_id in connection.execute(MISSING).fetchall():
                if not self._record.is_gone(container_id):
                    self.false_missing.append(f"{row_id} ({container_id[:12]})")
            self.looks += 1
