"""The safeguard in a pass: what is held, what is seen of it, and how it ends (I14)."""

import logging
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from reconciler import store
from reconciler.apply import PassContext, apply
from reconciler.core.observation import Observation, Reason, Skip
from reconciler.core.plan import Plan
from reconciler.core.report import Report, Trigger
from reconciler.core.safeguard import Held, Memory, Verdict
from reconciler.exceptions import EngineUnavailable
from reconciler.models import Container, Host, Transition
from reconciler.reconcile import reconcile
from tests.builders import FakeEngine, cid, container, workload
from tests.holds import age_holds

pytestmark = pytest.mark.django_db

SILENT = EngineUnavailable("local", "unix:///fake.sock", "sent nothing for 10 s")


def listed(count: int) -> list[Observation]:
    return [container(f"c{number}", workload("shop", role=f"r{number}")) for number in range(count)]


def look(host: Host, containers: list[Observation], **daemon: Any) -> Report:
    return reconcile(host, FakeEngine(containers, **daemon), trigger=Trigger.TICK)


def missing() -> int:
    return Container.objects.missing().count()


def now(host: Host) -> Host:
    return Host.objects.get(name=host.name)


@pytest.fixture
def full(local: Host) -> Host:
    """A host with fifty rows, running."""
    look(local, listed(50))
    return local


def test_an_empty_list_after_fifty_containers_is_held_then_confirmed_then_swept(full: Host) -> None:
    first = look(full, [])
    assert (first.outcome, first.missing, first.held, missing()) == ("applied", 0, 50, 0)
    again = look(full, [])
    assert (again.missing, again.held, missing()) == (0, 50, 0)
    age_holds(6)
    last = look(full, [])
    assert (last.missing, last.held, missing()) == (50, 0, 50)
    assert now(full).held_since is None


def test_half_the_rows_gone_is_no_mass_and_one_more_is(full: Host) -> None:
    assert look(full, listed(25)).missing == 25
    assert look(full, listed(24)).held == 1


def test_a_host_that_is_halved_again_and_again_is_held(full: Host) -> None:
    """I14: a mass is counted over a window, not over one listing."""
    assert [look(full, listed(left)).missing for left in (25, 13, 7, 3, 1, 0)] == [25, 0, 0, 0, 0, 0]
    assert now(full).held_reason == "50 of 50 present rows would go missing within 5 s"


def test_rows_that_went_missing_before_the_window_are_no_part_of_a_mass(full: Host) -> None:
    """I14."""
    look(full, listed(25))
    age_holds(6)
    assert look(full, listed(15)).missing == 10


def test_a_daemon_that_is_still_loading_its_containers_loses_nobody(full: Host) -> None:
    """I14."""
    assert [look(full, listed(count)).missing for count in (0, 27, 50)] == [0, 0, 0]
    assert (missing(), now(full).held_since) == (0, None)


def test_the_wait_begins_when_the_first_listing_has_ended(full: Host) -> None:
    """I14: by the database's clock."""
    given_at: list[datetime] = []
    look(full, [], meanwhile=lambda: given_at.append(store.database_time("local")))
    held_since = now(full).held_since
    assert held_since is not None
    assert held_since >= given_at[0]


def test_the_wait_ends_when_the_second_listing_begins(
    full: Host, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I14: a second listing that takes longer than the wait is still too early."""
    settings.HOLD_SECONDS = 300
    look(full, [])
    at_last = store.database_time("local") + timedelta(seconds=400)
    monkeypatch.setattr(store, "database_time", lambda _: at_last)
    assert look(full, []).missing == 0


def test_a_held_host_says_so(full: Host) -> None:
    look(full, [])
    host = now(full)
    assert host.held_since is not None
    assert (host.held_reason, host.held_count) == ("50 of 50 present rows would go missing", 50)


def test_a_hold_is_lifted_by_a_listing_that_holds_them(full: Host) -> None:
    look(full, [])
    report = look(full, listed(50))
    assert (report.held, report.hold_reason, now(full).held_count, missing()) == (0, "", 0, 0)


def test_only_the_look_that_begins_a_hold_asks_for_the_look_that_ends_it(full: Host) -> None:
    assert look(full, []).confirm_after == 5
    assert look(full, []).confirm_after is None


def test_what_a_listing_holds_is_written_while_its_host_is_held(full: Host) -> None:
    look(full, [container("c0", workload("shop", role="r0"), state="paused")])
    assert Container.objects.get(id="shop:r0").state == "paused"


def test_a_failed_pass_neither_confirms_nor_lifts(full: Host) -> None:
    """I1."""
    look(full, [])
    age_holds(60)
    look(full, [], failure="sent nothing")
    assert (missing(), now(full).held_count) == (0, 50)


def test_a_dry_run_shows_what_would_be_held_and_holds_nothing(full: Host) -> None:
    report = reconcile(full, FakeEngine([]), trigger=Trigger.MANUAL, dry_run=True)
    assert (report.outcome, report.missing, report.held) == ("planned", 0, 50)
    assert now(full).held_since is None


def test_thresholds_are_settings(full: Host, settings: Any) -> None:
    settings.HOLD_SHARE, settings.HOLD_LEAST, settings.HOLD_SECONDS = 0.01, 1, 0.001
    assert look(full, listed(49)).held == 1
    age_holds(1)
    assert look(full, listed(49)).missing == 1


# the Engine's identity


def test_the_first_pass_records_who_the_engine_is(full: Host) -> None:
    assert now(full).engine_id == "THE:ENGINE"


def test_a_steady_pass_does_not_ask_who_the_engine_is(full: Host) -> None:
    assert look(full, listed(50), engine_id=SILENT).outcome == "applied"
    assert now(full).engine_id == "THE:ENGINE"


def test_a_steady_pass_does_not_ask_the_database_for_the_time_again(
    full: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I11: the second time is needed only when something would go missing."""
    monkeypatch.delattr(store, "database_time")
    assert look(full, listed(50)).outcome == "applied"


def test_another_engine_sweeps_nothing_until_two_listings_agree(full: Host, caplog: pytest.LogCaptureFixture) -> None:
    first = look(full, listed(49), engine_id="ANOTHER")
    assert (first.held, first.hold_reason) == (1, "the Engine is ANOTHER, and was THE:ENGINE")
    assert now(full).engine_id == "THE:ENGINE"
    age_holds(6)
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        assert look(full, listed(49), engine_id="ANOTHER").missing == 1
    assert now(full).engine_id == "ANOTHER"
    assert [record.action for record in caplog.records] == ["released", "engine_replaced"]  # type: ignore[attr-defined]


def test_the_right_engine_back_again_lifts_the_hold(full: Host) -> None:
    look(full, [], engine_id="ANOTHER")
    look(full, listed(50))
    assert (now(full).held_since, now(full).engine_id, missing()) == (None, "THE:ENGINE", 0)


def test_an_engine_that_does_not_say_who_it_is_confirms_nobody(full: Host) -> None:
    """I14: two listings of Engines that are silent may be of two Engines."""
    for _ in range(3):
        assert look(full, listed(49), engine_id=SILENT).held == 1
        age_holds(6)
    assert look(full, listed(49)).held == 1
    age_holds(6)
    assert look(full, listed(49)).missing == 1


def test_an_engine_without_a_lasting_name_is_another_one_and_can_be_confirmed(full: Host) -> None:
    """I14: Podman has no lasting name, and does not fail to say so."""
    assert look(full, listed(49), engine_id="").held == 1
    age_holds(6)
    assert look(full, listed(49), engine_id="").missing == 1


@pytest.mark.parametrize("engine_id", [SILENT, ""])
def test_an_engine_that_never_said_who_it_is_is_believed(local: Host, engine_id: Any) -> None:
    look(local, listed(3), engine_id=engine_id)
    assert look(local, listed(2), engine_id=engine_id).missing == 1


def test_an_engine_is_asked_who_it_is_until_it_has_said_so(local: Host) -> None:
    look(local, listed(3), engine_id=SILENT)
    assert now(local).engine_id is None
    look(local, listed(3))
    assert now(local).engine_id == "THE:ENGINE"
    assert look(local, listed(2), engine_id="ANOTHER").held == 1


def test_an_engine_without_a_name_is_asked_once(local: Host) -> None:
    look(local, listed(3), engine_id="")
    look(local, listed(3))
    assert now(local).engine_id == ""


def test_another_engines_listing_does_not_confirm_the_first_ones(full: Host) -> None:
    look(full, [])
    age_holds(6)
    report = look(full, [], engine_id="ANOTHER")
    assert (report.missing, report.held, missing()) == (0, 50, 0)
    age_holds(6)
    assert look(full, []).held == 50
    assert now(full).engine_id == "THE:ENGINE"


def test_an_overtaken_pass_lets_nothing_go_missing(full: Host) -> None:
    """I7: the older pass has lifted the hold on which the younger one relies."""
    look(full, [])
    age_holds(6)
    older = store.next_fence("local", timezone.now())

    def apply_older() -> None:
        context = PassContext("tick", timezone.now(), timezone.now(), timedelta(0))
        verdict = Verdict(plan=Plan(changes=(), skips=(), sighted=(), unchanged=50), engine_id="THE:ENGINE")
        assert apply(verdict, older, context) is not None

    report = look(full, [], meanwhile=apply_older)
    assert (report.missing, report.conflicts, missing()) == (0, 50, 0)
    assert now(full).held_since is None


def test_an_overtaken_pass_leaves_what_the_older_one_holds_back(full: Host) -> None:
    """I7, I14."""
    older = store.next_fence("local", timezone.now())
    held = Held(since=timezone.now(), engine_id="THE:ENGINE", containers=frozenset({cid("c0")}))

    def apply_older() -> None:
        context = PassContext("tick", timezone.now(), timezone.now(), timedelta(0))
        plan = Plan(changes=(), skips=(), sighted=(), unchanged=50)
        verdict = Verdict(plan=plan, memory=Memory(held=(held,), reason="a mass"), engine_id="THE:ENGINE")
        assert apply(verdict, older, context) is not None

    look(full, listed(50), meanwhile=apply_older)
    assert now(full).held_count == 1


def test_a_listing_with_an_unreadable_id_confirms_nothing_and_lifts_only_what_it_names(full: Host) -> None:
    """I3, I14."""
    look(full, [])
    age_holds(6)
    report = look(full, listed(10), refusals=[Skip("", "", Reason.MALFORMED, "")])
    assert (report.missing, now(full).held_count) == (0, 40)


def test_a_silence_about_who_it_is_forgets_nothing(full: Host) -> None:
    look(full, listed(49), engine_id=SILENT)
    age_holds(6)
    look(full, listed(49), engine_id=SILENT)
    assert now(full).engine_id == "THE:ENGINE"


# what is said


def test_a_hold_is_warned_of_once(full: Host, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        look(full, [])
    said = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert said == [
        "host local: held: 50 of 50 present rows would go missing; a second complete listing has to agree first"
    ]


def test_no_history_is_written_of_what_is_held(full: Host) -> None:
    look(full, [])
    assert not Transition.objects.filter(to_state="missing").exists()


def test_the_suspects_are_remembered_by_container(full: Host) -> None:
    look(full, listed(3))
    (held,) = now(full).held
    assert held["containers"] == sorted(cid(f"c{number}") for number in range(3, 50))
