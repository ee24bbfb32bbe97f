"""Pins what is installed: every requirements*.txt, with the hashes of its packages, from the ranges in pyproject.toml.

A pin that still fits stays as it is. `make lock UPGRADE=--upgrade` takes the newest releases of everything, and
`make lock UPGRADE="--upgrade-package django"` that of one package.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from dev.place import PROJECT
from dev.process import ServiceError

# The file, and what it holds beside what runs everywhere. The later files agree with the first one.
FILES = {
    "requirements.txt": (),
    "requirements-apprise.txt": ("--extra=apprise",),
    "requirements-oidc.txt": ("--extra=oidc",),
    "requirements-ssh.txt": ("--extra=ssh",),
    "requirements-dev.txt": ("--all-extras", "--group=dev"),
}
OLDEST_PYTHON = "3.11"
LOCK_SECONDS = 300.0
# For every system and every Python from the oldest one on. No index is named: each machine has its own.
_HOW = (
    *("--universal", f"--python-version={OLDEST_PYTHON}", "--generate-hashes"),
    *("--no-emit-index-url", "--no-emit-find-links", "--custom-compile-command=make lock", "--quiet"),
)


def lock(folder: Path, options: Sequence[str] = ()) -> None:
    """Write the files of a folder that holds pyproject.toml. Raises ServiceError with what the resolver says."""
    first = next(iter(FILES))
    for name, what in FILES.items():
        agreeing = () if name == first else (f"--constraint={first}",)
        command = ["pip", "compile", "pyproject.toml", f"--output-file={name}", *what, *agreeing, *_HOW, *options]
        done = subprocess.run(
            [sys.executable, "-m", "uv", *command],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=LOCK_SECONDS,
            check=False,
        )
        if done.returncode:
            raise ServiceError(f"{name} could not be made:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    try:
        lock(PROJECT, sys.argv[1:])
    except ServiceError as error:
        sys.exit(f"==> {error}")
    print(f"==> wrote {', '.join(FILES)}")
