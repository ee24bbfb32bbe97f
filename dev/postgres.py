"""A real PostgreSQL server: the one that TEST_POSTGRES_URL names, or else one of our own on a unix socket."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from dev.postgres_programs import find_programs, reachable_programs
from dev.process import Child, ServiceError

START_SECONDS = 30.0
STOP_SECONDS = 20.0
INITDB_SECONDS = 60.0
# For tests: nothing here has to survive a power cut.
SETTINGS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200", "timezone=UTC")


class Postgres:
    """A PostgreSQL server for tests, with an empty cluster; its superuser is `postgres`, without a password."""

    def __init__(self, directory: Path, *, parent: Path | None = None) -> None:
        """Describe the server; its log goes to `directory`, and its cluster to a folder below `parent`, if given.

        With a `parent` it is always a server of our own, whatever TEST_POSTGRES_URL names.
        """
        self.directory = directory
        self._parent = parent
        self._given_url = "" if parent else os.environ.get("TEST_POSTGRES_URL", "")
        self.home: Path | None = None
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """Return the address for DATABASE_URL."""
        if self._given_url:
            return self._given_url
        if self.home is None:
            raise ServiceError("postgres was not started; call start() before asking for its url")
        return f"postgres://postgres@{quote(str(self.home / 'socket'), safe='')}/postgres"

    @property
    def socket(self) -> Path:
        """Return the path of the unix socket; it is a server of our own that must have been started."""
        if self.home is None:
            raise ServiceError("postgres was not started; call start() before asking for its socket")
        return self.home / "socket" / ".s.PGSQL.5432"

    @property
    def running(self) -> bool:
        """Tell whether a server of our own is alive."""
        return self._child is not None and self._child.running

    def start(self) -> Self:
        """Start the server and return once it accepts connections; nothing to do for TEST_POSTGRES_URL."""
        if self._given_url:
            return self
        if self.home is not None:
            raise ServiceError("postgres already runs; stop() it first")
        self.directory.mkdir(parents=True, exist_ok=True)
        try:
            self._start_own()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End the server and delete its cluster."""
        if self._child is not None:
            # SIGINT is PostgreSQL's fast shutdown; SIGTERM would wait for every client to leave.
            self._child.stop(timeout_seconds=STOP_SECONDS, number=signal.SIGINT)
            self._child = None
        if self.home is not None:
            shutil.rmtree(self.home, ignore_errors=True)
            self.home = None

    def kill(self) -> None:
        """Kill the server, as a crash would; restart() brings it back at the same address, with its data."""
        if self._child is not None:
            self._child.kill()

    def restart(self) -> None:
        """Start the server again after kill()."""
        if self._child is not None:
            self._child.start(self._answers, timeout_seconds=START_SECONDS)

    @property
    def pid(self) -> int:
        """Return the server's process id, which is its process group's too; it must have been started."""
        if self._child is None:
            raise ServiceError("postgres was not started; call start() first")
        return self._child.pid

    def __enter__(self) -> Self:
        """Start the server."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the server."""
        self.stop()

    def _start_own(self) -> None:
        # PostgreSQL refuses to be root, and its unprivileged owner cannot enter root's or pytest's directories;
        # a socket path must be short, too. So the cluster lives in a short directory of its own.
        owner = _owner()
        self.home = home = Path(tempfile.mkdtemp(prefix="tinyforge-pg-", dir=self._parent))
        sockets = home / "socket"
        sockets.mkdir()
        if owner is not None:
            os.chown(home, owner.pw_uid, owner.pw_gid)
            os.chown(sockets, owner.pw_uid, owner.pw_gid)
        programs = reachable_programs(find_programs(), owner, copy_to=home / "programs")
        _initdb(programs, home / "data", owner)
        settings = [
            f"-c{setting}" for setting in (*SETTINGS, "listen_addresses=", f"unix_socket_directories={sockets}")
        ]
        self._child = Child(
            "postgres",
            [str(programs / "postgres"), "-D", str(home / "data"), *settings],
            directory=self.directory,
            owner=owner,
        )
        self._child.start(self._answers, timeout_seconds=START_SECONDS)

    def _answers(self) -> bool:
        import psycopg

        try:
            with psycopg.connect(self.url, connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False


def _owner() -> pwd.struct_passwd | None:
    """Return the user that the server runs as if we are root; None means our own user."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _initdb(programs: Path, data: Path, owner: pwd.struct_passwd | None) -> None:
    command = [str(programs / "initdb"), "-D", str(data), "-U", "postgres", "--auth=trust", "--no-sync"]
    done = subprocess.run(
        [*command, "--encoding=UTF8", "--no-locale"],
        user=owner.pw_uid if owner else None,
        group=owner.pw_gid if owner else None,
        extra_groups=[] if owner else None,
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=INITDB_SECONDS,
        check=False,
    )
    if done.returncode:
        raise ServiceError(f"`{' '.join(command)}` failed with {done.returncode}:\n{done.stdout}{done.stderr}")
