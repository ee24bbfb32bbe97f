"""Some five minutes of storm upon everything: every promise is kept, and each kind of fault is part of it."""

import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from dev.leftovers import STARTED_BY, end_started_by, started_by, wait_ended, with_descendants
from dev.packages import install_docker, install_faketime
from dev.place import PROJECT
from soak.kept import KEPT
from tests.conftest import unavailable
from tests.waiting import WAIT_SECONDS

STORMS = (*KEPT, "4.1", "4.2", "4.3", "4.4", "4.5", "4.0")
LONGEST_SECONDS = 1200.0
KINDS = (
    "PostgreSQL is killed",
    "PostgreSQL is stopped",
    "the disk of PostgreSQL is full",
    "PostgreSQL is half open",
    "Valkey is killed",
    "Valkey is stopped",
    "Valkey is half open",
    "(local|edge) is killed",
    "(local|edge) is stopped",
    "engines are half open",
    "(worker|watcher)-. is killed",
    "(worker|watcher)-. is stopped",
    "clock of .* is wrong",
    "settings are changed",
    "host .* is removed and added",
    "host .* is switched off and on",
    "(hang|drip|error|random_error|refused) for",
    "(truncated|truncated_chunked|not_json|not_a_list) for",
    "empty for",
    "(silent|garbage|skip|ends) for",
)
CALM = "1.0"
SERVERS = {"postgres", "valkey-server", "dockerd", "containerd", "sleep"}

pytestmark = pytest.mark.real


def need_real_parts() -> None:
    if not (install_docker() and install_faketime()):
        unavailable("the storm needs dockerd and libfaketime; `apt-get install docker.io busybox-static faketime`")


def test_no_storm_breaks_a_promise() -> None:
    need_real_parts()
    done = subprocess.run(
        [sys.executable, "-m", "soak", "--storm", *STORMS],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        timeout=LONGEST_SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert [kind for kind in KINDS if not re.search(kind, done.stdout)] == []
    assert re.search(r" [1-9]\d* states that history had to tell", done.stdout), done.stdout[-500:]


def test_a_soak_that_is_killed_leaves_no_process_no_mount_and_no_folder() -> None:
    need_real_parts()
    mark = f"killed-soak-{secrets.token_hex(8)}"
    environment = os.environ | {STARTED_BY: f"{os.environ.get(STARTED_BY, '')} {mark}"}
    command = [sys.executable, "-u", "-m", "soak", "--storm", CALM]
    with subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE) as soak:
        try:
            assert soak.stdout
            assert soak.stdout.readline(), "the soak says when the first containers are there"
            family = with_descendants(started_by(mark))
            names, folders = names_and_folders(family)
            assert names >= SERVERS
            assert len(folders) == 2, "the disk, and all else"
            soak.kill()
            # its guard is one of them
            assert not wait_ended(family, timeout_seconds=WAIT_SECONDS)
            assert not [folder for folder in folders if Path(folder).exists()]
            mounted = Path("/proc/self/mountinfo").read_text()
            assert not [folder for folder in folders if folder in mounted]
        finally:
            soak.terminate()
            end_started_by(mark)


def names_and_folders(family: list[psutil.Process]) -> tuple[set[str], set[str]]:
    """Return the names of a soak's processes, and its folders, which their commands name."""
    found = [process.info for process in psutil.process_iter(["name", "cmdline"]) if process in family]
    commands = " ".join(word for info in found for word in info["cmdline"] or [])
    return {info["name"] for info in found}, set(re.findall(r"/tmp/tf-(?:disk|soak)-\w+", commands))
