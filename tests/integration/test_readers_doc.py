"""The examples of docs/readers.md do what the page says."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from reconciler.conf import lock_of
from reconciler.core.report import Trigger
from reconciler.lock import PassRequest
from reconciler.models import Container, Host, Transition
from reconciler.reconcile import reconcile
from reconciler.signals import containers_changed
from tests.builders import FakeEngine, container, workload

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("valkey", "local")]

PAGE = Path(__file__).parents[2] / "docs" / "readers.md"
PLACEHOLDER, BINDING, FAILED, ASKING, DEPLOYING, DELETING, READING, *HISTORIES, SIGNAL = re.findall(
    r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
)
HISTORY, FEED, OUTAGES, UPTIME, TIMELINES = HISTORIES
WEB = container("web", workload("shop", role="web"))


def run(example: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(example, str(PAGE), "exec"), names)  # noqa: S102 - our own page
    return names


def look(*containers: Any) -> None:
    report = reconcile(Host.objects.get(name="local"), FakeEngine(list(containers)), trigger=Trigger.EVENT)
    assert report.outcome == "applied"


def test_the_placeholder_is_taken_by_the_container_it_announces() -> None:
    run(PLACEHOLDER)
    look()
    assert Container.objects.placeholders().count() == 1
    look(WEB)
    assert Container.objects.get().container_id == WEB.container_id


def test_a_placeholder_is_bound_by_who_comes_first() -> None:
    run(PLACEHOLDER)
    names = run(BINDING)
    assert (names["row"].state, Container.objects.get().container_id) == ("created", names["new_id"])


def test_who_comes_second_reads_the_row_again() -> None:
    run(PLACEHOLDER)
    look(WEB)
    assert run(BINDING)["row"].container_id == WEB.container_id


def test_a_failed_deploy_stays_failed_until_a_listing_tells_more() -> None:
    run(PLACEHOLDER)
    run(FAILED)
    look()
    assert Container.objects.get().state == "failed"
    look(WEB)
    assert Container.objects.get().state == "running"


def test_asking_leaves_a_request() -> None:
    run(ASKING)
    grant = lock_of("local").acquire(only_if_asked=True)
    assert grant is not None
    assert grant.asked == PassRequest(Trigger.MANUAL)


def test_a_deploy_says_what_it_deploys_until_it_is_over() -> None:
    run(PLACEHOLDER)
    assert run(DEPLOYING)["expected_down"] == {"shop:web"}
    assert not Container.objects.deploying().exists()


def test_routes_of_unknown_rows_are_kept() -> None:
    run(PLACEHOLDER)
    look(container("web", workload("shop", role="web"), port=80))
    Container.objects.update(subdomain="shop")
    assert run(READING)["routes"] == {"shop": ("local", 80)}
    Host.objects.update(last_error="cannot be reached")
    assert run(READING)["routes"] == {"shop": ("local", 80)}
    Host.objects.update(last_error="")
    look()
    assert run(READING)["routes"] == {}


def test_the_history_answers() -> None:
    look(WEB)
    look(container("web", workload("shop", role="web"), state="stopped", exit_code=3))
    names = run(HISTORY)
    assert (names["down"].exit_code, names["this_week"]) == (3, 1)


def test_a_row_that_is_deleted_ends_its_history() -> None:
    look(WEB)
    run(DELETING)
    end = Transition.objects.of("shop:web").last()
    assert end is not None
    assert (end.from_state, end.to_state, end.cause) == ("running", "gone", "the shop was closed")
    assert not Container.objects.exists()


def test_who_follows_the_feed_knows_every_change() -> None:
    look(WEB)
    names = run(FEED)
    assert names["known"] == {"shop:web": "running"}
    look(container("web", workload("shop", role="web"), state="stopped"), container("db", workload("shop", role="db")))
    cursor = names["follow"](names["cursor"])
    assert names["known"] == {"shop:web": "stopped", "shop:db": "running"}
    assert names["follow"](cursor) == cursor == names["feed"].newest()


def test_outages_are_found() -> None:
    look(WEB)
    names = run(OUTAGES)
    assert (names["blind"], list(names["today"])) == (None, [])
    reconcile(Host.objects.get(name="local"), FakeEngine(failure="hangs"), trigger=Trigger.TICK)
    names = run(OUTAGES)
    assert list(names["today"]) == [names["blind"]]


def test_uptime_is_told() -> None:
    look(WEB)
    names = run(UPTIME)
    week = timedelta(days=7)
    began = Transition.objects.of("shop:web").get().at
    for uptime in (names["shop"], names["web"]):
        assert (uptime.up, uptime.unknown, uptime.availability) == (names["until"] - began, began - names["since"], 1)
    assert names["local"].up + names["local"].unknown == week


def test_a_timeline_shows_when_it_was_up(capsys: pytest.CaptureFixture[str]) -> None:
    look(WEB)
    names = run(TIMELINES)
    before, after = names["timelines"]["shop"]
    assert ((before.status, before.state), (after.status, after.state)) == (("unknown", ""), ("up", "running"))
    assert capsys.readouterr().out.splitlines()[1] == f"{after.span.begin} {after.span.end} up running"
    assert [piece.status for piece in names["timelines"]["blog"]] == ["unknown"]
    assert names["today"].up == after.span.end - after.span.begin


def test_a_receiver_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    names = run(SIGNAL)
    look(WEB)
    assert containers_changed.disconnect(names["reroute"])
    assert capsys.readouterr().out == "local shop:web  → running\n"


PLACEHOLDER_IN_SQL = """
    INSERT INTO reconciler_container (
        id, workload_id, workload_kind, role, host_id, container_id, image_ref, state, health, details_of,
        image_tag, subdomain, proxy_route_id, npm_proxy_id, port, created_at, updated_at
    ) VALUES (
        'shop:web', 'shop', 'project', 'web', 'local', '', '', '', '', '',
        '', '', '', 0, 0, '2026-11-24 06:00:00+00:00', '2026-11-24 06:00:00+00:00'
    )
"""
"""As a deployer wrote it before more columns came."""


def test_a_deployer_that_writes_sql_need_not_know_columns_that_came_later() -> None:
    with connection.cursor() as cursor:
        cursor.execute(PLACEHOLDER_IN_SQL)
    look(WEB)
    assert Container.objects.get().container_id == WEB.container_id
