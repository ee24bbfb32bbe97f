"""The examples of docs/api.md do what the page says, word for word, with curl."""

import json
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from dev.packages import find_program
from reconciler.conf import lock_of
from reconciler.core.report import Trigger
from reconciler.models import Container, Host, Workload
from reconciler.reconcile import reconcile
from tests.api import followers
from tests.builders import FakeEngine, cid, container, workload
from tests.channels import fire
from tests.conftest import unavailable
from tests.waiting import WAIT_SECONDS, eventually
from web.api import streams
from web.models import Scope, Token
from web.newest import NEWEST
from web.problems import Problem

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("valkey", "local", "shop")]

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
TEXT = PAGE.read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```sh\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
ALL, NEXT, SOME, ONE, WORKLOAD, HOSTS, CHANGED, FOLLOWING, WAITING, STREAMING, ASKING = EXAMPLES[:11]
DEPLOYING, DEPLOYED, DEPLOYMENTS, PLACING, BINDING, FAILING, DELETING = EXAMPLES[11:18]
INCIDENTS, ACKNOWLEDGING, SILENCING, ENDING_SILENCE, WRONG = EXAMPLES[18:]


@pytest.fixture
def shop(answering: Host) -> None:
    """A workload with two containers on a host that answers."""
    Workload.objects.create(id="shop", ref_id="shop")
    for row_id in ("shop:db", "shop:web"):
        Container.objects.create(id=row_id, workload_id="shop", container_id=cid(row_id), state="running")


@pytest.fixture
def run(live_server: Any, tmp_path: Path) -> Any:
    """Run an example in a shell; return what it prints."""
    if find_program("curl") is None:
        unavailable("curl")
    _, token = Token.objects.issue("docs", Scope.ADMIN)

    def in_shell(example: str, **more: str) -> str:
        environment = {"INDEX": live_server.url, "TOKEN": token, "PATH": "/usr/local/bin:/usr/bin:/bin", **more}
        command = ["sh", "-eu", "-c", example]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, timeout=60, check=True)
        return done.stdout.decode()

    return in_shell


def ids(answer: str) -> list[str]:
    return [item["id"] for item in json.loads(answer)["items"]]


def test_all_containers_are_read_in_one_page(run: Any) -> None:
    answer = run(ALL)
    assert (ids(answer), json.loads(answer)["next"]) == (["shop:db", "shop:web"], None)


def test_the_next_page_begins_after_the_last_one(run: Any) -> None:
    assert ids(run(NEXT)) == ["shop:web"]


def test_a_proxy_reads_the_routes_to_keep(run: Any) -> None:
    Container.objects.filter(id="shop:db").update(state="missing")
    assert ids(run(SOME)) == ["shop:web"]


def test_one_container_and_one_workload_are_read(run: Any) -> None:
    assert json.loads(run(ONE))["item"]["id"] == "shop:web"
    assert [each["id"] for each in json.loads(run(WORKLOAD))["containers"]] == ["shop:db", "shop:web"]


def test_hosts_say_how_they_are_doing(run: Any) -> None:
    assert [(host["name"], host["condition"]) for host in json.loads(run(HOSTS))["items"]] == [("local", "fresh")]


def test_what_has_not_changed_is_not_sent_again(run: Any) -> None:
    assert [run(CHANGED), run(CHANGED)] == ["200\n", "304\n"]
    Container.objects.update(subdomain="shop")
    assert run(CHANGED) == "200\n"


def cursor_in(answer: str) -> str:
    return str(json.loads(answer)["cursor"])


def stop(row_id: str) -> None:
    """Let a pass find that the container has stopped."""
    stopped = container(row_id, workload("shop", role=row_id.partition(":")[2]), state="stopped")
    reconcile(Host.objects.get(name="local"), FakeEngine([stopped]), trigger=Trigger.EVENT)


def test_what_has_changed_since_the_list_is_told(run: Any) -> None:
    cursor = cursor_in(run(ALL))
    stop("shop:db")
    changes = json.loads(run(FOLLOWING, CURSOR=cursor))["items"]
    assert {(change["row"], change["to_state"]) for change in changes} == {
        ("shop:db", "stopped"),
        ("shop:web", "missing"),
    }


def test_who_waits_is_told_of_the_next_change(run: Any) -> None:
    cursor = cursor_in(run(ALL))
    with followers(), ThreadPoolExecutor() as pool:
        answer = pool.submit(run, WAITING, CURSOR=cursor)
        eventually(lambda: NEWEST._waiting)
        stop("shop:db")
        assert len(json.loads(answer.result(WAIT_SECONDS))["items"]) == 2


def test_a_stream_tells_what_happens(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "STREAM_SECONDS", 1.0)
    cursor = cursor_in(run(ALL))
    stop("shop:db")
    with followers():
        told = re.findall(r"^event: (\w+)$", run(STREAMING, CURSOR=cursor), re.MULTILINE)
    assert told == ["change", "change"]


def test_a_pass_that_is_asked_for_follows(run: Any) -> None:
    assert json.loads(run(ASKING))["host"] == "local"
    assert lock_of("local").acquire(only_if_asked=True) is not None


def test_a_deploy_is_said_to_be_under_way_until_it_is_over(run: Any) -> None:
    lease = json.loads(run(DEPLOYING))["item"]
    assert (lease["workload"], json.loads(run(DEPLOYMENTS))["items"]) == ("shop", [lease])
    assert json.loads(run(DEPLOYED))["item"]["ended_at"]
    assert json.loads(run(DEPLOYMENTS))["items"] == []


def test_a_container_is_announced_and_bound(run: Any) -> None:
    placed = json.loads(run(PLACING))["item"]
    assert (placed["id"], placed["state"], placed["subdomain"]) == ("shop:api", "pending", "api")
    made = json.loads(run(BINDING, CONTAINER=cid("new")))["item"]
    assert (made["state"], made["container_id"]) == ("created", cid("new"))
    assert json.loads(run(BINDING, CONTAINER=cid("late")))["status"] == 409


def test_a_deploy_that_failed_says_so_and_is_cleared_away(run: Any) -> None:
    run(PLACING)
    assert json.loads(run(FAILING, CONTAINER=""))["item"]["state"] == "failed"
    assert json.loads(run(DELETING))["row"] == "shop:api"
    assert not Container.objects.filter(id="shop:api").exists()


def test_who_is_on_call_reads_what_is_wrong_and_acknowledges_it(run: Any) -> None:
    incident = fire("shop:web", at=timezone.now())
    assert [item["id"] for item in json.loads(run(INCIDENTS))["items"]] == [incident.pk]
    acknowledged = json.loads(run(ACKNOWLEDGING, INCIDENT=str(incident.pk)))
    assert acknowledged["item"]["acknowledged_by"] == "token docs"


def test_nobody_is_told_of_a_host_for_a_while(run: Any) -> None:
    silence = json.loads(run(SILENCING, UNTIL=f"{timezone.now() + timedelta(hours=2):%Y-%m-%dT%H:%M:%SZ}"))["item"]
    assert (silence["host"], silence["reason"]) == ("local", "new disks")
    assert json.loads(run(ENDING_SILENCE, SILENCE=str(silence["id"])))["item"]["ends_at"] < silence["ends_at"]


def test_an_error_looks_as_the_page_shows(run: Any) -> None:
    assert json.loads(run(WRONG)) == json.loads(re.findall(r"^```\n(\{\n  \"type\".*?)^```$", TEXT, re.S | re.M)[0])


def test_the_page_tells_every_error() -> None:
    told = re.findall(r"^\| `([\w-]+)` \| (\d+) \|", TEXT, re.MULTILINE)
    assert told == [(kind.value[0], str(kind.status.value)) for kind in Problem]
