"""Tests that start real processes and do not end, for runs that are interrupted. pytest runs them only by name."""

import contextlib
import os
import time
from pathlib import Path

import pytest

from dev.engine_kinds import KINDS, EngineKind
from dev.index import Processes
from tests.acceptance.conftest import Containers, running
from tests.builders import workload
from tests.environment import DIRECTORY
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


@pytest.mark.parametrize("kind", KINDS[1:], ids=lambda kind: kind.name)
def test_a_kind_runs(kind: EngineKind) -> None:
    with running(kind.make(DIRECTORY / kind.name)) as engine, contextlib.closing(Containers(engine)) as containers:
        containers.run(workload("shop", role="web"))
        stay(kind.name)


def stay(name: str) -> None:
    """Say that all runs, and in which folder, and wait to be interrupted."""
    (Path(os.environ["ENDLESS_READY"]) / name).write_text(os.environ["TEST_DIRECTORY"])
    time.sleep(WAIT_SECONDS)
