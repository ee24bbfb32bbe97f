"""Which watcher follows which host, and which watchers live.

Pure: time is an argument, in seconds, by a clock of the caller's that only moves forward. Clocks of different machines
are never compared. Each watcher counts its beats in the database; one whose count stands still is taken for dead.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

LAPSE_SECONDS = 8.0
"""A watcher whose count has stood still for so long is dead or hangs: others may take its hosts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """The counts of all watchers when they were read last, and since when each of them stands still."""

    read_at: float | None = None
    beats: Mapping[str, int] = field(default_factory=dict)
    since: Mapping[str, float] = field(default_factory=dict)

    def hear(self, beats: Mapping[str, int], at: float) -> "Heard":
        """Return what is known after the counts were read again.

        If nobody has read them for a while, because the reader was stopped or had no database, nothing is known of
        that time: the others may have had no database either. So all of them are waited for anew.
        """
        was_away = self.read_at is None or at - self.read_at > LAPSE_SECONDS / 2
        known = {} if was_away else self.beats
        since = {name: self.since[name] if known.get(name) == count else at for name, count in beats.items()}
        return Heard(read_at=at, beats=dict(beats), since=since)

    def silent(self, at: float) -> frozenset[str]:
        """Return the watchers that are taken for dead."""
        return frozenset(name for name, since in self.since.items() if at - since >= LAPSE_SECONDS)


def fair_shares(owners: Mapping[str, str], watchers: Mapping[str, frozenset[str]]) -> dict[str, str]:
    """Return which watcher is to follow each host. Shares differ by one at most, and as few hosts as possible move.

    `owners` says who follows each host now, if anybody does. `watchers` are those that live, each with the hosts
    that it was told to follow; if it was told none, it shares all hosts with its like. A host that some were told to
    follow belongs to these alone. A host that nobody may follow is left out. Whoever sees the same decides the same.
    """
    general = [name for name, told in watchers.items() if not told]
    groups: dict[tuple[str, ...], dict[str, str]] = defaultdict(dict)
    for host, owner in sorted(owners.items()):
        told = [name for name in watchers if host in watchers[name]]
        groups[tuple(sorted(told or general))][host] = owner
    return {host: name for able, hosts in groups.items() if able for host, name in _divide(hosts, able).items()}


def _divide(owners: Mapping[str, str], able: Iterable[str]) -> dict[str, str]:
    """Divide hosts among watchers; those that have the most already get one more where it does not come out even."""
    held: dict[str, list[str]] = {name: [] for name in able}
    free: list[str] = []
    for host, owner in owners.items():
        held.get(owner, free).append(host)
    by_size = sorted(held, key=lambda name: (-len(held[name]), name))
    least, more = divmod(len(owners), len(held))
    sizes = {name: least + (place < more) for place, name in enumerate(by_size)}
    # hosts that nobody follows are given away before those that somebody has too many of
    free += [host for name in by_size for host in held[name][sizes[name] :]]
    shares: dict[str, str] = {}
    for name in by_size:
        kept = held[name][: sizes[name]]
        taken, free = free[: sizes[name] - len(kept)], free[sizes[name] - len(kept) :]
        shares |= dict.fromkeys([*kept, *taken], name)
    return shares
