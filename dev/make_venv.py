"""Make a virtual environment with the pinned development packages. Runs on the bare Python, standard library only.

Every file that is installed has one of the hashes in requirements-dev.txt, whichever index it comes from.

It must also be readable by a Python that is too old, to say so.
"""

import os
import subprocess
import sys
from pathlib import Path

OLDEST = (3, 11)
PROJECT = Path(__file__).resolve().parent.parent


def main():  # type: () -> None
    """Make or refresh the environment in the folder that the first argument names."""
    if sys.version_info < OLDEST:
        found = "{}.{} at {}".format(*sys.version_info[:2], sys.executable)
        fail("this needs Python 3.11 or newer, but python3 is " + found + "; say which: make PYTHON=python3.12 …")
    folder = Path(sys.argv[1])
    python = folder / "bin" / "python"
    if not works(python):
        ensure_venv_module()
        run([sys.executable, "-m", "venv", "--clear", str(folder)])
    print("==> {}: installing the pinned packages".format(folder), flush=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([*pip, "--require-hashes", "--only-binary=:all:", "--requirement", str(PROJECT / "requirements-dev.txt")])


def works(python):  # type: (Path) -> bool
    """Tell whether an environment is there, of this Python's version, with pip."""
    check = "import sys, pip; sys.exit(sys.version_info[:2] != {!r})".format(tuple(sys.version_info[:2]))
    return (
        python.exists() and subprocess.run([str(python), "-c", check], capture_output=True, check=False).returncode == 0
    )


def ensure_venv_module():  # type: () -> None
    """Install Debian's python3-venv if it is absent and we may, else say what to do."""
    if has_venv_module():
        return
    package = "python3-venv"
    if os.geteuid() == 0 and Path("/usr/bin/apt-get").exists():
        print(
            "==> this Python cannot make virtual environments: installing {} with apt-get".format(package), flush=True
        )
        os.environ["DEBIAN_FRONTEND"] = "noninteractive"
        run(["apt-get", "update", "-qq"])
        run(["apt-get", "install", "-qq", "-y", "--no-install-recommends", package])
    if not has_venv_module():
        fail(
            "{} lacks the module venv or ensurepip; on Debian: sudo apt-get install {}".format(sys.executable, package)
        )


def has_venv_module():  # type: () -> bool
    """Tell whether a virtual environment with pip can be made."""
    check = [sys.executable, "-c", "import ensurepip, venv"]
    return subprocess.run(check, capture_output=True, check=False).returncode == 0


def run(command):  # type: (list[str]) -> None
    """Run a command; end with its name if it fails."""
    code = subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode
    if code:
        fail("`{}` ended with {}; its last words are above".format(" ".join(command), code))


def fail(message):  # type: (str) -> None
    """End with a message."""
    sys.exit("==> " + message)


if __name__ == "__main__":
    main()
