"""Remembers which processes were started, and ends them later, even in another run.

Nothing is ever ended by its name alone: a process is recognised by its id, its start time and its command line.
"""

import json
import signal
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import psutil

START_TIME_TOLERANCE_SECONDS = 2.0
POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What identifies a process well enough to end it in a later run."""

    pid: int
    started: float
    command: tuple[str, ...]

    @classmethod
    def of(cls, process: psutil.Process) -> Self:
        """Return the identity of a live process."""
        return cls(pid=process.pid, started=process.create_time(), command=tuple(process.cmdline()))

    def process(self) -> psutil.Process | None:
        """Return the process if it still runs and is the same one."""
        try:
            process = psutil.Process(self.pid)
            same_start = abs(process.create_time() - self.started) < START_TIME_TOLERANCE_SECONDS
            same_command = tuple(process.cmdline()) == self.command
            return process if same_start and same_command and process.is_running() else None
        except psutil.Error:
            return None


def write_record(path: Path, processes: Sequence[psutil.Process]) -> None:
    """Write down which processes were started, so that a later run can end them if this one cannot."""
    identities = []
    for process in processes:
        try:
            identities.append(asdict(Identity.of(process)))
        except psutil.Error:
            continue
    path.write_text(json.dumps(identities))


def end_recorded(path: Path, *, grace_seconds: float = 5.0) -> list[str]:
    """End every process a record names that still runs, with its descendants; return their command lines."""
    if not path.exists():
        return []
    try:
        entries = json.loads(path.read_text())
        identities = [Identity(pid=e["pid"], started=e["started"], command=tuple(e["command"])) for e in entries]
    except (ValueError, KeyError, TypeError):
        identities = []
    alive = [process for identity in identities if (process := identity.process())]
    names = [" ".join(process.cmdline()) for process in alive]
    end_processes(alive, grace_seconds=grace_seconds)
    path.unlink()
    return names


def end_processes(processes: Sequence[psutil.Process], *, grace_seconds: float = 5.0) -> None:
    """Ask processes and their descendants to end, and kill those that have not ended after a while."""
    family = with_descendants(processes)
    for process in processes:
        _signal(process, signal.SIGTERM)
    for process in wait_ended(family, timeout_seconds=grace_seconds):
        _signal(process, signal.SIGKILL)
    wait_ended(family, timeout_seconds=grace_seconds)


def wait_ended(processes: Sequence[psutil.Process], *, timeout_seconds: float) -> list[psutil.Process]:
    """Wait for processes to end; return those that have not in time.

    A zombie has ended: where process 1 reaps nobody, as in many containers, it would stay for ever.
    """
    deadline = time.monotonic() + timeout_seconds
    while alive := [process for process in processes if not _has_ended(process)]:
        if time.monotonic() > deadline:
            break
        time.sleep(POLL_SECONDS)
    return alive


def with_descendants(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    """Return processes and everything below them, each once."""
    family = {process.pid: process for process in processes}
    for process in processes:
        try:
            family |= {child.pid: child for child in process.children(recursive=True)}
        except psutil.Error:
            continue
    return list(family.values())


def _has_ended(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
