"""One `make up` at a time for this project."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from dev.place import LOCK_FILE, private_folder
from dev.process import ServiceError


@contextmanager
def only_one() -> Iterator[None]:
    """Hold the project's lock; raise if another `make up` holds it. It is released even when we are killed."""
    private_folder(LOCK_FILE.parent)
    with LOCK_FILE.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise ServiceError(
                f"another `make up` of this project runs, process {holder}: "
                f"use that one, or end it with Ctrl-C there or `kill {holder}`"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
