"""The real services behind the tests and `make up`: they start, die, come back and leave nothing behind."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from dev import index
from dev.index import Processes
from dev.leftovers import (
    STARTED_BY,
    end_started_by,
    mark_what_follows,
    started_by,
    wait_ended,
    with_descendants,
)
from dev.place import PROJECT
from dev.services import DockerEngine, Postgres, ServiceError, Valkey, free_port, install_docker
from tests.conftest import unavailable
from tests.waiting import eventually


@pytest.fixture
def docker_machine() -> None:
    """A machine that can run an Engine of its own."""
    if os.geteuid() != 0:
        unavailable("a private Docker Engine needs root")
    if not install_docker():
        unavailable("dockerd and a static busybox are not installed")


@pytest.fixture
def engine(docker_machine: None, short: Path) -> Iterator[DockerEngine]:
    with DockerEngine(short) as engine:
        yield engine


def names(engine: DockerEngine) -> dict[str, str]:
    """Return the state of each container by its name."""
    client = engine.client()
    try:
        return {str(container.name): container.status for container in client.containers.list(all=True)}
    finally:
        client.close()


def run(engine: DockerEngine, name: str) -> None:
    """Run a container until it is told to end."""
    client = engine.client()
    try:
        client.containers.run(engine.import_busybox(), name=name, detach=True, network_mode="none")
    finally:
        client.close()


def mounts_below(path: Path) -> list[str]:
    """Return the mount table's lines for a directory."""
    return [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(path) in line]


def processes_below(path: Path) -> list[psutil.Process]:
    """Return the live processes whose command line names a path in a directory."""
    found = []
    for process in psutil.process_iter():
        try:
            if any(str(path) in word for word in process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def ping(server: Valkey) -> bool:
    """Ask a Valkey server for an answer."""
    with redis.Redis.from_url(server.url) as client:
        return bool(client.ping())


def listening(path: Path) -> list[object]:
    """Return the TCP addresses on which the processes of a folder listen, or those that these have started."""
    family = with_descendants(processes_below(path))
    return [c.laddr for process in family for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN]


either_kind = pytest.mark.parametrize("port", [None, free_port()], ids=["socket", "port"])


@either_kind
def test_valkey_comes_back_at_the_same_address_after_a_kill(short: Path, port: int | None) -> None:
    with Valkey(short, port=port) as server:
        url = server.url
        server.kill()
        with pytest.raises(redis.ConnectionError):
            ping(server)
        server.start()
        assert server.url == url
        assert ping(server)


@either_kind
def test_valkey_is_gone_after_stop(short: Path, port: int | None) -> None:
    with Valkey(short, port=port):
        family = with_descendants(processes_below(short))
        assert len(family) >= 2
    assert not any(process.is_running() for process in family)


def test_without_a_port_valkey_is_for_its_owner_alone(short: Path) -> None:
    folder = short / "v"
    with Valkey(folder) as server:
        assert ping(server)
        assert listening(folder) == []
        assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / "valkey.sock")] == [0o700, 0o700]


def test_a_taken_port_is_refused(tmp_path: Path) -> None:
    with Valkey(tmp_path / "first", port=free_port()) as first, pytest.raises(ServiceError, match="already in use"):
        Valkey(tmp_path / "second", port=first.port).start()


def test_postgres_answers_and_is_gone_after_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_POSTGRES_URL", raising=False)
    with Postgres(tmp_path) as server:
        with psycopg.connect(server.url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        home = server.home
        assert home is not None
        assert processes_below(home)
    assert not processes_below(home)
    assert not home.exists()


def test_a_postgres_named_by_the_environment_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_POSTGRES_URL", "postgres://example.org/given")
    with Postgres(tmp_path) as server:
        assert server.url == "postgres://example.org/given"


def test_an_engine_keeps_its_containers_over_a_restart_at_the_same_address(engine: DockerEngine) -> None:
    run(engine, "kept")
    assert names(engine) == {"kept": "running"}
    engine.stop()
    engine.start()
    assert names(engine) == {"kept": "exited"}


def test_an_engine_comes_back_after_a_kill(engine: DockerEngine) -> None:
    run(engine, "survivor")
    engine.kill()
    engine.start()
    assert names(engine) == {"survivor": "exited"}


def test_nothing_of_a_killed_engine_is_left_after_stop(engine: DockerEngine, short: Path) -> None:
    run(engine, "leftover")
    assert mounts_below(short)
    engine.kill()
    assert processes_below(short), "a container outlives its daemon"
    engine.stop()
    assert not processes_below(short)
    assert not mounts_below(short)


def test_two_engines_do_not_meet(docker_machine: None, short: Path) -> None:
    with DockerEngine(short / "a") as first, DockerEngine(short / "b") as second:
        run(first, "mine")
        run(second, "yours")
        assert (names(first), names(second)) == ({"mine": "running"}, {"yours": "running"})
        first.stop()
        assert names(second) == {"yours": "running"}


def test_an_engine_leaves_the_network_of_the_machines_own_daemon_alone(docker_machine: None, short: Path) -> None:
    """Without a network namespace of its own it would delete the bridge `docker0`."""
    command = ["unshare", "--net", sys.executable, "-m", "tests.integration.two_daemons", str(short)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=180, check=False)
    assert done.stdout.splitlines() == ["docker0 lo"] * 3, done.stderr
    assert not processes_below(short)
    assert not mounts_below(short)


def test_a_path_too_long_for_sockets_is_refused(docker_machine: None, tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="too long a path"):
        DockerEngine(tmp_path / ("x" * 100)).start()


def test_a_killed_run_without_a_guard_is_ended_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STARTED_BY, os.environ[STARTED_BY])
    mark = mark_what_follows("killed-run")
    code = (
        "import sys, time; from pathlib import Path; from dev.valkey import Valkey; Valkey(Path(sys.argv[1])).start()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", f"{code}; print(1, flush=True); time.sleep(60)", str(tmp_path)],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
    ) as first_run:
        assert first_run.stdout
        first_run.stdout.readline()
        first_run.kill()
    family = with_descendants(processes_below(tmp_path))
    assert len(family) >= 2
    assert end_started_by(mark) >= 1
    assert not wait_ended(family, timeout_seconds=0)
    assert not started_by(mark)


def test_a_run_with_a_guard_ends_without_a_word() -> None:
    code = "from dev.guard import Guard; guard = Guard('silent-run')"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=PROJECT, capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


DEAF = "; ".join(
    [
        "import signal, subprocess, sys, time",
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)",
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(3600)', sys.argv[-1]])",
        "print('deaf', flush=True)",
        "time.sleep(3600)",
    ]
)


@pytest.fixture
def deaf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Processes:
    """A process of the index that ignores SIGTERM, and has a child."""
    monkeypatch.setattr(index, "STOP_SECONDS", 0.2)
    processes = Processes(tmp_path, {})
    processes.start("worker", "timeit", "-n1", "-r1", f"{DEAF} # {tmp_path}")
    eventually(lambda: "deaf" in processes.log("worker"), what="it runs")
    return processes


def test_a_process_that_does_not_end_when_told_is_killed_with_its_children_and_named(
    deaf: Processes, tmp_path: Path
) -> None:
    with pytest.raises(ServiceError, match=r"worker did not end within 0.2 s of SIGTERM and was killed"):
        deaf.stop("worker")
    eventually(lambda: not processes_below(tmp_path), what="nothing is left")


def test_one_process_that_does_not_end_does_not_keep_the_others_from_being_ended(
    deaf: Processes, tmp_path: Path
) -> None:
    deaf.start("beat", "timeit", "-n1", "-r1", f"import time; time.sleep(3600) # {tmp_path}")
    with pytest.raises(ServiceError, match="worker did not end"):
        deaf.stop_all()
    eventually(lambda: not processes_below(tmp_path), what="nothing is left")


def test_what_carries_another_mark_is_not_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STARTED_BY, os.environ[STARTED_BY])
    mark = mark_what_follows("first-run")
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"]) as process:
        eventually(lambda: started_by(mark), what="it can be seen")
        assert end_started_by("second-run") == 0
        assert process.poll() is None
        assert end_started_by(mark) == 1
        assert process.wait() == -signal.SIGTERM
