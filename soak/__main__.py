"""`python -m soak [MINUTES] [SEED]`: storm after storm, each judged when it is over.

The exit status is 1 if a promise was broken.
"""

import argparse
import contextlib
import random
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import psycopg

from soak.fleet import Fleet
from soak.judge import Guard, Verdict, compare, judge_history
from soak.record import Record
from soak.storm import STORM_SECONDS, Fault, draw
from soak.world import World

RECOVERY_SECONDS = 60.0
FILL_SECONDS = 180.0
ACTS_A_SECOND = 25.0
REAL_ACTS_A_SECOND = 0.7
REVIVAL_SECONDS = 1.0


def main(minutes: float, seed: int) -> int:
    """Soak for so long; print a line for each storm."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    print(f"soaking for {minutes:g} minutes, seed {seed}: python -m soak {minutes:g} {seed}", flush=True)
    record = Record()
    with tempfile.TemporaryDirectory(prefix="tf-soak-", dir="/tmp") as name, World(Path(name)) as world:
        fleet = Fleet(world, record, random.Random(seed))
        fleet.fill()
        troubles = _wait_for_truth(world, record, FILL_SECONDS, "the first fill")
        guard = Guard(world.postgres.url, record)
        guard.start()
        ends_at = time.monotonic() + minutes * 60
        number = 0
        while time.monotonic() < ends_at and not troubles:
            number += 1
            troubles = _storm(world, fleet, record, random.Random(f"{seed}.{number}"), number)
            troubles += [f"called missing while it was there: {each}" for each in guard.false_missing]
        guard.stop()
        if troubles:
            _keep_logs(world)
    print(f"{number} storms, {record.acts} acts on containers, {guard.looks} looks for a false missing", flush=True)
    for trouble in troubles:
        print(f"BROKEN: {trouble}", flush=True)
    return 1 if troubles else 0


def _storm(world: World, fleet: Fleet, record: Record, dice: random.Random, number: int) -> list[str]:
    faults = draw(world, dice)
    host = dice.choice(list(world.simulated))
    print(f"storm {number}: {host} is removed and added; {'; '.join(each.what for each in faults)}", flush=True)
    world.remove_host(host)
    over = threading.Event()
    real = threading.Thread(target=_act_for_real, args=(fleet, over), daemon=True)
    real.start()
    _blow(world, fleet, faults)
    over.set()
    real.join()
    _revive(world)
    world.add_host(host)
    fleet.settle()
    troubles = _wait_for_truth(world, record, RECOVERY_SECONDS, f"storm {number}")
    history = judge_history(world.postgres.url, record)
    if history.faults:
        troubles.append(f"after storm {number}: {history}")
    return troubles


def _blow(world: World, fleet: Fleet, faults: list[Fault]) -> None:
    """Let the faults begin and end when they are due, and let something happen to containers all the while."""
    steps = [(fault.at, fault.begin) for fault in faults] + [(fault.until, fault.end) for fault in faults]
    began = time.monotonic()
    revive_at = 0.0
    for at, step in [*sorted(steps, key=lambda step: step[0]), (STORM_SECONDS, None)]:
        while (now := time.monotonic() - began) < at:
            fleet.act()
            if now > revive_at:
                world.revive()
                revive_at = now + REVIVAL_SECONDS
            time.sleep(fleet.dice.uniform(0, 2 / ACTS_A_SECOND))
        if step:
            step()


def _act_for_real(fleet: Fleet, over: threading.Event) -> None:
    while not over.wait(1 / REAL_ACTS_A_SECOND):
        fleet.act_for_real()


def _revive(world: World) -> None:
    world.revive()
    for engine in world.simulated.values():
        engine.heal()


def _wait_for_truth(world: World, record: Record, seconds: float, after: str) -> list[str]:
    """Return nothing as soon as the table is right, or what is wrong with it after so many seconds."""
    began = time.monotonic()
    verdict = Verdict(faults=("the database does not answer",))
    while (waited := time.monotonic() - began) < seconds:
        world.revive()
        with contextlib.suppress(psycopg.Error):
            verdict = compare(world.postgres.url, record)
            if not verdict.faults and world.is_ready():
                print(f"  {after}: right after {waited:.1f} s, {len(record.living())} containers", flush=True)
                return []
        time.sleep(0.5)
    return [f"{after}: not right after {seconds:g} s: {verdict or 'the page does not answer'}"]


def _keep_logs(world: World) -> None:
    for name in world.names:
        print(f"--- {name}\n" + "\n".join(world.log_of(name).splitlines()[-15:]), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="soak", description="Storm after storm, each judged when it is over.")
    parser.add_argument("minutes", type=float, nargs="?", default=5.0)
    parser.add_argument("seed", type=int, nargs="?", default=1, help="the same seed draws the same storms")
    arguments = parser.parse_args()
    sys.exit(main(arguments.minutes, arguments.seed))
