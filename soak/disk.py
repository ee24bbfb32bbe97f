"""A small disk in memory that can be full."""

import errno
import os
import subprocess
import tempfile
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

    def __init__(self) -> None:
        """Make the folder at which it is mounted; its path is short, and everybody may enter it."""
        self.path = Path(tempfile.mkdtemp(prefix="tf-disk-", dir="/tmp"))
        self._ballast = self.path / "ballast"

    def __enter__(self) -> Self:
        """Mount it."""
        options = f"size={SIZE},mode={READABLE:o}"
        command = ["mount", "-t", "tmpfs", "-o", options, "tinyforge-soak", str(self.path)]
        run_quietly(command, timeout_seconds=MOUNT_SECONDS, advice="run it as root")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Unmount it, with all that is on it."""
        subprocess.run(["umount", "--lazy", str(self.path)], check=False, timeout=MOUNT_SECONDS)
        self.path.rmdir()

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
