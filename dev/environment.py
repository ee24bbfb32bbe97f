"""The environment in which the app runs on a developer's machine; what the person has set always wins."""

import os
import secrets
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from dev.place import (
    DATABASE_FILE,
    ENV_FILE,
    SECRET_KEY_FILE,
    STATIC_FOLDER,
    VAR,
    make_private,
    private_folder,
    write_private,
)

SECRET_KEY_BYTES = 48


def local_environment(chosen: Mapping[str, str] = {}) -> dict[str, str]:
    """Return this process's environment, with what plain HTTP on loopback needs, and with `chosen` on top."""
    private_folder(VAR)
    STATIC_FOLDER.mkdir(exist_ok=True)
    defaults = {
        "DEBUG": "0",
        "HTTPS": "0",
        "ALLOWED_HOSTS": "localhost,127.0.0.1",
        "DATABASE_URL": f"sqlite:///{quote(str(DATABASE_FILE))}",
        "PYTHONUNBUFFERED": "1",
    }
    if not os.environ.get("DATABASE_URL"):
        make_private(DATABASE_FILE)
    if not os.environ.get("SECRET_KEY") and not os.environ.get("SECRET_KEY_FILE"):
        defaults["SECRET_KEY_FILE"] = str(_secret_key_file())
    if os.geteuid() == 0:
        # Known and unavoidable where only root may have a Docker Engine; it would bury the login.
        defaults["PYTHONWARNINGS"] = "ignore:You're running the worker with superuser privileges"
    own = {name: value for name, value in os.environ.items() if value}
    # The Procfile names programs of this virtual environment.
    path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"
    return {**defaults, **own, **chosen, "PATH": path, "DJANGO_SETTINGS_MODULE": "tinyforge.settings"}


def save_environment(environment: Mapping[str, str]) -> None:
    """Write down what `make up` decided, so that a shell (`. var/env`) and `make sample` use the same services."""
    names = ["DEBUG", "HTTPS", "ALLOWED_HOSTS", "SECRET_KEY_FILE", "DATABASE_URL", "REDIS_URL", "DOCKER_HOST"]
    lines = [f"export {name}={shlex.quote(environment[name])}\n" for name in names if name in environment]
    write_private(ENV_FILE, "".join(lines))


def saved_environment() -> dict[str, str]:
    """Return what the last `make up` decided, or nothing."""
    if not ENV_FILE.exists():
        return {}
    words = shlex.split(ENV_FILE.read_text())
    return dict(word.split("=", 1) for word in words if "=" in word)


def _secret_key_file() -> Path:
    if not SECRET_KEY_FILE.exists():
        write_private(SECRET_KEY_FILE, secrets.token_urlsafe(SECRET_KEY_BYTES))
    return SECRET_KEY_FILE
