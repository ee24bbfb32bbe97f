"""A run of tests that is interrupted or killed leaves nothing running."""

import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
import pytest

from dev.engine_kinds import KINDS
from dev.engine_leftovers import container_ids, control_groups
from dev.leftovers import STARTED_BY, end_started_by, started_by, wait_ended, with_descendants
from dev.packages import install_docker
from dev.place import PROJECT
from tests.conftest import unavailable
from tests.waiting import WAIT_SECONDS, eventually

pytestmark = pytest.mark.real
PYTEST = ("-m", "pytest", "-p", "no:cacheprovider", "tests/acceptance/endless.py")
OF_THIS_RUN = ("PYTEST_XDIST_WORKER", "TEST_DIRECTORY", "TEST_POSTGRES_URL")


class Run:
    """A run of tests that would last long, in a session of its own."""

    def __init__(self, folder: Path, *options: str, **environment: str) -> None:
        """Start it."""
        self.mark = f"interrupted-{secrets.token_hex(8)}"
        self._log, self._ready = folder / "run.log", folder / "ready"
        self._ready.mkdir()
        inherited = {name: value for name, value in os.environ.items() if name not in OF_THIS_RUN}
        marks = {STARTED_BY: f"{inherited.get(STARTED_BY, '')} {self.mark}", "ENDLESS_READY": str(self._ready)}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                # a run in the background would ignore SIGINT, and so would all that it starts
                ["env", "--default-signal=INT", sys.executable, *PYTEST, *options],
                cwd=PROJECT,
                env=inherited | marks | environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def family(self, *ready: str) -> list[psutil.Process]:
        """Return all processes of the run, as soon as those tests say that theirs run."""
        eventually(lambda: self._names() >= set(ready) or self._process.poll() is not None, what="all runs")
        assert self._process.poll() is None, self._log.read_text()
        return with_descendants(started_by(self.mark))

    def folders(self) -> list[str]:
        """Return the folders in which the tests that are ready keep all that is theirs."""
        return [path.read_text() for path in self._ready.iterdir()]

    def interrupt(self, number: signal.Signals) -> None:
        """Send a signal: SIGINT to all in its group, as a terminal does, and any other to pytest alone."""
        send = os.killpg if number == signal.SIGINT else os.kill
        send(self._process.pid, number)
        self._process.wait(WAIT_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        end_started_by(self.mark)

    def _names(self) -> set[str]:
        return {path.name for path in self._ready.iterdir() if path.read_text()}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_nothing_of_the_index_outlives_an_interrupted_run(tmp_path: Path, number: signal.Signals) -> None:
    with Run(tmp_path, "-k", "index") as run:
        family, folders = run.family("index"), run.folders()
        assert len(family) >= 6, "pytest, a worker, beat, watcher, Valkey with its server"
        run.interrupt(number)
        assert not wait_ended(family, timeout_seconds=WAIT_SECONDS)
        assert not started_by(run.mark)
        eventually(lambda: not any(map(os.path.exists, folders)), what="its folders are gone")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda number: number.name)
def test_nothing_outlives_an_interrupted_run_with_several_workers(tmp_path: Path, number: signal.Signals) -> None:
    if os.geteuid() != 0 or not install_docker():
        unavailable("a private Docker Engine needs root, dockerd and a static busybox")
    with Run(tmp_path, "--numprocesses=2", "-k", "index or engine", TEST_DATABASE="postgres") as run:
        family, folders = run.family("index", "engine"), run.folders()
        names = {process.name() for process in family}
        assert names >= {"postgres", "valkey-server", "dockerd", "containerd", "sleep"}
        run.interrupt(number)
        assert not wait_ended(family, timeout_seconds=WAIT_SECONDS)
        assert not started_by(run.mark)
        eventually(lambda: not any(map(os.path.exists, folders)), what="its folders are gone")
        assert not mounted_below(folders)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda number: number.name)
def test_nothing_of_any_kind_of_engine_outlives_an_interrupted_run(tmp_path: Path, number: signal.Signals) -> None:
    """Podman's namespaces have no life of their own: they go with the last process in them."""
    kinds = [kind.name for kind in KINDS[1:]]
    with Run(tmp_path, f"--numprocesses={len(kinds)}", "-k", "kind") as run:
        family, folders = run.family(*kinds), run.folders()
        assert {process.name() for process in family} >= {"dockerd", "podman", "conmon", "sleep"}
        ids = container_ids(Path(folders[0]))
        assert len(ids) == len(kinds)
        assert control_groups(ids)
        run.interrupt(number)
        assert not wait_ended(family, timeout_seconds=WAIT_SECONDS)
        assert not started_by(run.mark)
        eventually(lambda: not any(map(os.path.exists, folders)), what="its folders are gone")
        assert not mounted_below(folders)
        assert not control_groups(ids)


def mounted_below(folders: list[str]) -> list[str]:
    mounted = Path("/proc/self/mountinfo").read_text()
    return [folder for folder in folders if folder in mounted]
