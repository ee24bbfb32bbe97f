"""How much a count has grown within the last hour, from what is remembered of it.

Pure: imports no framework, reads no clock, does no I/O.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise

from alerts.core.rules import DRIFT_WITHIN

Memory = Mapping[str, Sequence[tuple[float, int]]]
"""For each host, at which moments, in seconds since 1970, its count was found to be what."""


def remembered(memory: Memory, counts: Mapping[str, int], at: datetime) -> dict[str, list[tuple[float, int]]]:
    """Return what is to be remembered of these counts: each change within the last hour, and the count before."""
    now, since = at.timestamp(), (at - DRIFT_WITHIN).timestamp()
    made = {}
    for host, count in counts.items():
        known = [(moment, was) for moment, was in memory.get(host, ()) if moment <= now]
        if not known or known[-1][1] != count:
            known.append((now, count))
        before = [entry for entry in known if entry[0] < since][-1:]
        made[host] = [*before, *(entry for entry in known if entry[0] >= since)]
    return made


def growth(entries: Sequence[tuple[float, int]]) -> int:
    """Return by how much a count has grown; one that was set back counts from there."""
    return sum(max(0, after - before) for (_, before), (_, after) in pairwise(entries))
