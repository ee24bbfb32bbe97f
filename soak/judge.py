"""Compares the index's tables with what was done. Reads them by SQL alone, and shares no code with the index."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import psycopg

from soak.history import Stage, fault_of
from soak.record import GONE, Life, Record, Span, longest_seen

CONNECT_SECONDS = 5
TOLD_AFTER_SECONDS = 30.0
"""A state that lasted so long, while no outage says that nobody could see it, must be told: six intervals."""
MOST_SHOWN = 5

# The database notes each row that is called missing, in the transaction that calls it so: no instant escapes.
WATCH_MISSING = """
CREATE SCHEMA soak;
CREATE TABLE soak.missing (row_id text, container_id text, at double precision);
CREATE FUNCTION soak.note_missing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO soak.missing VALUES (NEW.id, NEW.container_id, extract(epoch FROM clock_timestamp()));
    RETURN NULL;
END $$;
CREATE TRIGGER soak_missing AFTER INSERT OR UPDATE ON reconciler_container
    FOR EACH ROW WHEN (NEW.state = 'missing' AND NEW.container_id <> '') EXECUTE FUNCTION soak.note_missing();
"""
CALLED_MISSING = "SELECT row_id, container_id, at FROM soak.missing"
PRESENT = (
    "SELECT container_id, host_id, state FROM reconciler_container WHERE container_id <> '' AND state <> 'missing'"
)
FAILING = """SELECT name, last_error FROM reconciler_host
    WHERE enabled AND (last_error <> '' OR last_success_at IS NULL OR condition_told <> 'fresh')"""
OPEN_OUTAGES = "SELECT host_id FROM reconciler_outage WHERE ended_at IS NULL"
OUTAGES = """SELECT host_id, extract(epoch FROM began_at)::float8, extract(epoch FROM ended_at)::float8
    FROM reconciler_outage"""
STEPS = """SELECT row_id, container_id, from_state, to_state, restarts FROM reconciler_transition
    WHERE kind = 'container' AND is_step ORDER BY id"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How far the tables are from the truth; each a sentence."""

    faults: Sequence[str]
    had_to_tell: int = 0

    def __bool__(self) -> bool:
        return bool(self.faults)

    def __str__(self) -> str:
        more = len(self.faults) - MOST_SHOWN
        return "; ".join(self.faults[:MOST_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def watch_missing(database: str) -> None:
    """Let the database note each row that is called missing, from now on."""
    with psycopg.connect(database) as connection:
        connection.execute(WATCH_MISSING)


def judge_missing(database: str, record: Record) -> Verdict:
    """Check that no row was called missing at any instant at which its container was there."""
    with psycopg.connect(database, connect_timeout=CONNECT_SECONDS) as connection:
        called = connection.execute(CALLED_MISSING).fetchall()
    false = [(row_id, key) for row_id, key, at in called if not record.is_gone(key, at)]
    return Verdict(faults=[f"{row_id} ({key[:12]}) was called missing while it was there" for row_id, key in false])


def compare(database: str, record: Record) -> Verdict:
    """Compare every present row with its container, and every container with its row; see how the hosts are doing."""
    living = record.living()
    with psycopg.connect(database, connect_timeout=CONNECT_SECONDS) as connection:
        rows = connection.execute(PRESENT).fetchall()
        failing = connection.execute(FAILING).fetchall()
        out = connection.execute(OPEN_OUTAGES).fetchall()
    hosts = [f"host {name} has not recovered: {error or 'it is not fresh'}" for name, error in failing]
    hosts += [f"host {name} has not recovered: its outage has not ended" for (name,) in out]
    return Verdict(faults=[*hosts, *differences(living, rows)])


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
    """Check that history tells no change that did not happen, none twice, and leaves none out that it had to tell."""
    lives, now = record.lives(), time.time()
    with psycopg.connect(database, connect_timeout=CONNECT_SECONDS) as connection:
        told = told_of_containers(connection.execute(STEPS).fetchall())
        outages = _by_host(connection.execute(OUTAGES).fetchall())
    faults, had_to_tell = [], 0
    for container_id in sorted(each for each in told.keys() | lives.keys() if not record.is_doubted(each)):
        life = lives.get(container_id, Life(""))
        stages = stages_of(life, [*outages[life.host], *record.unseen(life.host)], now)
        had_to_tell += sum(stage.must for stage in stages)
        if fault := fault_of(told[container_id], stages):
            been = [each.state for each in life.moments]
            faults.append(f"{life.host}: history of {container_id[:12]} {fault}: {told[container_id]}, but was {been}")
    return Verdict(faults=faults, had_to_tell=had_to_tell)


def stages_of(life: Life, unseen: Sequence[Span], now: float) -> list[Stage]:
    """Return what a container went through, and which of it history must tell. A removal can be left to the table."""
    stages = []
    for moment, after in pairwise([*life.moments, None]):
        if moment:
            seen = longest_seen(Span(moment.at, after.at if after else now), unseen)
            stages.append(Stage(moment.state, must=moment.state != GONE and seen >= TOLD_AFTER_SECONDS))
    return stages


def told_of_containers(steps: Sequence[tuple[str, str, str, str, int]]) -> dict[str, list[str]]:
    """Return the states that are told of each container, in order. A row that gets another container tells its state.

    An entry that changes neither state nor container, and tells no restart, is of something else, such as health.
    """
    told: dict[str, list[str]] = defaultdict(list)
    bound: dict[str, str] = {}
    for row_id, container_id, from_state, to_state, restarts in steps:
        key = container_id or bound.get(row_id, "")
        if from_state != to_state or restarts or bound.get(row_id) != key:
            told[key].append(to_state)
        bound[row_id] = "" if to_state == GONE else key
    told.pop("", None)
    return told


def _by_host(outages: Sequence[tuple[str, float, float | None]]) -> dict[str, list[Span]]:
    spans: dict[str, list[Span]] = defaultdict(list)
    for host, begins, ends in outages:
        spans[host].append(Span(begins, float("inf") if ends is None else ends))
    return spans
