"""Prints as JSON how quick rounds over a fleet are: `python -P bench/fleet_rates.py HOSTS CHANGING_SHARE`.

PYTHONPATH names the checkout that is measured: this one or an older one, which has the same module `bench.fleet`.
"""

import json
import os
import statistics
import sys

from bench import fleet
from bench.fleet_workers import CPU_OF
from bench.fleet_world import Daemons
from bench.world import database, django_in, end_in_order, short_directory
from dev.ports import free_port
from dev.valkey import Valkey


def main() -> None:
    """Measure the checkout that PYTHONPATH names."""
    end_in_order()
    hosts, fleet.CHANGING_SHARE = int(sys.argv[1]), float(sys.argv[2])
    port = free_port()
    os.environ["REDIS_URL"] = f"redis://127.0.0.1:{port}/0"
    with (
        short_directory() as directory,
        database(directory) as url,
        django_in(url),
        Valkey(directory / "v", port=port) as valkey,
        Daemons(hosts, fleet.CONTAINERS) as daemons,
    ):
        # its name is the same in both
        result = fleet._measure_size(directory, valkey, daemons)
    said = {
        "passes_a_second": statistics.median(each.reached / each.seconds for each in result.sound),
        "steady_seconds": statistics.median(each.seconds for each in result.sound),
        "first_seconds": result.first.seconds,
        "cpu_ms": sum(result.cpu_ms(whose) for whose in CPU_OF),
        "worker_cpu_ms": result.cpu_ms("workers"),
        "worker_mib": result.worker_mib,
        "statements": result.statements,
        "wrong": list(result.wrong),
    }
    print(json.dumps(said))


if __name__ == "__main__":
    main()
