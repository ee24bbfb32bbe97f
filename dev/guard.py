"""Guards a run: ends all that it has started as soon as the run is gone, however it ended.

The guard is a process of its own, in a session of its own: a Ctrl-C does not reach it, nor what kills the run. It holds
one end of a pipe whose other end is the run's alone, and nobody can end without letting go of that.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from dev.engine_leftovers import remove_control_groups, unmount_leftovers
from dev.leftovers import STARTED_BY, end_started_by, mark_what_follows
from dev.place import PROJECT
from dev.terminal import ignore_stop_signals


class Guard:
    """Keeps watch over this process until it ends, and then ends whatever it has started since."""

    def __init__(self, name: str) -> None:
        """Start the guard. The name begins the mark of all that is started from now on."""
        # What guards is not guarded: it ends last.
        environment = {key: value for key, value in os.environ.items() if key != STARTED_BY}
        self.mark = mark_what_follows(name)
        read, self._write = os.pipe()
        command = [sys.executable, "-m", "dev.guard", self.mark]
        process = subprocess.Popen(command, cwd=PROJECT, env=environment, stdin=read, start_new_session=True)
        os.close(read)
        # nobody waits for it, because it outlives this process: Python must not warn of that
        process.returncode = 0

    def unmount_at_end(self, folder: Path) -> None:
        """Have everything below a folder unmounted when all has ended."""
        self._ask("unmount", folder)

    def remove_at_end(self, folder: Path) -> None:
        """Have a folder removed when all has ended."""
        self._ask("unmount", folder)
        self._ask("remove", folder)

    def _ask(self, what: str, folder: Path) -> None:
        os.write(self._write, f"{what} {folder}\n".encode())


def main(mark: str) -> None:
    """Wait until the run is gone, and clear up after it."""
    ignore_stop_signals()
    asked = [line.split(" ", 1) for line in sys.stdin.read().splitlines()]
    end_started_by(mark)
    for what, folder in asked:
        if what == "unmount":
            unmount_leftovers(Path(folder))
        else:
            remove_control_groups(Path(folder))
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1])
