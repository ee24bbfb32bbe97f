"""One run of `make up` in a copy of the project, for tests."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from dev.leftovers import with_descendants
from dev.place import PROJECT
from dev.ports import free_port
from tests.waiting import eventually

# what others compile at this moment has a name that is soon gone
NOT_COPIED = (".*", "*.pyc.*", "bench", "docs", "tests", "var")
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

    def variable(self, name: str) -> str:
        """Return a variable from the file that it has saved for other shells."""
        (value,) = re.findall(rf"^export {name}=(.*)$", (self.project / "var" / "env").read_text(), re.MULTILINE)
        return str(shlex.split(value)[0])

    def family(self) -> list[psutil.Process]:
        """Return all processes of this run."""
        if self._process.poll() is not None:
            return []
        return with_descendants([psutil.Process(self._process.pid)])

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal that ends it, as Ctrl-C does, and return its exit status."""
        self._process.send_signal(number)
        return self._process.wait(END_SECONDS)
