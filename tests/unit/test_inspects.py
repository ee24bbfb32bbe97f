"""Which containers are worth an inspect, and who comes first."""

from datetime import timedelta

import pytest

from reconciler.core.dispatch import Row
from reconciler.core.inspects import in_turn, worth_asking
from reconciler.core.last_inspect import DetailsState, LastInspect
from reconciler.core.observation import Observation
from reconciler.core.plan import Change, Inspect, Kind
from tests.builders import STARTED, cid, container, row, workload
from tests.looks import ANSWERED, DB, WEB, Look, known, owed

RUNNING_WEB = row("shop:web", "web")
STOPPED_WEB = row("shop:web", "web", state="stopped", exit_code=1)
RESTARTING_WEB = row("shop:web", "web", state="restarting")
STUCK: dict[str, object] = {"details_state": DetailsState.STUCK, "oom_killed": None}


def asked(rows: list[Row], containers: list[Observation], **inspects: LastInspect) -> list[str]:
    """Return the roles whose containers are inspected; what is known is given by role."""
    look = Look(rows, containers, {f"shop:{role}": each for role, each in inspects.items()})
    return [row_id.removeprefix("shop:") for row_id in look.asked()]


def many(count: int, **columns: object) -> tuple[list[Row], list[Observation]]:
    """Return so many rows and their containers in the same state."""
    names = [f"{columns['state']}-{number:03}" for number in range(count)]
    rows = [row(f"shop:{name}", name, **columns) for name in names]
    return rows, [container(name, workload("shop", role=name), **columns) for name in names]  # type: ignore[arg-type]


# who is asked about


def test_an_unchanged_container_is_not_inspected() -> None:
    assert asked([RUNNING_WEB], [container("web", WEB)]) == []


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (None, container("web", WEB)),
        (row("shop:web", "old"), container("web", WEB)),
        (row("shop:web"), container("web", WEB)),
        (RUNNING_WEB, container("web", WEB, state="stopped")),
        (row("shop:web", "web", state="stopped", exit_code=0), container("web", WEB, state="stopped", exit_code=1)),
        (row("shop:web", "web", state="missing"), container("web", WEB)),
    ],
)
def test_a_container_is_inspected_when_its_state_exit_code_or_identity_changes(
    before: Row | None, now: Observation
) -> None:
    assert asked([before] if before else [], [now]) == ["web"]


@pytest.mark.parametrize("change", [{"port": 80}, {"image": "app:2"}, {"health": "unhealthy"}])
def test_a_change_that_an_inspect_tells_nothing_about_leads_to_none(change: dict[str, object]) -> None:
    assert asked([RUNNING_WEB], [container("web", WEB, **change)]) == []  # type: ignore[arg-type]


def test_a_container_that_is_gone_is_not_inspected() -> None:
    assert asked([RUNNING_WEB], []) == []


def test_a_container_that_now_stands_for_another_row_is_inspected_once_for_that_row() -> None:
    look = Look([row("shop:old", "web")], [container("web", WEB)])
    assert [(change.after.id, change.after.container_id) for change in look.wanted()] == [("shop:web", cid("web"))]


def test_a_container_whose_details_are_owed_is_inspected() -> None:
    assert asked([RUNNING_WEB], [container("web", WEB)], web=owed()) == ["web"]


def test_a_container_that_was_never_inspected_is_inspected() -> None:
    assert asked([RUNNING_WEB], [container("web", WEB)], web=LastInspect()) == ["web"]


def test_a_container_that_a_deployer_has_bound_is_inspected() -> None:
    assert asked([RUNNING_WEB], [container("web", WEB)], web=known("old")) == ["web"]


def test_a_container_that_lost_its_row_to_a_newer_one_is_not_inspected() -> None:
    old = container("old", WEB, state="restarting", created=1, up_seconds=0)
    new = container("new", WEB, created=2)
    look = Look([row("shop:web", "old")], [old, new], {"shop:web": owed("old", restart_count=1)})
    assert [change.after.container_id for change in look.wanted()] == [new.container_id]


@pytest.mark.parametrize("inspect", [known("new"), owed("new")])
def test_a_container_that_lost_its_row_stays_uninspected_beside_the_one_that_has_it(inspect: LastInspect) -> None:
    old = container("old", WEB, state="stopped", exit_code=1, created=1, ended_seconds=0)
    look = Look([row("shop:web", "new")], [old, container("new", WEB, created=2)], {"shop:web": inspect})
    assert cid("old") not in [change.after.container_id for change in look.wanted()]
    assert len(look.wanted()) == (inspect.details_state == DetailsState.OWED)


# who may have been restarted between two looks


@pytest.mark.parametrize(
    ("age", "up_seconds", "is_younger"),
    [(60, 3, True), (60, 0, True), (60, 57, True), (60, 58, False), (60, 59, False), (1, 0, False), (60, None, False)],
)
def test_a_container_that_is_younger_than_its_known_start_is_inspected(
    age: int, up_seconds: int | None, is_younger: bool
) -> None:
    """Both are told by the daemon's clock, to the second."""
    since = known(started_at=ANSWERED - timedelta(seconds=age))
    names = asked([RUNNING_WEB], [container("web", WEB, up_seconds=up_seconds)], web=since)
    assert names == (["web"] if is_younger else [])


@pytest.mark.parametrize(
    ("ago", "ended_seconds", "is_later"), [(60, 3, True), (60, 57, True), (60, 58, False), (60, None, False)]
)
def test_a_stopped_container_that_ended_later_than_its_known_end_is_inspected(
    ago: int, ended_seconds: int | None, is_later: bool
) -> None:
    """Podman has no state `restarting`: each look at a crash loop finds it stopped, with the same exit code."""
    seen = container("web", WEB, state="stopped", exit_code=1, ended_seconds=ended_seconds)
    names = asked([STOPPED_WEB], [seen], web=known(finished_at=ANSWERED - timedelta(seconds=ago)))
    assert names == (["web"] if is_later else [])


def test_a_restarting_container_is_inspected_at_every_look() -> None:
    assert asked([RESTARTING_WEB], [container("web", WEB, state="restarting")], web=known()) == ["web"]


def test_a_paused_container_is_not_suspected_of_a_restart() -> None:
    seen = container("web", WEB, state="paused", up_seconds=3)
    assert asked([row("shop:web", "web", state="paused")], [seen], web=known()) == []


@pytest.mark.parametrize("now", [{"up_seconds": 3}, {"state": "stopped", "exit_code": 1, "ended_seconds": 3}])
def test_a_container_is_not_suspected_if_its_inspect_did_not_tell_when_it_started_or_ended(
    now: dict[str, object],
) -> None:
    before = STOPPED_WEB if now.get("state") else RUNNING_WEB
    untimed = known(started_at=None, finished_at=None)
    assert asked([before], [container("web", WEB, **now)], web=untimed) == []  # type: ignore[arg-type]


def test_a_container_is_not_suspected_if_its_daemon_does_not_say_what_time_it_is() -> None:
    look = Look([RUNNING_WEB], [container("web", WEB, up_seconds=3)], answered_at=None)
    assert look.asked() == []


@pytest.mark.parametrize("year", [1970, 9999])
def test_a_start_at_the_end_of_time_is_compared_like_any_other(year: int) -> None:
    odd = known(started_at=STARTED.replace(year=year, month=12, day=31, hour=23, minute=59, second=59))
    assert asked([RUNNING_WEB], [container("web", WEB, up_seconds=3)], web=odd) == (["web"] if year == 1970 else [])


@pytest.mark.parametrize(("started", "is_later"), [(60, True), (4, False)])
def test_a_stopped_container_whose_inspect_found_it_running_has_ended_after_that_start(
    started: int, is_later: bool
) -> None:
    """A loop that restarts at once may run at each inspect, and be stopped at each look."""
    seen = container("web", WEB, state="stopped", exit_code=1, ended_seconds=3)
    known_start = known(started_at=ANSWERED - timedelta(seconds=started), finished_at=None)
    assert asked([STOPPED_WEB], [seen], web=known_start) == (["web"] if is_later else [])


# a container that was inspected just after it had started or ended


def young(**columns: object) -> LastInspect:
    return known("web", details_state=DetailsState.YOUNG, **columns)


@pytest.mark.parametrize(("age", "is_asked"), [(0, False), (3, False), (4, True), (None, True)])
def test_a_container_that_had_just_started_is_inspected_once_more_when_it_is_older(
    age: int | None, is_asked: bool
) -> None:
    """A restart less than a second after a start looks like that start in every listing."""
    began = young(started_at=ANSWERED - timedelta(seconds=age or 0))
    assert asked([RUNNING_WEB], [container("web", WEB, up_seconds=age)], web=began) == (["web"] if is_asked else [])


@pytest.mark.parametrize(("age", "is_asked"), [(0, False), (3, False), (4, True), (None, True)])
def test_a_container_that_had_just_ended_is_inspected_once_more_when_that_is_longer_ago(
    age: int | None, is_asked: bool
) -> None:
    ended = young(finished_at=ANSWERED - timedelta(seconds=age or 0))
    seen = container("web", WEB, state="stopped", exit_code=1, ended_seconds=age)
    assert asked([STOPPED_WEB], [seen], web=ended) == (["web"] if is_asked else [])


def test_a_container_that_had_just_started_is_inspected_at_once_if_a_listing_shows_a_later_start() -> None:
    began = young(started_at=ANSWERED - timedelta(seconds=10))
    assert asked([RUNNING_WEB], [container("web", WEB, up_seconds=0)], web=began) == ["web"]


def test_containers_that_have_just_started_take_no_place_of_those_whose_details_are_owed() -> None:
    """I15: a hundred may start at every look, and none of them is worth an inspect yet."""
    names = [f"new-{number}" for number in range(100)]
    rows = [RUNNING_WEB, *(row(f"shop:{name}", name) for name in names)]
    containers = [container("web", WEB), *(container(n, workload("shop", role=n), up_seconds=1) for n in names)]
    began = {f"shop:{name}": known(name, details_state=DetailsState.YOUNG, started_at=ANSWERED) for name in names}
    look = Look(rows, containers, {"shop:web": owed(), **began})
    assert all(look.asked(most=10, turn=turn) == ["shop:web"] for turn in range(20))


# health that listings do not tell


@pytest.mark.parametrize(("health", "is_asked"), [("healthy", True), ("unhealthy", True), ("", False)])
def test_a_container_with_a_health_check_is_inspected_at_every_look_if_listings_do_not_tell(
    health: str, is_asked: bool
) -> None:
    names = asked([row("shop:web", "web", health=health)], [container("web", WEB, health=None)], web=known())
    assert names == (["web"] if is_asked else [])


def test_a_container_that_does_not_run_is_not_inspected_for_its_health() -> None:
    paused = row("shop:web", "web", state="paused", health="healthy")
    assert asked([paused], [container("web", WEB, state="paused", health=None)], web=known()) == []


def test_a_stuck_container_is_not_inspected_for_its_health() -> None:
    seen = container("web", WEB, health=None)
    assert asked([row("shop:web", "web", health="healthy")], [seen], web=known("web", **STUCK)) == []


# a container on which the daemon was stuck


def test_a_stuck_container_is_not_inspected_again_while_it_stays_the_same() -> None:
    assert asked([RUNNING_WEB], [container("web", WEB)], web=known("web", **STUCK)) == []
    assert asked([RESTARTING_WEB], [container("web", WEB, state="restarting")], web=known("web", **STUCK)) == []


@pytest.mark.parametrize(("started_at", "is_asked"), [(None, True), (STARTED, True), (ANSWERED, False)])
def test_a_stuck_container_is_inspected_again_once_it_was_restarted(started_at: object, is_asked: bool) -> None:
    """A start that is not known was more than a minute before the inspect that got stuck."""
    stuck = known("web", started_at=started_at, **STUCK)
    names = asked([RUNNING_WEB], [container("web", WEB, up_seconds=3)], web=stuck)
    assert names == (["web"] if is_asked else [])


# who comes first


def test_ended_containers_come_first_and_owed_ones_last() -> None:
    rows = [row("shop:a", "old"), RUNNING_WEB, row("shop:db", "db"), row("shop:z", "new")]
    containers = [
        container("old", workload("shop", role="a")),
        container("web", WEB, state="paused"),
        container("new", workload("shop", role="z"), up_seconds=0),
        container("db", DB, state="stopped"),
    ]
    assert asked(rows, containers, a=owed("old"), z=known("new")) == ["db", "web", "z", "a"]


@pytest.mark.parametrize("most", [1, 2, 3, 7, 20])
@pytest.mark.parametrize("step", [1, 2, 3])
def test_everybody_is_inspected_some_time_however_many_change_or_restart_at_every_look(most: int, step: int) -> None:
    """I15: also if every second or third pass alone gets here, because the others fail."""
    rows, containers = many(10, state="restarting")
    waiting, idle = many(10, state="created")
    flapping = [row(each.id + "-flaps", each.id, state="running") for each in rows]
    flapped = [container(each.id, workload("shop", role=f"{each.role}-flaps"), state="paused") for each in rows]
    inspects = {each.id: owed(each.role) for each in waiting}
    look = Look([*rows, *waiting, *flapping], [*containers, *idle, *flapped], inspects)
    turns = range(1_000_000, 1_000_000 + 400 * step // most, step)
    assert len({row_id for turn in turns for row_id in look.asked(most, turn)}) == 30


@pytest.mark.parametrize("most", [0, 1, 2, 3, 10, 100])
def test_no_more_containers_are_inspected_than_a_pass_may(most: int) -> None:
    rows, containers = many(30, state="restarting")
    look = Look(rows, containers, {each.id: owed(each.role) for each in rows[:15]})
    for turn in range(8):
        assert len(look.asked(most, turn)) == min(most, 30)


def test_room_that_a_group_does_not_need_is_the_others() -> None:
    loops, loop_containers = many(9, state="restarting")
    look = Look([*loops, RUNNING_WEB], [*loop_containers, container("web", WEB)], {"shop:web": owed()})
    assert len(look.asked(most=10)) == 10


def test_what_is_owed_takes_turns() -> None:
    rows, containers = many(20, state="created")
    look = Look(rows, containers, {each.id: owed(each.role) for each in rows})
    assert {look.asked(most=1, turn=turn)[0] for turn in range(60)} == {each.id for each in rows}


def test_no_more_is_read_of_what_is_owed_than_a_pass_may_inspect() -> None:
    """I11: a host of ten thousand containers may owe the details of all."""
    rows, containers = many(20, state="created")
    assert len(Look(rows, containers, {each.id: owed(each.role) for each in rows}).wanted(most=3)) == 3


def test_nothing_is_asked_of_nothing() -> None:
    assert in_turn([], 100, 7) == []


def test_a_row_that_went_away_meanwhile_is_not_suspected_of_a_restart() -> None:
    suspected = Change(Kind.DETAIL, row("shop:web", "web"), row("shop:web", "web"), False, "", None, Inspect.SUSPECTED)
    assert worth_asking([suspected], {}, ANSWERED) == []


def test_a_young_container_of_which_nothing_was_seen_is_asked_about() -> None:
    asked_once_more = Change(Kind.DETAIL, RUNNING_WEB, RUNNING_WEB, False, "", None, Inspect.SUSPECTED)
    assert len(worth_asking([asked_once_more], {"shop:web": young()}, ANSWERED)) == 1
