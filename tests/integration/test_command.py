import io
import json
import os
import subprocess
import sys
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from django.apps import apps
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from reconciler import single_flight
from reconciler.conf import lock_of
from reconciler.core.report import Trigger
from reconciler.lock import HostLock, Lease, PassRequest
from reconciler.models import Container, Host, Workload
from simulator import Engine, Failure, Server
from tests.builders import FakeEngine, cid, container, workload
from tests.waiting import WAIT_SECONDS
from tinyforge.schedule import URGENT_QUEUE

NO_REDIS = "redis://127.0.0.1:1/0"
pytestmark = pytest.mark.usefixtures("valkey")


@pytest.fixture
def engine(simulator: Server, local: Host) -> Engine:
    """The Engine of host local, with one container of ours and one that cannot be used."""
    engine = Engine()
    engine.add("shop-web", id=cid("shop-web"), labels=workload("shop", role="web"), ports=[(8000, "tcp")])
    engine.add("lost", id=cid("lost"), labels={"tinyforge.static-site": "nowhere"})
    Host.objects.filter(name="local").update(url=simulator.serve(engine))
    return engine


@pytest.fixture
def edge(simulator: Server, engine: Engine) -> Engine:
    """The Engine of a second host."""
    engine = Engine()
    engine.add("shop-edge", labels=workload("shop", role="edge"))
    Host.objects.create(name="edge", url=simulator.serve(engine))
    return engine


@pytest.fixture
def busy(valkey: redis.Redis, engine: Engine) -> HostLock:
    """The lock of local, held by another process."""
    lock = lock_of("local")
    lock.acquire()
    return lock


def run(*arguments: str) -> tuple[int, str, str]:
    """Return the exit status, the standard output and the errors."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("reconcile", *arguments, stdout=out, stderr=err)
    except CommandError as error:
        return error.returncode, out.getvalue(), err.getvalue() + str(error)
    return 0, out.getvalue(), err.getvalue()


def run_process(*arguments: str, **variables: str) -> tuple[int, str, str]:
    """Run the command in a process of its own, on the tests' database; return the same."""
    name = str(django_settings.DATABASES["default"]["NAME"])
    base = urlsplit(os.environ["DATABASE_URL"])
    url = f"sqlite:///{name}" if base.scheme == "sqlite" else base._replace(path=f"/{name}").geturl()
    done = subprocess.run(
        [sys.executable, "-W", "error", "manage.py", "reconcile", *arguments],
        cwd=django_settings.BASE_DIR,
        env=os.environ | {"DATABASE_URL": url} | variables,
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def passes(printed: str) -> list[dict[str, Any]]:
    return list(json.loads(printed)["passes"])


def tables() -> dict[str, list[dict[str, Any]]]:
    """Return everything that the app's tables hold."""
    return {
        model.__name__: list(model._default_manager.order_by("pk").values())
        for model in apps.get_app_config("reconciler").get_models()
    }


# What it prints


def test_reconcile_prints_what_changed_and_why(engine: Engine) -> None:
    status, printed, _ = run()
    headline, change, skip = printed.splitlines()
    assert status == 0
    assert headline.startswith("local: 2 listed, 2 ours: 1 created, 0 updated, 0 missing, 0 unchanged (")
    assert change.split() == f"CREATE shop:web container {cid('shop-web')[:12]} (shop-web) is running".split()
    assert skip.startswith("  SKIP  lost  unknown_workload: ")


def test_reconcile_writes_the_rows(engine: Engine) -> None:
    run()
    assert Container.objects.get().id == "shop:web"


def test_a_second_run_changes_nothing(engine: Engine) -> None:
    """I10."""
    run()
    assert "0 created, 0 updated, 0 missing, 1 unchanged" in run()[1]


def test_json_is_one_object_with_each_report_s_fields(engine: Engine) -> None:
    _, printed, _ = run("--json")
    (report,) = passes(printed)
    assert report.pop("seconds") > 0
    (skip,) = report.pop("skips")
    assert {key: skip[key] for key in ("container_id", "name", "reason")} == {
        "container_id": cid("lost"),
        "name": "lost",
        "reason": "unknown_workload",
    }
    promised = {
        "host": "local",
        "trigger": "manual",
        "outcome": "applied",
        "listed": 2,
        "managed": 2,
        "created": 1,
        "updated": 0,
        "unchanged": 0,
        "missing": 0,
        "conflicts": 0,
        "error": "",
        "changes": [
            {
                "row": "shop:web",
                "kind": "create",
                "cause": f"container {cid('shop-web')[:12]} (shop-web) is running",
            }
        ],
    }
    assert report | promised == report


def test_json_names_every_kind_of_change(engine: Engine) -> None:
    engine.add("shop-db", id=cid("shop-db"), labels=workload("shop", role="db"))
    run()
    engine.pause(cid("shop-web"))
    engine.destroy(cid("shop-db"))
    engine.add("shop-job", labels=workload("shop", role="job"))
    (report,) = passes(run("--json")[1])
    assert [(change["row"], change["kind"]) for change in report["changes"]] == [
        ("shop:db", "missing"),
        ("shop:job", "create"),
        ("shop:web", "update"),
    ]


# Which hosts


def test_every_enabled_host_is_looked_at(edge: Engine) -> None:
    assert [report["host"] for report in passes(run("--json")[1])] == ["edge", "local"]


def test_disabled_hosts_are_left_out(edge: Engine, engine: Engine) -> None:
    Host.objects.filter(name="local").update(enabled=False)
    run()
    assert engine.requests == []


def test_a_disabled_host_that_is_named_is_looked_at(engine: Engine) -> None:
    Host.objects.update(enabled=False)
    assert [report["host"] for report in passes(run("--json", "--host", "local")[1])] == ["local"]


def test_only_the_named_host_is_looked_at(edge: Engine, engine: Engine) -> None:
    run("--host", "edge")
    assert engine.requests == []


def test_several_hosts_can_be_named(edge: Engine) -> None:
    Host.objects.create(name="third", url="tcp://127.0.0.1:1")
    printed = run("--json", "--host", "edge", "--host", "local")[1]
    assert {report["host"] for report in passes(printed)} == {"edge", "local"}


def test_a_host_named_twice_is_looked_at_once(engine: Engine) -> None:
    assert len(passes(run("--json", "--host", "local", "--host", "local")[1])) == 1


def test_an_unknown_host_is_named_with_those_known(edge: Engine, engine: Engine) -> None:
    status, _, said = run("--host", "nowhere", "--host", "local")
    assert (status, said) == (1, "unknown host nowhere; known: edge, local")
    assert engine.requests == []


# A host that fails


def test_a_host_that_failed_is_named(engine: Engine) -> None:
    engine.fail(Failure.ERROR)
    status, printed, said = run()
    assert status == 1
    assert said.startswith("host local: the Engine at tcp://127.0.0.1:")
    assert printed.startswith("local: failed after ")


def test_a_failing_host_does_not_stop_the_other(edge: Engine, engine: Engine) -> None:
    """I15."""
    edge.fail(Failure.ERROR)
    status, _, said = run()
    assert status == 1
    assert "host edge" in said
    assert "host local" not in said
    assert Container.objects.get().host_id == "local"


def test_json_of_a_failed_pass_says_why(engine: Engine) -> None:
    engine.fail(Failure.ERROR)
    status, printed, _ = run("--json")
    (report,) = passes(printed)
    assert (status, report["outcome"], report["changes"]) == (1, "failed", [])
    assert "HTTP 500" in report["error"]


def test_a_failing_host_keeps_its_rows(engine: Engine) -> None:
    """I1."""
    run()
    engine.fail(Failure.TRUNCATED)
    run()
    assert Container.objects.get().state == "running"


# A host with a pass under way


def test_a_busy_host_is_not_looked_at(busy: HostLock, engine: Engine) -> None:
    status, printed, said = run()
    assert (status, printed) == (75, "local: busy, a pass is under way\n")
    assert "local" in said
    assert engine.requests == []


def test_the_request_stands_while_the_host_is_busy(busy: HostLock) -> None:
    """I12."""
    run()
    assert busy.release_unless_asked() == Lease(PassRequest(Trigger.MANUAL))


def test_the_holder_makes_exactly_one_more_pass_for_it(local: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """I12."""
    statuses: list[int] = []

    def command_comes_in() -> None:
        if not statuses:
            statuses.append(run()[0])

    lister = FakeEngine([container("shop-web", workload("shop"))], meanwhile=command_comes_in)
    monkeypatch.setattr(single_flight, "engine_of", lambda host: lister)
    made = single_flight.reconcile_in_turn(local, trigger=Trigger.TICK).reports
    assert statuses == [75]
    assert [report.trigger for report in made] == ["tick", "manual"]


def test_a_busy_host_does_not_stop_the_other(busy: HostLock, edge: Engine) -> None:
    """I15."""
    assert run()[0] == 75
    assert Container.objects.get().host_id == "edge"


def test_a_failed_host_counts_more_than_a_busy_one(busy: HostLock, edge: Engine) -> None:
    edge.fail(Failure.ERROR)
    assert run()[0] == 1


def test_what_was_asked_in_its_last_round_is_not_dropped(
    local: Host, monkeypatch: pytest.MonkeyPatch, valkey: redis.Redis
) -> None:
    """I12: after its last pass the command is told to start another one for the request that still stands."""
    lister = FakeEngine(meanwhile=lambda: lister.listings > 1 or lock_of("local").request(PassRequest(Trigger.EVENT)))
    monkeypatch.setattr(single_flight, "engine_of", lambda host: lister)
    monkeypatch.setattr(single_flight, "MOST_ROUNDS", 1)
    run()
    is_enqueued = valkey.llen(URGENT_QUEUE) == 1
    is_answered = lister.listings == 2
    assert is_enqueued or is_answered


# Dry run


def test_a_dry_run_writes_nothing_at_all(engine: Engine, valkey: redis.Redis) -> None:
    run()
    engine.pause(cid("shop-web"))
    engine.add("shop-job", labels=workload("shop", role="job"))
    before, keys = tables(), valkey.keys()
    assert run("--dry-run")[0] == 0
    assert (tables(), valkey.keys()) == (before, keys)


def test_a_dry_run_of_a_failing_host_writes_nothing_either(engine: Engine) -> None:
    before = tables()
    engine.fail(Failure.ERROR)
    assert run("--dry-run")[0] == 1
    assert tables() == before


def test_a_dry_run_says_what_would_change(engine: Engine) -> None:
    assert "2 ours: would be 1 created" in run("--dry-run")[1]


def test_json_of_a_dry_run_has_the_planned_changes(engine: Engine) -> None:
    (report,) = passes(run("--dry-run", "--json")[1])
    assert (report["outcome"], report["created"], len(report["changes"])) == ("planned", 1, 1)


def test_a_dry_run_does_not_wait_for_a_pass_under_way(busy: HostLock) -> None:
    assert run("--dry-run")[0] == 0


# Redis down


def test_without_redis_it_says_so_and_goes_on(engine: Engine, settings: Settings) -> None:
    """I7."""
    settings.REDIS_URL = NO_REDIS
    status, _, said = run()
    assert status == 0
    assert "Redis at 127.0.0.1:1 does not answer" in said
    assert "going on without the lock" in said
    assert Container.objects.get().id == "shop:web"


def test_without_redis_json_stays_one_object(engine: Engine, settings: Settings) -> None:
    settings.REDIS_URL = NO_REDIS
    assert [report["outcome"] for report in passes(run("--json")[1])] == ["applied"]


# As a real process


@pytest.mark.django_db(transaction=True)
def test_a_real_run_exits_with_0_and_prints_nothing_but_json(engine: Engine) -> None:
    Workload.objects.create(id="shop", ref_id="shop")
    status, printed, said = run_process("--json")
    assert (status, said) == (0, "")
    assert passes(printed)[0]["created"] == 1
    assert Container.objects.get().workload_kind == "project"


@pytest.mark.django_db(transaction=True)
def test_a_real_run_that_fails_exits_with_1_and_no_traceback(engine: Engine) -> None:
    engine.fail(Failure.ERROR)
    status, _, said = run_process()
    assert status == 1
    assert "host local" in said
    assert "Traceback" not in said


@pytest.mark.django_db(transaction=True)
def test_a_real_run_on_a_busy_host_exits_with_75(busy: HostLock) -> None:
    assert run_process()[0] == 75


@pytest.mark.django_db(transaction=True)
def test_a_real_run_without_redis_exits_with_0(engine: Engine) -> None:
    status, _, said = run_process(REDIS_URL=NO_REDIS)
    assert status == 0
    assert "Redis at 127.0.0.1:1 does not answer" in said
