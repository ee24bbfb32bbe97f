"""What is deleted when it is old enough, and what never is."""

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from reconciler import prune as pruning
from reconciler import tasks
from reconciler.models import Container, Host, Transition
from reconciler.prune import Pruned, prune
from tests.builders import cid

pytestmark = pytest.mark.django_db

NOW = timezone.now()
SECONDS = 60


def days_ago(days: float) -> Any:
    return NOW - timedelta(days=days)


def row(row_id: str, *, days: float, state: str = "missing", bound: bool = True) -> None:
    container_id = cid(row_id) if bound else ""
    Container.objects.create(id=row_id, workload_id="shop", container_id=container_id, state=state)
    Container.objects.filter(id=row_id).update(updated_at=days_ago(days))


def step(row_id: str, *, days: float, **columns: Any) -> None:
    Transition.objects.create(
        row_id=row_id, host_id="local", at=days_ago(days), from_state="running", to_state="stopped", **columns
    )


def left() -> set[str]:
    return set(Container.objects.values_list("id", flat=True))


def test_rows_missing_for_longer_than_their_days_go(local: Host) -> None:
    row("old", days=30.1)
    row("new", days=29.9)
    assert (prune(NOW).containers, left()) == (1, {"new"})


def test_rows_that_moved_longer_ago_than_their_days_go(local: Host) -> None:
    row("old", days=30.1, state="moved", bound=False)
    row("new", days=29.9, state="moved", bound=False)
    assert (prune(NOW).containers, left()) == (1, {"new"})


def test_a_row_that_moved_and_was_bound_anew_stays(local: Host) -> None:
    """A deployer has bound it, and no listing has told its state yet."""
    row("old", days=31, state="moved")
    assert (prune(NOW).containers, left()) == (0, {"old"})


@pytest.mark.parametrize("state", ["running", "stopped", "failed", "created", "odd"])
def test_a_present_row_never_goes(local: Host, state: str) -> None:
    row("old", days=9999, state=state)
    assert (prune(NOW).containers, left()) == (0, {"old"})


@pytest.mark.parametrize("state", ["", "missing"])
def test_a_placeholder_never_goes(local: Host, state: str) -> None:
    """I4."""
    row("old", days=9999, state=state, bound=False)
    assert (prune(NOW).containers, left()) == (0, {"old"})


def test_transitions_older_than_their_days_go(local: Host) -> None:
    row("shop", days=0, state="running")
    for days in (93, 91, 90.1, 89.9, 1):
        step("shop", days=days)
    assert prune(NOW).transitions == 2


def test_the_state_at_the_beginning_of_the_kept_time_stays_known(local: Host) -> None:
    """I16."""
    row("shop", days=0, state="running")
    for days in (91, 90.1, 1):
        step("shop", days=days)
    prune(NOW)
    assert Transition.objects.of("shop").values_list("at", flat=True)[0] == days_ago(90.1)


def test_the_last_transition_of_a_row_that_is_there_stays(local: Host) -> None:
    """I16."""
    row("shop", days=0, state="running")
    step("shop", days=9999)
    step("shop", days=9998)
    assert (prune(NOW).transitions, Transition.objects.get().at) == (1, days_ago(9998))


def test_what_is_no_step_goes_when_it_is_old_and_takes_no_step_with_it(local: Host) -> None:
    """I16."""
    row("shop", days=0, state="running")
    step("shop", days=92)
    step("shop", days=91, is_step=False)
    step("", days=91, kind="host")
    assert (prune(NOW).transitions, Transition.objects.get().at) == (2, days_ago(92))


def test_the_step_that_was_committed_last_is_the_last_whatever_the_clocks_say(local: Host) -> None:
    """I16."""
    row("shop", days=0, state="running")
    for days in (9998, 9999, 9999):
        step("shop", days=days)
    last = Transition.objects.latest("id")
    assert (prune(NOW).transitions, Transition.objects.get()) == (2, last)


def test_the_history_of_a_row_that_is_gone_goes_whole(local: Host) -> None:
    step("gone", days=92)
    step("gone", days=91)
    assert (prune(NOW).transitions, Transition.objects.count()) == (2, 0)


def test_the_history_of_a_row_that_is_gone_goes_when_its_end_is_old(local: Host) -> None:
    """I16."""
    step("gone", days=91)
    step("gone", days=89)
    assert (prune(NOW).transitions, Transition.objects.count()) == (0, 2)


def test_a_pruned_row_ends_its_history(local: Host) -> None:
    """I16: the end is there for its own days."""
    row("old", days=31)
    step("old", days=31)
    assert prune(NOW) == Pruned(containers=1, transitions=0)
    end = Transition.objects.of("old").last()
    assert end is not None
    assert (end.from_state, end.to_state, end.at, end.container_id) == ("missing", "gone", NOW, cid("old"))
    assert (end.host_id, end.cause) == ("local", "missing or moved for more than 30 days")


def test_zero_days_keep_everything(local: Host, settings: Any) -> None:
    settings.MISSING_DAYS = settings.TRANSITION_DAYS = 0
    row("old", days=9999)
    step("gone", days=9999)
    assert prune(NOW) == Pruned(containers=0, transitions=0)


def test_rows_and_history_are_deleted_in_chunks_until_none_is_left(
    local: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I19."""
    monkeypatch.setattr(pruning, "CHUNK_ROWS", 3)
    for number in range(7):
        row(f"old{number}", days=31)
        step("gone", days=91)
    assert prune(NOW) == Pruned(containers=7, transitions=7)


@pytest.mark.django_db(transaction=True)
def test_a_row_that_is_being_bound_anew_while_it_is_pruned_stays(local: Host) -> None:
    """I5, in its own way; PostgreSQL leaves it to the next day, SQLite waits and then sees that it is bound."""
    row("old", days=31)
    bound, looked = threading.Event(), threading.Event()

    def bind() -> None:
        with transaction.atomic():
            Container.objects.update(state="running")
            bound.set()
            looked.wait(SECONDS if connection.vendor == "postgresql" else 0.3)
        connection.close()

    with ThreadPoolExecutor() as pool:
        deployer = pool.submit(bind)
        assert bound.wait(SECONDS)
        assert prune(NOW).containers == 0
        looked.set()
        deployer.result(SECONDS)
    assert (left(), Transition.objects.count()) == ({"old"}, 0)


def test_a_dry_run_counts_and_deletes_nothing(local: Host) -> None:
    row("old", days=31)
    step("gone", days=91)
    out = io.StringIO()
    call_command("prune", "--dry-run", stdout=out)
    assert out.getvalue() == (
        "1 rows missing or moved for more than 30 days would go\n1 transitions older than 90 days would go\n"
    )
    assert (left(), Transition.objects.count()) == ({"old"}, 1)


def test_the_command_deletes_and_says_how_much(local: Host) -> None:
    row("old", days=31)
    out = io.StringIO()
    call_command("prune", stdout=out)
    assert "1 rows missing or moved for more than 30 days deleted" in out.getvalue()
    assert left() == set()


def test_the_task_prunes_as_the_command_does(local: Host) -> None:
    row("old", days=31)
    tasks.prune_old()
    assert left() == set()


def test_beat_prunes_daily_by_the_clock_on_the_wall(settings: Any) -> None:
    entry = settings.CELERY_BEAT_SCHEDULE["prune"]
    assert (entry["task"], entry["schedule"].hour, entry["schedule"].minute) == ("prune", {3}, {30})
