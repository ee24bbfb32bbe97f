"""Which channels are told of an incident. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a route looks at: of an incident of a host, or of the index itself, some are empty."""

    severity: str
    condition: str
    host: str = ""
    workload: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A route: what it asks for, and the channels that are told then. What is empty fits everything."""

    channels: frozenset[int]
    severity: str = ""
    condition: str = ""
    host: str = ""
    workload: str = ""
    kind: str = ""

    def fits(self, subject: Subject) -> bool:
        """Tell whether an incident is as the route asks for."""
        names = ("severity", "condition", "host", "workload", "kind")
        return all(getattr(self, name) in ("", getattr(subject, name)) for name in names)


def channels_of(subject: Subject, rules: Iterable[Rule], channels: Iterable[int]) -> list[int]:
    """Return who is told: the channels of all routes that fit, and those which no route names at all, of these."""
    rules = list(rules)
    routed = {channel for rule in rules for channel in rule.channels}
    told = {channel for rule in rules if rule.fits(subject) for channel in rule.channels}
    return sorted(channel for channel in channels if channel in told or channel not in routed)
