"""An oracle that knows what was true, and says of each alarm whether it was right, and which ones were owed.

It shares no code with the rules of the index, and is as simple as can be: it looks at the truth alone.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from bench.alerts_world import HOUR, MINUTE, Span, Truth, World, merged

LOOK = 45.0
"""A look may be so old: a tick every 30 seconds, a judge every ten, and some time for the look itself."""
LATE, MISSED = 75.0, 240.0
"""So long after it was owed an alarm is late, or counts as missed."""
DELAYS = {
    "missing": 60.0,
    "failed": 0.0,
    "ended": 120.0,
    "unhealthy": 60.0,
    "looping": 0.0,
    "oom": 0.0,
    "host": 120.0,
    "blind": 120.0,
    "no_worker": 210.0,
}
OF_LOOKS = ("host", "blind", "no_worker")
"""Their delay begins with the last look, before anything was wrong."""
HARMLESS = (0, 130, 137, 143)


class Told(NamedTuple):
    """Somebody was told that something is wrong, or that it is over."""

    at: float
    condition: str
    subject: str
    is_over: bool = False


class Owed(NamedTuple):
    """Something was wrong over a span; when it could not be seen, and when it was muted.

    `due` is from when on somebody had to be told; None if it was over too soon for that.
    """

    condition: str
    subject: str
    span: Span
    unseen: list[Span]
    muted: list[Span]
    due: float | None = None


@dataclass
class Score:
    """What came of a month."""

    incidents: int = 0
    alarms: int = 0
    false: int = 0
    missed: int = 0
    late: int = 0
    doubled: int = 0


def score(world: World, told: list[Told]) -> Score:
    """Return how right the alarms were."""
    wrongs: dict[tuple[str, str], list[Owed]] = defaultdict(list)
    for owed in all_wrongs(world):
        wrongs[owed.condition, owed.subject].append(owed)
    by_key: dict[tuple[str, str], list[Told]] = defaultdict(list)
    for each in told:
        by_key[each.condition, each.subject].append(each)
    result = Score(alarms=sum(not each.is_over for each in told))
    blind = _open_spans(by_key["blind", ""])
    for key in sorted({*wrongs, *by_key}):
        # that the index cannot see is told once for all its hosts
        known = _open_spans(by_key[key]) + (blind if key[0] == "host" else [])
        _judge_owed([owed for owed in wrongs[key] if owed.due is not None], known, result)
        _judge_told(by_key[key], wrongs[key], result)
    result.doubled += sum(_is_told_by_many(each, world.hosts) for each in told if each.condition == "host")
    return result


def _judge_owed(owed: list[Owed], known: list[Span], result: Score) -> None:
    """Count what was to be told, and what of it was told too late or never."""
    for each in owed:
        begins, ends = each.span
        moments = [max(a, begins) for a, b in known if b > begins and a < ends + MISSED]
        late = min(moments, default=float("inf")) - (each.due or 0.0)
        result.incidents += 1
        result.missed += late > MISSED
        result.late += LATE < late <= MISSED


def _judge_told(told: list[Told], wrongs: list[Owed], result: Score) -> None:
    """Count what was told twice, and what was not so: that something is wrong, or that it is over."""
    is_open = False
    for each in told:
        if not each.is_over:
            result.doubled += is_open and each.condition != "oom"
            result.false += not any(_is_true(each, owed) for owed in wrongs)
        elif each.condition not in ("looping", "oom"):
            result.false += any(a < each.at - LOOK and b > each.at for a, b in (owed.span for owed in wrongs))
        is_open = not each.is_over


def _is_told_by_many(told: Told, hosts: dict[str, list[Span]]) -> bool:
    """Tell whether a host is told of by itself that went together with many, of which there is one message."""
    if told.is_over:
        return False
    together = [(begins, ends) for begins, ends in _blind_spans(hosts) if begins + LOOK < told.at < ends]
    outage = next((a for a, b in hosts[told.subject] if a <= told.at < b), 0.0)
    return any(begins - LOOK < outage for begins, _ in together)


def _is_true(told: Told, owed: Owed) -> bool:
    """Tell whether what was told was so when somebody last could look, had been seen for its delay, and was not muted.

    That a host cannot be seen any more is noticed some time after it went.
    """
    begins, ends = owed.span
    if not begins <= told.at < ends + LOOK or any(a < told.at - LOOK and told.at < b for a, b in owed.muted):
        return False
    until = min(told.at, ends)
    dark = [min(b, until) - max(a, begins) for a, b in owed.unseen if b > begins and a < until]
    seen = until - begins - sum(max(0.0, length - LOOK) for length in dark)
    return seen >= DELAYS[told.condition] - (LOOK if told.condition in OF_LOOKS else 0.0)


def _open_spans(told: list[Told]) -> list[Span]:
    """Return from when to when people thought that it was wrong."""
    spans: list[Span] = []
    begins: float | None = None
    for each in told:
        if each.is_over and begins is not None:
            spans.append((begins, each.at))
            begins = None
        elif not each.is_over and begins is None:
            begins = each.at
    if begins is not None:
        spans.append((begins, float("inf")))
    return spans


def all_wrongs(world: World) -> Iterator[Owed]:
    """Yield all that was wrong, with when somebody had to be told of it."""
    blind_index = merged([*world.index_down, *world.workers_down])
    for truth in world.truths.values():
        yield from _wrongs_of(truth, merged([*blind_index, *world.hosts[truth.host]]))
    for span in _blind_spans(world.hosts):
        yield Owed("blind", "", span, blind_index, [])
    for span in world.workers_down:
        yield _with_due(Owed("no_worker", "", span, world.index_down, []))
    for host, outages in world.hosts.items():
        for span in outages:
            yield _with_due(Owed("host", host, span, blind_index, []))
        dark = merged([*blind_index, *outages])
        for _, span in _bridged((("host", span) for span in outages), dark):
            yield Owed("host", host, span, blind_index, [])


def _wrongs_of(truth: Truth, unseen: list[Span]) -> Iterator[Owed]:
    """Yield all that was wrong with a row; what nobody could tell for sure is no false alarm, and not owed."""
    for condition, span in _of_row(truth, unseen):
        muted = truth.leases if condition in ("missing", "ended", "unhealthy") else []
        yield _with_due(Owed(condition, truth.row, span, unseen, muted))
    for condition, span in _bridged(_of_row(truth, unseen), unseen):
        yield Owed(condition, truth.row, span, unseen, [])
    for span in _loops(truth.restarts):
        yield Owed("looping", truth.row, span, unseen, [])


def _of_row(truth: Truth, unseen: list[Span]) -> Iterator[tuple[str, Span]]:
    """Yield each time in which something was wrong with a row."""
    ends = [piece.at for piece in truth.pieces[1:]] + [float("inf")]
    for piece, until in zip(truth.pieces, ends, strict=True):
        if piece.state in ("missing", "failed"):
            yield piece.state, (piece.at, until)
        elif piece.state == "stopped" and piece.exit_code not in HARMLESS:
            yield "ended", (piece.at, until)
        elif piece.health == "unhealthy":
            yield "unhealthy", (piece.at, until)
    # one that nobody could see is found as soon as somebody can
    found = [next((ends for begins, ends in unseen if begins <= at < ends), at) for at in truth.ooms]
    yield from (("oom", (at, seen + HOUR)) for at, seen in zip(truth.ooms, found, strict=True))
    # of restarts that nobody could see, nobody can tell when they were
    seen = [at for at in truth.restarts if not any(begins <= at < ends + LOOK for begins, ends in unseen)]
    yield from (("looping", span) for span in _loops(seen))


def _bridged(found: Iterator[tuple[str, Span]], unseen: list[Span]) -> Iterator[tuple[str, Span]]:
    """Yield what looked like one time, because nobody could see that it was over in between."""
    last: dict[str, Span] = {}
    for condition, span in found:
        before = last.get(condition)
        if before and any(a <= before[1] and span[0] <= b + LOOK for a, b in unseen):
            last[condition] = before[0], span[1]
            yield condition, last[condition]
        else:
            last[condition] = span


def _loops(restarts: list[float]) -> list[Span]:
    """Return from when to when there were three restarts within ten minutes."""
    pairs = zip(restarts, restarts[2:], strict=False)
    return merged([(last, last + 10 * MINUTE) for first, last in pairs if last - first <= 10 * MINUTE])


def _with_due(owed: Owed) -> Owed:
    """Return it with when it had been seen for its delay, was muted no more, and a look was possible."""
    (moment, over), seen, delay = owed.span, 0.0, DELAYS[owed.condition]
    for begins, ends in [*owed.unseen, (float("inf"), float("inf"))]:
        if ends <= moment:
            continue
        if seen + max(0.0, begins - moment) >= delay + LOOK:
            moment += delay - seen
            break
        seen, moment = seen + max(0.0, begins - moment), max(moment, ends)
    for begins, ends in [*owed.muted, *owed.unseen]:
        if begins <= moment + LOOK and ends > moment:
            moment = ends
    return owed._replace(due=moment) if moment + LOOK + LATE < over else owed


def _blind_spans(hosts: dict[str, list[Span]]) -> list[Span]:
    """Return when three tenths of the hosts, and three of them at least, could not be seen."""
    begun = [(begins, 1) for outages in hosts.values() for begins, _ in outages]
    over = [(ends, -1) for outages in hosts.values() for _, ends in outages]
    found, out, since = [], 0, 0.0
    for at, change in sorted(begun + over):
        was, out = out, out + change
        if was < max(3.0, 0.3 * len(hosts)) <= out:
            since = at
        elif out < max(3.0, 0.3 * len(hosts)) <= was:
            found.append((since, at))
    return found
