"""The Compose file on a real Engine: it is soon there, lets people in, and comes back from whatever is killed."""

import uuid

import pytest

from tests.acceptance.compose.conftest import First
from tests.acceptance.compose.running import ANSWER_SECONDS, NAME, SERVICES, Running
from tests.acceptance.conftest import Containers
from tests.builders import workload
from tests.waiting import eventually, within

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("first")]
FIRST_ROW_SECONDS = 45.0
END_SECONDS = 10.0
# Docker would kill it after so long, and the client waits for half a minute more.
LONGEST_SECONDS = 45


def test_the_first_row_is_true_45_seconds_after_up(first: First) -> None:
    assert first.seconds < FIRST_ROW_SECONDS


def test_somebody_logs_in_through_a_proxy_that_speaks_tls(running: Running) -> None:
    visitor = running.visitor()
    assert running.log_in(visitor) == 302
    page = visitor.get(running.url("/containers"), timeout=ANSWER_SECONDS, allow_redirects=False)
    assert page.status_code == 200
    assert "first:web" in page.text


def test_who_comes_without_tls_is_sent_to_the_same_place_with_it(running: Running) -> None:
    headers = {"X-Forwarded-Proto": "http"}
    answer = running.visitor().get(
        running.url("/login"), headers=headers, timeout=ANSWER_SECONDS, allow_redirects=False
    )
    assert (answer.status_code, answer.headers["Location"]) == (301, f"https://{NAME}/login")


@pytest.mark.parametrize("service", SERVICES)
def test_a_process_that_is_killed_comes_back_and_changes_are_seen_again(
    running: Running, containers: Containers, service: str
) -> None:
    running.kill(service)
    made = containers.run(workload(f"after-{service}", role="web"))
    running.see(f"after-{service}:web", "running")
    made.remove(force=True)
    running.see(f"after-{service}:web", "missing")


def test_a_watcher_that_is_killed_soon_announces_changes_again(running: Running, containers: Containers) -> None:
    running.kill("watch")
    eventually(lambda: trigger_of_a_new_row(running, containers) == "event", what="a container is seen by its event")


def test_a_beat_that_is_killed_soon_has_hosts_looked_at_again(running: Running, containers: Containers) -> None:
    running.kill("beat")
    running.site.compose("stop", "watch")
    try:
        assert trigger_of_a_new_row(running, containers) == "tick"
    finally:
        running.site.compose("start", "watch")


def trigger_of_a_new_row(running: Running, containers: Containers) -> str:
    """Start a container, and return what made the index look when it saw it."""
    before, name = running.cursor(), f"new-{uuid.uuid4().hex[:8]}"
    containers.run(workload(name, role="web"))
    running.see(f"{name}:web", "running")
    trigger: str = running.changes(f"{name}:web", after=before)[0]["trigger"]
    return trigger


@pytest.mark.parametrize("service", ["alerts", "urgent", "worker"])
def test_a_worker_that_is_told_to_end_while_it_starts_ends_at_once(running: Running, service: str) -> None:
    (container,) = running.containers(service)
    container.stop()
    container.start()
    with within(END_SECONDS):
        container.stop(timeout=LONGEST_SECONDS)
    container.start()
