"""Which containers are worth an inspect, and what the answer changes."""

from datetime import timedelta

import pytest

from reconciler.core.details import Answers, LastInspect, Question, merge_details, questions, worth_asking
from reconciler.core.dispatch import Row, Sighting, claim_all, dispatch_all
from reconciler.core.identities import Catalogue
from reconciler.core.observation import Observation
from reconciler.core.plan import Change, Kind, Plan, make_plan
from tests.builders import STARTED, cid, container, details, row, workload

ANSWERED = STARTED + timedelta(hours=1)
WEB = workload("shop", role="web")
DB = workload("shop", role="db")
RUNNING_WEB = row("shop:web", "web")


def sightings_of(containers: list[Observation]) -> list[Sighting]:
    managed, _ = claim_all(containers)
    return dispatch_all(managed, Catalogue(), "local")[0]


def plan_of(rows: list[Row], containers: list[Observation]) -> Plan:
    return make_plan(rows, sightings_of(containers), [], frozenset(each.container_id for each in containers), {})


def asked(rows: list[Row], containers: list[Observation], **known: LastInspect) -> list[Question]:
    by_row = {f"shop:{role}": each for role, each in known.items()}
    return worth_asking(questions(plan_of(rows, containers), rows, sightings_of(containers)), by_row, ANSWERED, 0)


def asked_names(rows: list[Row], containers: list[Observation], **known: LastInspect) -> list[str]:
    named = {cid(name): name for name in ("web", "db", "old", "new")}
    return [named[question.container_id] for question in asked(rows, containers, **known)]


def learnt(rows: list[Row], containers: list[Observation], answers: Answers, **known: LastInspect) -> Plan:
    about = asked(rows, containers, **known)
    by_row = {f"shop:{role}": each for role, each in known.items()}
    return merge_details(plan_of(rows, containers), about, answers, by_row)


def only_change(plan: Plan) -> Change:
    (change,) = plan.changes
    return change


# which


def test_an_unchanged_container_is_not_inspected() -> None:
    assert asked_names([RUNNING_WEB], [container("web", WEB)]) == []


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
def test_a_container_whose_life_has_changed_is_inspected(before: Row | None, now: Observation) -> None:
    assert asked_names([before] if before else [], [now]) == ["web"]


@pytest.mark.parametrize("change", [{"port": 80}, {"image": "app:2"}, {"health": "unhealthy"}])
def test_a_change_that_an_inspect_tells_no_more_of_leads_to_none(change: dict[str, object]) -> None:
    assert asked_names([RUNNING_WEB], [container("web", WEB, **change)]) == []  # type: ignore[arg-type]


def test_a_container_that_is_gone_is_not_inspected() -> None:
    assert asked_names([RUNNING_WEB], []) == []


def test_a_container_that_now_stands_for_another_row_is_inspected_once_for_that_row() -> None:
    (question,) = asked([row("shop:old", "web")], [container("web", WEB)])
    assert (question.row.id, question.container_id) == ("shop:web", cid("web"))


@pytest.mark.parametrize(
    ("age", "up_seconds", "is_younger"),
    [(60, 3, True), (60, 0, True), (60, 57, True), (60, 58, False), (60, 59, False), (1, 0, False), (60, None, False)],
)
def test_a_container_younger_than_its_known_start_was_restarted_between_two_looks(
    age: int, up_seconds: int | None, is_younger: bool
) -> None:
    """Age and start are both by the daemon's clock, in whole seconds."""
    known = LastInspect(0, ANSWERED - timedelta(seconds=age))
    names = asked_names([RUNNING_WEB], [container("web", WEB, up_seconds=up_seconds)], web=known)
    assert names == (["web"] if is_younger else [])


def test_a_container_that_is_paused_is_not_suspected() -> None:
    paused = row("shop:web", "web", state="paused")
    seen = container("web", WEB, state="paused", up_seconds=3)
    assert asked_names([paused], [seen], web=LastInspect(0, STARTED)) == []


def test_a_container_whose_start_is_not_known_is_not_suspected() -> None:
    young = container("web", WEB, up_seconds=3)
    assert asked_names([RUNNING_WEB], [young]) == []
    assert asked_names([RUNNING_WEB], [young], web=LastInspect(None, None)) == []


def test_a_daemon_that_does_not_say_what_time_it_is_raises_no_suspicion() -> None:
    containers = [container("web", WEB, up_seconds=3)]
    found = questions(plan_of([RUNNING_WEB], containers), [RUNNING_WEB], sightings_of(containers))
    assert worth_asking(found, {"shop:web": LastInspect(0, STARTED)}, None, 0) == []


def test_what_is_owed_from_before_is_asked_for() -> None:
    assert asked_names([row("shop:web", "web", details_of="")], [container("web", WEB)]) == ["web"]


def test_what_ended_comes_first_and_what_is_owed_last() -> None:
    rows = [row("shop:a", "old", details_of=""), RUNNING_WEB, row("shop:db", "db"), row("shop:z", "new")]
    containers = [
        container("old", workload("shop", role="a")),
        container("web", WEB, state="paused"),
        container("new", workload("shop", role="z"), up_seconds=0),
        container("db", DB, state="stopped"),
    ]
    assert asked_names(rows, containers, z=LastInspect(0, STARTED)) == ["db", "web", "new", "old"]


# what


def test_an_answer_goes_with_the_change() -> None:
    dead = details(exit_code=137, oom_killed=True, finished_at=STARTED)
    change = only_change(learnt([RUNNING_WEB], [container("web", WEB, state="stopped")], {cid("web"): dead}))
    assert (change.details, change.after.details_of, change.after.exit_code) == (dead, cid("web"), 137)


def test_the_listings_exit_code_comes_before_the_inspects() -> None:
    stopped = container("web", WEB, state="stopped", exit_code=1)
    change = only_change(learnt([RUNNING_WEB], [stopped], {cid("web"): details(exit_code=0)}))
    assert change.after.exit_code == 1


def test_no_answer_costs_the_details_and_nothing_else() -> None:
    plan = plan_of([RUNNING_WEB], [container("web", WEB, state="stopped")])
    assert learnt([RUNNING_WEB], [container("web", WEB, state="stopped")], {}) == plan
    assert only_change(plan).after.details_of == ""


def test_a_stuck_inspect_is_not_owed() -> None:
    change = only_change(learnt([RUNNING_WEB], [container("web", WEB, state="stopped")], {cid("web"): None}))
    assert (change.details, change.after.details_of) == (None, cid("web"))


@pytest.mark.parametrize(("before", "now", "grown"), [(2, 5, 3), (0, 0, 0), (7, 2, 2), (None, 4, 0)])
def test_the_growth_of_the_restart_count_goes_with_the_change(before: int | None, now: int, grown: int) -> None:
    answers = {cid("web"): details(restart_count=now)}
    restarting = container("web", WEB, state="restarting")
    assert only_change(learnt([RUNNING_WEB], [restarting], answers, web=LastInspect(before, STARTED))).restarts == grown


@pytest.mark.parametrize(("name", "is_same"), [("web", True), ("new", False)])
def test_another_containers_restarts_are_not_this_ones(name: str, is_same: bool) -> None:
    (question,) = asked([RUNNING_WEB], [container(name, WEB, state="stopped")])
    assert question.is_known is is_same


def test_a_restart_between_two_looks_is_a_change() -> None:
    answers = {cid("web"): details(restart_count=3, started_at=STARTED + timedelta(minutes=1))}
    plan = learnt([RUNNING_WEB], [container("web", WEB, up_seconds=1)], answers, web=LastInspect(1, STARTED))
    assert str(plan) == f"restart shop:web: container {cid('web')[:12]} was restarted, restart count 1 → 3"
    assert (only_change(plan).restarts, only_change(plan).is_transition) == (2, True)


def test_a_restart_by_hand_is_one_restart() -> None:
    answers = {cid("web"): details(started_at=STARTED + timedelta(minutes=1))}
    plan = learnt([RUNNING_WEB], [container("web", WEB, up_seconds=1)], answers, web=LastInspect(0, STARTED))
    assert (only_change(plan).kind, only_change(plan).restarts) == (Kind.RESTART, 1)


def test_the_start_of_a_restart_that_was_counted_is_not_counted_again() -> None:
    """The count grows when a container ends; its start changes later, when it is up again."""
    answers = {cid("web"): details(restart_count=2, started_at=ANSWERED)}
    plan = learnt([RUNNING_WEB], [container("web", WEB, up_seconds=1)], answers, web=LastInspect(2, STARTED))
    change = only_change(plan)
    assert (change.kind, change.restarts, change.is_transition, change.writes_details) == (Kind.DETAIL, 0, False, True)


@pytest.mark.parametrize("answer", [details(restart_count=1), None])
def test_a_suspicion_that_is_not_confirmed_changes_nothing(answer: object) -> None:
    plan = learnt(
        [RUNNING_WEB],
        [container("web", WEB, up_seconds=1)],
        {cid("web"): answer},  # type: ignore[dict-item]
        web=LastInspect(1, STARTED),
    )
    assert plan.changes == ()


@pytest.mark.parametrize("answer", [details(restart_count=1), None])
def test_what_was_owed_is_paid_without_being_a_transition(answer: object) -> None:
    owed = row("shop:web", "web", details_of="")
    plan = learnt([owed], [container("web", WEB)], {cid("web"): answer}, web=LastInspect(None, None))  # type: ignore[dict-item]
    change = only_change(plan)
    assert (change.kind, change.details, change.after.details_of) == (Kind.DETAIL, answer, cid("web"))
    assert not change.is_transition


def test_an_exit_code_that_only_an_inspect_tells_is_kept_by_the_next_listing() -> None:
    """I10: a container that could not be started has an exit code, which its listing does not tell."""
    created = container("web", WEB, state="created")
    first = only_change(learnt([], [created], {cid("web"): details(exit_code=127, started_at=None)}))
    assert first.after.exit_code == 127
    assert plan_of([first.after], [created]).changes == ()


def test_details_that_were_known_are_asked_for_no_more() -> None:
    """I10."""
    change = only_change(learnt([], [container("web", WEB)], {cid("web"): details()}))
    assert asked_names([change.after], [container("web", WEB)]) == []


def test_changes_stay_sorted_by_row() -> None:
    owed = row("shop:a", "old", details_of="")
    containers = [container("old", workload("shop", role="a")), container("web", WEB, state="paused")]
    plan = learnt([RUNNING_WEB, owed], containers, {cid("old"): details(), cid("web"): details()})
    assert [change.after.id for change in plan.changes] == ["shop:a", "shop:web"]


def test_details_go_out_of_date_with_the_life_they_tell_of() -> None:
    moved = only_change(plan_of([RUNNING_WEB], [container("web", WEB, port=80)]))
    stopped = only_change(plan_of([RUNNING_WEB], [container("web", WEB, state="stopped")]))
    gone = only_change(plan_of([RUNNING_WEB], []))
    assert (moved.outdates_details, stopped.outdates_details, gone.outdates_details) == (False, True, False)
    assert (moved.writes_details, stopped.writes_details) == (False, True)


# one change for each row


def test_an_old_container_beside_its_successor_is_none_of_the_rows() -> None:
    """The row belongs to the new container, so the old one is not inspected, whether owed, young or restarting."""
    old = container("old", WEB, state="restarting", created=1, up_seconds=0)
    new = container("new", WEB, created=2)
    before = row("shop:web", "old", details_of="")
    assert asked_names([before], [old, new], web=LastInspect(1, STARTED)) == ["new"]
    plan = learnt([before], [old, new], {cid("old"): details(restart_count=9), cid("new"): details()})
    assert [(change.kind, change.after.container_id) for change in plan.changes] == [(Kind.UPDATE, cid("new"))]


def test_what_an_inspect_tells_goes_with_what_the_listing_has_changed() -> None:
    """A restart that an inspect finds does not undo what the listing changed."""
    before = row("shop:web", "web", health="healthy")
    now = container("web", WEB, up_seconds=2, health="starting")
    answers = {cid("web"): details(restart_count=1, started_at=ANSWERED)}
    change = only_change(learnt([before], [now], answers, web=LastInspect(0, STARTED)))
    assert (change.kind, change.after.health, change.restarts) == (Kind.RESTART, "starting", 1)
    assert change.cause.startswith("health healthy → starting, container ")


def test_what_was_owed_is_paid_with_what_the_listing_has_changed() -> None:
    before = row("shop:web", "web", details_of="")
    told = details(restart_count=1)
    change = only_change(learnt([before], [container("web", WEB, port=80)], {cid("web"): told}))
    assert (change.kind, change.after.port, change.details) == (Kind.UPDATE, 80, told)
    assert (change.after.details_of, change.writes_details) == (cid("web"), True)


def test_a_suspicion_that_is_not_confirmed_leaves_the_change_as_it_is() -> None:
    now = [container("web", WEB, up_seconds=2, health="starting")]
    known = LastInspect(0, STARTED)
    plan = learnt([RUNNING_WEB], now, {cid("web"): details()}, web=known)
    assert plan == plan_of([RUNNING_WEB], now)


# restarting


def test_a_container_that_is_restarting_is_asked_every_time() -> None:
    before, now = row("shop:web", "web", state="restarting"), container("web", WEB, state="restarting")
    assert asked_names([before], [now], web=LastInspect(3, STARTED)) == ["web"]
    change = only_change(learnt([before], [now], {cid("web"): details(restart_count=5)}, web=LastInspect(3, STARTED)))
    assert (change.kind, change.restarts, change.is_transition) == (Kind.RESTART, 2, True)


def test_one_on_which_the_daemon_was_stuck_is_not() -> None:
    before, now = row("shop:web", "web", state="restarting"), container("web", WEB, state="restarting")
    assert asked_names([before], [now], web=LastInspect(None, None)) == []


# bound by a deployer


def test_details_of_the_container_before_do_not_stay_when_a_deployer_binds_the_next() -> None:
    bound = row("shop:web", "new", state="created", exit_code=137, details_of=cid("old"))
    change = only_change(plan_of([bound], [container("new", WEB, state="created")]))
    assert (change.after.exit_code, change.after.details_of, change.writes_details) == (None, "", True)


def test_nor_are_its_restarts_counted() -> None:
    bound = row("shop:web", "new", details_of=cid("old"))
    change = only_change(
        learnt([bound], [container("new", WEB)], {cid("new"): details()}, web=LastInspect(12, STARTED))
    )
    assert (change.kind, change.restarts, change.is_transition) == (Kind.UPDATE, 0, False)


# turns


def test_what_is_owed_takes_turns() -> None:
    rows = [row(f"shop:{name}", name, details_of="") for name in ("web", "db", "old")]
    containers = [container(name, workload("shop", role=name)) for name in ("web", "db", "old")]
    found = questions(plan_of(rows, containers), rows, sightings_of(containers))
    firsts = {worth_asking(found, {}, ANSWERED, turn)[0].row.id for turn in range(3)}
    assert firsts == {"shop:web", "shop:db", "shop:old"}
