"""Workers that tell people, as real processes killed at every step: each incident is told under one id (I18)."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta

import pytest
import redis
from django.db import connection
from django.db.models import F
from django.utils import timezone
from pytest_django.fixtures import Settings
from standardwebhooks import Webhook

from alerts.models import Channel, ChannelKind, Delivery, DeliveryState, Incident, Message, MessageState
from dev.index import Processes
from reconciler.models import Container, Host
from simulator import Engine as SimulatedEngine
from simulator import Server
from tests.acceptance.conftest import database_url
from tests.builders import certain, workload
from tests.channels import channel, fire, resolve
from tests.receivers import MailServer, Receiver, deaf_server, mail_server, webhook_receiver
from tests.waiting import eventually
from tinyforge.celery import app

WORKER = ("--queues=alerts", "--concurrency=2", "--loglevel=INFO", "--without-gossip", "--without-mingle")
# more often, workers would be busy with being asked
ASKING_SECONDS = 0.5
NETWORKS = "127.0.0.0/8"
DIES_AFTER_THE_COMMIT = """-c import django, os, signal; django.setup()
from django.utils import timezone
from tests.channels import fire
fire(at=timezone.now())
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with webhook_receiver() as made:
        yield made


@pytest.fixture
def hook(transactional_db: None, receiver: Receiver) -> Channel:
    return channel("hook", ChannelKind.WEBHOOK, receiver.url)


@pytest.fixture
def server(transactional_db: None) -> Iterator[MailServer]:
    with mail_server() as made:
        channel()
        yield made


def start(processes: Processes, name: str = "alerts", **environment: str) -> int:
    """Start a worker of alerts, and return the id of its group of processes."""
    return processes.worker(*WORKER, name=name, WEBHOOK_NETWORKS=NETWORKS, **environment).pid


def mails_to(port: int) -> dict[str, str]:
    return {"EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(port), "EMAIL_SECURITY": "NONE", "EMAIL_TIMEOUT": "20"}


def let_time_pass() -> None:
    """Let as much time pass as a new group waits, and as a lease lasts."""
    past = timedelta(minutes=6)
    Delivery.objects.update(made_at=F("made_at") - past)
    Message.objects.update(claimed_until=F("claimed_until") - past, next_attempt_at=F("next_attempt_at") - past)
    Message.objects.update(sent_at=F("sent_at") - past)
    Channel.objects.update(taken_until=F("taken_until") - past)


def tell() -> bool:
    """Ask for what beat asks for every ten seconds."""
    app.send_task("tell_people", queue="alerts")
    return True


def told_by(states: list[str]) -> bool:
    return tell() and list(Delivery.objects.values_list("state", flat=True)) == states


def verified(receiver: Receiver) -> list[tuple[str, int, int]]:
    """Return the ids of what has arrived, and how much of it has begun and is over; another library verifies it."""
    by = Webhook(Channel.objects.get(name="hook").signing_secrets[0])
    got = [(by.verify(each.body, each.headers)["data"], each.headers["webhook-id"]) for each in receiver.got]
    return [(used, data["begun"]["count"], data["over"]["count"]) for data, used in got]


def settle(what: str, states: list[str]) -> None:
    eventually(lambda: told_by(states), what=what, every=ASKING_SECONDS)


@pytest.mark.slow
def test_who_dies_after_the_commit_has_told_of_it_all_the_same(
    processes: Processes, hook: Channel, receiver: Receiver
) -> None:
    environment = os.environ | {"DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "tinyforge.settings"}
    died = subprocess.run([sys.executable, *DIES_AFTER_THE_COMMIT.split(" ", 1)], env=environment, check=False)
    assert died.returncode == -signal.SIGKILL
    let_time_pass()
    start(processes)
    settle("it is told", [DeliveryState.SENT])
    assert [begun for _, begun, _ in verified(receiver)] == [1]


@pytest.mark.slow
def test_a_worker_that_is_killed_before_it_sends_is_replaced(processes: Processes, server: MailServer) -> None:
    with deaf_server() as port:
        group = start(processes, **mails_to(port))
        incident = fire(at=timezone.now())
        let_time_pass()
        claimed = Message.objects.exclude(claimed_until=None)
        eventually(lambda: tell() and claimed.exists(), what="a claim", every=ASKING_SECONDS)
        os.killpg(group, signal.SIGKILL)
    resolve(incident, at=timezone.now())
    start(processes, "second", **mails_to(server.port))
    let_time_pass()
    settle("the beginning is told", [DeliveryState.SENT, DeliveryState.WAITING])
    let_time_pass()
    settle("the end is told", [DeliveryState.SENT, DeliveryState.SENT])
    # time may jump while something is being sent, or an answer may come too late: then it is sent again
    told = {str(mail["message-id"]): "✗" in str(mail["subject"]) for mail in server.mails}
    assert list(told.values()) == [True, False]


@pytest.mark.slow
def test_a_worker_that_is_killed_after_it_sent_repeats_under_the_same_id(
    processes: Processes, hook: Channel, receiver: Receiver
) -> None:
    group = start(processes)
    incident = fire(at=timezone.now())
    let_time_pass()
    receiver.meanwhile = lambda: os.killpg(group, signal.SIGKILL) if len(receiver.got) == 1 else None
    eventually(lambda: tell() and receiver.got, what="a message", every=ASKING_SECONDS)
    resolve(incident, at=timezone.now())
    start(processes, "second")
    let_time_pass()
    settle("the beginning is told", [DeliveryState.SENT, DeliveryState.WAITING])
    let_time_pass()
    settle("the end is told", [DeliveryState.SENT, DeliveryState.SENT])
    got = verified(receiver)
    assert got[0] == got[1]
    # time may jump while something is being sent, or an answer may come too late: then it is sent again
    assert [(begun, over) for _, begun, over in dict.fromkeys(got)] == [(1, 0), (0, 1)]


@pytest.mark.slow
def test_two_workers_send_a_message_once(processes: Processes, hook: Channel, receiver: Receiver) -> None:
    for name in ("first", "second"):
        start(processes, name)
    for host in ("berlin", "rome", "oslo"):
        fire(f"{host}:web", at=timezone.now(), host=host)
    let_time_pass()
    for _ in range(20):
        tell()
    settle("all are told", [DeliveryState.SENT] * 3)
    # time may jump while something is being sent, or an answer may come too late: then it is sent again
    failed = sum(processes.log(name).count("will be tried again") for name in ("first", "second"))
    ids = [used for used, *_ in verified(receiver)]
    assert len(set(ids)) == 3 <= len(ids) <= 3 + failed


MASS = 2_500


@pytest.mark.real
def test_when_5000_containers_die_at_once_there_is_one_message_for_each_host_and_passes_go_on(
    processes: Processes, hook: Channel, receiver: Receiver, simulator: Server, settings: Settings, valkey: redis.Redis
) -> None:
    engines = {name: SimulatedEngine() for name in ("berlin", "rome")}
    Host.objects.filter(name="local").update(enabled=False)
    for name, engine in engines.items():
        for number in range(MASS):
            engine.add(f"{name}-{number}", labels=workload(name, role=f"r{number}"))
        Host.objects.create(name=name, url=simulator.serve(engine))
    environment = {"RECONCILE_INTERVAL": "2", "ALERT_RULES": "ended=0/60/notify,orphan=off"}
    processes.worker(**environment)
    start(processes, **environment)
    processes.beat("2")
    eventually(lambda: Container.objects.filter(state="running").count() == 2 * MASS, what="all run")
    began = timezone.now()
    for engine in engines.values():
        for made in list(engine.containers):
            engine.die(made, exit_code=1)
    eventually(lambda: Incident.objects.standing().count() == 2 * MASS, what="all incidents fire")
    fired = timezone.now()
    eventually(lambda: len(receiver.got) >= 2, what="both hosts are told")
    assert (timezone.now() - fired).total_seconds() < 60
    assert sorted(begun for _, begun, _ in verified(receiver)) == [MASS, MASS]
    eventually(lambda: Message.objects.filter(state=MessageState.SENT).count() == 2, what="both are noted as sent")
    for host in Host.objects.filter(enabled=True):
        assert certain(host.last_success_at) > began
        assert timezone.now() - certain(host.last_success_at) < timedelta(seconds=20)
    connection.close()
