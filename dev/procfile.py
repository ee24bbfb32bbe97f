"""Run the Procfile with honcho: web, worker, beat and watcher together; one that ends takes the others with it."""

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping

import psutil

from dev.leftovers import end_processes, with_descendants
from dev.place import PROJECT
from dev.process import ServiceError

WEB_SECONDS = 60.0
# honcho itself kills after five seconds.
STOP_SECONDS = 10.0
LOOK_SECONDS = 0.5


class Processes:
    """The processes of the Procfile, their output on this terminal."""

    def __init__(self, environment: Mapping[str, str], *, port: int) -> None:
        """Describe the processes; web listens on a loopback port."""
        self.environment = environment
        self.port = port
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Return the address of the web process."""
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Start the processes and return once web answers; raise if it never does."""
        # Without -e honcho would read .env, which may hold a deployment's settings for Compose.
        command = [sys.executable, "-m", "honcho", "-e", "/dev/null", "start", "-f", str(PROJECT / "Procfile")]
        self._popen = subprocess.Popen(
            [*command, "-p", str(self.port)],
            cwd=PROJECT,
            env={**self.environment, "PORT": str(self.port)},
            stdin=subprocess.DEVNULL,
            # A Ctrl-C goes to us alone, so that things end in order.
            start_new_session=True,
        )
        deadline = time.monotonic() + WEB_SECONDS
        while not self._web_answers():
            self.look()
            if time.monotonic() > deadline:
                raise ServiceError(
                    f"web did not answer at {self.url} within {WEB_SECONDS:g} s; its last words are above"
                )

    def look(self) -> None:
        """Take half a second to look after the processes; raise if one has ended."""
        time.sleep(LOOK_SECONDS)
        if self._popen is None or self._popen.poll() is not None:
            raise ServiceError("one of the processes has ended, and so all are stopped; its last words are above")

    def stop(self) -> None:
        """End the processes, and those of them that do not end in time."""
        if self._popen is None:
            return
        family = with_descendants(self._family())
        if self._popen.poll() is None:
            self._popen.terminate()
            try:
                self._popen.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._popen.kill()
        end_processes(family)

    def _family(self) -> list[psutil.Process]:
        if self._popen is None or not psutil.pid_exists(self._popen.pid):
            return []
        return with_descendants([psutil.Process(self._popen.pid)])

    def _web_answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.url, timeout=5) as answer:  # noqa: S310 - always http on loopback
                return bool(answer.status == 200)
        except urllib.error.HTTPError as error:
            raise ServiceError(f"web answers {error.code} {error.reason} at {self.url}") from error
        except OSError:
            return False
