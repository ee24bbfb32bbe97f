"""Tests that start real processes and do not end, for runs that are interrupted. pytest runs them only by name."""

import os
import time
from pathlib import Path

from dev.index import Processes
from tests.acceptance.conftest import Containers
from tests.builders import workload
from tests.waiting import WAIT_SECONDS, eventually


def test_the_index_runs(processes: Processes) -> None:
    processes.worker()
    processes.beat()
    processes.watcher()
    eventually(lambda: "ready." in processes.log("worker"), what="the worker is ready")
    stay("index")


def test_an_engine_runs(containers: Containers) -> None:
    containers.run(workload("shop", role="web"))
    stay("engine")


def stay(name: str) -> None:
    """Say that all runs, and in which folder, and wait to be interrupted."""
    (Path(os.environ["ENDLESS_READY"]) / name).write_text(os.environ["TEST_DIRECTORY"])
    time.sleep(WAIT_SECONDS)
