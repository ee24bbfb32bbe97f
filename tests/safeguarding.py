"""A host before the safeguard, for its tests: its rows, its listings, and a time that the test lets pass."""

from datetime import UTC, datetime, timedelta

from reconciler.core.dispatch import Row, claim_all, dispatch_all
from reconciler.core.identities import Catalogue
from reconciler.core.observation import Observation
from reconciler.core.plan import Plan, make_plan
from reconciler.core.safeguard import (
    Evidence,
    Identity,
    Limits,
    Memory,
    safeguard,
)
from tests.builders import cid, container, row, workload

AT = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
WINDOW = timedelta(seconds=5)
LIMITS = Limits(share=0.5, least=5, window=WINDOW)
NAME = "THE:ENGINE"
SILENT = Identity(name=None, silence="sent nothing for 10 s")


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def names(count: int, start: int = 0) -> list[str]:
    return [f"c{number}" for number in range(start, start + count)]


def rows(count: int) -> list[Row]:
    return [row(f"shop:{name}", name) for name in names(count)]


def listed(*present: str, state: str = "running") -> list[Observation]:
    return [container(name, workload("shop", role=name), state=state) for name in present]


def plan_of(before: list[Row], containers: list[Observation], *, names_all: bool = True) -> Plan:
    managed, skips = claim_all(containers)
    sightings, _ = dispatch_all(managed, Catalogue(), "local")
    ids = frozenset(each.container_id for each in containers) if names_all else None
    return make_plan({row.id: row for row in before}, sightings, skips, ids, {})


class World:
    """A host whose rows follow what is let go, looked at when the test says so; time is virtual."""

    def __init__(self, before: list[Row]) -> None:
        self.rows = before
        self.memory = Memory()
        self.recorded: str | None = NAME
        self.now = AT

    def look(
        self,
        *present: str,
        after: float = 0,
        takes: float = 0,
        engine: str | Identity = NAME,
        names_all: bool = True,
    ) -> list[str]:
        """List these containers, `after` seconds from the end of the last listing; return the rows let go."""
        begun = self.now + seconds(after)
        self.now = begun + seconds(takes)
        containers = listed(*present)
        self.verdict = safeguard(
            plan_of(self.rows, containers, names_all=names_all),
            Evidence(
                rows=self.rows,
                memory=self.memory,
                begun=begun,
                ended=self.now,
                recorded=self.recorded,
                identity=engine if isinstance(engine, Identity) else Identity(name=engine),
                partial=None if names_all else frozenset(each.container_id for each in containers),
            ),
            LIMITS,
        )
        self.memory, self.recorded = self.verdict.memory, self.verdict.engine_id
        gone = {change.after.id: change.after for change in self.verdict.plan.sweep}
        self.rows = [gone.get(each.id, each) for each in self.rows]
        return sorted(gone)

    def held(self) -> set[str]:
        """Return the names of the containers that are held back."""
        by_id = {cid(name): name for name in names(200)}
        return {by_id[container_id] for held in self.memory.held for container_id in held.containers}


def world(count: int) -> World:
    return World(rows(count))
