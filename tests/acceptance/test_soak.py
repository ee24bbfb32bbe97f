"""Some five minutes of storm upon everything: every promise is kept, and each kind of fault is part of it."""

import re
import subprocess
import sys

import pytest

from dev.packages import install_docker, install_faketime
from dev.place import PROJECT
from soak.kept import KEPT
from tests.conftest import unavailable

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

pytestmark = pytest.mark.real


def test_no_storm_breaks_a_promise() -> None:
    if not (install_docker() and install_faketime()):
        unavailable("the storm needs dockerd and libfaketime; `apt-get install docker.io busybox-static faketime`")
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
