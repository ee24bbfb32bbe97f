"""A private Podman that cannot start says why, and leaves nothing."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from dev.debian import Programs, cache_folder
from dev.engine_leftovers import container_ids, control_groups, remove_control_groups
from dev.podman import PodmanEngine
from dev.process import ServiceError
from tests.conftest import unavailable

BROKEN = Programs(release="none", packages=("broken",), whole=True)


@pytest.fixture(autouse=True)
def root() -> None:
    if os.geteuid() != 0:
        unavailable("a private Podman needs root")


@pytest.fixture
def broken(short: Path, monkeypatch: pytest.MonkeyPatch) -> PodmanEngine:
    """A Podman whose root file system is empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(short / "cache"))
    (cache_folder() / BROKEN.name).mkdir(parents=True)
    return PodmanEngine(short / "p", BROKEN)


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group of a container, as Podman makes it."""
    parents = [path for path in Path("/sys/fs/cgroup").glob("memory") if path.is_dir()] or [Path("/sys/fs/cgroup")]
    made = parents[0] / "libpod_parent" / f"libpod-{uuid.uuid4().hex * 2}"
    try:
        made.mkdir(parents=True)
    except OSError as error:
        unavailable(f"control groups cannot be made here: {error}")
    yield made
    if made.exists():
        made.rmdir()


def test_a_podman_that_cannot_start_says_why_and_leaves_no_mount_and_no_process(broken: PodmanEngine) -> None:
    with pytest.raises(ServiceError, match=r"podman ended with 127(?s:.*): not found"):
        broken.start()
    assert not broken.running
    commands = [" ".join(each.info["cmdline"] or ()) for each in psutil.process_iter(["cmdline"])]
    assert str(broken.directory) not in Path("/proc/self/mountinfo").read_text()
    assert not [each for each in commands if str(broken.directory) in each]
    assert not list((broken.directory / "room").iterdir())


def test_what_it_stores_lies_in_its_folder_alone(broken: PodmanEngine) -> None:
    with pytest.raises(ServiceError):
        broken.start()
    assert list((cache_folder() / BROKEN.name).iterdir()) == []
    assert f'graphroot = "{broken.directory / "data"}"' in (broken.directory / "storage.conf").read_text()


def test_a_podman_that_was_not_started_can_be_stopped(broken: PodmanEngine) -> None:
    broken.stop()
    assert not broken.running


@pytest.mark.parametrize("kept_in", ["data/containers", "gw0/p/data/overlay-containers"])
def test_control_groups_go_with_the_containers_that_a_folder_knows(short: Path, group: Path, kept_in: str) -> None:
    container_id = group.name.removeprefix("libpod-")
    (short / kept_in / container_id).mkdir(parents=True)
    assert control_groups(container_ids(short)) == [group]
    remove_control_groups(short)
    assert not group.exists()


def test_the_control_groups_of_others_stay(short: Path, group: Path) -> None:
    remove_control_groups(short)
    assert group.exists()
