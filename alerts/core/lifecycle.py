"""How one incident goes on: pending → firing → clearing → resolved.

Pure: imports no framework, reads no clock, does no I/O. Three rules keep alerts from being false:

- A clock of an incident counts only time in which the judge was at work and the host could be seen. While either was
  not so, it stands still (`Moment.lost`). So no restart, no outage and no step of a clock lets it run out.
- What a clock has run out for is told only after a look at the host that began later, and still shows it.
- What is muted does not fire, and when it is muted no more, another look is needed.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from alerts.core.conditions import Condition, Phase
from alerts.core.facts import Key
from alerts.core.rules import FLAPPING_CLEARS_AFTER, FLAPPING_CYCLES, Rule
from alerts.core.verdicts import Verdict


class Case(Struct, frozen=True):
    """An open incident, as far as it matters for how it goes on."""

    condition: Condition
    subject: str
    opened_at: datetime
    fires_at: datetime
    phase: Phase = Phase.PENDING
    ordinal: int = 0
    clears_at: datetime | None = None
    is_muted: bool = False
    is_flapping: bool = False

    @property
    def key(self) -> Key:
        """What it is known by."""
        return self.condition, self.subject

    def to(self, phase: Phase, clears_at: datetime | None = None) -> "Case":
        """Return it in another phase, or in the same once more."""
        return replace(self, phase=phase, ordinal=self.ordinal + 1, clears_at=clears_at, is_muted=False)


class Moment(NamedTuple):
    """When a look is taken at an incident, and with what sight.

    `lost` is the time since the last look in which its clocks stood still. `sight` is when the subject was
    last seen. It is None if nobody can see it now; what has no host to be seen on is seen at all times.
    `fresh_from`: what was seen before this counts for nothing.
    """

    at: datetime
    lost: timedelta
    sight: datetime | None
    fresh_from: datetime

    def has_run_out(self, clock: datetime) -> bool:
        """Tell whether a clock has run out, and a look that began later has been taken."""
        return self.at >= clock and self.sight is not None and self.sight >= max(clock, self.fresh_from)


class Outlook(NamedTuple):
    """What else matters for an incident: its rule, whether it may not fire now, and how often it fired lately.

    `delay_after_mute` is how long it waits when it is muted no more.
    """

    rule: Rule
    is_muted: bool = False
    fired_lately: int = 0
    delay_after_mute: timedelta = timedelta()


def opened(key: Key, at: datetime, rule: Rule) -> Case:
    """Return a new incident, of which nobody is told yet."""
    return Case(*key, opened_at=at, fires_at=at + rule.opens_after)


def advanced(case: Case, verdict: Verdict, moment: Moment, outlook: Outlook) -> Case | None:
    """Return how an incident goes on; None if it came to nothing before anybody was told."""
    case = without_lost_time(case, moment.lost)
    if case.phase is Phase.PENDING:
        return _pending(case, moment, outlook) if verdict is Verdict.HOLDS else None
    if verdict is Verdict.OVER:
        return _clearing(case, moment, outlook.rule)
    return case if case.phase is Phase.FIRING else case.to(Phase.FIRING)


def closed(case: Case) -> Case | None:
    """Return an incident that is over because there is nothing any more that it is about; None if nobody was told."""
    return None if case.phase is Phase.PENDING else case.to(Phase.RESOLVED, case.clears_at)


def without_lost_time(case: Case, lost: timedelta) -> Case:
    """Return it with its clocks as late as if the time that was lost had not been."""
    if not lost or (case.phase is not Phase.PENDING and case.clears_at is None):
        return case
    return replace(case, fires_at=case.fires_at + lost, clears_at=case.clears_at and case.clears_at + lost)


def _pending(case: Case, moment: Moment, outlook: Outlook) -> Case:
    if outlook.is_muted:
        return case if case.is_muted else replace(case, is_muted=True)
    waits = bool(outlook.rule.opens_after) or case.is_muted
    if case.is_muted:
        fires_at = max(case.fires_at, moment.at + outlook.delay_after_mute)
        case = replace(case, is_muted=False, fires_at=fires_at)
    # what has no delay is told as it was noticed, without another look
    if not moment.has_run_out(case.fires_at if waits else moment.fresh_from):
        return case
    return replace(case.to(Phase.FIRING), is_flapping=outlook.fired_lately >= FLAPPING_CYCLES - 1)


def _clearing(case: Case, moment: Moment, rule: Rule) -> Case:
    if case.clears_at is None:
        waits = max(rule.clears_after, FLAPPING_CLEARS_AFTER) if case.is_flapping else rule.clears_after
        if waits or moment.sight is None:
            return case.to(Phase.CLEARING, moment.at + waits)
        return case.to(Phase.RESOLVED)
    return case.to(Phase.RESOLVED, case.clears_at) if moment.has_run_out(case.clears_at) else case
