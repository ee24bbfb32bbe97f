"""Run one program as a child of ours: start it, wait until it works, end it."""

import os
import pwd
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

TAIL_LINES = 30
LAST_WORDS = 15
LARGEST_LOG_BYTES = 5_000_000
POLL_SECONDS = 0.05


class ServiceError(RuntimeError):
    """A service did not start, did not stop, or is not there."""


class Child:
    """One program run as a child of ours: its log in a file, its session its own."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        directory: Path,
        env: Mapping[str, str] | None = None,
        owner: pwd.struct_passwd | None = None,
    ) -> None:
        """Describe the child, run as `owner` if one is given; nothing starts yet."""
        self.name = name
        self.command = list(command)
        self.env = env
        self.owner = owner
        self.log = directory / f"{name}.log"
        self._popen: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def pid(self) -> int:
        """Return the process id; it must run."""
        if self._popen is None:
            raise ServiceError(f"{self.name} was not started; call start() first")
        return self._popen.pid

    @property
    def running(self) -> bool:
        """Tell whether the child is alive."""
        return self._popen is not None and self._popen.poll() is None

    def start(self, is_ready: Callable[[], bool], *, timeout_seconds: float) -> None:
        """Start the child and return once it is ready; raise with the end of its log if it never is."""
        if self.running:
            raise ServiceError(f"{self.name} already runs as process {self.pid}; stop() it first")
        if self.log.exists() and self.log.stat().st_size > LARGEST_LOG_BYTES:
            self.log.unlink()
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            try:
                self._popen = subprocess.Popen(
                    self.command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=self.env,
                    start_new_session=True,
                    user=self.owner.pw_uid if self.owner else None,
                    group=self.owner.pw_gid if self.owner else None,
                    extra_groups=[] if self.owner else None,
                )
            except OSError as error:
                raise ServiceError(f"{self.name} cannot be started: {self.command[0]}: {error.strerror}") from error
        try:
            self._wait_ready(is_ready, timeout_seconds)
        except BaseException:
            # Also when a signal interrupts the wait: nobody else knows of this child yet.
            self.kill()
            raise

    def stop(self, *, timeout_seconds: float, number: signal.Signals = signal.SIGTERM) -> None:
        """Ask the child to end, wait for it, and kill its process group if it does not."""
        if self._popen is not None and self.running:
            self._popen.send_signal(number)
            try:
                self._popen.wait(timeout_seconds)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """Kill the child and its process group, as a crash would."""
        if self._popen is not None and self.running:
            os.killpg(self._popen.pid, signal.SIGKILL)
            self._popen.wait()

    def log_tail(self) -> str:
        """Return the last lines the child wrote since its last start."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            lines = log.read().decode(errors="replace").splitlines()
        return "\n".join(lines[-TAIL_LINES:]) or "(empty)"

    def _wait_ready(self, is_ready: Callable[[], bool], timeout_seconds: float) -> None:
        try:
            wait_until(lambda: not self.running or is_ready(), timeout_seconds=timeout_seconds)
        except TimeoutError:
            raise ServiceError(self._failure(f"was not ready after {timeout_seconds:g} s")) from None
        if self._popen is not None and self._popen.poll() is not None:
            raise ServiceError(self._failure(f"ended with {self._popen.returncode}"))

    def _failure(self, what: str) -> str:
        return f"{self.name} {what}. Command: {' '.join(self.command)}\nThe end of {self.log}:\n{self.log_tail()}"


def wait_until(condition: Callable[[], bool], *, timeout_seconds: float) -> None:
    """Return as soon as a condition holds; raise TimeoutError if it does not in time."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(POLL_SECONDS)


def run_quietly(
    command: Sequence[str],
    *,
    timeout_seconds: float,
    env: Mapping[str, str] | None = None,
    directory: Path | None = None,
    advice: str = "",
) -> str:
    """Run a command to its end and return what it prints; raise ServiceError with its last lines if it fails.

    `advice` tells a person what to do then.
    """
    shown = f"`{' '.join(command)}`"
    advised = f"; {advice}" if advice else ""
    try:
        done = subprocess.run(
            command,
            env=env,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ServiceError(f"{shown} did not end within {timeout_seconds:g} s and was killed{advised}") from error
    if done.returncode:
        last_words = "\n".join((done.stdout + done.stderr).splitlines()[-LAST_WORDS:])
        raise ServiceError(f"{shown} failed with {done.returncode}{advised}. Its last lines:\n{last_words}")
    return done.stdout
