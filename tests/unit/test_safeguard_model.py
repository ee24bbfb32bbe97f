"""The safeguard (I14) against a slow and obvious reference, which remembers every listing and works all out anew."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import event, given, settings
from hypothesis import strategies as st

from reconciler.core.dispatch import Row, claim_all, dispatch_all
from reconciler.core.identities import Catalogue
from reconciler.core.plan import Plan, make_plan
from reconciler.core.safeguard import Evidence, Identity, Limits, Memory, is_present, safeguard
from tests.builders import cid, container, row, workload

WINDOW = timedelta(seconds=5)
LIMITS = Limits(share=0.5, least=3, window=WINDOW)
NAMES = [f"c{number}" for number in range(7)]


@dataclass(frozen=True)
class Look:
    """What happens at one step: rows bound anew or deleted by a deployer, then a listing of these containers."""

    present: frozenset[str]
    rebound: str
    deleted: str
    after: float
    takes: float
    name: str | None
    names_all: bool


LOOKS = st.builds(
    Look,
    present=st.one_of(st.frozensets(st.sampled_from(NAMES)), st.sampled_from([frozenset(), frozenset(NAMES)])),
    rebound=st.sampled_from(["", "", "", *NAMES]),
    deleted=st.sampled_from(["", "", "", *NAMES]),
    after=st.sampled_from([0, 0.5, 2, 4.9, 5, 7]),
    takes=st.sampled_from([0, 0, 0.5, 5]),
    name=st.sampled_from(["A", "A", "A", "A", "B", "", None]),
    names_all=st.sampled_from([True, True, True, True, False]),
)


@dataclass(frozen=True)
class Listing:
    """One listing of the past: which containers it lacked, which it named, and which rows went missing by it."""

    begun: datetime
    ended: datetime
    name: str | None
    names_all: bool
    lacked: frozenset[str]
    listed: frozenset[str]
    gone: frozenset[str] = frozenset()


@dataclass
class Reference:
    """Decides from the whole past what a listing lets go, and remembers nothing but that."""

    past: list[Listing] = field(default_factory=list)
    recorded: str | None = None

    def judge(self, now: Listing, rows: list[Row]) -> frozenset[str]:
        """Return the rows that go missing by a listing, and take the listing into the past."""
        present = {each.id: each.container_id for each in rows if is_present(each)}
        lacking = {row_id for row_id, container_id in present.items() if container_id in now.lacked}
        all_waits = self.is_mass(now, present, lacking) or (self.recorded is not None and now.name != self.recorded)
        gone = frozenset(row_id for row_id in lacking if self.may_go(now, present[row_id], all_waits))
        if now.name is not None and (self.recorded is None or gone == lacking):
            self.recorded = now.name
        self.past.append(
            Listing(now.begun, now.ended, now.name, now.names_all, now.lacked, now.listed, frozenset(gone))
        )
        return gone

    def is_mass(self, now: Listing, present: dict[str, str], lacking: set[str]) -> bool:
        lately = [listing for listing in self.past if now.begun - listing.ended < WINDOW]
        earlier = {row_id for listing in lately for row_id in listing.gone} - present.keys()
        count, total = len(lacking | earlier), len(present.keys() | earlier)
        return count >= LIMITS.least and count > LIMITS.share * total

    def may_go(self, now: Listing, container_id: str, all_waits: bool) -> bool:
        """Tell whether a container may go: nothing speaks against it, or an earlier listing agrees."""
        lacked_by = self.lacked_ever_since(container_id)
        if not all_waits and not lacked_by:
            return True
        for first in lacked_by:
            if first.name not in (None, now.name):
                return False
            if now.name is not None and first.name == now.name and now.begun - first.ended >= WINDOW:
                return True
        return False

    def lacked_ever_since(self, container_id: str) -> list[Listing]:
        """Return the last listings that all lacked a container, the latest first."""
        found: list[Listing] = []
        for listing in reversed(self.past):
            if not listing.names_all and container_id not in listing.listed:
                continue
            if container_id not in listing.lacked:
                break
            found.append(listing)
        return found


class Host:
    """A host whose passes go by the safeguard, while the reference looks on."""

    def __init__(self) -> None:
        self.rows = {f"shop:{name}": row(f"shop:{name}", name) for name in NAMES}
        self.bound = {name: name for name in NAMES}
        self.now = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
        self.memory = Memory()
        self.recorded: str | None = None
        self.reference = Reference()

    def step(self, look: Look) -> None:
        """Let the deployer and then a pass do what they do, and hold what goes missing against the reference."""
        self.deploy(look)
        begun, self.now = (
            self.now + timedelta(seconds=look.after),
            self.now + timedelta(seconds=look.after + look.takes),
        )
        rows = list(self.rows.values())
        plan = self.plan(look, rows)
        lacked = frozenset(change.after.container_id for change in plan.sweep)
        name = look.name if lacked or self.recorded is None else self.recorded
        listed = frozenset(cid(self.bound[name]) for name in look.present)
        evidence = Evidence(
            rows=rows,
            memory=self.memory,
            begun=begun,
            ended=self.now,
            recorded=self.recorded,
            identity=Identity(name=name, silence="" if name is not None else "sent nothing"),
            partial=None if look.names_all else listed,
        )
        verdict = safeguard(plan, evidence, LIMITS)
        gone = frozenset(change.after.id for change in verdict.plan.sweep)
        owed = self.reference.judge(Listing(begun, self.now, name, look.names_all, lacked, listed), rows)
        assert (gone, verdict.engine_id) == (owed, self.reference.recorded)
        assert frozenset[str]().union(*(held.containers for held in verdict.memory.held)) >= {
            self.rows[row_id].container_id for row_id in {change.after.id for change in plan.sweep} - gone
        }
        event(f"{'all' if gone and len(gone) == len(lacked) else 'some' if gone else 'none'} of the lacking went")
        self.memory, self.recorded = verdict.memory, verdict.engine_id
        self.rows |= {change.after.id: change.after for change in verdict.plan.changes}

    def deploy(self, look: Look) -> None:
        """Bind a row to a new container, and delete another row."""
        if look.rebound and f"shop:{look.rebound}" in self.rows:
            self.bound[look.rebound] += "+"
            self.rows[f"shop:{look.rebound}"] = row(f"shop:{look.rebound}", self.bound[look.rebound])
        self.rows.pop(f"shop:{look.deleted}", None)

    def plan(self, look: Look, rows: list[Row]) -> Plan:
        containers = [container(self.bound[name], workload("shop", role=name)) for name in sorted(look.present)]
        managed, skips = claim_all(containers)
        sightings, _ = dispatch_all(managed, Catalogue(), "local")
        ids = frozenset(each.container_id for each in containers) if look.names_all else None
        return make_plan({row.id: row for row in rows}, sightings, skips, ids, {})


@settings(max_examples=400)
@given(st.lists(LOOKS, min_size=2, max_size=14))
def test_what_goes_missing_is_what_a_reference_that_forgets_nothing_lets_go(looks: list[Look]) -> None:
    """I14: no row goes missing without two listings of one Engine, a window apart, while there is or was a mass."""
    host = Host()
    for look in looks:
        host.step(look)
