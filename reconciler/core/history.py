"""When the steps of a row's history were, whatever the clocks beside them said. Pure.

History is in the order of its commits. The moment of each step comes from the clock of one of several
machines. These clocks differ, and one of them may have been wrong for a while.
"""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise

_LATEST = datetime.max.replace(tzinfo=UTC)


def in_order(moments: Sequence[datetime]) -> list[datetime]:
    """Return moments, given in commit order, changed so that none is earlier than the one before it.

    As few moments as possible are changed, so one wrong clock changes only the moments of its own steps.
    Each of them becomes the nearest moment between its neighbours.
    """
    if all(earlier <= later for earlier, later in pairwise(moments)):
        return list(moments)
    believed = _longest_in_order(moments)
    latest, limits = _LATEST, []
    for index in reversed(range(len(moments))):
        latest = moments[index] if index in believed else latest
        limits.append(latest)
    ordered: list[datetime] = []
    for moment, limit in zip(moments, reversed(limits), strict=True):
        possible = min(moment, limit)
        ordered.append(max(possible, ordered[-1]) if ordered else possible)
    return ordered


def _longest_in_order(moments: Sequence[datetime]) -> frozenset[int]:
    """Return the indexes of as many moments as possible that do not decrease."""
    # for each number of moments, the index of the earliest one with which such a choice can end
    ends: list[int] = []
    before: list[int | None] = []
    for index, moment in enumerate(moments):
        length = bisect_right(ends, moment, key=moments.__getitem__)
        before.append(ends[length - 1] if length else None)
        ends[length : length + 1] = [index]
    chosen: list[int] = []
    last = ends[-1] if ends else None
    while last is not None:
        chosen.append(last)
        last = before[last]
    return frozenset(chosen)
