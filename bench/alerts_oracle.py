"""An oracle that knows what was true, and says of each alarm whether it was right, and which ones were owed.

It shares no code with the rules of the index, and is as simple as can be: it looks at the truth alone.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from bench.alerts_world import HOUR, MINUTE, Span, Truth, World, merged, within

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
    "no_worker": 210.0,
}
HARMLESS = (0, 130, 137, 143)


class Told(NamedTuple):
    """Somebody was told that something is wrong, or that it is over."""

    at: float
    condition: str
    subject: str
    is_over: bool = False


class Owed(NamedTuple):
    """Something was wrong: over this time, and of this somebody had to be told, from a moment on."""

    condition: str
    subject: str
    span: Span
    due: float | None


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
        _judge_told(by_key[key], [owed.span for owed in wrongs[key]], result)
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


def _judge_told(told: list[Told], spans: list[Span], result: Score) -> None:
    """Count what was told twice, and what was not so: that something is wrong, or that it is over."""
    is_open = False
    for each in told:
        if not each.is_over:
            result.doubled += is_open and each.condition != "oom"
            result.false += not _is_true(each, spans, DELAYS.get(each.condition, 0.0))
        elif each.condition not in ("looping", "oom"):
            result.false += any(a < each.at - LOOK and b > each.at for a, b in spans)
        is_open = not each.is_over


def _is_true(told: Told, spans: list[Span], delay: float) -> bool:
    """Tell whether what was told was so a moment ago, and had been so for its delay."""
    return any(a <= told.at and b > told.at - LOOK and min(told.at, b) - a >= delay - LOOK for a, b in spans)


def _open_spans(told: list[Told]) -> list[Span]:
    spans, begins = [], None
    for each in told:
        if each.is_over and begins is not None:
            spans.append((begins, each.at))
            begins = None
        elif not each.is_over and begins is None:
            begins = each.at
    return [*spans, (begins, float("inf"))] if begins is not None else spans


def all_wrongs(world: World) -> Iterator[Owed]:
    """Yield all that was wrong, with when somebody had to be told of it."""
    blind_index = merged([*world.index_down, *world.workers_down])
    for truth in world.truths.values():
        unseen = merged([*blind_index, *world.hosts[truth.host]])
        for condition, span in _of_row(truth, unseen):
            muted = truth.leases if condition in ("missing", "ended", "unhealthy") else []
            yield Owed(condition, truth.row, span, due(span, DELAYS[condition], unseen, muted))
    for span in _blind_spans(world.hosts):
        yield Owed("blind", "", span, None)
    for span in world.workers_down:
        yield Owed("no_worker", "", span, due(span, DELAYS["no_worker"], world.index_down, []))
    for host, outages in world.hosts.items():
        for span in outages:
            yield Owed("host", host, span, due(span, DELAYS["host"], blind_index, []))


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
    yield from (("oom", (at, at + HOUR)) for at in truth.ooms)
    # when restarts were that nobody could see, nobody can tell
    restarts = [at for at in truth.restarts if not within(unseen, at)]
    loops = [(c, c + 10 * MINUTE) for a, c in zip(restarts, restarts[2:], strict=False) if c - a <= 10 * MINUTE]
    yield from (("looping", span) for span in merged(loops))


def due(span: Span, delay: float, unseen: list[Span], muted: list[Span]) -> float | None:
    """Return from when on somebody had to be told; None if it was over too soon for that.

    It was seen for its delay and the time that a look may take, and it was muted no more, and a look was possible.
    """
    moment, seen = span[0], 0.0
    for begins, ends in [*unseen, (float("inf"), float("inf"))]:
        if ends <= moment:
            continue
        if seen + max(0.0, begins - moment) >= delay + LOOK:
            moment += delay - seen
            break
        seen, moment = seen + max(0.0, begins - moment), max(moment, ends)
    for begins, ends in [*muted, *unseen]:
        if begins <= moment + LOOK and ends > moment:
            moment = ends
    return moment if moment + LOOK + LATE < span[1] else None


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
