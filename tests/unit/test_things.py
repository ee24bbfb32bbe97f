"""What wants somebody: worst first, by host, with what to do next."""

from datetime import timedelta

import pytest

from reconciler.levels import Level
from reconciler.models import Condition, Trouble
from tests.builders import cid
from tests.pages import AT, host_status, page_row
from web.pages.things import grouped, thing_of_row, things_of_hosts


def test_the_host_with_the_worst_thing_comes_first_and_of_each_host_the_worst() -> None:
    rows = [
        page_row("a:web", Trouble.UNHEALTHY, host_id="east"),
        page_row("b:web", Trouble.PAUSED, host_id="west"),
        page_row("c:web", Trouble.LOOPING, host_id="west"),
    ]
    groups = grouped(map(thing_of_row, rows))
    assert [(group.host, [thing.row for thing in group.things]) for group in groups] == [
        ("west", ["c:web", "b:web"]),
        ("east", ["a:web"]),
    ]


def test_a_host_that_cannot_be_seen_is_one_thing_that_counts_the_rows_it_blinds() -> None:
    west = host_status("west", Condition.FAILING, last_known={"running": 31, "stopped": 3}, error="connection refused")
    (thing,) = things_of_hosts([west], with_errors=True)
    assert (thing.host, thing.blinds, thing.level) == ("west", 34, Level.UNKNOWN)
    assert thing.facts == ["connection refused", "last known: 31 running, 3 stopped"]
    assert thing.command == "manage.py host check west"


def test_what_an_engine_said_is_told_only_to_those_who_may_change_hosts() -> None:
    west = host_status("west", Condition.FAILING, error="secret.example refused")
    (thing,) = things_of_hosts([west], with_errors=False)
    assert "secret" not in str(thing)


def test_hosts_that_nobody_looks_at_are_one_thing_together() -> None:
    stale = [host_status(name, Condition.STALE, last_known={"running": 2}) for name in "abcdef"]
    (thing,) = things_of_hosts(stale, with_errors=True)
    assert (thing.says, thing.blinds) == ("Nobody looks at 6 hosts", 12)
    assert thing.facts == ["a, b, c, d, e, …"]


@pytest.mark.parametrize("condition", [Condition.FRESH, Condition.OFF])
def test_a_host_that_answers_or_is_off_wants_nobody(condition: Condition) -> None:
    assert things_of_hosts([host_status(condition=condition)], with_errors=True) == []


def test_a_host_that_waits_for_a_second_listing_is_said_to() -> None:
    held = host_status(condition=Condition.HELD, held_rows=7, held_since=AT)
    (thing,) = things_of_hosts([held], with_errors=True)
    assert (thing.since, thing.facts) == (
        AT,
        ["7 containers missing from one listing; a second has to agree"],
    )


def test_a_container_that_ended_tells_its_exit_code_its_meaning_and_its_cause() -> None:
    row = page_row(trouble=Trouble.ENDED, state="stopped", exit_code=137, cause="exited")
    thing = thing_of_row(row)
    assert (thing.says, thing.facts) == ("has ended with an error", ["exit 137 (killed)", "exited"])
    assert thing.command == f"docker logs --tail 50 {cid('shop:web')[:12]}"


def test_a_command_to_copy_says_on_which_host_it_is_to_be_run() -> None:
    ended = thing_of_row(page_row(trouble=Trouble.ENDED, state="stopped", exit_code=1, host_id="west"))
    orphan = thing_of_row(page_row(trouble=Trouble.ORPHAN, host_id="west"))
    assert (ended.advice, orphan.advice) == (
        "On west:",
        "Make its workload again, or remove its container. On west:",
    )


def test_a_restart_loop_counts_its_restarts() -> None:
    row = page_row(trouble=Trouble.LOOPING, state="restarting", exit_code=7, restarts_lately=14)
    assert thing_of_row(row).facts == ["14 restarts lately", "exit 7"]


def test_memory_that_ran_out_is_told_beside_another_trouble() -> None:
    row = page_row(trouble=Trouble.LOOPING, state="restarting", exit_code=137, oom_killed=True)
    assert "out of memory" in thing_of_row(row).facts


def test_an_orphan_tells_its_state_and_its_workload() -> None:
    thing = thing_of_row(page_row(trouble=Trouble.ORPHAN, workload_name=None))
    assert thing.facts == ["its state: running", "its workload: shop"]
    assert thing.command == f"docker rm -f {cid('shop:web')[:12]}"


def test_an_orphan_is_one_since_a_pass_noticed_and_not_since_its_last_change() -> None:
    noticed = AT - timedelta(minutes=5)
    thing = thing_of_row(page_row(trouble=Trouble.ORPHAN, orphaned_at=noticed))
    assert (thing.since, thing.facts[-1]) == (noticed, "as a pass first noticed")


def test_since_when_a_row_is_an_orphan_is_not_claimed_until_a_pass_notices() -> None:
    thing = thing_of_row(page_row(trouble=Trouble.ORPHAN))
    assert (thing.since, "as a pass first noticed" in thing.facts) == (None, False)


def test_a_container_that_is_gone_has_no_logs_to_look_at() -> None:
    thing = thing_of_row(page_row(trouble=Trouble.MISSING, state="missing", changed_at=AT - timedelta(hours=1)))
    assert (thing.command, thing.advice) == ("", "Deploy it again, or delete its row.")


def test_a_row_that_is_as_it_should_be_is_no_thing() -> None:
    with pytest.raises(ValueError, match="as it should be"):
        thing_of_row(page_row())


def test_what_runs_again_tells_with_which_exit_code_it_ended_last() -> None:
    loops = page_row(trouble=Trouble.LOOPING, ended_lately=137, restarts_lately=3)
    assert thing_of_row(loops).facts == ["3 restarts lately", "it ended with exit 137 (killed)"]
