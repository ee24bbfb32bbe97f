"""Where `make up` keeps its data: the folder var/ of the project, and short paths for sockets."""

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from dev.process import ServiceError

PROJECT = Path(__file__).resolve().parent.parent
VAR = PROJECT / "var"
ENV_FILE = VAR / "env"
LOCK_FILE = VAR / "up.lock"
SECRET_KEY_FILE = VAR / "secret-key"
PASSWORD_FILE = VAR / "admin-password"
DATABASE_FILE = VAR / "db.sqlite3"
STATIC_FOLDER = VAR / "static"
DOCKER_DATA_FOLDER = VAR / "docker"
SIMULATOR_FOLDER = VAR / "simulator"
COMPOSE_FOLDER = VAR / "compose"


def socket_folder() -> Path:
    """Return a folder with a short path, always the same for this project: a unix socket's path has 107 bytes."""
    digest = hashlib.sha256(os.fsencode(PROJECT)).hexdigest()[:8]
    private = Path(os.environ.get("XDG_RUNTIME_DIR", "/run"))
    parent = private if os.access(private, os.W_OK) else Path(tempfile.gettempdir())
    return parent / f"tinyforge-{os.geteuid()}-{digest}"


def compose_socket_folder() -> Path:
    """Return the folder of the sockets of `make up-compose`, which need short paths."""
    return socket_folder().with_name(f"{socket_folder().name}-c")


def valkey_folder() -> Path:
    """Return the folder of the embedded Valkey, whose socket needs a short path."""
    return socket_folder() / "valkey"


def private_folder(path: Path) -> Path:
    """Make sure of a folder that only we may enter. Raises ServiceError if somebody else has made it before us."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise ServiceError(f"{path} is not a folder of ours; find out who made it, and remove it")
    path.chmod(0o700)
    return path


def make_private(path: Path) -> None:
    """Make sure of a file that only we may read and write."""
    path.touch(mode=0o600)
    path.chmod(0o600)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read."""
    make_private(path)
    path.write_text(text)
