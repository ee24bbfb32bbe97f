"""axe-core, which finds what keeps people from using a page. It comes from npm, pinned, and never ships."""

from dev.packages import find_program
from dev.place import VAR
from dev.process import ServiceError, run_quietly

VERSION = "4.14.1"
INSTALL_SECONDS = 300.0
FOLDER = VAR / "axe"
_SCRIPT = FOLDER / "node_modules" / "axe-core" / "axe.min.js"
_PACKAGE = FOLDER / "node_modules" / "axe-core" / "package.json"


def axe_script() -> str:
    """Return axe-core as a script for a browser; it is installed when it is first asked for. Raises ServiceError."""
    if not _is_installed():
        _install()
    return _SCRIPT.read_text(encoding="utf-8")


def _is_installed() -> bool:
    return _SCRIPT.exists() and f'"version": "{VERSION}"' in _PACKAGE.read_text(encoding="utf-8")


def _install() -> None:
    npm = find_program("npm")
    if npm is None:
        raise ServiceError("no npm here, from which axe-core comes; python -m dev.packages installs it")
    FOLDER.mkdir(parents=True, exist_ok=True)
    where = ["--prefix", str(FOLDER), "--no-save", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"]
    run_quietly([npm, "install", *where, f"axe-core@{VERSION}"], timeout_seconds=INSTALL_SECONDS)
    if not _is_installed():
        raise ServiceError(f"npm has installed axe-core {VERSION}, but {_SCRIPT} is not there")
