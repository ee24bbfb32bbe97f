"""I/O: reads small files that somebody else has named, within a bound, whatever is at that path."""

import os
import stat
from pathlib import Path

from reconciler.engine.errors import one_line

MAX_FILE_BYTES = 1 << 20


class UnusableFile(Exception):
    """A file cannot be read; the text names it and says why."""


def read_file(path: Path, role: str, root: Path | None = None) -> bytes:
    """Return the bytes of a regular file of at most one mebibyte, which must lie below `root` if that is given.

    Raises UnusableFile, whose text says by `role` what the file is for. Its cause is FileNotFoundError if there is no
    such file.
    """
    name = f"{one_line(str(path))} ({role})"
    try:
        return _read(path, name, root)
    except FileNotFoundError as error:
        raise UnusableFile(f"there is no file {name}") from error
    except (OSError, ValueError, RuntimeError) as error:
        # the path may contain a NUL character, or lead into a loop of links
        raise UnusableFile(f"{name} cannot be read: {_cause(error)}") from error


def _read(path: Path, name: str, root: Path | None) -> bytes:
    """Read the file after its links are followed and its place and kind are checked."""
    path = path.resolve()
    if root and not path.is_relative_to(root.resolve()):
        raise UnusableFile(f"{name} does not lie below {root}, the directory that TLS_ROOT names")
    # checked before it is opened, because a device may react to that, and again afterwards, because another file may
    # have taken its place
    _require_regular(path.stat(), name)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        _require_regular(os.fstat(descriptor), name)
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise UnusableFile(f"{name} is larger than {MAX_FILE_BYTES >> 20} MiB")
    return data


def _require_regular(found: os.stat_result, name: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        what = "is a directory" if stat.S_ISDIR(found.st_mode) else "is not a regular file"
        raise UnusableFile(f"{name} cannot be read: {what}")


def _cause(error: Exception) -> str:
    return one_line((getattr(error, "strerror", None) or str(error)).lower())
