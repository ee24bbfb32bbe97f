"""A fleet that a test changes, and a judge that looks at it every ten seconds of a clock that the test moves on."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from alerts.core.conditions import Condition, Phase
from alerts.core.facts import Facts, HostFact, Key, RowFact
from alerts.core.judge import Round, judge, next_round
from alerts.core.lifecycle import Case
from alerts.core.rules import DEFAULTS, Rules

START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
PERIOD = timedelta(seconds=10)
LONGEST = timedelta(seconds=60)
WEB = "shop:web"


@dataclass
class Fleet:
    """Rows, hosts and their incidents. Every look of the judge comes after a pass, unless a host is blind."""

    rules: Rules = field(default_factory=lambda: dict(DEFAULTS))
    rows: dict[str, RowFact] = field(default_factory=lambda: {WEB: RowFact(WEB, "west", container_id="c1")})
    hosts: dict[str, HostFact] = field(default_factory=lambda: {"west": HostFact("west")})
    cases: dict[Key, Case] = field(default_factory=dict)
    at: datetime = START
    now: Round | None = None
    fired: list[tuple[Key, datetime]] = field(default_factory=list)
    told: list[tuple[str, str, str]] = field(default_factory=list)
    troubles: dict[Condition, str] = field(default_factory=dict)

    def row(self, row_id: str = WEB, **columns: object) -> None:
        """Change a row."""
        self.rows[row_id] = replace(self.rows.get(row_id, RowFact(row_id, "west", container_id="c1")), **columns)

    def host(self, name: str = "west", **columns: object) -> None:
        """Change a host."""
        self.hosts[name] = replace(self.hosts.get(name, HostFact(name)), **columns)

    def goes_dark(self, *names: str) -> None:
        """Let passes of hosts fail from now on."""
        for name in names or ("west",):
            self.host(name, is_blind=True, error_at=self.at, success_at=self.at)

    def comes_back(self, *names: str) -> None:
        """Let a pass of each of these hosts succeed."""
        for name in names or ("west",):
            self.host(name, is_blind=False, error_at=None)

    def look(self, *, ooms: frozenset[str] = frozenset(), sees: bool = True) -> None:
        """Let passes see what can be seen, and the judge look."""
        for name, host in self.hosts.items():
            if sees and not host.is_blind:
                self.hosts[name] = replace(host, seen_at=self.at, success_at=self.at)
            elif sees and host.error_at:
                self.hosts[name] = replace(host, error_at=self.at)
        last = self.now
        self.now = next_round(self.at, last.at if last else None, last.fresh_from if last else None, LONGEST)
        facts = Facts(rows=self.rows, hosts=self.hosts, ooms=ooms, fired=self._lately(), troubles=self.troubles)
        for step in judge(self.cases, facts, self.rules, self.now):
            self._note(step.before, step.after)

    def wait(self, seconds: float, *, sees: bool = True) -> None:
        """Let time go by, with a look every ten seconds."""
        until = self.at + timedelta(seconds=seconds)
        while self.at < until:
            self.at = min(self.at + PERIOD, until)
            self.look(sees=sees)

    def phases(self) -> Iterator[tuple[str, str]]:
        """Yield condition and phase of each open incident."""
        for case in self.cases.values():
            yield case.condition.value, case.phase.value

    def _lately(self) -> dict[Key, int]:
        lately = [key for key, at in self.fired if at > self.at - timedelta(hours=1)]
        return {key: lately.count(key) for key in lately}

    def _note(self, before: Case | None, after: Case | None) -> None:
        if after is None:
            assert before is not None
            del self.cases[before.key]
            return
        self.cases[after.key] = after
        if before is not None and after.ordinal == before.ordinal:
            return
        if after.phase is Phase.RESOLVED:
            self.told.append((after.condition.value, after.subject, "over"))
            del self.cases[after.key]
        elif after.phase is Phase.FIRING and (before is None or before.phase is not Phase.CLEARING):
            self.told.append((after.condition.value, after.subject, "fires"))
            self.fired.append((after.key, self.at))
