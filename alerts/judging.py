"""I/O: one look of the judge: what the index says → incidents, and what is to be sent about them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from msgspec.structs import asdict as columns_of

from alerts.background import tell_background
from alerts.core.conditions import Condition, Phase
from alerts.core.facts import Facts, Key
from alerts.core.judge import Step, judge, next_round
from alerts.core.lifecycle import Case
from alerts.core.rules import Rules
from alerts.models import Change, Incident, Judge
from alerts.reading import read
from alerts.record import record, save_clocks

LONGEST_ROUND = timedelta(seconds=60)
"""If no look was taken for longer, nobody was at work, and that time counts for nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """How many incidents a look has opened, let fire, resolved and dropped; `overtaken`: another one was faster."""

    opened: int = 0
    fired: int = 0
    resolved: int = 0
    dropped: int = 0
    overtaken: bool = False

    def __str__(self) -> str:
        """Return it for the log."""
        return ", ".join(f"{name} {count}" for name, count in asdict(self).items() if count) or "nothing new"


def judge_now(at: datetime, *, by_beat: bool = False) -> Judged:
    """Take one look: read what the index says, decide, and write all of it in one transaction (I18)."""
    memory, rules = Judge.of_this_database(), settings.ALERT_RULES
    incidents = {(Condition(each.condition), each.subject): each for each in Incident.objects.open()}
    cases = {key: case_of(incident) for key, incident in incidents.items()}
    reading = read(memory, cases, at)
    now = next_round(at, memory.judged_at, memory.fresh_from, LONGEST_ROUND)
    steps = judge(cases, reading.facts, rules, now)
    learnt = {"position": reading.position, "drift": reading.drift, "judged_at": at, "fresh_from": now.fresh_from}
    with transaction.atomic():
        mine = Judge.objects.filter(pk=memory.pk, rounds=memory.rounds)
        noted = {"beat_at": at} if by_beat else {}
        if not mine.update(rounds=memory.rounds + 1, **learnt, **noted):
            return Judged(overtaken=True)
        return _write(steps, incidents, reading.facts, rules, at)


def case_of(incident: Incident) -> Case:
    """Return an open incident as the rules see it."""
    return Case(
        condition=Condition(incident.condition),
        subject=incident.subject,
        opened_at=incident.opened_at,
        fires_at=incident.fires_at,
        phase=Phase(incident.phase),
        ordinal=incident.ordinal,
        clears_at=incident.clears_at,
        is_muted=incident.is_muted,
        is_flapping=incident.is_flapping,
    )


def _write(steps: Sequence[Step], known: dict[Key, Incident], facts: Facts, rules: Rules, at: datetime) -> Judged:
    changes: list[Change] = []
    clocks: list[Incident] = []
    dropped: list[Change] = []
    for before, after in steps:
        if after is None:
            dropped += [Change(known[before.key], before.phase, at)] if before else []
            continue
        incident = known.get(after.key) or Incident(since=at, severity=rules[after.condition].severity)
        _take(incident, columns_of(after), at)
        if before is None or before.ordinal != after.ordinal:
            changes.append(Change(incident, before.phase if before else None, at))
        else:
            clocks.append(incident)
    news = [change.incident for change in changes if change.before is None or _fires(change)]
    tell_background(news, facts, at)
    save_clocks(clocks)
    # it tells the feed, for which all passes wait then: nothing is done after it
    record(changes, dropped)
    return Judged(
        opened=sum(change.before is None for change in changes),
        fired=sum(map(_fires, changes)),
        resolved=sum(change.incident.phase == Phase.RESOLVED for change in changes),
        dropped=len(dropped),
    )


def _take(incident: Incident, columns: dict[str, Any], at: datetime) -> None:
    """Write what was decided into an incident."""
    was = incident.phase
    for name, value in columns.items():
        setattr(incident, name, value)
    if incident.phase == Phase.FIRING and (was == Phase.PENDING or incident.fired_at is None):
        incident.fired_at = at
    if incident.phase == Phase.RESOLVED:
        incident.resolved_at = at


def _fires(change: Change) -> bool:
    return change.incident.phase == Phase.FIRING and change.before is not Phase.CLEARING
