"""What the index says → how incidents go on.

Pure: imports no framework, reads no clock, does no I/O.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec.structs import replace

from alerts.core.conditions import Condition, Phase, SubjectKind, subject_kind
from alerts.core.facts import Facts, HostFact, Key, RowFact
from alerts.core.labels import is_off
from alerts.core.lifecycle import Case, Moment, Outlook, advanced, closed, opened, without_lost_time
from alerts.core.rules import MASS_LEAST, MASS_SHARE, OOM_TELLS, Rule, Rules
from alerts.core.verdicts import MOVED, ROW_CONDITIONS, Verdict, of_host, of_row

MUTED_BY_DEPLOYS = frozenset({Condition.MISSING, Condition.ENDED, Condition.UNHEALTHY, Condition.CREATED})
NEEDS_NO_SIGHT = frozenset({Condition.FAILED, Condition.PLACEHOLDER, Condition.ORPHAN})
"""A deployer says these, or the index itself, and not a host."""
_OF_THE_INDEX = tuple(each for each in Condition if subject_kind(each) is SubjectKind.INDEX)
_OF_HOSTS = tuple(each for each in Condition if subject_kind(each) is SubjectKind.HOST)

LATE_ROUND = timedelta(seconds=12)
"""A round that comes later than this after the one before may have come so late because a clock was set."""
MOST_CREDIT = timedelta(seconds=30)
"""So much of a host's delay may have gone by when it is noticed that it cannot be seen."""
Judged = tuple[Key, Case | None]
"""What an incident is known by, and how it goes on."""


class Round(NamedTuple):
    """When the judge looks: `elapsed` is the time since its last look that counts, `lost` the time that does not.

    What was seen before `fresh_from` was seen before the judge, or the index, was at work again.
    """

    at: datetime
    elapsed: timedelta
    lost: timedelta
    fresh_from: datetime


class Step(NamedTuple):
    """How an incident goes on. No case before: it was opened. None after: it came to nothing, and nobody was told."""

    before: Case | None
    after: Case | None


def next_round(at: datetime, last: datetime | None, fresh_from: datetime | None, longest: timedelta) -> Round:
    """Return the round of the judge at a moment; `last` is when the one before was, and `longest` its usual distance.

    After a longer time, or if the clock was set back, nobody was at work or the clock was set: that time counts
    for nothing, and what was seen before it neither. Of a shorter one, so much counts as a round that is late may take.
    """
    if last is None or fresh_from is None:
        return Round(at, timedelta(), timedelta(), at)
    gap = at - last
    if timedelta() <= gap <= longest:
        counts = min(gap, LATE_ROUND)
        return Round(at, counts, gap - counts, fresh_from)
    return Round(at, timedelta(), gap, at)


def judge(cases: Mapping[Key, Case], facts: Facts, rules: Rules, now: Round) -> list[Step]:
    """Return how incidents go on: those that are opened, and those that change in any way."""
    return list(_Judging(cases, facts, rules, now).steps())


@dataclass(frozen=True, slots=True)
class _Judging:
    cases: Mapping[Key, Case]
    facts: Facts
    rules: Rules
    now: Round

    def steps(self) -> Iterator[Step]:
        judged: set[Key] = set()
        for key, after in (*self._rows(), *self._hosts(), *self._index()):
            judged.add(key)
            before = self.cases.get(key)
            if after != before:
                yield Step(before, after)
        for key, case in self.cases.items():
            if key not in judged:
                yield Step(case, closed(case))

    def _rows(self) -> Iterator[Judged]:
        for row in self.facts.rows.values():
            host = self.facts.hosts.get(row.host)
            if is_off(row.told) or row.state == MOVED or host is None or not host.is_enabled:
                continue
            for condition in ROW_CONDITIONS:
                if condition in self.rules:
                    yield from self._row(condition, row, host)

    def _row(self, condition: Condition, row: RowFact, host: HostFact) -> Iterator[Judged]:
        key = (condition, row.id)
        if condition is Condition.OOM and row.id in self.facts.ooms:
            yield key, self._out_of_memory(key)
            return
        verdict = of_row(condition, row)
        if key not in self.cases and verdict is not Verdict.HOLDS:
            return
        is_sighted = condition not in NEEDS_NO_SIGHT
        moment = self._moment(host if is_sighted else None)
        is_muted = row.is_deploying and condition in MUTED_BY_DEPLOYS
        outlook = Outlook(self.rules[condition], is_muted, self.facts.fired.get(key, 0))
        yield key, self._advanced(key, verdict, moment, outlook)

    def _hosts(self) -> Iterator[Judged]:
        is_mass = self._is_mass and Condition.BLIND in self.rules
        for host in self.facts.hosts.values():
            for condition in _OF_HOSTS if host.is_enabled else ():
                if rule := self.rules.get(condition):
                    yield from self._host(condition, host, rule, is_mass)

    def _host(self, condition: Condition, host: HostFact, rule: Rule, is_mass: bool) -> Iterator[Judged]:
        key, of_sight = (condition, host.name), condition is Condition.HOST
        verdict = of_host(condition, host, self.now.fresh_from)
        if key not in self.cases and verdict is not Verdict.HOLDS:
            return
        if of_sight and key not in self.cases:
            unseen_since = max(host.success_at or self.now.fresh_from, self.now.fresh_from, self.now.at - MOST_CREDIT)
            yield key, opened(key, min(unseen_since, self.now.at), rule)
            return
        if verdict is Verdict.NEITHER:
            # nobody has looked at it since the judge is at work again
            yield key, without_lost_time(self.cases[key], self.now.lost)
            return
        outlook = Outlook(rule, is_mass and of_sight, self.facts.fired.get(key, 0), rule.opens_after)
        yield key, self._advanced(key, verdict, self._moment(None), outlook)

    def _index(self) -> Iterator[Judged]:
        for condition in _OF_THE_INDEX:
            key, rule = (condition, ""), self.rules.get(condition)
            is_so = self._is_mass if condition is Condition.BLIND else condition in self.facts.troubles
            if rule and (is_so or key in self.cases):
                outlook = Outlook(rule, fired_lately=self.facts.fired.get(key, 0))
                verdict = Verdict.HOLDS if is_so else Verdict.OVER
                yield key, self._advanced(key, verdict, self._moment(None), outlook)

    @property
    def _is_mass(self) -> bool:
        """Whether so many hosts cannot be seen, of which nobody has been told, that it is not their own trouble."""
        enabled = [host for host in self.facts.hosts.values() if host.is_enabled]
        news = 0
        for host in enabled:
            case = self.cases.get((Condition.HOST, host.name))
            holds = of_host(Condition.HOST, host, self.now.fresh_from) is Verdict.HOLDS
            news += holds and (case is None or case.phase is Phase.PENDING)
        return news >= MASS_LEAST and news > MASS_SHARE * len(enabled)

    def _moment(self, host: HostFact | None) -> Moment:
        """Return the moment of this look, at a host or at what needs no sight of one."""
        if host is None:
            return Moment(self.now.at, self.now.lost, self.now.at, self.now.fresh_from)
        sight = None if host.is_blind else host.seen_at
        lost = self.now.lost + (self.now.elapsed if sight is None else timedelta())
        return Moment(self.now.at, lost, sight, self.now.fresh_from)

    def _advanced(self, key: Key, verdict: Verdict, moment: Moment, outlook: Outlook) -> Case | None:
        case = self.cases.get(key)
        if case is None:
            case = opened(key, moment.at, outlook.rule)
            moment = moment._replace(lost=timedelta())
        return advanced(case, verdict, moment, outlook)

    def _out_of_memory(self, key: Key) -> Case:
        """Return the incident of a container that was killed for want of memory: each end is told, up to a few."""
        case = self.cases.get(key) or opened(key, self.now.at, self.rules[Condition.OOM])
        clears_at = self.now.at + self.rules[Condition.OOM].clears_after
        if case.is_flapping:
            return replace(case, clears_at=clears_at)
        told = case.to(Phase.FIRING, clears_at)
        return replace(told, is_flapping=told.ordinal >= OOM_TELLS)
