"""I/O: what ~/.ssh says about a machine: its address, the user and the keys for the login, and the machine's own key.

Files are read within a bound. A wrong line about another machine does not matter to this one.
"""

import os.path
from dataclasses import dataclass
from pathlib import Path

import paramiko
from paramiko.hostkeys import HostKeyEntry

from reconciler.core.engine_url import MAX_PORT, EngineUrl
from reconciler.engine.errors import Trouble, one_line
from reconciler.engine.files import UnusableFile, read_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """How to log in to a machine; without a user, it is the user who runs this process."""

    host: str
    port: int
    user: str | None
    key_files: tuple[str, ...]
    proxy_command: str

    @property
    def known_name(self) -> str:
        """Return the machine's name in known_hosts."""
        return self.host if self.port == paramiko.config.SSH_PORT else f"[{self.host}]:{self.port}"


def login_for(url: EngineUrl) -> Login:
    """Return how to log in by a URL and ~/.ssh/config together; the URL takes precedence. Raises Trouble."""
    text = _text("config")
    try:
        config = paramiko.SSHConfig.from_text(text).lookup(url.host)
        port = int(url.port or config.get("port") or paramiko.config.SSH_PORT)
    except Exception as error:
        raise _unusable(f"~/.ssh/config is not usable: {one_line(str(error))}") from error
    if not 0 < port <= MAX_PORT:
        raise _unusable(f"~/.ssh/config is not usable: it names port {port}")
    return Login(
        host=config.get("hostname", url.host),
        port=port,
        user=url.user or config.get("user"),
        # ssh itself ignores key files that do not exist, and paramiko does not
        key_files=tuple(name for name in config.get("identityfile", ()) if os.path.isfile(name)),  # noqa: PTH113 - never raises
        proxy_command=config.get("proxycommand") or "",
    )


def known_keys(name: str) -> dict[str, paramiko.PKey]:
    """Return the keys for a machine in ~/.ssh/known_hosts, the first of each kind. Raises Trouble."""
    keys: dict[str, paramiko.PKey] = {}
    for number, line in enumerate(_text("known_hosts").splitlines(), 1):
        if not _is_about(line, name):
            continue
        try:
            entry = HostKeyEntry.from_line(line.strip(), number)
        except Exception as error:
            raise _unusable(f"~/.ssh/known_hosts, line {number}, holds no key that can be read") from error
        if entry is not None:
            keys.setdefault(entry.key.get_name(), entry.key)
    return keys


def _is_about(line: str, name: str) -> bool:
    """Tell whether a line of known_hosts is about a machine, whose name may be hashed in it."""
    names = line.split(maxsplit=1)[:1]
    return bool(names) and any(each == name or _is_hash_of(each, name) for each in names[0].split(","))


def _is_hash_of(text: str, name: str) -> bool:
    """Tell whether a hashed name in known_hosts is that of the machine."""
    if not text.startswith("|1|"):
        return False
    try:
        return paramiko.HostKeys.hash_host(name, text) == text
    except Exception:  # noqa: BLE001 - a broken hash is nobody's
        return False


def _text(name: str) -> str:
    """Return the text of a file in ~/.ssh, which is empty if there is none. Raises Trouble."""
    path = Path("~/.ssh").expanduser() / name
    try:
        return read_file(path, "of ssh").decode(errors="replace")
    except UnusableFile as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return ""
        raise _unusable(str(error)) from error


def _unusable(defect: str) -> Trouble:
    return Trouble(f"cannot be asked over ssh: {defect}")
