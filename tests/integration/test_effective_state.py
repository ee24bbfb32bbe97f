"""Unknown is not missing: what readers see of rows whose host cannot be asked (I17)."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from reconciler.core.report import Trigger
from reconciler.models import Container, Host
from reconciler.reconcile import reconcile
from tests.builders import FakeEngine, cid, container, workload

pytestmark = pytest.mark.django_db

WEB = container("web", workload("shop", role="web"))


def look(host: Host, *containers: Any, **daemon: Any) -> None:
    reconcile(host, FakeEngine(list(containers), **daemon), trigger=Trigger.TICK)


def effective(row_id: str = "shop:web", at: datetime | None = None) -> tuple[str, str, datetime | None]:
    row = Container.objects.with_effective_state(at).get(id=row_id)
    return row.effective_state, row.state, row.unknown_since  # type: ignore[attr-defined]


def last_success() -> datetime | None:
    return Host.objects.get(name="local").last_success_at


def test_the_effective_state_of_a_row_is_its_state(local: Host) -> None:
    look(local, WEB)
    assert effective() == ("running", "running", None)


def test_a_host_that_cannot_be_reached_makes_its_rows_unknown_without_rewriting_one(local: Host) -> None:
    look(local, WEB)
    before = list(Container.objects.values())
    look(local, failure="cannot be reached")
    assert effective() == ("unknown", "running", last_success())
    assert list(Container.objects.values()) == before


def test_a_host_that_answers_again_makes_its_rows_right_at_once(local: Host) -> None:
    look(local, WEB)
    look(local, failure="cannot be reached")
    look(local, container("web", workload("shop", role="web"), state="stopped"))
    assert effective() == ("stopped", "stopped", None)


def test_a_host_nobody_looks_at_is_not_known_either(local: Host) -> None:
    look(local, WEB)
    assert effective(at=timezone.now() + timedelta(seconds=89))[0] == "running"
    assert effective(at=timezone.now() + timedelta(seconds=91))[0] == "unknown"


def test_a_host_never_reached_is_not_known_and_never_was(local: Host) -> None:
    Container.objects.create(id="shop:web", workload_id="shop", container_id=cid("web"), state="running")
    assert effective() == ("unknown", "running", None)


@pytest.mark.parametrize("state", ["missing", "failed", "stopped", "odd"])
def test_a_row_of_a_silent_host_is_unknown_whatever_its_last_state(local: Host, state: str) -> None:
    Container.objects.create(id="shop:web", workload_id="shop", container_id=cid("web"), state=state)
    assert effective()[:2] == ("unknown", state)


def test_a_placeholder_is_known_whatever_its_host_does(local: Host) -> None:
    """I4."""
    Container.objects.create(id="shop:web", workload_id="shop")
    assert effective() == ("", "", None)


def test_one_hosts_silence_is_no_other_hosts(local: Host) -> None:
    """I15."""
    west = Host.objects.create(name="west")
    look(local, WEB)
    look(west, WEB)
    look(west, failure="cannot be reached")
    assert (effective()[0], effective("shop:web@west")[0]) == ("running", "unknown")


def test_the_effective_state_costs_no_further_query(local: Host) -> None:
    for number in range(5):
        Container.objects.create(id=f"shop:{number}", workload_id="shop", container_id=cid(str(number)))
    with CaptureQueriesContext(connection) as queries:
        list(Container.objects.with_effective_state().with_restarts())
    assert len(queries) == 1


def test_readers_can_filter_by_the_effective_state(local: Host) -> None:
    look(local, WEB)
    assert Container.objects.with_effective_state().filter(Q(effective_state="running")).count() == 1


def test_failures_are_counted_and_the_next_try_is_put_off(local: Host) -> None:
    """I15."""
    for _ in range(3):
        before = timezone.now()
        look(local, failure="cannot be reached")
    host = Host.objects.get(name="local")
    assert host.failures == 3
    assert host.retry_at is not None
    assert timedelta(seconds=60) <= host.retry_at - before <= timedelta(seconds=121)
    look(local, WEB)
    host = Host.objects.get(name="local")
    assert (host.failures, host.retry_at) == (0, None)


def test_an_older_pass_that_fails_last_takes_nothing_back(local: Host) -> None:
    """I6, I7."""
    look(local, failure="cannot be reached", meanwhile=lambda: look(local, WEB))
    host = Host.objects.get(name="local")
    assert (host.failures, host.last_error, effective()[0]) == (0, "", "running")


def test_the_next_try_is_never_more_than_five_minutes_off(local: Host) -> None:
    """I19."""
    Host.objects.update(failures=1_000)
    look(local, failure="cannot be reached")
    retry_at = Host.objects.get(name="local").retry_at
    assert retry_at is not None
    assert retry_at - timezone.now() <= timedelta(seconds=300)


def test_a_failure_says_when_it_is_tried_again_and_a_recovery_that_it_is_over(
    local: Host, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    look(local, failure="cannot be reached")
    look(local, WEB)
    texts = [record.message for record in caplog.records]
    assert "no row was changed; no tick tries again for " in texts[0]
    assert texts[1] == "host local: answers again"
