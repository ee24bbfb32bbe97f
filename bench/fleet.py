"""Rounds of passes over 10, 200 and 1,000 hosts by real Celery workers and Valkey, beside one process in sequence.

Every round changes one container in a hundred; from the middle on one host in a hundred hangs. After the rounds every
row has to say what its daemon says, and those of the hanging hosts what they said before.
"""

import os
import shlex
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench import fleet_world as world
from bench.fleet_sequence import print_sequences, statements_of_a_pass
from bench.fleet_workers import (
    CPU_OF,
    Costs,
    Round,
    forget_messages,
    make_round,
    options_by_worker,
    start_workers,
    wait_until_idle,
)
from bench.fleet_world import Daemons
from bench.world import database, django_in, end_in_order, short_directory
from dev.index import Processes
from dev.ports import free_port
from dev.valkey import Valkey

SIZES = (10, 200, 1_000)
CONTAINERS = 100
HANGING_SHARE = 0.01
CHANGING_SHARE = 0.01
ROUNDS = 3
SEQUENCE_HOSTS = 200

INTERVAL_SECONDS = 30.0
"""No round may take longer: the next tick would find it under way."""
AIMS_SECONDS = {1_000: 15.0}
"""How long a round of so many hosts may take at the median."""
FILL_SECONDS = 180.0
LIMIT_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What was measured of one size of fleet."""

    hosts: int
    hanging: int
    fill: Round
    sound: Sequence[Round]
    first: Round
    steady: Sequence[Round]
    statements: int
    worker_mib: float
    wrong: Sequence[str]

    @property
    def seconds(self) -> float:
        """Return the median time of a round with the hanging hosts known."""
        return statistics.median(each.seconds for each in self.steady)

    @property
    def per_pass_ms(self) -> float:
        """Return a round's time for each of its passes, none hanging."""
        return statistics.median(each.seconds for each in self.sound) * 1000 / self.hosts

    def cpu_ms(self, whose: str) -> float:
        """Return the CPU time per pass, none hanging."""
        return sum(each.cpu_ms[whose] for each in self.sound) / sum(each.reached for each in self.sound)

    def misses(self) -> list[str]:
        """Return what was promised and not kept."""
        aim = AIMS_SECONDS.get(self.hosts, INTERVAL_SECONDS)
        longest = max(each.seconds for each in self.steady)
        broken = (
            (self.seconds > aim, f"the median round took {self.seconds:.1f} s; allowed: {aim:g} s"),
            (longest > INTERVAL_SECONDS, f"a round took {longest:.1f} s; allowed: {INTERVAL_SECONDS:g} s"),
            (any(each.missed for each in self.steady), "a round did not reach every host that answers"),
        )
        return [f"{self.hosts:,} hosts: {what}" for is_so, what in broken if is_so] + list(self.wrong)


def measure(directory: Path, valkey: Valkey) -> list[str]:
    """Print the tables; return what was promised and not kept."""
    from django.conf import settings

    for options in options_by_worker().values():
        print(f"celery {shlex.join(('worker', *options))}")
    unless_said = f"{settings.CELERY_WORKER_CONCURRENCY} passes at a time unless said"
    print(f"{unless_said}, {os.cpu_count()} cores, {CONTAINERS} containers a host\n")
    results = []
    for hosts in SIZES:
        with Daemons(hosts, CONTAINERS) as daemons:
            results.append(_measure_size(directory, valkey, daemons))
            _print_rounds(results[-1])
            if hosts == SEQUENCE_HOSTS:
                print_sequences(daemons, results[-1].seconds)
    _print_costs(results)
    return [missed for result in results for missed in result.misses()]


def _measure_size(directory: Path, valkey: Valkey, daemons: Daemons) -> Result:
    forget_messages()
    world.empty_database()
    processes = Processes(directory, {"REDIS_URL": valkey.url, "DOCKER_HOST": daemons.urls[0], "LOG_LEVEL": "INFO"})
    try:
        costs = Costs(start_workers(processes), psutil.Process(daemons.process.pid))
        # their own boot passes have found no host
        wait_until_idle()
        world.make_rows(daemons)
        return _make_rounds(daemons, costs)
    finally:
        processes.stop_all()


def _make_rounds(daemons: Daemons, costs: Costs) -> Result:
    everyone = world.answering(len(daemons.urls), ())
    fill = make_round("boot", everyone, FILL_SECONDS, costs)
    world.analyse()
    sound = [_steady_round(daemons, everyone, costs) for _ in range(ROUNDS)]
    rows = world.rows_by_host()
    numbers = daemons.hang(HANGING_SHARE)
    hosts, hanging = world.answering(len(daemons.urls), numbers), [world.host_name(each) for each in numbers]
    first = _steady_round(daemons, hosts, costs)
    wait_until_idle()
    world.settle_back_off(hanging)
    steady = [_steady_round(daemons, hosts, costs) for _ in range(ROUNDS)]
    return Result(
        hosts=len(everyone),
        hanging=len(hanging),
        fill=fill,
        sound=sound,
        first=first,
        steady=steady,
        worker_mib=costs.worker_mib(),
        wrong=world.untruths(daemons.states(), {host: rows[host] for host in hanging}),
        statements=statements_of_a_pass(daemons),
    )


def _steady_round(daemons: Daemons, hosts: Sequence[str], costs: Costs) -> Round:
    wait_until_idle()
    daemons.change(CHANGING_SHARE)
    world.let_time_pass(INTERVAL_SECONDS)
    return make_round("tick", hosts, LIMIT_SECONDS, costs)


def _print_rounds(result: Result) -> None:
    print(f"{result.hosts:,} hosts, {result.hosts * CONTAINERS:,} rows")
    _print_round("first fill", [result.fill])
    _print_round("steady, none hanging", result.sound)
    if result.hanging:
        _print_round(f"first with {result.hanging} hanging", [result.first])
        _print_round(f"steady with {result.hanging} hanging", result.steady)
    print(f"  {result.wrong[0] if result.wrong else 'every row says what its daemon says'}")


def _print_round(what: str, rounds: Sequence[Round]) -> None:
    median = statistics.median(each.seconds for each in rounds)
    rate = statistics.median(each.reached / each.seconds for each in rounds)
    missed = sum(each.missed for each in rounds)
    spread = f"{min(each.seconds for each in rounds):.1f} to {max(each.seconds for each in rounds):.1f} s"
    of = f" ({len(rounds)} rounds, {spread})" if len(rounds) > 1 else ""
    print(f"  {what:24} {median:>7.2f} s {rate:>7.1f} passes/s{f', {missed} missed' if missed else ''}{of}")


def _print_costs(results: Sequence[Result]) -> None:
    small, small_cpu = results[0], sum(results[0].cpu_ms(whose) for whose in CPU_OF)
    to = f"to {small.hosts}"
    print("\nper pass, none hanging")
    whose_cpu = f"CPU: {' + '.join(CPU_OF)}"
    print(f"{'hosts':>7} {'time':>9} {to:>7} {whose_cpu:>40} {to:>7} {'statements':>11} {'workers':>9}")
    for each in results:
        cpu = [each.cpu_ms(whose) for whose in CPU_OF]
        parts = f"{' + '.join(f'{part:.1f}' for part in cpu)} = {sum(cpu):.1f} ms"
        time_ratio, cpu_ratio = each.per_pass_ms / small.per_pass_ms, sum(cpu) / small_cpu
        print(
            f"{each.hosts:>7,} {each.per_pass_ms:>6.1f} ms {time_ratio:>6.2f}× "
            f"{parts:>40} {cpu_ratio:>6.2f}× {each.statements:>11} {each.worker_mib:>5.0f} MiB"
        )


def main() -> int:
    """Measure on the database that BENCH_DATABASE names."""
    end_in_order()
    with short_directory() as directory, database(directory) as url:
        os.environ["REDIS_URL"] = f"redis://127.0.0.1:{free_port()}/0"
        port = int(os.environ["REDIS_URL"].rpartition(":")[2].partition("/")[0])
        with django_in(url), Valkey(directory / "v", port=port) as valkey:
            started = time.monotonic()
            missed = measure(directory, valkey)
            print(f"\n{time.monotonic() - started:.0f} s in all")
    for what in missed:
        print(f"MISSED: {what}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
