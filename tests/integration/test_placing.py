"""What deployers do with rows: they announce one, bind it, and say that the deploy failed."""

import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from reconciler.api import BadValue, Conflict, Placeholder, UnknownHost, UnknownRow, bind, delete_rows, fail, place
from reconciler.core.report import Report, Trigger
from reconciler.models import Container, Host, Transition
from reconciler.reconcile import reconcile
from reconciler.signals import containers_changed
from tests.builders import FakeEngine, certain, cid, container, workload
from tests.waiting import WAIT_SECONDS, eventually, somebody_waits

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("local")]

NEW, OLD = cid("new"), cid("old")


def announce(row_id: str = "shop:web", **columns: Any) -> Container:
    return place(row_id, Placeholder(**({"workload": "shop", "role": "web"} | columns)), by="ci")


def bound(**columns: Any) -> Container:
    given = {"workload_id": "shop", "role": "web", "container_id": OLD, "state": "running", "health": "healthy"}
    return Container.objects.create(id="shop:web", **(given | columns))


def look(*containers: Any) -> Report:
    report = reconcile(Host.objects.get(name="local"), FakeEngine(list(containers)), trigger=Trigger.EVENT)
    assert report.outcome == "applied"
    return report


def steps() -> list[tuple[str, str]]:
    return list(Transition.objects.of("shop:web").values_list("from_state", "to_state"))


def last() -> Transition:
    return Transition.objects.latest("id")


# announcing


def test_a_container_that_is_announced_has_a_placeholder() -> None:
    """I4."""
    row = announce(workload_kind="project", subdomain="shop", npm_proxy_id=3)
    assert list(Container.objects.placeholders()) == [row]
    row.refresh_from_db()
    assert (row.host_id, row.workload_id, row.workload_kind, row.role) == ("local", "shop", "project", "web")
    assert (row.state, row.container_id, row.subdomain, row.npm_proxy_id) == ("", "", "shop", 3)


def test_the_feed_tells_of_a_placeholder() -> None:
    """I16."""
    announce()
    entry = last()
    assert (entry.row_id, entry.workload_id, entry.host_id) == ("shop:web", "shop", "local")
    assert (entry.from_state, entry.to_state, entry.cause) == ("", "", "a deploy was announced by ci")


def test_the_container_that_was_announced_takes_the_placeholder() -> None:
    """I4."""
    announce(subdomain="shop")
    look(container("new", workload("shop", role="web")))
    row = Container.objects.get()
    assert (row.container_id, row.state, row.subdomain) == (NEW, "running", "shop")
    assert steps() == [("", ""), ("", "running")]


def test_to_announce_it_twice_does_nothing_the_second_time() -> None:
    """I10."""
    announce(subdomain="shop")
    row = announce(subdomain="shop")
    assert (Transition.objects.count(), row.subdomain) == (1, "shop")


def test_a_placeholder_can_be_described_anew() -> None:
    Host.objects.create(name="west")
    announce("i1", subdomain="old", image_tag="1")
    row = announce("i1", host="west", subdomain="new")
    assert (row.host_id, row.subdomain, row.image_tag) == ("west", "new", "1")
    assert last().cause == "a deploy was announced by ci: host local → west, subdomain old → new"
    assert not last().is_step


@pytest.mark.parametrize("state", ["failed", "moved"])
def test_a_row_that_is_bound_to_nothing_becomes_a_placeholder_again(state: str) -> None:
    bound(container_id="", state=state, health="")
    assert announce().state == ""
    assert (last().from_state, last().to_state, last().is_step) == (state, "", True)


def test_of_a_bound_row_only_the_deployers_columns_are_written() -> None:
    """I9."""
    bound(image_tag="1", subdomain="old")
    announce(subdomain="new")
    row = Container.objects.get()
    assert (row.subdomain, row.image_tag, row.container_id, row.state) == ("new", "1", OLD, "running")
    assert (last().is_step, last().cause) == (False, "changed by ci: subdomain old → new")


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"workload": "blog"}, "with workload 'shop'"),
        ({"host": "west"}, "with host 'local'"),
        ({"role": "db"}, "with role 'web'"),
        ({"workload_kind": "site"}, "with workload_kind ''"),
    ],
)
def test_a_bound_row_is_not_made_another_one(columns: dict[str, str], words: str) -> None:
    Host.objects.create(name="west")
    bound()
    with pytest.raises(Conflict, match=f"is bound to container {OLD[:12]}, {words}"):
        announce(subdomain="new", **columns)
    assert Container.objects.get().subdomain == ""


def test_a_bound_row_need_not_be_described() -> None:
    bound(workload_kind="project")
    assert place("shop:web", Placeholder(workload="shop")).container_id == OLD


def test_a_container_cannot_be_announced_on_a_host_that_is_not_known() -> None:
    with pytest.raises(UnknownHost, match="unknown host west; known: local"):
        announce(host="west")
    assert not Container.objects.exists()


def test_what_cannot_be_stored_is_refused() -> None:
    with pytest.raises(BadValue):
        announce("")
    assert not Transition.objects.exists()


# binding


def test_a_placeholder_is_bound() -> None:
    announce()
    row = bind("shop:web", NEW, by="ci")
    assert (row.container_id, row.state) == (NEW, "created")
    assert (last().container_id, last().from_state, last().to_state) == (NEW, "", "created")
    assert last().cause == f"bound by ci: container none → {NEW[:12]}, state none → created"


def test_a_row_is_bound_anew_to_the_container_of_a_redeploy() -> None:
    bound(exit_code=3)
    bind("shop:web", NEW, expected_container_id=OLD)
    row = Container.objects.get()
    assert (row.container_id, row.state, row.health, row.exit_code) == (NEW, "created", "", None)
    assert (last().from_state, last().to_state, last().from_health, last().is_step) == (
        *("running", "created"),
        *("healthy", True),
    )


def test_what_was_known_of_the_old_container_is_not_told_of_the_new_one() -> None:
    at = timezone.now()
    bound(state="stopped", oom_killed=True, restart_count=4, started_at=at, finished_at=at, details_of=OLD)
    bind("shop:web", NEW, expected_container_id=OLD)
    row = Container.objects.get()
    assert {row.oom_killed, row.restart_count, row.started_at, row.finished_at} == {None}


@pytest.mark.parametrize("expected", ["", cid("third")])
def test_who_comes_second_is_told_so(expected: str) -> None:
    bound()
    with pytest.raises(Conflict, match=f"is bound to container {OLD[:12]}, and not to .*: somebody was faster"):
        bind("shop:web", NEW, expected_container_id=expected)
    assert (Container.objects.get().container_id, Transition.objects.exists()) == (OLD, False)


def test_it_is_no_conflict_if_the_reconciler_has_bound_this_very_container() -> None:
    announce()
    look(container("new", workload("shop", role="web")))
    before = Transition.objects.count()
    assert bind("shop:web", NEW).state == "running"
    assert Transition.objects.count() == before


def test_a_pass_tells_what_becomes_of_a_container_that_was_bound() -> None:
    announce()
    bind("shop:web", NEW)
    look(container("new", workload("shop", role="web")))
    assert steps() == [("", ""), ("", "created"), ("created", "running")]


def test_a_row_that_has_moved_can_be_bound() -> None:
    bound(container_id="", state="moved")
    assert bind("shop:web", NEW).state == "created"


def test_a_row_that_is_not_there_is_not_bound() -> None:
    with pytest.raises(UnknownRow, match="no container row 'shop:web'"):
        bind("shop:web", NEW)


def test_a_part_of_a_container_id_binds_nothing() -> None:
    announce()
    with pytest.raises(BadValue, match="64 hexadecimal digits"):
        bind("shop:web", NEW[:12])


# failing


def test_a_deploy_that_failed_is_said_to_have_failed() -> None:
    announce()
    row = fail("shop:web", cause="the image is not there", by="ci")
    assert row.state == "failed"
    assert (last().from_state, last().to_state, last().is_step) == ("", "failed", True)
    assert last().cause == "the image is not there, as told by ci: state none → failed"


def test_a_deploy_stays_failed_until_a_listing_holds_its_container() -> None:
    announce()
    fail("shop:web")
    look()
    assert Container.objects.get().state == "failed"
    look(container("new", workload("shop", role="web")))
    assert Container.objects.get().state == "running"


def test_who_failed_does_not_fail_what_another_has_bound() -> None:
    bound()
    with pytest.raises(Conflict):
        fail("shop:web", expected_container_id=NEW)
    assert fail("shop:web", expected_container_id=OLD).state == "failed"


def test_a_failure_has_a_cause_that_can_be_stored() -> None:
    announce()
    with pytest.raises(BadValue, match="the cause"):
        fail("shop:web", cause="a\0b")


# together


@pytest.mark.parametrize(
    "act",
    [announce, lambda: bind("shop:web", NEW), lambda: fail("shop:web"), lambda: delete_rows(["shop:web"], "closed")],
)
def test_nothing_is_done_within_a_transaction_because_all_passes_would_wait_for_its_end(act: Any) -> None:
    with transaction.atomic(), pytest.raises(RuntimeError):
        act()


@pytest.mark.django_db(transaction=True)
def test_receivers_are_told_of_what_deployers_do() -> None:
    told: list[tuple[str, str]] = []

    def receive(transitions: Any, **_: Any) -> None:
        told.extend((each.from_state, each.to_state) for each in transitions)

    containers_changed.connect(receive)
    try:
        announce()
        bind("shop:web", NEW)
        fail("shop:web", expected_container_id=NEW)
    finally:
        assert containers_changed.disconnect(receive)
    assert told == [("", ""), ("", "created"), ("created", "failed")]


def with_own_connection(act: Any) -> Any:
    try:
        return act()
    except Conflict as error:
        return error
    finally:
        connections.close_all()


@pytest.mark.django_db(transaction=True)
def test_of_many_who_bind_a_row_one_is_first() -> None:
    """I5."""
    announce()
    made = [cid(str(number)) for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda each: with_own_connection(lambda: bind("shop:web", each)), made))
    (winner,) = [result for result in results if isinstance(result, Container)]
    assert Container.objects.get().container_id == winner.container_id
    assert steps() == [("", ""), ("", "created")]


@pytest.mark.django_db(transaction=True)
def test_many_who_announce_one_container_make_one_placeholder() -> None:
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: with_own_connection(announce), range(8)))
    assert {certain(each).id for each in results} == {"shop:web"}
    assert (Container.objects.count(), Transition.objects.count()) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_a_pass_under_way_does_not_overwrite_what_a_deployer_has_bound() -> None:
    """I5."""
    bound()
    old = container("old", workload("shop", role="web"), state="stopped")
    engine = FakeEngine([old], meanwhile=lambda: bind("shop:web", NEW, expected_container_id=OLD))
    report = reconcile(Host.objects.get(name="local"), engine, trigger=Trigger.EVENT)
    assert (report.conflicts, Container.objects.get().container_id) == (1, NEW)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("postgresql" not in connection.vendor, reason="SQLite lets one writer in at a time")
def test_who_announces_a_row_that_is_deleted_at_this_moment_is_told_so() -> None:
    def announce_in_thread() -> None:
        with contextlib.closing(connections["default"]):
            announce()

    bound()
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Container.objects.all().delete()
            announced = pool.submit(announce_in_thread)
            eventually(lambda: announced.done() or somebody_waits("transactionid"))
        assert isinstance(announced.exception(WAIT_SECONDS), Conflict)
