"""Programs of another Debian release than this machine's: fetched with apt, unpacked beside everything, cached.

Nothing is installed, and nothing outside the cache is written. apt checks the signatures.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dev.packages import can_install
from dev.process import ServiceError, run_quietly

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
FETCH_SECONDS = 600.0
UNPACK_SECONDS = 120.0
LAYOUT = "1"
"""Part of the name of what is cached: another number makes it anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """Packages of a release; if `whole`, with all that they depend on, as a root file system to change into."""

    release: str
    packages: tuple[str, ...]
    whole: bool = False

    @property
    def name(self) -> str:
        """Return the name of what is cached for these packages."""
        digest = hashlib.sha256(repr((LAYOUT, self)).encode()).hexdigest()[:12]
        return f"{self.release}-{self.packages[0]}-{digest}"


def cache_folder() -> Path:
    """Return where unpacked programs are kept: below the user's own cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tinyforge" / "programs"


def unpacked(programs: Programs) -> Path:
    """Return the folder in which these programs are unpacked, fetching them if it is not there. Raises ServiceError."""
    cache = cache_folder()
    folder = cache / programs.name
    if folder.is_dir():
        return folder
    if not can_install() or not KEYRING.exists():
        raise ServiceError(f"{programs.packages[0]} of Debian {programs.release} can be fetched by root on Debian only")
    cache.mkdir(parents=True, exist_ok=True)
    with alone(cache / f"{programs.name}.lock"):
        if not folder.is_dir():
            _make(programs, folder)
    return folder


def _make(programs: Programs, folder: Path) -> None:
    """Fetch and unpack; what is under the final name is always complete."""
    print(f"==> fetching {' '.join(programs.packages)} of Debian {programs.release}, this takes a minute", flush=True)
    prefix = f".new-{programs.name}-"
    for left in folder.parent.glob(f"{prefix}*"):
        # somebody was killed at this
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=prefix) as made:
        work, tree = Path(made), Path(made) / "tree"
        tree.mkdir()
        for package in _fetch(programs, work):
            run_quietly(["dpkg", "-x", str(package), str(tree)], timeout_seconds=UNPACK_SECONDS)
        if programs.whole:
            _name_users(tree)
        tree.rename(folder)


def _fetch(programs: Programs, work: Path) -> list[Path]:
    """Download the packages, and what they depend on if all of that is wanted; return their files."""
    options = _apt_options(programs, work)
    archives = work / "archives"
    run_quietly(["apt-get", *options, "update", "-q"], timeout_seconds=FETCH_SECONDS)
    # whatever this machine has installed does not count: its list of packages is empty
    wanted = ["install", "--download-only", "--no-install-recommends"] if programs.whole else ["download"]
    command = ["apt-get", *options, *wanted, "-q", "-y", *programs.packages]
    run_quietly(command, timeout_seconds=FETCH_SECONDS, directory=archives)
    found = sorted(archives.glob("*.deb"))
    if not found:
        raise ServiceError(f"apt-get has fetched none of {' '.join(programs.packages)}")
    return found


def _apt_options(programs: Programs, work: Path) -> list[str]:
    """Return options by which apt uses nothing of this machine's but its mirror and its keyring."""
    (work / "archives" / "partial").mkdir(parents=True)
    (work / "lists" / "partial").mkdir(parents=True)
    (work / "status").touch()
    source = f"deb [signed-by={KEYRING}] {mirror()} {programs.release} main\n"
    (work / "sources.list").write_text(source)
    given = {
        "Dir::Etc::sourcelist": work / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State": work,
        "Dir::State::lists": work / "lists",
        "Dir::State::status": work / "status",
        "Dir::Cache": work,
        "Dir::Cache::archives": work / "archives",
        "APT::Sandbox::User": "root",
        "Acquire::Retries": "3",
    }
    return [part for name, value in given.items() for part in ("-o", f"{name}={value}")]


def mirror() -> str:
    """Return the mirror from which this machine has its own packages. Raises ServiceError."""
    cache_folder().mkdir(parents=True, exist_ok=True)
    # apt refuses a second update at the same time
    with alone(cache_folder() / "mirror.lock"):
        found = _known_mirror()
        if found is None:
            # apt tells of nothing whose lists it does not have
            run_quietly(["apt-get", "update", "-q"], timeout_seconds=FETCH_SECONDS)
            found = _known_mirror()
    if found is None:
        raise ServiceError("apt knows no mirror of Debian here: name one in /etc/apt/sources.list")
    return found


def _known_mirror() -> str | None:
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME)", "Origin: Debian"]
    for line in run_quietly(command, timeout_seconds=UNPACK_SECONDS).splitlines():
        uri, _, codename = line.partition(" ")
        if codename and "-" not in codename:
            return uri
    return None


def _name_users(tree: Path) -> None:
    """Make the files of users and groups, which no package holds."""
    (tree / "etc").mkdir(exist_ok=True)
    (tree / "etc" / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (tree / "etc" / "group").write_text("root:x:0:\n")


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Let nobody else make the same meanwhile; a process that is killed lets go of this too."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
