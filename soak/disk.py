"""A small disk in memory that can be full."""

import errno
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from dev.process import run_quietly

SIZE = "512m"
FIRST_STEP, LAST_STEP = 2**24, 2**12
MOUNT_SECONDS = 30.0
READABLE = 0o755


class Disk:
    """A disk of its own for the database, mounted by `with`; only root can have one."""

    path: Path

    def __init__(self, remove_at_end: Callable[[Path], None]) -> None:
        """Describe it; what is called with its path removes it even if this process is killed."""
        self._remove_at_end = remove_at_end

    def __enter__(self) -> Self:
        """Mount it at a new folder, whose path is short, and which everybody may enter."""
        self.path = Path(tempfile.mkdtemp(prefix="tf-disk-", dir="/tmp"))
        self._remove_at_end(self.path)
        options = f"size={SIZE},mode={READABLE:o}"
        command = ["mount", "-t", "tmpfs", "-o", options, "tinyforge-soak", str(self.path)]
        try:
            run_quietly(command, timeout_seconds=MOUNT_SECONDS, advice="run it as root")
        except BaseException:
            self.path.rmdir()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Unmount it, with all that is on it."""
        subprocess.run(["umount", "--lazy", str(self.path)], check=False, timeout=MOUNT_SECONDS)
        self.path.rmdir()

    @property
    def _ballast(self) -> Path:
        return self.path / "ballast"

    def fill(self) -> None:
        """Leave no room for anything; whoever takes some of it meanwhile makes the last steps smaller."""
        size, step = 0, FIRST_STEP
        with self._ballast.open("wb") as file:
            while step >= LAST_STEP:
                try:
                    os.posix_fallocate(file.fileno(), size, step)
                    size += step
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    step //= 2

    def free(self) -> None:
        """Give the room back."""
        self._ballast.unlink(missing_ok=True)
