"""Where `make up` keeps its data: the folder var/ of the project, and short paths for sockets."""

import hashlib
import os
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
VAR = PROJECT / "var"
ENV_FILE = VAR / "env"
LOCK_FILE = VAR / "up.lock"
SECRET_KEY_FILE = VAR / "secret-key"
PASSWORD_FILE = VAR / "admin-password"
DATABASE_FILE = VAR / "db.sqlite3"
STATIC_FOLDER = VAR / "static"
VALKEY_FOLDER = VAR / "valkey"
DOCKER_DATA_FOLDER = VAR / "docker"
SIMULATOR_FOLDER = VAR / "simulator"
PROCESSES_RECORD = VAR / "processes.json"


def socket_folder() -> Path:
    """Return a folder with a short path, always the same for this project: a unix socket's path has 107 bytes."""
    digest = hashlib.sha256(os.fsencode(PROJECT)).hexdigest()[:8]
    private = Path(os.environ.get("XDG_RUNTIME_DIR", "/run"))
    parent = private if os.access(private, os.W_OK) else Path(tempfile.gettempdir())
    return parent / f"tinyforge-{os.geteuid()}-{digest}"


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text)
