"""When hosts could not be seen, and what the feed tells of their condition (I16)."""

import io
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from django.core.management import call_command
from django.db import IntegrityError, OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from reconciler import feed, standing
from reconciler.core.report import Report, Trigger
from reconciler.models import Container, Host, Outage, OutageKind, Transition
from reconciler.prune import prune
from reconciler.reconcile import reconcile
from tests.builders import FakeEngine, container, workload

pytestmark = pytest.mark.django_db

NOW = timezone.now().replace(microsecond=0)
WEB = container("web", workload("shop", role="web"))
STOPPED = container("web", workload("shop", role="web"), state="stopped")
DEAD = FakeEngine(failure="cannot be reached")
UNREACHABLE, NOBODY = "unreachable", "nobody_looked"


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def look(seconds: float, engine: FakeEngine | None = None, host: str = "local") -> Report:
    """Make a pass so many seconds after the beginning, by a clock that stands still meanwhile."""
    with mock.patch("django.utils.timezone.now", return_value=after(seconds)):
        return reconcile(Host.objects.get(name=host), engine or FakeEngine([WEB]), trigger=Trigger.TICK)


def tick(seconds: float) -> None:
    standing.note_conditions(after(seconds))


def outages(host: str = "local") -> list[tuple[str, float, float, float | None]]:
    """Return kind, beginning, notice and end of a host's outages, in seconds."""
    found = Outage.objects.on(host).order_by("id").values_list("kind", "began_at", "noticed_at", "ended_at")
    return [
        (kind, _seconds(began), _seconds(noticed), None if ended is None else _seconds(ended))
        for kind, began, noticed, ended in found
    ]


def _seconds(at: datetime) -> float:
    return (at - NOW).total_seconds()


def conditions(host: str = "local") -> list[str]:
    """Return what the feed tells of a host's condition."""
    told = list(Transition.objects.filter(kind="host", host=host).order_by("id"))
    befores = [entry.from_state for entry in told]
    assert befores == ["", *(entry.to_state for entry in told)][:-1]
    return [entry.to_state for entry in told]


# outages


def test_an_outage_lasts_from_the_last_success_to_the_next_one(local: Host) -> None:
    """I16."""
    look(0)
    look(30, DEAD)
    assert outages() == [(UNREACHABLE, 0, 30, None)]
    look(60, DEAD)
    look(90)
    assert outages() == [(UNREACHABLE, 0, 30, 90)]
    assert Outage.objects.get().reason == "cannot be reached"


def test_an_outage_ends_at_the_moment_of_the_transitions_that_end_it(local: Host) -> None:
    """I16: no transition lies inside of one."""
    look(0)
    look(30, DEAD)
    look(60, FakeEngine([STOPPED]))
    end = Transition.objects.of("shop:web").last()
    assert end is not None
    assert (end.to_state, end.at) == ("stopped", Outage.objects.get().ended_at)


def test_an_outage_of_a_host_that_never_answered_begins_with_the_host(local: Host) -> None:
    Host.objects.update(created_at=after(-500))
    look(0, DEAD)
    assert outages() == [(UNREACHABLE, -500, 0, None)]


def test_a_time_in_which_nobody_looked_is_found_by_the_next_pass(local: Host) -> None:
    """I16: the workers were off for an hour, say."""
    look(0)
    look(3600)
    assert outages() == [(NOBODY, 0, 3600, 3600)]


def test_three_intervals_without_a_pass_are_no_outage(local: Host) -> None:
    look(0)
    look(90)
    assert outages() == []


def test_a_tick_notices_that_nobody_looks(local: Host) -> None:
    """I16: as long as workers are busy, say."""
    look(0)
    tick(60)
    assert outages() == []
    for seconds in (120, 150):
        tick(seconds)
    assert outages() == [(NOBODY, 0, 120, None)]
    look(180)
    assert outages() == [(NOBODY, 0, 120, 180)]


def test_an_outage_in_which_somebody_looks_in_vain_becomes_one_of_a_host_that_cannot_be_reached(local: Host) -> None:
    look(0)
    tick(120)
    look(130, DEAD)
    assert outages() == [(UNREACHABLE, 0, 120, None)]
    assert Outage.objects.get().reason == "cannot be reached"


def test_an_outage_that_begins_while_a_pass_is_under_way_ends_with_that_pass(local: Host) -> None:
    """I16."""
    look(0)
    look(130, FakeEngine([STOPPED], meanwhile=lambda: tick(120)))
    assert outages() == [(NOBODY, 0, 120, 130)]
    assert conditions() == ["fresh", "stale", "fresh"]


def test_a_pass_ends_an_outage_and_an_error_of_which_the_feed_was_never_told(local: Host) -> None:
    """I16: as when a process was killed between the two, or somebody has edited the table."""
    look(0)
    Outage.objects.create(host_id="local", kind=UNREACHABLE, began_at=NOW, noticed_at=NOW)
    look(10)
    assert outages() == [(UNREACHABLE, 0, 0, 10)]
    Host.objects.update(failures=1, last_error="cannot be reached", retry_at=after(60))
    look(20)
    host = Host.objects.get(name="local")
    assert (host.failures, host.last_error, host.retry_at) == (0, "", None)


def test_the_failure_of_an_older_pass_begins_no_outage(local: Host) -> None:
    """I6."""
    look(0)
    look(30, FakeEngine(failure="hangs", meanwhile=lambda: look(31)))
    assert outages() == []


def test_an_outage_outlives_the_success_of_an_older_pass_in_the_feed(local: Host) -> None:
    """I6, I16: the host is failing all the same, so the outage that has ended is followed by another one."""
    look(0)
    look(40, FakeEngine([STOPPED], meanwhile=lambda: look(30, DEAD)))
    look(60)
    assert outages()[0] == (UNREACHABLE, 0, 30, 40)
    assert conditions() == ["fresh", "failing", "fresh"]


def test_a_look_by_hand_at_a_host_that_is_off_ends_its_outage(local: Host) -> None:
    look(0)
    look(30, DEAD)
    Host.objects.update(enabled=False)
    tick(40)
    look(50)
    assert outages() == [(UNREACHABLE, 0, 30, 50)]
    assert conditions() == ["fresh", "failing", "off"]


def test_an_outage_writes_no_row_however_many_there_are(local: Host) -> None:
    """I1, I16."""
    many = [container(f"c{number}", workload("shop", role=f"r{number}")) for number in range(30)]
    look(0, FakeEngine(many))
    before = list(Container.objects.values())
    look(30, DEAD)
    look(60, DEAD)
    assert list(Container.objects.values()) == before
    assert (Outage.objects.count(), Transition.objects.filter(kind="host").count()) == (1, 2)


def test_a_host_has_one_open_outage_at_most(local: Host) -> None:
    given = {"host_id": "local", "kind": NOBODY, "began_at": NOW, "noticed_at": NOW}
    Outage.objects.create(**given)
    Outage.objects.create(**given, ended_at=NOW)
    with pytest.raises(IntegrityError), transaction.atomic():
        Outage.objects.create(**given)


def test_who_asks_for_outages_gets_those_of_a_host_those_that_last_and_those_of_a_span(local: Host) -> None:
    def make(host: str, began: float, ended: float | None) -> Outage:
        end = None if ended is None else after(ended)
        return Outage.objects.create(
            host_id=host, kind=NOBODY, began_at=after(began), noticed_at=after(began), ended_at=end
        )

    first, second, far = make("local", 0, 10), make("local", 50, None), make("west", 0, 100)
    assert set(Outage.objects.on("local")) == {first, second}
    assert set(Outage.objects.open()) == {second}
    assert set(Outage.objects.within(after(5), after(50))) == {first, far}
    assert set(Outage.objects.within(after(11), after(51))) == {second, far}


def test_outages_are_kept_as_long_as_transitions(local: Host) -> None:
    day = 86_400
    look(-100 * day)
    look(-99 * day)
    look(-91 * day)
    look(-80 * day)
    look(0, DEAD)
    prune(NOW)
    assert outages() == [(NOBODY, -91 * day, -80 * day, -80 * day), (UNREACHABLE, -80 * day, 0, None)]


def test_however_many_outages_are_old_all_of_them_go(local: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.prune.CHUNK_ROWS", 2)
    long_ago = NOW - timedelta(days=200)
    ended = {"host": local, "kind": OutageKind.UNREACHABLE}
    Outage.objects.bulk_create(
        Outage(began_at=began, noticed_at=began, ended_at=began, **ended)
        for began in (long_ago + timedelta(hours=number) for number in range(5))
    )
    prune(NOW)
    assert outages() == []


# clocks that are wrong


def test_a_clock_that_jumps_leaves_what_it_jumped_over_unknown(local: Host) -> None:
    look(0)
    look(7200)
    look(7230)
    assert outages() == [(NOBODY, 0, 7200, 7200)]


def test_what_a_clock_that_was_ahead_for_once_has_left_is_taken_back(local: Host) -> None:
    """I16."""
    look(0)
    look(86_400)
    look(60)
    assert outages() == []
    look(90)
    assert (outages(), Host.objects.get().last_success_at) == ([], after(90))


def test_a_long_outage_that_a_clock_ahead_has_ended_ends_when_it_is_right_again(local: Host) -> None:
    """I16."""
    look(0)
    look(30, DEAD)
    look(86_400)
    look(300)
    assert outages() == [(UNREACHABLE, 0, 30, 300)]


def test_a_clock_that_goes_back_makes_no_outage(local: Host) -> None:
    """I16."""
    look(0)
    look(-3600)
    look(-3570)
    assert outages() == []


def test_an_outage_that_a_clock_behind_notices_and_ends_is_in_order(local: Host) -> None:
    """I16: it lasts no time, and not less than none."""
    look(0)
    look(-40, DEAD)
    look(-20)
    ((_, began, noticed, ended),) = outages()
    assert ended is not None
    assert began <= noticed <= ended
    assert ended - began == 20


# conditions


def test_each_change_of_a_hosts_condition_is_told_once(local: Host) -> None:
    """I16."""
    look(0)
    look(30)
    look(60, DEAD)
    look(90, DEAD)
    look(120)
    look(150)
    assert conditions() == ["fresh", "failing", "fresh"]


def test_an_entry_of_a_host_says_which_when_why_and_by_which_trigger(local: Host) -> None:
    """What the Engine said is for those who may change hosts, and so it is not in the feed."""
    look(0, DEAD)
    entry = Transition.objects.get()
    assert (entry.kind, entry.host_id, entry.row_id, entry.container_id) == ("host", "local", "", "")
    assert (entry.at, entry.trigger, entry.cause) == (NOW, "tick", "its last pass failed")


def test_a_host_that_is_held_is_told_so(local: Host) -> None:
    many = [container(f"c{number}", workload("shop", role=f"r{number}")) for number in range(30)]
    look(0, FakeEngine(many))
    look(30, FakeEngine([]))
    look(31, FakeEngine([]))
    look(60, FakeEngine(many))
    assert conditions() == ["fresh", "held", "fresh"]


def test_a_held_host_that_nobody_looks_at_any_more_is_stale(local: Host) -> None:
    many = [container(f"c{number}", workload("shop", role=f"r{number}")) for number in range(30)]
    look(0, FakeEngine(many))
    look(30, FakeEngine([]))
    tick(200)
    assert conditions() == ["fresh", "held", "stale"]
    assert outages() == [(NOBODY, 30, 200, None)]


def test_a_tick_tells_of_all_hosts_in_a_constant_number_of_queries(local: Host) -> None:
    """I11."""
    counts = []
    for hosts in (1, 30):
        names = [f"host-{hosts}-{number}" for number in range(hosts)]
        Host.objects.bulk_create(Host(name=name, last_success_at=after(-500)) for name in names)
        with CaptureQueriesContext(connection) as queries:
            tick(0)
        counts.append(len(queries))
        assert {(tuple(conditions(name)), len(outages(name))) for name in names} == {(("stale",), 1)}
    assert counts[0] >= counts[1]


def test_a_tick_that_finds_nothing_new_only_asks(local: Host) -> None:
    """I11."""
    tick(0)
    with CaptureQueriesContext(connection) as queries:
        tick(30)
    assert len(queries) == 1


def test_a_tick_tells_what_somebody_did_past_the_commands(local: Host) -> None:
    """I13."""
    look(0)
    Host.objects.update(enabled=False)
    tick(10)
    Host.objects.update(enabled=True)
    tick(20)
    assert conditions() == ["fresh", "off", "fresh"]


def test_the_task_of_a_tick_does_so(local: Host, valkey: Any) -> None:
    from reconciler import tasks

    Host.objects.update(last_success_at=timezone.now() - timedelta(seconds=91))
    tasks.reconcile()
    assert (conditions(), len(outages())) == (["stale"], 1)


def test_the_host_command_tells_what_it_does() -> None:
    for act in ("add west tcp://west:2375", "disable west", "enable west", "remove west"):
        call_command("host", *act.split(), stdout=io.StringIO())
    assert conditions("west") == ["new", "off", "new", "gone"]


@pytest.mark.usefixtures("local")
def test_the_admin_tells_what_it_does(admin_client: Any) -> None:
    add, listing = reverse("admin:reconciler_host_add"), reverse("admin:reconciler_host_changelist")
    given = {"name": "west", "url": "tcp://west:2375", "tls_ca": "", "tls_cert": "", "tls_key": ""}
    admin_client.post(add, given | {"enabled": "on"})
    admin_client.post(reverse("admin:reconciler_host_change", args=["west"]), given)
    admin_client.post(reverse("admin:reconciler_host_delete", args=["west"]), {"post": "yes"})
    assert conditions("west") == ["new", "off", "gone"]
    admin_client.post(add, given | {"enabled": "on"})
    admin_client.post(listing, {"action": "delete_selected", "_selected_action": ["west"], "post": "yes"})
    assert not Host.objects.filter(name="west").exists()
    assert Transition.objects.filter(host="west").latest("id").to_state == "gone"


def test_the_outage_of_a_host_that_is_removed_ends(local: Host) -> None:
    Host.objects.create(name="west")
    look(0, DEAD, host="west")
    standing.remove_host(Host.objects.get(name="west"), after(30))
    assert outages("west")[0][2:] == (0, 30)


@pytest.mark.parametrize("may_change", [True, False])
def test_the_admin_lists_outages_and_shows_what_the_engine_said_to_who_may_change_hosts(
    local: Host, client: Any, django_user_model: Any, may_change: bool
) -> None:
    from django.contrib.auth.models import Group

    look(0, DEAD)
    if may_change:
        client.force_login(django_user_model.objects.create_superuser("root"))
    else:
        viewer = django_user_model.objects.create_user("viewer", is_staff=True)
        viewer.groups.add(Group.objects.get(name="viewer"))
        client.force_login(viewer)
    page = client.get(reverse("admin:reconciler_outage_changelist")).content.decode()
    assert "passes failed" in page
    assert ("cannot be reached" in page) == may_change


def failing_feed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise OperationalError("canceling statement due to lock timeout")

    monkeypatch.setattr(feed, "append", fail)


def test_a_failure_that_the_feed_cannot_be_told_of_is_told_by_the_next_tick(
    local: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I16, I17."""
    look(0)
    with monkeypatch.context() as patched:
        failing_feed(patched)
        look(30, DEAD)
    assert (Host.objects.get().last_error, len(outages())) == ("cannot be reached", 1)
    assert conditions() == ["fresh"]
    tick(40)
    assert conditions() == ["fresh", "failing"]


def test_a_success_after_a_failure_that_the_feed_was_not_told_of_ends_the_outage(
    local: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I16."""
    look(0)
    with monkeypatch.context() as patched:
        failing_feed(patched)
        look(30, DEAD)
    look(60)
    assert outages() == [(UNREACHABLE, 0, 30, 60)]


def test_a_change_of_condition_is_told_with_it_or_not_at_all(local: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """I16."""
    look(0, DEAD)
    failing_feed(monkeypatch)
    assert look(30).outcome == "failed"
    monkeypatch.undo()
    assert (conditions(), Host.objects.get().condition_told) == (["failing"], "failing")
    assert [ended for *_, ended in outages()] == [None]
