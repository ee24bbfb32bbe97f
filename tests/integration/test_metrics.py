"""/metrics: what Prometheus reads, by the names and rules that it knows."""

import re
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import redis
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from alerts.models import Delivery, DeliveryState, Incident, Message, MessageState
from alerts.sending.bundling import bundle
from dev.packages import find_program
from reconciler.api import begin_deployment
from reconciler.conf import lock_of
from reconciler.core.report import Trigger
from reconciler.models import Container, Host, Transition, Workload
from reconciler.single_flight import reconcile_in_turn
from simulator import Engine, Failure, Server
from tests.builders import cid
from tests.channels import channel, fire_all
from tests.conftest import unavailable
from web.models import Scope, Token

pytestmark = pytest.mark.django_db

Scrape = Callable[[], dict[tuple[str, ...], float]]

PROJECT = Path(__file__).parents[2]
HOSTILE = 'x"}\n# TYPE evil counter\\ é\u2028{,}\t'
LONG = HOSTILE + "y" * 300


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


def test_states_without_a_word_of_ours_are_counted_together(scrape: Scrape) -> None:
    """Otherwise an Engine could make any number of series."""
    fresh()
    for state in ("stuck", "lost"):
        seen(f"shop:{state}", state=state)
    samples = scrape()
    assert samples["host_containers", "local", "other"] == 2
    assert samples["container_state", "local", "shop:stuck", "other"] == 1


def test_a_host_that_nobody_looks_at_is_told(scrape: Scrape) -> None:
    """Also if it fails, which would hide that."""
    fresh()
    assert scrape()["host_neglected", "local"] == 0
    Host.objects.update(last_attempt_at=timezone.now() - timedelta(seconds=91), last_error="connection refused")
    assert scrape()["host_neglected", "local"] == 1


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


def test_a_row_that_is_being_deployed_is_told(scrape: Scrape) -> None:
    fresh()
    for workload_id in ("shop", "blog"):
        Workload.objects.create(id=workload_id, kind="stack", ref_id=workload_id)
        seen(f"{workload_id}:web", workload_id=workload_id)
    begin_deployment(workload="shop")
    samples = scrape()
    assert samples["container_deploying", "local", "shop:web"] == 1
    assert samples["container_deploying", "local", "blog:web"] == 0


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


def test_incidents_that_stand_are_counted_by_condition_and_severity(scrape: Scrape) -> None:
    now = timezone.now()
    clocks = {"since": now, "opened_at": now, "fires_at": now}
    for phase, subject in (("firing", "a"), ("clearing", "b"), ("pending", "c"), ("resolved", "d")):
        Incident.objects.create(condition="missing", severity="page", subject=subject, phase=phase, **clocks)
    assert scrape()[("incidents", "missing", "page")] == 2
    assert scrape()[("incidents", "drift", "digest")] == 0


def test_deliveries_that_wait_and_that_were_given_up_are_counted(scrape: Scrape) -> None:
    channel()
    fire_all(["shop:web", "shop:db"], at=timezone.now())
    assert (scrape()[("deliveries_pending",)], scrape()[("deliveries_dead",)]) == (2, 0)
    bundle(timezone.now() + timedelta(seconds=30))
    Message.objects.update(state=MessageState.DEAD)
    Delivery.objects.update(state=DeliveryState.DEAD)
    assert (scrape()[("deliveries_pending",)], scrape()[("deliveries_dead",)]) == (0, 2)
    Message.objects.forget()
    assert scrape()[("deliveries_dead",)] == 0


def test_the_number_of_queries_does_not_grow(
    scrape: Scrape, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(20):
        Host.objects.create(name=f"h{number}")
        seen(f"shop:{number}@h{number}", host_id=f"h{number}")
    with django_assert_max_num_queries(9):
        scrape()


@pytest.fixture
def everything(client: Client, local: Host, settings: Settings, valkey: redis.Redis) -> bytes:
    """What is told when there is something to tell of everything, by an Engine that is up to no good."""
    settings.METRICS_ALLOW = ["127.0.0.0/8"]
    fresh()
    lock_of("local").note_latency(85)
    at = timezone.now()
    told = {"restart_count": 1, "exit_code": 0, "oom_killed": False, "started_at": at, "last_seen_at": at}
    hostile = {"role": HOSTILE, "image_ref": LONG, "state": HOSTILE[:32], "health": HOSTILE[:16]}
    seen(HOSTILE, workload_id=HOSTILE, **told, **hostile)
    return client.get("/metrics").content


def labels_by_name(body: bytes) -> dict[str, set[str]]:
    """Return the labels of every metric, by the name of its samples."""
    samples = [sample for family in text_string_to_metric_families(body.decode()) for sample in family.samples]
    return {sample.name: set(sample.labels) for sample in samples}


def test_promtool_finds_nothing_to_say_whatever_an_engine_says(everything: bytes) -> None:
    promtool = find_program("promtool") or unavailable("promtool, of Debian's package prometheus")
    done = subprocess.run(
        [promtool, "check", "metrics"], input=everything, capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout.decode(), done.stderr.decode()) == (0, "", "")


def test_what_an_engine_says_is_one_label_and_nothing_else(everything: bytes) -> None:
    families = text_string_to_metric_families(everything.decode())
    (info,) = [sample for family in families for sample in family.samples if sample.name.endswith("container_info")]
    of_the_row = {"row": HOSTILE, "host": "local", "workload": HOSTILE, "role": HOSTILE}
    assert info.labels == of_the_row | {"image": LONG}


def test_the_page_on_metrics_names_all_that_is_told_and_its_labels(everything: bytes) -> None:
    page = (PROJECT / "docs" / "metrics.md").read_text()
    rows = re.findall(r"^\| `([a-z_]+)` \| (.*?)\|", page, re.MULTILINE)
    listed = {f"tinyforge_{name}": set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}
    assert listed == labels_by_name(everything)


@pytest.mark.parametrize("file", ["alerts.yml", "grafana.json"])
def test_alerts_and_dashboard_ask_for_nothing_that_is_not_told(everything: bytes, file: str) -> None:
    text = (PROJECT / "deploy" / file).read_text()
    asked = set(re.findall(r"\btinyforge_\w+", text))
    assert asked
    assert asked - labels_by_name(everything).keys() == set()
