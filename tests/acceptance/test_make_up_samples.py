"""`make up` where no Engine runs: it starts a private one, shows samples in all conditions, and says what to try."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests

from dev.leftovers import wait_ended
from dev.packages import install_docker
from tests.acceptance.running_up import END_SECONDS, Up
from tests.conftest import unavailable
from tests.pages import text_of
from tests.waiting import eventually

SAMPLES_SECONDS = 180.0


class Reader:
    """A person who has logged in with what the greeting says, and reads pages."""

    def __init__(self, greeting: str) -> None:
        told = re.search(r"(http://127\.0\.0\.1:\d+/)\n    user      (\S+)\n    password  (\S+)\n", greeting)
        assert told, greeting
        self._site, user, password = told.groups()
        self._session = requests.Session()
        self._session.get(f"{self._site}login", timeout=30)
        login = {"username": user, "password": password, "csrfmiddlewaretoken": self._session.cookies["csrftoken"]}
        assert "Log out" in self._session.post(f"{self._site}login", login, timeout=30).text

    def page(self, path: str = "") -> str:
        """Return the text of a page."""
        return text_of(self._session.get(self._site + path, timeout=30).text)

    def reads(self, *texts: str, on: str = "") -> None:
        """Wait until a page says all of this."""
        eventually(
            lambda: all(text in self.page(on) for text in texts), seconds=SAMPLES_SECONDS, what=f"{texts} on /{on}"
        )

    def close(self) -> None:
        self._session.close()


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    """`make up` with an address at which no Engine answers."""
    if os.geteuid() != 0 or not install_docker():
        unavailable("a private Engine needs root, dockerd and a static busybox")
    run = Up(tmp_path, f"unix://{tmp_path}/nobody.sock")
    family = run.family()
    yield run
    for process in [*family, *of_project(run)]:
        if process.is_running():
            process.kill()


def of_project(run: Up) -> list[psutil.Process]:
    """Return all processes that work in the project's folders: those of the Engine's containers are nobody's family."""
    folders = (str(run.project), str(Path(run.variable("DOCKER_HOST").removeprefix("unix://")).parent))
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(folder in word for word in process.info["cmdline"] or () for folder in folders)
    ]


@pytest.mark.real
def test_make_up_shows_samples_in_all_conditions_lets_people_try_it_and_ends_it_all(up: Up) -> None:
    assert "Docker: a private engine at" in up.log()
    reader = Reader(up.log())
    reader.reads(
        "sample-shop:worker restarts in a loop",
        "sample-site:site is unhealthy",
        "sample-gone:web belongs to a workload that does not exist",
        "sample-shop:next … deploying",
        "sample-stack:api: running",
        "sample-stack:api:2: running",
        "sample-stack:db: done",
    )
    reader.reads("restarted 1×", on="containers/sample-shop:worker")
    (to_try,) = re.findall(r"in another shell try: (.*)", up.log())
    assert "docker kill" in to_try
    subprocess.run(["/bin/sh", "-c", to_try], cwd=up.project, check=True, timeout=60)
    reader.reads("sample-shop:web has ended with an error", "exit 137 (killed)")
    reader.close()
    family = [*up.family(), *of_project(up)]
    assert up.end() == 0
    assert not wait_ended(family, timeout_seconds=END_SECONDS)
    assert str(up.project) not in Path("/proc/mounts").read_text(), "what the Engine has mounted is unmounted"
