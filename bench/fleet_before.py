"""Steady rounds over 1,000 hosts, and the first one in which some hang, beside those of an older commit.

That commit is checked out into a temporary folder and measured by its own workers, with what is installed now. Both
are measured twice, by turns, in rounds in which nothing changes.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.world import end_in_order, short_directory
from dev.place import PROJECT

BEFORE = "5a8a1bd"
HOSTS, CHANGING_SHARE, TURNS = 1_000, 0.0, 2
LEAST_QUICKER = 2.0
"""How many times as many passes a second there have to be as before."""
MOST_FOR_HANGING = 1.5
"""How many times as long as a steady round the first one may take in which one host in a hundred hangs."""
RATES = Path(__file__).parent / "fleet_rates.py"
COLUMNS = ("passes a second", "steady round", "first with 1 % hanging", "CPU of a pass", "workers' memory")


def check_out(directory: Path) -> Path | None:
    """Return a folder with the files of the older commit, or None if this clone does not have it."""
    if subprocess.run(["git", "cat-file", "-e", BEFORE], cwd=PROJECT, capture_output=True, check=False).returncode:
        return None
    archive = directory / "before.tar"
    subprocess.run(["git", "archive", f"--output={archive}", BEFORE], cwd=PROJECT, check=True)
    folder = directory / "before"
    folder.mkdir()
    subprocess.run(["tar", "--extract", f"--file={archive}", f"--directory={folder}"], check=True)
    return folder


def rates(folder: Path) -> Mapping[str, Any]:
    """Return how quick the rounds of a checkout are."""
    command = [sys.executable, "-P", str(RATES), str(HOSTS), str(CHANGING_SHARE)]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    answer = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found: Mapping[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return found


def measure(before: Path | None) -> list[str]:
    """Print the tables; return what was promised and not kept."""
    print(f"{HOSTS:,} hosts with 100 containers each, in which nothing changes")
    print(f"{'':8} {'  '.join(COLUMNS)}")
    now: list[Mapping[str, Any]] = []
    then: list[Mapping[str, Any]] = []
    for _ in range(TURNS if before else 1):
        now.append(_measured("now", PROJECT))
        if before:
            then.append(_measured(BEFORE, before))
    missed = [wrong for each in now for wrong in each["wrong"]]
    hanging = min(each["first_seconds"] / each["steady_seconds"] for each in now)
    print(f"first round with 1 % hanging ÷ a steady one: {hanging:.2f} (allowed: {MOST_FOR_HANGING:g})")
    if hanging > MOST_FOR_HANGING:
        missed.append(f"the first round with hosts that hang took {hanging:.2f} times as long as a steady one")
    return missed + (_quicker(now, then) if then else [])


def _measured(name: str, folder: Path) -> Mapping[str, Any]:
    found = rates(folder)
    told = (
        f"{found['passes_a_second']:.0f}",
        f"{found['steady_seconds']:.1f} s",
        f"{found['first_seconds']:.1f} s",
        f"{found['cpu_ms']:.1f} ms",
        f"{found['worker_mib']:.0f} MiB",
    )
    print(f"{name:8} {'  '.join(f'{text:>{len(column)}}' for text, column in zip(told, COLUMNS, strict=True))}")
    return found


def _quicker(now: list[Mapping[str, Any]], then: list[Mapping[str, Any]]) -> list[str]:
    best_now, best_then = (max(each["passes_a_second"] for each in some) for some in (now, then))
    quicker = best_now / best_then
    print(f"passes a second ÷ those of {BEFORE}: {quicker:.2f} (promised: {LEAST_QUICKER:g})")
    return [] if quicker >= LEAST_QUICKER else [f"{quicker:.2f} times as many passes a second as {BEFORE}"]


def main() -> int:
    """Measure on the database that BENCH_DATABASE names."""
    end_in_order()
    with short_directory() as directory:
        before = check_out(directory)
        if before is None:
            print(f"the commit {BEFORE} is not in this clone, so nothing is compared with it: git fetch --unshallow")
        missed = measure(before)
    for what in missed:
        print(f"MISSED: {what}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
