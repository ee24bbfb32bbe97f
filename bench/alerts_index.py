"""The index in a drawn world, on a virtual clock: what passes see of the truth, and what the judge makes of it.

The judge is the real one, with its real rules. Passes are as simple as they can be: a tick every 30 seconds, and one
soon after an event, if the event is not lost; an empty listing is held until a second one agrees.
"""

import random
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from alerts.core.conditions import Condition, Phase
from alerts.core.facts import Facts, HostFact, Key, RowFact
from alerts.core.judge import Round, judge, next_round
from alerts.core.lifecycle import Case
from alerts.core.rules import rules
from bench.alerts_oracle import Told
from bench.alerts_world import Truth, World, within

INTERVAL, PERIOD, LOST_EVENTS = 30.0, 10.0, 0.2
HOLD_SECONDS, HOLD_LEAST, LOOP_SECONDS, LOOP_COUNT = 5.0, 5, 600.0, 3
START = datetime(2026, 1, 1, tzinfo=UTC)
LONGEST_ROUND = timedelta(seconds=60)
RULES = rules([], timedelta(seconds=INTERVAL))


@dataclass
class Seen:
    """What the index knows of a host. Moments are by its clock, but `attempt` and `looked`, which are by the world's.

    `looked` is when it was seen last.
    """

    truths: list[Truth]
    seen_at: float = 0.0
    attempt: float = 0.0
    looked: float = 0.0
    error_at: float | None = None
    held_since: float | None = None
    needs_look: bool = False


@dataclass
class Index:
    """The index, second by second as far as anything happens."""

    world: World
    dice: random.Random
    told: list[Told] = field(default_factory=list)
    cases: dict[Key, Case] = field(default_factory=dict)
    rows: dict[str, RowFact] = field(default_factory=dict)
    restarts: dict[str, deque[float]] = field(default_factory=dict)
    ooms: set[str] = field(default_factory=set)
    fired: deque[tuple[datetime, Key]] = field(default_factory=deque)
    now: Round | None = None
    offset: float = 0.0
    is_news: bool = True

    def __post_init__(self) -> None:
        self.hosts = {name: Seen(self.world.rows_of(name)) for name in self.world.hosts}
        self.last_pass = dict.fromkeys(self.world.truths, 0.0)
        self.quiet_hosts = {name: HostFact(name) for name in self.hosts}

    def clock(self, moment: float) -> datetime:
        """Return what the clock of the index shows."""
        return START + timedelta(seconds=moment + self.offset)

    def run(self) -> list[Told]:
        """Let the days go by; return what was told."""
        steps = deque(self.world.clock_steps)
        for moment, host in self._moments():
            while steps and steps[0][0] <= moment:
                self.offset += steps.popleft()[1]
                self.is_news = True
            if within(self.world.index_down, moment):
                # it begins with a pass over every host
                self.is_news = True
                for seen in self.hosts.values():
                    seen.needs_look = True
            elif host:
                self._pass(host, moment)
            else:
                self._round(moment)
        return self.told

    def _moments(self) -> list[tuple[float, str]]:
        """Return when passes after events come, and when rounds do; a round begins with its ticks."""
        moments = [(PERIOD * number, "") for number in range(int(self.world.seconds / PERIOD))]
        for truth in self.world.truths.values():
            for piece in truth.pieces[1:]:
                if self.dice.random() < LOST_EVENTS:
                    moments.append((piece.at, f"!{truth.host}"))
                else:
                    moments.append((piece.at + self.dice.uniform(0.1, 1), truth.host))
        for name, outages in self.world.hosts.items():
            moments += [(moment, f"!{name}") for span in outages for moment in span]
            moments += [(lie.begins, f"!{name}") for lie in self.world.lies[name]]
        return sorted(moments)

    def _pass(self, name: str, moment: float) -> None:
        if name.startswith("!"):
            self.hosts[name[1:]].needs_look = True
            return
        host, shown = self.hosts[name], moment + self.offset
        if within(self.world.workers_down, moment):
            host.needs_look = True
            return
        host.attempt = moment
        if within(self.world.hosts[name], moment):
            self.is_news |= host.error_at is None
            host.error_at, host.needs_look = shown, True
            return
        self.is_news |= host.error_at is not None
        was_dark = host.error_at is not None or moment - host.looked > 3 * INTERVAL
        host.error_at, host.seen_at, host.looked = None, shown, moment
        lies = [lie for lie in self.world.lies[name] if lie.begins <= moment < lie.ends]
        lacking = {truth.row for truth in host.truths if any(lie.row in ("", truth.row) for lie in lies)}
        if len(lacking) >= HOLD_LEAST:
            host.held_since = host.held_since or moment
            if moment - host.held_since < HOLD_SECONDS:
                host.needs_look = True
                return
        else:
            host.held_since = None
        for truth in host.truths:
            self._see(truth, moment, truth.row in lacking, was_dark)
        host.needs_look = bool(lies)

    def _see(self, truth: Truth, moment: float, is_lacking: bool, was_dark: bool) -> None:
        since, self.last_pass[truth.row] = self.last_pass[truth.row], moment
        piece = truth.at(moment)
        state = "missing" if is_lacking and piece.state != "failed" else piece.state
        fact = RowFact(truth.row, truth.host, "w", "c", "", state, piece.health, piece.exit_code)
        # nobody knows when those in the dark were, and the judge leaves them out
        if fresh := [at for at in truth.restarts if since < at <= moment and not was_dark]:
            self.restarts.setdefault(truth.row, deque()).extend(moment for _ in fresh)
            self.is_news = True
        if any(since < at <= moment for at in truth.ooms):
            self.ooms.add(truth.row)
            self.is_news = True
        is_plain = state == "running" and piece.health != "unhealthy"
        if self.rows.get(truth.row) != (None if is_plain else fact):
            self.is_news = True
            if is_plain:
                del self.rows[truth.row]
            else:
                self.rows[truth.row] = fact

    def _round(self, moment: float) -> None:
        if moment % INTERVAL == 0 and not within(self.world.workers_down, moment):
            for name, host in self.hosts.items():
                host.attempt = moment
                if host.needs_look or host.held_since:
                    self._pass(name, moment)
                else:
                    host.seen_at, host.looked = moment + self.offset, moment
        at = self.clock(moment)
        last = self.now
        self.now = next_round(at, last.at if last else None, last.fresh_from if last else None, LONGEST_ROUND)
        if self.is_news or self._may_change() or within(self.world.workers_down, moment):
            self._judge(moment, self.now)

    def _may_change(self) -> bool:
        cases = self.cases.values()
        return any(
            case.phase is not Phase.FIRING or case.clears_at or case.condition is Condition.LOOPING for case in cases
        )

    def _judge(self, moment: float, now: Round) -> None:
        self.is_news = False
        while self.fired and self.fired[0][0] < now.at - timedelta(hours=1):
            self.fired.popleft()
        lately = [key for _, key in self.fired]
        facts = Facts(
            rows=self._rows(moment),
            hosts=self.quiet_hosts | {name: self._host(name, moment) for name in self._hosts_that_matter(moment)},
            ooms=frozenset(self.ooms),
            fired={key: lately.count(key) for key in lately},
            troubles={Condition.NO_WORKER: "x"} if self._is_neglected(moment) else {},
        )
        self.ooms.clear()
        for step in judge(self.cases, facts, RULES, now):
            self._note(step.before, step.after, moment)

    def _rows(self, moment: float) -> dict[str, RowFact]:
        names = {*self.rows, *self.ooms, *self.restarts}
        names |= {subject for _, subject in self.cases if subject in self.world.truths}
        found = {}
        for name in names:
            truth = self.world.truths[name]
            fact = self.rows.get(name) or RowFact(name, truth.host, "w", "c")
            restarts = self.restarts.get(name, deque())
            while restarts and restarts[0] < moment - LOOP_SECONDS:
                restarts.popleft()
            if not restarts:
                self.restarts.pop(name, None)
            is_deploying, count = any(a <= moment < b for a, b in truth.leases), len(restarts)
            is_looping = count >= LOOP_COUNT
            found[name] = replace(fact, is_deploying=is_deploying, is_looping=is_looping, restarts=count)
        return found

    def _hosts_that_matter(self, moment: float) -> set[str]:
        names = {self.world.truths[row].host for row in (*self.rows, *self.ooms, *self.restarts)}
        for _, subject in self.cases:
            names.add(self.world.truths[subject].host if subject in self.world.truths else subject)
        names |= {name for name, host in self.hosts.items() if host.error_at is not None}
        return names - {""}

    def _host(self, name: str, moment: float) -> HostFact:
        host, shown = self.hosts[name], moment + self.offset
        is_blind = host.error_at is not None or not shown - 3 * INTERVAL <= host.seen_at <= shown + INTERVAL
        seen_at = START + timedelta(seconds=host.seen_at)
        error_at = None if host.error_at is None else START + timedelta(seconds=host.error_at)
        return HostFact(name, True, is_blind, seen_at, seen_at, error_at)

    def _is_neglected(self, moment: float) -> bool:
        return any(moment - host.attempt > 3 * INTERVAL for host in self.hosts.values())

    def _note(self, before: Case | None, after: Case | None, moment: float) -> None:
        if after is None:
            if before is not None:
                del self.cases[before.key]
            return
        self.cases[after.key] = after
        if before is not None and after.ordinal == before.ordinal:
            return
        if after.phase is Phase.RESOLVED:
            del self.cases[after.key]
            self.told.append(Told(moment, after.condition.value, after.subject, is_over=True))
        elif after.phase is Phase.FIRING and (before is None or before.phase is not Phase.CLEARING):
            self.fired.append((self.clock(moment), after.key))
            self.told.append(Told(moment, after.condition.value, after.subject))
