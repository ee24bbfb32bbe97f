"""Programs of another Debian release: fetched once, whole or not at all, with nothing of this machine's but its mirror.

apt-get and dpkg are programs of these tests, found first on PATH, so nothing is downloaded.
"""

import os
import threading
from pathlib import Path

import pytest

from dev.debian import KEYRING, Programs, cache_folder, unpacked
from dev.process import ServiceError

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not KEYRING.exists(), reason="programs are fetched by root on Debian"
)
PODMAN = Programs(release="trixie", packages=("podman", "crun"))
APT_GET = """\
#!/bin/sh
echo "$@" >> "$CALLS"
case "$*" in
  *indextargets*) test -e "$NO_LISTS" || echo 'http://mirror.invalid/debian bookworm' ;;
  *update*) sleep 0.1; rm -f "$NO_LISTS" ;;
  *download*)
    sleep 0.1; for name in podman crun; do echo > "$name.deb"; done ;;
esac
test ! -e "$FAILS" || { echo 'E: Unable to locate package podman' >&2; exit 100; }
"""
DPKG = """\
#!/bin/sh
mkdir -p "$3/usr/bin" && echo > "$3/usr/bin/$(basename "$2" .deb)"
"""


class Machine:
    """What apt-get is asked, and how it fails."""

    def __init__(self, folder: Path) -> None:
        """Describe a machine on which everything succeeds."""
        self.calls, self.fails, self.no_lists = folder / "calls", folder / "fails", folder / "no-lists"

    def asked(self, what: str) -> list[str]:
        """Return the commands with a word."""
        return [line for line in self.calls.read_text().splitlines() if what in line.split()]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (("apt-get", APT_GET), ("dpkg", DPKG)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    made = Machine(tmp_path)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name, path in (("CALLS", made.calls), ("FAILS", made.fails), ("NO_LISTS", made.no_lists)):
        monkeypatch.setenv(name, str(path))
    return made


def cached() -> list[str]:
    """Return what is cached, apart from locks."""
    return sorted(path.name for path in cache_folder().iterdir() if path.suffix != ".lock")


def test_all_packages_are_unpacked_into_one_folder(machine: Machine) -> None:
    folder = unpacked(PODMAN)
    assert sorted(path.name for path in (folder / "usr" / "bin").iterdir()) == ["crun", "podman"]
    assert cached() == [folder.name]


def test_a_root_file_system_has_a_user(machine: Machine) -> None:
    folder = unpacked(Programs(release="trixie", packages=("podman",), whole=True))
    assert (folder / "etc" / "passwd").read_text().startswith("root:")


def test_what_is_cached_is_fetched_once(machine: Machine) -> None:
    first = unpacked(PODMAN)
    assert unpacked(PODMAN) == first
    assert len(machine.asked("download")) == 1


def unpack_at_once(*wanted: Programs) -> None:
    threads = [threading.Thread(target=unpacked, args=[programs]) for programs in wanted]
    for each in threads:
        each.start()
    for each in threads:
        each.join()


def test_two_that_want_the_same_at_once_fetch_it_once(machine: Machine) -> None:
    unpack_at_once(PODMAN, PODMAN)
    assert len(machine.asked("download")) == 1


def test_two_that_want_other_programs_at_once_get_the_lists_of_packages_once(machine: Machine) -> None:
    """A second update at the same time would fail."""
    machine.no_lists.touch()
    unpack_at_once(PODMAN, Programs(release="bookworm", packages=("podman",)))
    assert machine.calls.read_text().splitlines().count("update -q") == 1
    assert len(machine.asked("download")) == 2


def test_a_fetch_that_fails_says_what_apt_said_and_leaves_nothing(machine: Machine) -> None:
    machine.fails.touch()
    with pytest.raises(ServiceError, match="Unable to locate package podman"):
        unpacked(PODMAN)
    assert cached() == []
    machine.fails.unlink()
    assert unpacked(PODMAN).is_dir()


def test_what_a_killed_fetch_has_left_is_cleared_away_by_the_next(machine: Machine) -> None:
    others = Programs(release="trixie", packages=("docker.io",))
    for programs in (PODMAN, others):
        (cache_folder() / f".new-{programs.name}-x" / "tree").mkdir(parents=True)
    unpacked(PODMAN)
    assert cached() == [f".new-{others.name}-x", PODMAN.name]


def test_a_machine_without_lists_of_packages_gets_them_first(machine: Machine) -> None:
    """As a fresh one is."""
    machine.no_lists.touch()
    assert unpacked(PODMAN).is_dir()


def test_nothing_that_this_machine_has_installed_or_configured_counts(machine: Machine) -> None:
    unpacked(Programs(release="trixie", packages=("podman",), whole=False))
    (command,) = machine.asked("download")
    options = dict(part.split("=", 1) for part in command.split() if "=" in part)
    own = {options[name].split("/.new-")[0] for name in ("Dir::State", "Dir::State::status", "Dir::Etc::sourcelist")}
    assert own == {str(cache_folder())}
    assert options["Dir::Etc::sourceparts"] == "/dev/null"


def test_other_packages_another_release_or_a_whole_root_are_other_programs() -> None:
    others = [
        Programs(release="bookworm", packages=("podman", "crun")),
        Programs(release="trixie", packages=("podman",)),
        Programs(release="trixie", packages=("podman", "crun"), whole=True),
    ]
    assert len({each.name for each in [PODMAN, *others]}) == 4


def test_the_cache_is_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/somebody")
    assert cache_folder() == Path("/home/somebody/.cache/tinyforge/programs")
