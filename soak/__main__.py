"""`python -m soak [MINUTES] [SEED]`: storm after storm, each judged when it is over.

The exit status is 1 if a promise was broken.
"""

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from dev.guard import Guard
from soak.kept import KEPT
from soak.soak import Soak
from soak.storm import CALM
from soak.world import World

STORMS_TO_A_CALM = 5


def main(storms: Iterator[str], minutes: float) -> int:
    """Soak for so long, or until the storms end or one has broken a promise; print a line for each."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    ends_at = time.monotonic() + minutes * 60
    guard = Guard("soak")
    with tempfile.TemporaryDirectory(prefix="tf-soak-", dir="/tmp") as name, World(Path(name), guard) as world:
        soak = Soak(world)
        faults = soak.fill()
        while not faults and time.monotonic() < ends_at and (storm := next(storms, "")):
            faults = soak.storm(storm)
        if faults:
            print(world.crew.logs(), flush=True)
    print(f"{soak.summary()}: {'a promise was broken' if faults else 'every promise was kept'}", flush=True)
    for fault in faults:
        print(f"BROKEN: {fault}", flush=True)
    return 1 if faults else 0


def storms_of(seed: int) -> Iterator[str]:
    """Return the names of storms without end: those that once found something, and then those of a seed."""
    yield from KEPT
    for number in count(1):
        yield f"{seed}.{number}"
        if number % STORMS_TO_A_CALM == 0:
            yield f"{seed}.{CALM}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="soak", description="Storm after storm, each judged when it is over.")
    parser.add_argument("minutes", type=float, nargs="?", default=5.0)
    parser.add_argument("seed", type=int, nargs="?", default=1, help="the same seed draws the same storms")
    parser.add_argument("--storm", nargs="+", metavar="SEED.NUMBER", help="these storms alone")
    arguments = parser.parse_args()
    named = arguments.storm
    sys.exit(main(iter(named) if named else storms_of(arguments.seed), float("inf") if named else arguments.minutes))
