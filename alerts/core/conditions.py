"""What may be wrong, what it is wrong with, how much it matters, and the phases of an incident.

Pure: imports no framework, reads no clock, does no I/O.
"""

from enum import StrEnum


class Condition(StrEnum):
    """What may be wrong. Each is about a row, about a host, or about the index itself: see `subject_kind`."""

    MISSING = "missing"
    FAILED = "failed"
    LOOPING = "looping"
    UNHEALTHY = "unhealthy"
    ENDED = "ended"
    OOM = "oom"
    CREATED = "created"
    PLACEHOLDER = "placeholder"
    ORPHAN = "orphan"
    HOST = "host"
    HELD = "held"
    DRIFT = "drift"
    BLIND = "blind"
    NO_WORKER = "no_worker"
    NO_WATCHER = "no_watcher"
    NO_BEAT = "no_beat"
    DELIVERIES = "deliveries"


CONDITION_WORDS = {
    Condition.MISSING: "gone from its host",
    Condition.FAILED: "its deploy failed",
    Condition.LOOPING: "restarts in a loop",
    Condition.UNHEALTHY: "unhealthy",
    Condition.ENDED: "ended with an error",
    Condition.OOM: "killed for want of memory",
    Condition.CREATED: "created, and not started",
    Condition.PLACEHOLDER: "announced, and never made",
    Condition.ORPHAN: "its workload does not exist",
    Condition.HOST: "cannot be seen",
    Condition.HELD: "so much is missing that a second listing has to agree",
    Condition.DRIFT: "changes without events",
    Condition.BLIND: "the index cannot see its hosts",
    Condition.NO_WORKER: "no worker looks at the hosts",
    Condition.NO_WATCHER: "no watcher follows the hosts",
    Condition.NO_BEAT: "beat has stood still",
    Condition.DELIVERIES: "messages cannot be delivered",
}
"""Each condition as people read it, behind the name of what it is about."""

PAST_WORDS = {
    Condition.MISSING: "was gone from its host",
    Condition.FAILED: "failed, as its deployer said",
    Condition.LOOPING: "restarted in a loop",
    Condition.UNHEALTHY: "was unhealthy",
    Condition.ENDED: "ended with an error",
    Condition.OOM: "was killed for want of memory",
    Condition.CREATED: "was created, and not started for long",
    Condition.PLACEHOLDER: "was announced, and has not been made for long",
    Condition.ORPHAN: "had no workload",
    Condition.HOST: "could not be seen",
    Condition.HELD: "waited for a second listing",
    Condition.DRIFT: "has changed without events",
    Condition.BLIND: "could not see its hosts",
    Condition.NO_WORKER: "had no worker that looks at the hosts",
    Condition.NO_WATCHER: "had no watcher that follows the hosts",
    Condition.NO_BEAT: "had no beat",
    Condition.DELIVERIES: "could not deliver its messages",
}
"""And as they read it of an incident whose condition may be over, behind the same name."""


class SubjectKind(StrEnum):
    """What an incident is about: its subject is a row's id, a host's name, or empty."""

    ROW = "row"
    HOST = "host"
    INDEX = "index"


_OF_HOSTS = frozenset({Condition.HOST, Condition.HELD, Condition.DRIFT})
_OF_THE_INDEX = frozenset(
    {Condition.BLIND, Condition.NO_WORKER, Condition.NO_WATCHER, Condition.NO_BEAT, Condition.DELIVERIES}
)


def subject_kind(condition: Condition) -> SubjectKind:
    """Return what a condition is about."""
    if condition in _OF_HOSTS:
        return SubjectKind.HOST
    return SubjectKind.INDEX if condition in _OF_THE_INDEX else SubjectKind.ROW


class Severity(StrEnum):
    """How much it matters: wake somebody, tell somebody, or tell once a day."""

    PAGE = "page"
    NOTIFY = "notify"
    DIGEST = "digest"


class Phase(StrEnum):
    """How far an incident is. PENDING: nobody is told yet. CLEARING: it seems to be over, and nobody is told yet."""

    PENDING = "pending"
    FIRING = "firing"
    CLEARING = "clearing"
    RESOLVED = "resolved"
