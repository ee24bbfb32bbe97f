"""An incident as the pages show it, and how far people are told of it. Pure: reads nothing, and no clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from alerts.models import CONDITION_WORDS, PAST_WORDS, Condition, Incident, Phase, Severity, Silence, SubjectKind
from reconciler.models import Trouble

Subject = tuple[SubjectKind, str]
"""What incidents are about: a row or a host and its name, or the index itself and nothing."""

SEVERITIES = tuple(Severity)
NOT_TOLD = len(SEVERITIES)
"""The rank of what nobody is told of, or not any more: it comes behind what people are told of."""

_CONDITION_OF = {
    Trouble.LOOPING: Condition.LOOPING,
    Trouble.MISSING: Condition.MISSING,
    Trouble.FAILED: Condition.FAILED,
    Trouble.OOM: Condition.OOM,
    Trouble.ENDED: Condition.ENDED,
    Trouble.UNHEALTHY: Condition.UNHEALTHY,
    Trouble.STUCK: Condition.CREATED,
    Trouble.ORPHAN: Condition.ORPHAN,
}
"""Under which condition people are told of a trouble."""
_PHASE_WORDS = {
    Phase.PENDING: "It has to stay for a while before anybody is told",
    Phase.FIRING: "It stands",
    Phase.CLEARING: "It seems to be over",
    Phase.RESOLVED: "It was over",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An open incident: to which channels it was told, is to be told, and could not be; and what silences it."""

    incident: Incident
    silence: Silence | None = None
    sent: Sequence[str] = ()
    sent_at: datetime | None = None
    waiting: Sequence[str] = ()
    given_up: Sequence[str] = ()

    @property
    def condition(self) -> Condition:
        """What is wrong."""
        return Condition(self.incident.condition)

    @property
    def words(self) -> str:
        """What is wrong, in words."""
        return CONDITION_WORDS[self.condition]

    @property
    def sentence(self) -> str:
        """What is or was wrong with what, in words."""
        incident, is_over = self.incident, self.incident.phase == Phase.RESOLVED
        text = self.past_words if is_over else self.words
        if incident.subject_kind is SubjectKind.INDEX:
            return f"The index {text}" if is_over else f"{text[0].upper()}{text[1:]}"
        return f"{'host ' if incident.subject_kind is SubjectKind.HOST else ''}{incident.subject} {text}"

    @property
    def phase_words(self) -> str:
        """How far it is, in words."""
        return _PHASE_WORDS[Phase(self.incident.phase)]

    @property
    def past_words(self) -> str:
        """What was wrong, in words, whether it is so still or not."""
        return PAST_WORDS[self.condition]

    @property
    def is_pending(self) -> bool:
        """Tell whether nobody is told of it yet."""
        return self.incident.phase == Phase.PENDING

    @property
    def is_firing(self) -> bool:
        """Tell whether people are told of it, and it does not seem to be over."""
        return self.incident.phase == Phase.FIRING

    @property
    def is_clearing(self) -> bool:
        """Tell whether people were told of it, and it seems to be over."""
        return self.incident.phase == Phase.CLEARING

    @property
    def stands(self) -> bool:
        """Tell whether people are told of it, and not yet that it is over."""
        return not self.is_pending

    @property
    def wants_somebody(self) -> bool:
        """Tell whether it does not seem to be over, and nobody has said that he looks after it."""
        return self.is_firing and self.incident.acknowledged_at is None

    @property
    def is_handled(self) -> bool:
        """Tell whether somebody looks after it, or wants to hear nothing of it for a while."""
        return self.incident.acknowledged_at is not None or self.silence is not None

    @property
    def to_nobody(self) -> bool:
        """Tell whether it is told, and no channel is to hear of it."""
        return self.is_firing and not (self.sent or self.waiting or self.given_up)

    @property
    def rank(self) -> tuple[int, bool]:
        """Where it comes: what people are told of first, by how much it matters, and before what is handled."""
        if not self.is_firing:
            return NOT_TOLD, False
        return SEVERITIES.index(Severity(self.incident.severity)), self.is_handled


Tellings = Mapping[Subject, Sequence[Told]]
"""What is open, by what it is about."""


def standing(told: Sequence[Told]) -> list[Told]:
    """Return those that people are told of, the most important first."""
    return sorted((each for each in told if each.stands), key=lambda each: each.rank)


def is_obvious(told: Sequence[Told], trouble: Trouble | None) -> bool:
    """Tell whether all that people are told of a row is the trouble that it is in."""
    return trouble is not None and {each.condition for each in told} == {_CONDITION_OF.get(trouble)}
