"""`make up` in a copy of the project: what it prints, who can get at what it keeps, and that it always ends."""

import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from dev.leftovers import wait_ended, with_descendants
from dev.place import PROJECT
from dev.ports import free_port
from simulator import Engine, Server
from tests.waiting import eventually

NOT_COPIED = (".*", "__pycache__", "bench", "docs", "tests", "var")
SERVICES = ("SECRET_KEY", "REDIS_URL", "DATABASE_URL", "STATIC_ROOT")
END_SECONDS = 120.0


class Up:
    """One run of `make up`, without its terminal."""

    def __init__(self, folder: Path, engine: str) -> None:
        """Start it, and return once it has greeted."""
        self.project = folder / "project"
        shutil.copytree(PROJECT, self.project, ignore=shutil.ignore_patterns(*NOT_COPIED))
        self._log = folder / "up.log"
        environment = {name: value for name, value in os.environ.items() if name not in SERVICES}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "dev.up"],
                cwd=self.project,
                env=environment | {"PORT": str(free_port()), "DOCKER_HOST": engine},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        eventually(lambda: "Ctrl-C stops" in self.log() or not self.family(), what="the greeting, or an early end")

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def family(self) -> list[psutil.Process]:
        """Return all processes of this run."""
        if self._process.poll() is not None:
            return []
        return with_descendants([psutil.Process(self._process.pid)])

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal that ends it, as Ctrl-C does, and return its exit status."""
        self._process.send_signal(number)
        return self._process.wait(END_SECONDS)


@pytest.fixture
def up(tmp_path: Path, simulator: Server) -> Iterator[Up]:
    run = Up(tmp_path, simulator.serve(Engine()))
    family = run.family()
    yield run
    for process in family:
        if process.is_running():
            process.kill()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_make_up_says_where_the_page_is_and_keeps_all_to_its_owner(up: Up) -> None:
    assert re.search(r"http://127\.0\.0\.1:\d+/\n    user      admin\n", up.log())
    var = up.project / "var"
    assert (mode(var), mode(var / "db.sqlite3")) == (0o700, 0o600)
    (socket,) = (Path(path) for path in re.findall(r"REDIS_URL=unix://(\S+)", (var / "env").read_text()))
    assert [mode(path) for path in (socket.parents[1], socket.parent, socket)] == [0o700] * 3
    family = up.family()
    ports = {c.laddr.port for process in family for c in process.net_connections("tcp") if c.status == "LISTEN"}
    assert len(ports) == 1, "only web listens"
    assert up.end() == 0
    assert not wait_ended(family, timeout_seconds=END_SECONDS)


@pytest.mark.slow
def test_make_up_ends_also_what_does_not_react(up: Up) -> None:
    family = up.family()
    for name in ("beat", "worker", "watch"):
        deaf = [process for process in family if name in process.cmdline()]
        assert deaf
        for process in deaf:
            process.suspend()
    assert up.end() == 0
    assert not wait_ended(family, timeout_seconds=END_SECONDS)


@pytest.mark.slow
def test_nothing_of_make_up_outlives_it_when_it_is_killed(up: Up) -> None:
    family = up.family()
    assert up.end(signal.SIGKILL) == -signal.SIGKILL
    assert not wait_ended(family, timeout_seconds=END_SECONDS)
