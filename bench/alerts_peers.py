"""Two simple alerters, as many tools have them, in the same world: they show what the rules of the index are for.

The one goes by events, and tells of each at once. The other polls every 30 seconds, compares with what it saw before,
and keeps quiet about a container for five minutes after it has told of it.
"""

from bench.alerts_oracle import HARMLESS, Told
from bench.alerts_world import Piece, Truth, World, within

POLL, COOLDOWN, LOOP_SECONDS = 30.0, 300.0, 600.0


def wrong_with(piece: Piece) -> str:
    """Return what is wrong with a container; empty if nothing is."""
    if piece.state in ("missing", "failed"):
        return piece.state
    if piece.state == "stopped" and piece.exit_code not in HARMLESS:
        return "ended"
    return "unhealthy" if piece.health == "unhealthy" else ""


def by_events(world: World) -> list[Told]:
    """Tell of each event, unless it comes while nobody listens; then it is lost."""
    told = []
    for truth in world.truths.values():
        deaf = [*world.hosts[truth.host], *world.index_down]
        wrong = ""
        for piece in truth.pieces[1:]:
            if any(begins <= piece.at < ends for begins, ends in deaf):
                continue
            now = wrong_with(piece)
            if now != wrong:
                told += [Told(piece.at, wrong, truth.row, is_over=True)] if wrong else []
                told += [Told(piece.at, now, truth.row)] if now else []
                wrong = now
        heard = [at for at in truth.ooms if not any(begins <= at < ends for begins, ends in deaf)]
        told += [Told(at, "oom", truth.row) for at in heard]
    for host, outages in world.hosts.items():
        for begins, ends in outages:
            told += [Told(begins, "host", host), Told(ends, "host", host, is_over=True)]
    return sorted(told)


def by_polling(world: World) -> list[Told]:
    """Tell of what differs from the poll before, and count a host that does not answer as down at once."""
    told: list[Told] = []
    for truth in world.truths.values():
        told += _polled(world, truth)
    for host, outages in world.hosts.items():
        for begins, ends in outages:
            first = (begins // POLL + 1) * POLL
            if first < ends and not within(world.index_down, first):
                told += [Told(first, "host", host), Told((ends // POLL + 1) * POLL, "host", host, is_over=True)]
    return sorted(told)


def _polled(world: World, truth: Truth) -> list[Told]:
    told: list[Told] = []
    wrong, quiet_until = "", 0.0
    lies = [(lie.begins, lie.ends) for lie in world.lies[truth.host] if lie.row in ("", truth.row)]
    for moment in _polls(truth, lies):
        if within(world.hosts[truth.host], moment) or within(world.index_down, moment):
            continue
        now = "missing" if within(lies, moment) else wrong_with(truth.at(moment))
        if now == wrong:
            continue
        told += [Told(moment, wrong, truth.row, is_over=True)] if wrong else []
        wrong = ""
        if now and moment >= quiet_until:
            told.append(Told(moment, now, truth.row))
            wrong, quiet_until = now, moment + COOLDOWN
        elif now:
            # what it keeps quiet about it takes for known
            wrong = now
    return told


def _polls(truth: Truth, lies: list[tuple[float, float]]) -> list[float]:
    """Return the polls at which a container can look otherwise than at the one before."""
    moments = [piece.at for piece in truth.pieces[1:]] + [moment for span in lies for moment in span]
    firsts = {(moment // POLL + 1) * POLL for moment in moments}
    return sorted(firsts | {first + POLL * number for first in firsts for number in range(1, 4)})
