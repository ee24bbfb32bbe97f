"""/metrics: what Prometheus reads, by the names and rules that it knows."""

import subprocess
from collections.abc import Callable
from datetime import timedelta

import pytest
import redis
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from dev.packages import find_program
from reconciler.conf import lock_of
from reconciler.core.report import Trigger
from reconciler.models import Container, Host, Transition, Workload
from reconciler.single_flight import reconcile_in_turn
from simulator import Engine, Failure, Server
from tests.builders import cid
from tests.conftest import unavailable
from web.models import Scope, Token

pytestmark = pytest.mark.django_db

Scrape = Callable[[], dict[tuple[str, ...], float]]

HOSTILE = 'x"}\n# TYPE evil counter\\'


@pytest.fixture
def scrape(client: Client, local: Host, settings: Settings, valkey: redis.Redis) -> Scrape:
    """Scrape from an address that may; return the samples by name and labels, these in the order of their names."""
    settings.METRICS_ALLOW = ["127.0.0.0/8"]

    def samples() -> dict[tuple[str, ...], float]:
        answer = client.get("/metrics")
        assert answer.status_code == 200, answer.content
        families = text_string_to_metric_families(answer.content.decode())
        return {
            (sample.name.removeprefix("tinyforge_"), *sample.labels.values()): sample.value
            for family in families
            for sample in family.samples
        }

    return samples


def seen(row_id: str, **columns: object) -> Container:
    given = {"workload_id": "shop", "role": "web", "container_id": cid(row_id), "state": "running"}
    return Container.objects.create(id=row_id, **(given | columns))


def fresh() -> None:
    Host.objects.update(last_success_at=timezone.now(), last_attempt_at=timezone.now())


def test_strangers_read_nothing(client: Client, local: Host) -> None:
    answer = client.get("/metrics")
    assert (answer.status_code, answer["Content-Type"]) == (401, "application/problem+json")


def test_a_token_reads(client: Client, local: Host) -> None:
    _, text = Token.objects.issue("prometheus", Scope.READ)
    assert client.get("/metrics", headers={"Authorization": f"Bearer {text}"}).status_code == 200


def test_an_address_that_a_client_makes_up_lets_nobody_in(client: Client, local: Host, settings: Settings) -> None:
    settings.METRICS_ALLOW = ["10.0.0.0/8"]
    assert client.get("/metrics", headers={"X-Forwarded-For": "10.0.0.1"}).status_code == 401


def test_one_condition_of_a_host_holds_and_all_are_told(scrape: Scrape) -> None:
    fresh()
    told = {labels[1]: value for labels, value in scrape().items() if labels[0] == "host_condition"}
    assert told == {"off": 0, "failing": 0, "held": 0, "stale": 0, "new": 0, "fresh": 1}


def test_states_are_counted_with_zeros_and_unknown_apart(scrape: Scrape) -> None:
    seen("shop:web")
    samples = scrape()
    assert samples["host_containers", "local", "unknown"] == 1
    assert samples["host_containers", "local", "running"] == 0
    assert samples["host_containers_unknown", "local", "running"] == 1
    assert samples["host_containers", "local", "missing"] == 0


def test_a_row_has_the_state_that_holds_and_no_other(scrape: Scrape) -> None:
    fresh()
    seen("shop:web", health="unhealthy")
    samples = scrape()
    states = [key for key in samples if key[0] == "container_state"]
    assert states == [("container_state", "local", "shop:web", "running")]
    assert samples["container_health", "unhealthy", "local", "shop:web"] == 1


def test_details_are_told_in_base_units_where_they_are_known(scrape: Scrape) -> None:
    fresh()
    at = timezone.now().replace(microsecond=0)
    seen("shop:web", restart_count=4, oom_killed=True, exit_code=137, started_at=at, last_seen_at=at)
    seen("shop:db")
    samples = scrape()
    found = {key[0]: value for key, value in samples.items() if key[1:] == ("local", "shop:web")}
    assert found["container_restarts_total"] == 4
    assert (found["container_oom_killed"], found["container_last_exit_code"]) == (1, 137)
    assert (
        found["container_started_timestamp_seconds"] == found["container_last_seen_timestamp_seconds"] == at.timestamp()
    )
    assert ("container_last_exit_code", "local", "shop:db") not in samples


def test_a_restart_loop_is_told(scrape: Scrape) -> None:
    fresh()
    row = seen("shop:web")
    given = {"host_id": "local", "container_id": row.container_id, "at": timezone.now(), "to_state": "running"}
    Transition.objects.create(row_id=row.id, restarts=3, **given)
    assert scrape()["container_restart_loop", "local", "shop:web"] == 1


def test_passes_are_counted_by_how_they_ended(scrape: Scrape, local: Host, simulator: Server) -> None:
    engine = Engine()
    Host.objects.update(url=simulator.serve(engine))
    reconcile_in_turn(local, trigger=Trigger.TICK)
    reconcile_in_turn(local, trigger=Trigger.TICK)
    engine.fail(Failure.ERROR)
    reconcile_in_turn(local, trigger=Trigger.TICK)
    lock_of("local").acquire()
    reconcile_in_turn(local, trigger=Trigger.TICK)
    told = {labels[1]: value for labels, value in scrape().items() if labels[0] == "passes_total"}
    assert told == {"applied": 2, "failed": 1, "busy": 1, "superseded": 0}


def test_too_many_rows_are_counted_and_not_listed(scrape: Scrape, settings: Settings) -> None:
    settings.METRICS_MOST_ROWS = 1
    fresh()
    seen("shop:web")
    seen("shop:db")
    samples = scrape()
    assert samples["metrics_truncated",] == 1
    assert samples["host_containers", "local", "running"] == 2
    assert not [key for key in samples if key[0].startswith("container_")]


def test_no_label_changes_with_every_container_or_error(scrape: Scrape) -> None:
    Host.objects.update(last_error="connection refused", last_success_at=timezone.now() - timedelta(days=1))
    seen("shop:web")
    text = " ".join(label for key in scrape() for label in key)
    assert cid("shop:web") not in text
    assert "refused" not in text


def test_the_number_of_queries_does_not_grow(
    scrape: Scrape, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(20):
        Host.objects.create(name=f"h{number}")
        seen(f"shop:{number}@h{number}", host_id=f"h{number}")
    with django_assert_max_num_queries(6):
        scrape()


def test_promtool_finds_nothing_to_say(client: Client, local: Host, settings: Settings, valkey: redis.Redis) -> None:
    promtool = find_program("promtool") or unavailable("promtool, of Debian's package prometheus")
    settings.METRICS_ALLOW = ["127.0.0.0/8"]
    fresh()
    Workload.objects.create(id="shop", kind="stack", ref_id="s")
    seen("shop:web", role=HOSTILE, restart_count=1, health="healthy", exit_code=0, oom_killed=False)
    body = client.get("/metrics").content
    done = subprocess.run([promtool, "check", "metrics"], input=body, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.decode(), done.stderr.decode()) == (0, "", "")
