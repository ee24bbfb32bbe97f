"""Alerts of a month in a fleet of 200 hosts, on a virtual clock, judged by an oracle that knows what was true.

`python -m bench.alerts [SEED [HOSTS [ROWS [DAYS]]]]` draws another month. It exits with 1 if an alarm was false, or if
one was missed.
"""

import random
import sys
import time
from dataclasses import astuple, fields

from bench.alerts_index import Index
from bench.alerts_oracle import Score, score
from bench.alerts_peers import by_events, by_polling
from bench.alerts_world import DAY, World, drawn

SEED, HOSTS, ROWS, DAYS = 1, 200, 10, 30


def row(name: str, result: Score) -> str:
    """Return a line of the table."""
    return f"{name:34}" + "".join(f"{value:>11,}" for value in astuple(result))


def print_scores(world: World) -> bool:
    """Print how right the index and two simple alerters were; return whether the index was."""
    print(f"{'':34}" + "".join(f"{each.name:>11}" for each in fields(Score)))
    began = time.monotonic()
    ours = score(world, Index(world, random.Random(0)).run())
    print(row("the index", ours), flush=True)
    seconds = time.monotonic() - began
    print(row("an alerter that goes by events", score(world, by_events(world))))
    print(row("a poller with a cooldown", score(world, by_polling(world))))
    print(f"\n{world.seconds / DAY:g} days took {seconds:.0f} s")
    return not (ours.false or ours.missed)


def main() -> int:
    """Draw a month and print what was told in it."""
    seed, hosts, rows, days = [*map(int, sys.argv[1:]), *(SEED, HOSTS, ROWS, DAYS)[len(sys.argv) - 1 :]]
    print(f"{hosts} hosts with {rows} containers each, {days} days, seed {seed}\n")
    is_right = print_scores(drawn(seed, hosts, rows, days))
    print("the aim is 0 false and 0 missed: " + ("kept" if is_right else "MISSED"))
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
