"""`make up` in a copy of the project: what it prints, who can get at what it keeps, and that it always ends."""

import re
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.leftovers import wait_ended
from simulator import Engine, Server
from tests.acceptance.running_up import END_SECONDS, Up


@pytest.fixture
def up(tmp_path: Path, simulator: Server) -> Iterator[Up]:
    run = Up(tmp_path, simulator.serve(Engine()))
    family = run.family()
    yield run
    for process in family:
        if process.is_running():
            process.kill()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_make_up_says_where_the_page_is_and_keeps_all_to_its_owner(up: Up) -> None:
    assert re.search(r"http://127\.0\.0\.1:\d+/\n    user      admin\n", up.log())
    var = up.project / "var"
    assert (mode(var), mode(var / "db.sqlite3")) == (0o700, 0o600)
    (socket,) = (Path(path) for path in re.findall(r"REDIS_URL=unix://(\S+)", (var / "env").read_text()))
    assert [mode(path) for path in (socket.parents[1], socket.parent, socket)] == [0o700] * 3
    family = up.family()
    ports = {c.laddr.port for process in family for c in process.net_connections("tcp") if c.status == "LISTEN"}
    assert len(ports) == 1, "only web listens"
    assert up.end() == 0
    assert not wait_ended(family, timeout_seconds=END_SECONDS)


@pytest.mark.slow
def test_make_up_ends_also_what_does_not_react(up: Up) -> None:
    family = up.family()
    for name in ("beat", "worker", "watch"):
        deaf = [process for process in family if name in process.cmdline()]
        assert deaf
        for process in deaf:
            process.suspend()
    assert up.end() == 0
    assert not wait_ended(family, timeout_seconds=END_SECONDS)


@pytest.mark.slow
def test_nothing_of_make_up_outlives_it_when_it_is_killed(up: Up) -> None:
    family = up.family()
    assert up.end(signal.SIGKILL) == -signal.SIGKILL
    assert not wait_ended(family, timeout_seconds=END_SECONDS)
