"""/api/v1 tells the uptime of a container, a workload and a host, and what is not known of it."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from reconciler import feed
from reconciler.models import Container, Host, Outage, Transition, Workload
from tests.api import ApiClient

pytestmark = pytest.mark.django_db

HOUR, DAY = 3600.0, 86_400.0


@pytest.fixture
def api(local: Host) -> ApiClient:
    """A client that reads of a workload with two containers, which have run and ended on a host that had an outage."""
    until = timezone.now().replace(second=0, microsecond=0)
    Host.objects.update(last_success_at=timezone.now(), created_at=until - timedelta(hours=60))
    Workload.objects.create(id="shop", ref_id="shop")
    steps = [("web", "running", 48), ("db", "running", 12), ("web", "stopped", 8), ("db", "stopped", 2)]
    for role, state, hours in steps:
        at = until - timedelta(hours=hours)
        feed.append([Transition(row_id=f"shop:{role}", host_id="local", to_state=state, at=at)])
    for role in ("web", "db"):
        Container.objects.create(id=f"shop:{role}", workload_id="shop", state="stopped")
    began, ended = until - timedelta(hours=10), until - timedelta(hours=6)
    Outage.objects.create(host_id="local", kind="unreachable", began_at=began, noticed_at=began, ended_at=ended)
    return ApiClient()


def told(answer: Any) -> dict[str, tuple[float, float, float]]:
    return {
        name: (uptime["up_seconds"], uptime["down_seconds"], uptime["unknown_seconds"])
        for name, uptime in answer.json()["uptime"].items()
        if name != "until"
    }


def test_of_a_container(api: ApiClient) -> None:
    """I16, I17: what happened during the outage is not known."""
    answer = api.get("containers/shop:web")
    assert told(answer) == {
        "last_24_hours": (14 * HOUR, 6 * HOUR, 4 * HOUR),
        "last_7_days": (38 * HOUR, 6 * HOUR, 7 * DAY - 44 * HOUR),
        "last_30_days": (38 * HOUR, 6 * HOUR, 30 * DAY - 44 * HOUR),
    }
    day = answer.json()["uptime"]["last_24_hours"]
    assert (day["availability"], day["coverage"]) == (0.7, 20 / 24)


def test_of_a_workload_which_is_up_while_one_of_its_containers_is(api: ApiClient) -> None:
    """I16, I17."""
    assert told(api.get("workloads/shop")) == {
        "last_24_hours": (18 * HOUR, 2 * HOUR, 4 * HOUR),
        "last_7_days": (42 * HOUR, 2 * HOUR, 7 * DAY - 44 * HOUR),
        "last_30_days": (42 * HOUR, 2 * HOUR, 30 * DAY - 44 * HOUR),
    }


def test_of_a_host_which_is_down_while_passes_over_it_fail(api: ApiClient) -> None:
    """I16, I17."""
    assert told(api.get("hosts/local")) == {
        "last_24_hours": (20 * HOUR, 4 * HOUR, 0),
        "last_7_days": (56 * HOUR, 4 * HOUR, 7 * DAY - 60 * HOUR),
        "last_30_days": (56 * HOUR, 4 * HOUR, 30 * DAY - 60 * HOUR),
    }


def test_of_what_was_never_seen_there_is_no_availability(api: ApiClient) -> None:
    Container.objects.create(id="blog:site", workload_id="blog")
    uptime = api.get("containers/blog:site").json()["uptime"]["last_7_days"]
    assert (uptime["availability"], uptime["coverage"], uptime["unknown_seconds"]) == (None, 0, 7 * DAY)
