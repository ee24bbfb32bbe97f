"""Finds PostgreSQL's programs: those of the package `pgserver`, or the machine's, or else it installs Debian's."""

import importlib.util
import pwd
import shutil
import subprocess
from pathlib import Path

from dev.packages import POSTGRES_PACKAGES, can_install, find_program, install
from dev.process import ServiceError

DEBIAN_FOLDER = Path("/usr/lib/postgresql")


def find_programs() -> Path:
    """Return the folder with `initdb` and `postgres`."""
    found = _bundled() or _installed()
    if found is None and can_install():
        install(POSTGRES_PACKAGES, why="no PostgreSQL here")
        found = _installed()
    if found is None:
        raise ServiceError(
            "no PostgreSQL here: set TEST_POSTGRES_URL, or install PostgreSQL, "
            "or use Python 3.11 or 3.12, for which the package pgserver brings one"
        )
    return found


def reachable_programs(programs: Path, owner: pwd.struct_passwd | None, *, copy_to: Path) -> Path:
    """Return the folder, or a copy of it if the server's user may not enter it (as with a project below /root)."""
    try:
        subprocess.run(
            [str(programs / "initdb"), "--version"],
            user=owner.pw_uid if owner else None,
            group=owner.pw_gid if owner else None,
            extra_groups=[] if owner else None,
            cwd="/",
            check=True,
            capture_output=True,
        )
    except (PermissionError, subprocess.CalledProcessError):
        return _copy(programs, copy_to)
    return programs


def _bundled() -> Path | None:
    # Found, not imported: importing pgserver takes locks and makes directories.
    package = importlib.util.find_spec("pgserver")
    if package is None or package.origin is None:
        return None
    return Path(package.origin).parent / "pginstall" / "bin"


def _installed() -> Path | None:
    versions = [path for path in DEBIAN_FOLDER.glob("*/bin") if (path / "initdb").exists()]
    if versions:
        return max(versions, key=lambda path: float(path.parent.name))
    initdb = find_program("initdb")
    return Path(initdb).resolve().parent if initdb else None


def _copy(programs: Path, copy_to: Path) -> Path:
    install_folder = programs.parent
    target = copy_to / "package" / install_folder.name
    shutil.copytree(install_folder, target, ignore=shutil.ignore_patterns("include", "*.a"))
    libraries = install_folder.parent.with_name("pgserver.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, copy_to / libraries.name)
    copy_to.chmod(0o755)
    return target / programs.name
