"""What a message says, whoever it is sent to: facts, without form. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

MOST_TOLD = 20
"""So many incidents are told one by one; of the others a message tells how many they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One incident.

    `what` it is about, `short` what is wrong in a word or two, and `sentence` in a few more. `why` has what is known of
    its cause.
    """

    incident: int
    what: str
    short: str
    sentence: str
    since: datetime
    condition: str = ""
    where: str = ""
    why: Sequence[str] = ()
    link: str = ""
    over_at: datetime | None = None

    @property
    def lasted(self) -> timedelta:
        """Return how long it took, of one that is over."""
        return max((self.over_at or self.since) - self.since, timedelta())


@dataclass(frozen=True, slots=True)
class Entries:
    """Incidents of which only the first are told one by one, and how many there are in all."""

    told: Sequence[Entry] = ()
    count: int = 0

    @property
    def left_out(self) -> int:
        """Return how many are not told one by one."""
        return self.count - len(self.told)


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A message: what has begun, what is over, and what else is wrong there.

    `mute` says how to hear no more of it, and `id` stays the same however often the message is sent.
    """

    id: str
    severity: str
    host: str = ""
    at: datetime
    begun: Entries = field(default_factory=Entries)
    over: Entries = field(default_factory=Entries)
    stands: Entries = field(default_factory=Entries)
    is_test: bool = False
    mute: str = ""
    link: str = ""
