"""`python -m tests.acceptance.writers SEED HOST…`: passes over hosts, side by side; each finds something else."""

import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import django

PASSES = 15
CONTAINERS = 8
LONGEST_COMMIT_SECONDS = 0.05
STATES = ["running", "stopped", "paused", "restarting"]


def write(host: str, seed: str) -> None:
    """Make passes over one host, with containers that come, go, change their state, health or port."""
    from django.db import connection, transaction

    from reconciler.core.report import Trigger
    from reconciler.models import Host
    from reconciler.reconcile import reconcile
    from tests.builders import FakeEngine, container, workload

    chance = random.Random(f"{seed} {host}")
    for _ in range(PASSES):
        listed = [
            container(
                f"{host}-{number}",
                workload("shop", role=f"r{number}"),
                state=chance.choice(STATES),
                port=chance.choice([80, 81]),
                health=chance.choice(["", "healthy", "unhealthy"]),
            )
            for number in range(CONTAINERS)
            if chance.random() < 0.9
        ]
        # whoever has written its entries may commit later than others that write after it
        with transaction.atomic():
            reconcile(Host.objects.get(name=host), FakeEngine(listed), trigger=Trigger.EVENT)
            time.sleep(chance.random() * LONGEST_COMMIT_SECONDS)
    connection.close()


def main(seed: str, *hosts: str) -> None:
    """Write for these hosts at the same time."""
    django.setup()
    with ThreadPoolExecutor(len(hosts)) as pool:
        for done in [pool.submit(write, host, seed) for host in hosts]:
            done.result()


if __name__ == "__main__":
    main(*sys.argv[1:])
