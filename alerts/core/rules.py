"""The rules: after which delay an incident is told, when it is over, and how much it matters.

Pure: imports no framework, reads no clock, does no I/O.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from alerts.core.conditions import Condition, Severity

LONGEST_SECONDS = 30 * 86_400
FLAPPING_CYCLES = 3
FLAPPING_WITHIN = timedelta(hours=1)
FLAPPING_CLEARS_AFTER = timedelta(minutes=30)
"""What fires so often within this time comes and goes: it is told once more, and over when it stays away so long."""
OOM_TELLS = 3
"""An incident of a container that memory has run out for is told so often at most."""
DRIFT_LEAST, DRIFT_WITHIN = 3, timedelta(hours=1)
"""So many changes without events, within this time, are a sign that events are lost."""
MASS_LEAST, MASS_SHARE = 3, 0.3
"""So many hosts, and more than this share of all, that cannot be seen are one incident: the index cannot see."""
HARMLESS_EXITS = frozenset({0, 130, 137, 143})
"""Exit codes of containers that have done their work, or that somebody has stopped."""

_SETTING = re.compile(r"(\w+)=(?:off|(\d+)/(\d+)/(page|notify|digest))")


@dataclass(frozen=True, slots=True)
class Rule:
    """When an incident is told and when it is over, after how long each, and how much it matters."""

    opens_after: timedelta
    clears_after: timedelta
    severity: Severity


Rules = Mapping[Condition, Rule]
"""The rules that are in force; a condition that is switched off has none."""


def _rule(opens_seconds: float, clears_seconds: float, severity: Severity) -> Rule:
    return Rule(timedelta(seconds=opens_seconds), timedelta(seconds=clears_seconds), severity)


DEFAULTS: Rules = {
    Condition.MISSING: _rule(60, 60, Severity.PAGE),
    Condition.FAILED: _rule(0, 0, Severity.PAGE),
    Condition.LOOPING: _rule(0, 0, Severity.PAGE),
    Condition.UNHEALTHY: _rule(60, 60, Severity.NOTIFY),
    Condition.ENDED: _rule(120, 60, Severity.NOTIFY),
    Condition.OOM: _rule(0, 3_600, Severity.NOTIFY),
    Condition.CREATED: _rule(600, 0, Severity.NOTIFY),
    Condition.PLACEHOLDER: _rule(1_800, 0, Severity.NOTIFY),
    Condition.ORPHAN: _rule(86_400, 0, Severity.DIGEST),
    Condition.HOST: _rule(120, 30, Severity.PAGE),
    Condition.HELD: _rule(60, 0, Severity.NOTIFY),
    Condition.DRIFT: _rule(0, 0, Severity.DIGEST),
    Condition.BLIND: _rule(120, 30, Severity.PAGE),
    Condition.NO_WORKER: _rule(120, 0, Severity.PAGE),
    Condition.NO_WATCHER: _rule(120, 0, Severity.PAGE),
    Condition.NO_BEAT: _rule(120, 0, Severity.PAGE),
    Condition.DELIVERIES: _rule(120, 0, Severity.PAGE),
}


class BadRule(ValueError):
    """Somebody has set a rule that cannot be used; the text is the rule."""


def rules(words: Iterable[str], interval: timedelta) -> Rules:
    """Return the rules in force: the defaults, changed by words such as `orphan=off` or `missing=120/60/notify`.

    The numbers are seconds: until it is told, and until it is over. No host is told of before three intervals.
    Raises BadRule.
    """
    made = dict(DEFAULTS)
    for word in words:
        condition, rule = _read(word)
        made.pop(condition, None)
        if rule:
            made[condition] = rule
    for condition in (Condition.HOST, Condition.BLIND):
        if rule := made.get(condition):
            made[condition] = Rule(max(rule.opens_after, 3 * interval), rule.clears_after, rule.severity)
    return made


def _read(word: str) -> tuple[Condition, Rule | None]:
    found = _SETTING.fullmatch(word)
    if found is None or found[1] not in [*Condition]:
        raise BadRule(word)
    condition = Condition(found[1])
    if found[2] is None:
        return condition, None
    opens, clears = int(found[2]), int(found[3])
    if max(opens, clears) > LONGEST_SECONDS:
        raise BadRule(word)
    return condition, _rule(opens, clears, Severity(found[4]))
