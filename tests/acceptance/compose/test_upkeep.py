"""What people do to a site that runs: they restart the Engine, add workers, take all down and up again, and upgrade."""

import warnings

import pytest

from dev.compose import previous_commit
from dev.process import ServiceError
from tests.acceptance.compose.conftest import FIRST, configure
from tests.acceptance.compose.running import Running
from tests.acceptance.conftest import Containers
from tests.builders import workload
from tests.conftest import unavailable
from tests.waiting import eventually

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("first")]
WORKERS = 3
VOLUME = "container-index_postgres-data"
NO_COMMIT_BEFORE = "this clone holds no commit before the present one, so the present one was upgraded to itself"


def changes_are_seen(running: Running, name: str) -> None:
    """Start a container and remove it again, and wait until both are seen."""
    containers = Containers(running.site.engine.docker)
    containers.run(workload(name, role="web"))
    running.see(f"{name}:web", "running")
    containers.remove_all()
    containers.close()
    running.see(f"{name}:web", "missing")


def created_at(running: Running, row: str) -> str:
    """Return when a row was made."""
    answer = eventually(lambda: running.ask(f"containers/{row}"), what="an answer of the API")
    created: str = answer["item"]["created_at"]
    return created


@pytest.mark.parametrize("crash", [False, True], ids=["restarted", "killed"])
def test_all_comes_back_when_the_engine_is(running: Running, crash: bool) -> None:
    """Its socket is another one then, and of the container that had no reason to come back the row says so."""
    engine, before = running.site.engine.docker, running.cursor()
    socket = engine.socket.stat().st_ino
    if crash:
        engine.kill()
    else:
        engine.stop()
    engine.start()
    assert engine.socket.stat().st_ino != socket
    changes_are_seen(running, f"after-{'crash' if crash else 'restart'}")
    states = {change["to_state"] for change in running.changes(FIRST, after=before)}
    assert "missing" not in states


def test_three_workers_see_each_change_once(running: Running) -> None:
    running.site.compose("up", "-d", "--scale", f"worker={WORKERS}")
    assert len([each for each in running.containers("worker") if each.status == "running"]) == WORKERS
    before = running.cursor()
    changes_are_seen(running, "scaled")
    told = [change["to_state"] for change in running.changes("scaled:web", after=before)]
    assert len(told) == len(set(told)), told
    running.site.compose("up", "-d", "--scale", "worker=1")
    assert len(running.containers("worker")) == 1


def test_down_and_up_keep_all_data_and_leave_no_volume_behind(running: Running) -> None:
    created = created_at(running, FIRST)
    running.site.compose("down")
    assert [volume.name for volume in running.client.volumes.list()] == [VOLUME]
    assert not [
        network.name for network in running.client.networks.list() if str(network.name).startswith("container-index")
    ]
    running.site.compose("up", "-d")
    assert created_at(running, FIRST) == created
    assert running.log_in(running.visitor()) == 302
    assert [volume.name for volume in running.client.volumes.list()] == [VOLUME]
    changes_are_seen(running, "after-down")


def commit_to_upgrade_from() -> str | None:
    """Return the commit before this one; None, which is said in the output of the tests, in a clone that ends here."""
    try:
        commit = previous_commit()
    except ServiceError as error:
        unavailable(str(error))
    if commit is None:
        warnings.warn(NO_COMMIT_BEFORE, stacklevel=2)
    return commit


# CI may have a clone of one commit: that is told, and is no failure
@pytest.mark.filterwarnings(f"default:{NO_COMMIT_BEFORE}")
def test_an_upgrade_from_the_commit_before_keeps_all_data(running: Running) -> None:
    """The settings are those that the old commit makes: an upgrade that wants others would fail."""
    site, commit = running.site, commit_to_upgrade_from()
    site.compose("down", "--volumes")
    (site.folder / ".env").unlink()
    site.fetch(commit)
    configure(site)
    site.provide_images()
    site.compose("up", "-d", "--build")
    running.add_people()
    created = created_at(running, FIRST)
    site.fetch()
    site.provide_images()
    site.compose("up", "-d", "--build")
    assert created_at(running, FIRST) == created
    assert running.log_in(running.visitor()) == 302
    changes_are_seen(running, "after-upgrade")
