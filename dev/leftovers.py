"""Finds and ends what a run has started, even when the run itself is gone.

Every process that a run starts carries the run's mark in its environment, and hands it on to what it starts itself.
So nothing is ever ended by its name or its id alone.
"""

import os
import secrets
import signal
import time
from collections.abc import Sequence
from contextlib import suppress

import psutil

# The marks of the run, and of the runs in which it was started, each a word.
STARTED_BY = "TINYFORGE_STARTED_BY"
ROUNDS = 10
POLL_SECONDS = 0.05


def mark_what_follows(name: str) -> str:
    """Mark every process that this one starts from now on, and return the mark, which begins with a name."""
    mark = f"{name}-{secrets.token_hex(8)}"
    os.environ[STARTED_BY] = f"{os.environ.get(STARTED_BY, '')} {mark}".strip()
    return mark


def started_by(mark: str) -> list[psutil.Process]:
    """Return the processes with a mark that begins so. What hides its environment is found below these."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if any(word.startswith(mark) for word in process.environ().get(STARTED_BY, "").split()):
                found.append(process)
    return found


def end_started_by(mark: str) -> int:
    """End the processes with a mark that begins so, and all below them; return how many had that mark."""
    ended: set[int] = set()
    for _ in range(ROUNDS):
        # Again and again, because one of them may have started another while they were looked for.
        found = started_by(mark)
        if not found:
            break
        ended.update(process.pid for process in found)
        end_processes(found)
    return len(ended)


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
