"""What wants somebody: rows in trouble, and hosts that cannot be seen, worst first. Pure: reads nothing, no clock."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from reconciler import words
from reconciler.levels import CONDITION_LEVELS, Level, level_of
from reconciler.models import Condition, Trouble
from reconciler.models.trouble import WORST_FIRST
from reconciler.status import HostStatus
from web.pages.incident import NOT_TOLD, Told
from web.pages.row import Row
from web.pages.verdict import number

ALERTS_OFF = "off"
"""What the column for the labels about alerts holds if nobody is to be told of a row."""
LOGS = "docker logs --tail 50 {}"
_COMMANDS = {Trouble.STUCK: "docker start {}", Trouble.PAUSED: "docker unpause {}", Trouble.ORPHAN: "docker rm -f {}"}
_ADVICE = {
    Trouble.MISSING: "Deploy it again, or delete its row.",
    Trouble.FAILED: "See what its deployer says, and deploy it again.",
    Trouble.ORPHAN: "Make its workload again, or remove its container.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """Something that wants somebody: what, how bad, since when, why, what to do next, and who is told of it.

    `named` tells whether it has to be said what people are told, because it is something else, or more.
    """

    key: str
    level: Level
    place: int
    host: str
    row: str = ""
    says: str
    sign: str
    since: datetime | None = None
    facts: Sequence[str] = ()
    advice: str = ""
    command: str = ""
    blinds: int = 0
    is_stale: bool = False
    told: Sequence[Told] = ()
    named: bool = False

    @property
    def rank(self) -> tuple[int, bool]:
        """Where it comes: first what people are told of, by how much it matters and whether somebody looks after it."""
        return min((each.rank for each in self.told), default=(NOT_TOLD, False))

    @property
    def to_acknowledge(self) -> str:
        """The ids of the incidents that nobody looks after yet, as a form sends them."""
        return ",".join(str(each.incident.pk) for each in self.told if each.wants_somebody)


@dataclass(slots=True)
class Group:
    """The things of one host."""

    host: str
    things: list[Thing] = field(default_factory=list)


def grouped(things: Iterable[Thing]) -> list[Group]:
    """Return things by host: first the host with the worst one, and of each host the worst first.

    What people are told of is worse than what nobody is told of.
    """
    groups: dict[str, Group] = {}
    for thing in sorted(things, key=lambda each: (each.rank, each.place, each.row)):
        groups.setdefault(thing.host, Group(thing.host)).things.append(thing)
    return list(groups.values())


def thing_of_row(row: Row) -> Thing:
    """Return a row in trouble as a thing."""
    trouble = row.trouble
    if trouble is None:
        raise ValueError(f"{row.id} is as it should be")
    has_container = bool(row.container_id) and trouble not in (Trouble.MISSING, Trouble.FAILED)
    where = f"On {row.host_id}:" if has_container else ""
    return Thing(
        key=f"row:{row.id}",
        level=level_of(trouble),
        place=row.severity,
        host=row.host_id,
        row=row.id,
        says=words.TROUBLE_SENTENCES[trouble],
        sign=words.trouble_sign(trouble, row.state),
        since=_since(row),
        facts=_facts(row),
        advice=" ".join(filter(None, (_ADVICE.get(trouble), where))),
        command=_COMMANDS.get(trouble, LOGS).format(row.container_id[:12]) if has_container else "",
    )


def _since(row: Row) -> datetime | None:
    """Return since when a row is in its trouble, as far as anybody noted it."""
    if row.trouble is Trouble.ORPHAN:
        return row.orphaned_at
    return row.loop_began_at if row.trouble is Trouble.LOOPING else row.changed_at


def _facts(row: Row) -> list[str]:
    """Return what else is known of a row in trouble."""
    facts = []
    if row.restarts_lately:
        facts.append(f"{number(row.restarts_lately, 'restart')} lately")
    if words.has_ended(row.state) and row.exit_code is not None:
        facts.append(words.exit_words(row.exit_code))
    elif row.ended_lately is not None:
        facts.append(f"it ended with {words.exit_words(row.ended_lately)}")
    if row.oom_killed and row.trouble is not Trouble.OOM:
        facts.append("out of memory")
    if row.trouble in (Trouble.UNHEALTHY, Trouble.ORPHAN):
        facts.append(f"its state: {words.label(row.state)}")
    if row.trouble is Trouble.ORPHAN:
        facts.append(f"its workload: {row.workload_id}")
        # a workload goes without a word, so it may have gone a moment before
        facts += ["as a pass first noticed"] if row.orphaned_at else []
    if row.alerts == ALERTS_OFF:
        facts.append("nobody is told: its label says so")
    return [*facts, row.cause] if row.cause else facts


def things_of_hosts(hosts: Iterable[HostStatus], *, with_errors: bool) -> list[Thing]:
    """Return hosts that want somebody; hosts that nobody looks at are one thing together.

    What an Engine said is told only to those who may change hosts.
    """
    found: dict[Condition, list[HostStatus]] = defaultdict(list)
    for host in hosts:
        found[host.condition].append(host)
    stale = found.pop(Condition.STALE, [])
    things = [_thing_of_host(host, with_errors=with_errors) for each in CONDITION_LEVELS for host in found[each]]
    return [*_stale_things(stale), *things]


def _stale_things(hosts: Sequence[HostStatus]) -> list[Thing]:
    if len(hosts) < 2:
        return [_thing_of_host(host, with_errors=False) for host in hosts]
    names = ", ".join(host.host for host in hosts[:5])
    successes = [host.last_success_at for host in hosts if host.last_success_at]
    blinds = sum(_rows(host) for host in hosts)
    return [
        Thing(
            key="hosts:stale",
            level=Level.UNKNOWN,
            place=-1,
            host="",
            says=f"Nobody looks at {len(hosts):,} hosts",
            sign=words.CONDITION_SIGNS[Condition.STALE],
            since=max(successes, default=None),
            facts=[f"{names}, …" if len(hosts) > 5 else names],
            advice="Do workers and beat run?",
            command="manage.py status",
            blinds=blinds,
            is_stale=True,
        )
    ]


def _thing_of_host(host: HostStatus, *, with_errors: bool) -> Thing:
    condition = host.condition
    return Thing(
        key=f"host:{host.host}",
        level=CONDITION_LEVELS[condition],
        place=-1 if CONDITION_LEVELS[condition] is Level.UNKNOWN else len(WORST_FIRST),
        host=host.host,
        says=words.CONDITION_SENTENCES[condition],
        sign=words.CONDITION_SIGNS[condition],
        since=host.held_since if condition is Condition.HELD else host.last_success_at,
        facts=_host_facts(host, with_errors=with_errors),
        advice="Do workers and beat run?" if condition in (Condition.STALE, Condition.NEW) else "",
        command=f"manage.py host check {host.host}" if condition is Condition.FAILING else "",
        blinds=0 if condition is Condition.HELD else _rows(host),
        is_stale=condition is Condition.STALE,
    )


def _host_facts(host: HostStatus, *, with_errors: bool) -> list[str]:
    facts = []
    if with_errors and host.condition is Condition.FAILING:
        facts.append(host.error)
    if host.condition is Condition.HELD:
        facts.append(f"{number(host.held_rows, 'container')} missing from one listing; a second has to agree")
    if host.last_known:
        known = sorted(host.last_known.items(), key=lambda each: (-each[1], each[0]))
        facts.append("last known: " + ", ".join(f"{count:,} {state}" for state, count in known))
    return facts


def _rows(host: HostStatus) -> int:
    return sum(host.last_known.values())
