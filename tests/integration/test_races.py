"""Races that are made to happen: deployers and other passes act while a pass is under way."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import pytest
import redis
from django.apps import apps
from django.db import connection
from django.utils import timezone

from reconciler import store
from reconciler.conf import lock_of
from reconciler.core.observation import Observation
from reconciler.core.report import Report, Trigger
from reconciler.models import Container, Host, Transition
from reconciler.reconcile import reconcile
from reconciler.single_flight import Flight, reconcile_in_turn
from simulator import Engine, Failure, Server
from tests.builders import FakeEngine, cid, container, workload
from tests.waiting import WAIT_SECONDS, eventually

pytestmark = pytest.mark.django_db(transaction=True)

T = TypeVar("T")
SHOP_WEB = workload("shop", role="web")
WEB = container("web", SHOP_WEB)
STOPPED = container("web", SHOP_WEB, state="stopped")
PAUSED = container("web", SHOP_WEB, state="paused")
LISTING = ("GET", "/containers/json")


def look(host: Host, *containers: Observation, meanwhile: Callable[[], object] | None = None) -> Report:
    return reconcile(host, FakeEngine(list(containers), meanwhile=meanwhile), trigger=Trigger.MANUAL)


def bind(row_id: str, name: str = "", **columns: Any) -> Container:
    """Make a row as a deployer does: bound to the running container of that name, or a placeholder."""
    bound = {"container_id": cid(name), "state": "running"} if name else {}
    return Container.objects.create(id=row_id, workload_id=row_id.partition(":")[0], **(bound | columns))


def rebind(row_id: str, name: str, **columns: Any) -> int:
    """Bind an existing row, as a deployer does when its container has been created."""
    return Container.objects.filter(id=row_id).update(container_id=cid(name), **({"state": "running"} | columns))


def rows() -> list[dict[str, Any]]:
    return [dict(row) for row in Container.objects.order_by("id").values()]


def dump() -> dict[str, list[dict[str, Any]]]:
    """Return everything that every table of the index holds."""
    return {model.__name__: list(model._default_manager.order_by("pk").values()) for model in apps.get_models()}


def shown(row_id: str = "shop:web") -> tuple[str, str]:
    row = Container.objects.get(id=row_id)
    return row.container_id, row.state


def in_thread(work: Callable[[], T]) -> T:
    """Do work that uses the database in a thread, which closes its connection afterwards."""
    try:
        return work()
    finally:
        connection.close()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


# a deploy during a pass


def test_a_placeholder_bound_while_the_daemon_is_asked_does_not_go_missing(local: Host) -> None:
    """I2."""
    bind("shop:web")
    report = look(local, meanwhile=lambda: rebind("shop:web", "web"))
    assert (report.missing, shown()) == (0, (cid("web"), "running"))


def test_a_row_made_and_bound_while_the_daemon_is_asked_does_not_go_missing(local: Host) -> None:
    """I2."""
    report = look(local, meanwhile=lambda: bind("shop:web", "web"))
    assert (report.missing, shown()) == (0, (cid("web"), "running"))


def test_a_row_rebound_while_its_old_container_leaves_does_not_go_missing(local: Host) -> None:
    """I5."""
    bind("shop:web", "old")
    report = look(local, meanwhile=lambda: rebind("shop:web", "web"))
    assert (report.missing, report.conflicts, shown()) == (0, 1, (cid("web"), "running"))


def test_a_row_rebound_while_the_pass_lists_keeps_its_new_container(local: Host) -> None:
    """I5."""
    bind("shop:web", "web")
    report = look(local, STOPPED, meanwhile=lambda: rebind("shop:web", "new"))
    assert (report.updated, report.conflicts, shown()) == (0, 1, (cid("new"), "running"))


def test_a_row_rebound_while_the_pass_lists_was_not_seen(local: Host) -> None:
    """I5: sightings are refreshed by container id, not by row id."""
    look(local, WEB)
    Host.objects.update(sightings_at=None)
    before = Container.objects.get().last_seen_at
    look(local, WEB, meanwhile=lambda: rebind("shop:web", "new"))
    assert Container.objects.get().last_seen_at == before


def test_a_row_the_deployer_makes_first_stays_the_deployers(local: Host) -> None:
    """I5."""
    report = look(local, WEB, meanwhile=lambda: bind("shop:web", "new", image_tag="v2", state="created"))
    assert (report.created, report.conflicts, shown()) == (0, 1, (cid("new"), "created"))
    assert Container.objects.get().image_tag == "v2"


def test_a_placeholder_made_first_stays_a_placeholder(local: Host) -> None:
    """I4, I5."""
    report = look(local, WEB, meanwhile=lambda: bind("shop:web"))
    assert (report.created, report.conflicts, shown()) == (0, 1, ("", ""))


def test_a_row_the_deployer_deletes_is_not_made_again(local: Host) -> None:
    """I5."""
    bind("shop:web", "web")
    report = look(local, STOPPED, meanwhile=lambda: Container.objects.all().delete())
    assert (report.updated, report.conflicts, rows()) == (0, 1, [])


def test_a_row_deleted_before_the_sweep_is_no_trouble(local: Host) -> None:
    """I5."""
    bind("shop:web", "web")
    report = look(local, meanwhile=lambda: Container.objects.all().delete())
    assert (report.missing, report.conflicts, rows()) == (0, 1, [])


@pytest.mark.parametrize("containers", [[STOPPED], []])
def test_a_row_declared_failed_meanwhile_stays_failed(local: Host, containers: list[Observation]) -> None:
    """I5: the row has the same container and another state."""
    bind("shop:web", "web")
    report = look(local, *containers, meanwhile=lambda: Container.objects.update(state="failed"))
    assert (report.conflicts, shown()) == (1, (cid("web"), "failed"))


def test_an_instance_row_bound_elsewhere_meanwhile_does_not_move(local: Host) -> None:
    """I5, I20: the row was free to move before the daemon was asked."""
    bind("i1", "old", state="missing", host=Host.objects.create(name="west"))
    claim = workload("shop", kind="project", instance="i1")
    look(local, container("web", claim), meanwhile=lambda: rebind("i1", "new"))
    assert (shown("i1"), Container.objects.get().host_id) == ((cid("new"), "running"), "west")


def test_a_conflict_drops_one_change_and_no_other(local: Host) -> None:
    """I5, I8."""
    bind("shop:web", "web")
    bind("shop:gone", "gone")
    report = look(
        local, STOPPED, container("new", workload("shop", role="new")), meanwhile=lambda: rebind("shop:web", "x")
    )
    assert (report.conflicts, report.created, report.missing) == (1, 1, 1)


def test_the_pass_after_a_conflict_puts_it_right(local: Host) -> None:
    """I5."""
    bind("shop:web", "old")
    look(local, container("old", SHOP_WEB, state="stopped"), meanwhile=lambda: rebind("shop:web", "web"))
    report = look(local, PAUSED)
    assert (report.conflicts, shown()) == (0, (cid("web"), "paused"))


# two passes


def test_an_older_pass_that_applies_last_changes_nothing(local: Host) -> None:
    """I6."""
    bind("shop:web", "web")
    after: list[object] = []

    def overtake() -> None:
        look(local, PAUSED, container("new", workload("shop", role="new")))
        after.append(dump())

    report = look(local, STOPPED, container("late", workload("shop", role="late")), meanwhile=overtake)
    assert (report.outcome, report.created, report.updated, report.missing) == ("superseded", 0, 0, 0)
    assert dump() == after[0]


def test_an_older_pass_refreshes_no_sighting(local: Host) -> None:
    """I6."""
    look(local, WEB)
    after: list[object] = []

    def overtake() -> None:
        look(local, WEB)
        Host.objects.update(sightings_at=None)
        after.append(dump())

    assert look(local, WEB, meanwhile=overtake).outcome == "superseded"
    assert dump() == after[0]


def test_a_younger_pass_that_failed_does_not_stand_in_the_way(local: Host) -> None:
    """I1, I6: only passes that applied count."""
    failing = FakeEngine(failure="sent nothing")
    report = look(local, WEB, meanwhile=lambda: reconcile(local, failing, trigger=Trigger.TICK))
    assert (report.outcome, shown()) == ("applied", (cid("web"), "running"))


def test_passes_of_other_hosts_do_not_stand_in_the_way(local: Host) -> None:
    """I6."""
    west = Host.objects.create(name="west")
    report = look(local, WEB, meanwhile=lambda: look(west, container("w", SHOP_WEB)))
    assert (report.outcome, Container.objects.count()) == ("applied", 2)


def overlap(host: Host, threads: ThreadPoolExecutor, *, older: Observation, younger: Observation) -> Report:
    """Let a younger pass read and list while an older one does, and apply after it; return the younger one's report."""
    applied, listed = threading.Event(), threading.Event()

    def wait_for_the_older() -> None:
        listed.set()
        assert applied.wait(WAIT_SECONDS)

    made: list[Future[Report]] = []

    def begin_the_younger() -> None:
        made.append(threads.submit(in_thread, lambda: look(host, younger, meanwhile=wait_for_the_older)))
        assert listed.wait(WAIT_SECONDS)

    look(host, older, meanwhile=begin_the_younger)
    applied.set()
    return made[0].result(WAIT_SECONDS)


def test_a_younger_pass_drops_what_the_older_changed_first(local: Host, threads: ThreadPoolExecutor) -> None:
    """I5."""
    bind("shop:web", "web", state="stopped")
    report = overlap(local, threads, older=PAUSED, younger=WEB)
    assert (report.outcome, report.conflicts, shown()[1]) == ("applied", 1, "paused")
    look(local, WEB)
    assert shown() == (cid("web"), "running")


@pytest.mark.parametrize("change", [{"health": "unhealthy"}, {"port": 80}, {"image": "app:2"}])
def test_a_change_that_two_passes_have_seen_is_told_once(
    local: Host, threads: ThreadPoolExecutor, change: dict[str, Any]
) -> None:
    """I5, I16."""
    look(local, WEB)
    changed = container("web", SHOP_WEB, **change)
    report = overlap(local, threads, older=changed, younger=changed)
    assert (report.outcome, report.conflicts) == ("applied", 1)
    assert Transition.objects.filter(kind="container").count() == 2


def test_two_passes_that_make_the_same_row_make_it_once(local: Host, threads: ThreadPoolExecutor) -> None:
    """I5."""
    report = overlap(local, threads, older=WEB, younger=WEB)
    assert (report.created, report.conflicts, shown()) == (0, 1, (cid("web"), "running"))


def test_a_younger_pass_that_saw_no_change_does_not_hide_that_the_older_made_one(
    local: Host, threads: ThreadPoolExecutor
) -> None:
    """I5: the older pass saw the container stopped; the younger saw it running again, as the row said."""
    look(local, WEB)
    report = overlap(local, threads, older=STOPPED, younger=WEB)
    assert report.conflicts or shown() == (cid("web"), "running")


# the lock


def test_a_pass_that_lost_its_lock_changes_nothing(local: Host, valkey: redis.Redis) -> None:
    """I6, I7."""
    bind("shop:web", "web")
    after: list[object] = []

    def lose_the_lock() -> None:
        valkey.flushall()
        assert lock_of("local").acquire()
        look(local, PAUSED)
        after.append(dump())

    assert lock_of("local").acquire()
    assert look(local, STOPPED, meanwhile=lose_the_lock).outcome == "superseded"
    assert dump() == after[0]


@pytest.fixture
def daemon(local: Host, simulator: Server) -> Engine:
    """The simulated Engine of the host `local`."""
    engine = Engine()
    Host.objects.filter(name="local").update(url=simulator.serve(engine))
    return engine


def run_in_turn() -> Flight:
    return in_thread(lambda: reconcile_in_turn(Host.objects.get(name="local"), trigger=Trigger.TICK))


def begin_and_hang(daemon: Engine, threads: ThreadPoolExecutor) -> Any:
    """Start passes in a thread and return when the first one waits for its listing."""
    daemon.reset_requests()
    daemon.fail(Failure.HANG, times=1)
    run = threads.submit(run_in_turn)
    eventually(lambda: LISTING in daemon.requests)
    return run


def test_a_run_whose_lock_is_flushed_away_changes_nothing_and_takes_no_other_lock(
    daemon: Engine, valkey: redis.Redis, threads: ThreadPoolExecutor
) -> None:
    """I6, I7."""
    daemon.add("web", labels=SHOP_WEB)
    older = begin_and_hang(daemon, threads)
    valkey.flushall()
    assert [report.outcome for report in run_in_turn().reports] == ["applied"]
    owner = lock_of("local")
    assert owner.acquire()
    before = dump()
    daemon.heal()
    assert [report.outcome for report in older.result(WAIT_SECONDS).reports] == ["superseded"]
    assert dump() == before
    assert owner.release()


def test_a_pass_is_not_made_beside_another(daemon: Engine, valkey: redis.Redis, threads: ThreadPoolExecutor) -> None:
    first = begin_and_hang(daemon, threads)
    assert [report.outcome for report in run_in_turn().reports] == ["busy"]
    daemon.heal()
    assert [report.outcome for report in first.result(WAIT_SECONDS).reports] == ["applied"]
    assert daemon.requests.count(LISTING) == 1


def test_a_conflict_leads_to_another_pass(daemon: Engine, valkey: redis.Redis, threads: ThreadPoolExecutor) -> None:
    """I5, I12."""
    container_id = daemon.add("web", labels=SHOP_WEB, image="app:2")
    bind("shop:web")
    run = begin_and_hang(daemon, threads)
    rebind("shop:web", "other")
    daemon.heal()
    reports = run.result(WAIT_SECONDS).reports
    assert [(report.conflicts, report.updated) for report in reports] == [(1, 0), (0, 1)]
    assert shown() == (container_id, "running")


# the fence


def test_tokens_minted_at_once_are_all_different(local: Host, threads: ThreadPoolExecutor) -> None:
    """I6."""

    def mint_five() -> list[int]:
        return [store.next_fence("local", timezone.now()).token for _ in range(5)]

    minted = [work.result(WAIT_SECONDS) for work in [threads.submit(in_thread, mint_five) for _ in range(8)]]
    assert sorted(token for tokens in minted for token in tokens) == list(range(1, 41))
    assert all(tokens == sorted(tokens) for tokens in minted)


def test_each_host_has_its_own_tokens(local: Host) -> None:
    """I6."""
    Host.objects.create(name="west")
    tokens = [store.next_fence(name, timezone.now()).token for name in ("local", "local", "west")]
    assert tokens == [1, 2, 1]


def test_tokens_survive_the_loss_of_valkey(local: Host, valkey: redis.Redis) -> None:
    """I6, I7: tokens are made in the database."""
    first = store.next_fence("local", timezone.now()).token
    valkey.flushall()
    assert store.next_fence("local", timezone.now()).token > first
