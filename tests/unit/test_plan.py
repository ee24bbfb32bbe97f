"""The plan as text: what changes, and why."""

import json

import pytest
from msgspec.structs import replace

from reconciler.core.listing import decode_listing
from reconciler.core.observation import Observation, Reason
from reconciler.core.plan import Kind
from tests.builders import cid, container, instance, row, workload
from tests.planning import WEB, plan_of, reasons


def test_a_plan_is_one_sorted_line_per_change_with_its_cause() -> None:
    plan = plan_of(
        [row("shop:db", "db"), row("shop:web", "web"), row("shop:old", "old")],
        [
            container("web", WEB, state="stopped"),
            container("new", workload("shop", role="api")),
            container("db", workload("shop", role="db")),
        ],
    )
    assert str(plan) == (
        f"create shop:api: container {cid('new')[:12]} (new) is running\n"
        f"missing shop:old: container {cid('old')[:12]} is not in the listing (was running)\n"
        "update shop:web: state running → stopped"
    )


def test_the_order_of_a_listing_does_not_matter_to_rows_of_one_container() -> None:
    containers = [container(name, workload("shop", role=name)) for name in "cab"]
    assert str(plan_of([], containers)) == str(plan_of([], reversed(containers)))


def test_an_unchanged_world_plans_nothing() -> None:
    """I10."""
    plan = plan_of([row("shop:web", "web")], [container("web", WEB)])
    assert (str(plan), plan.unchanged) == ("", 1)


def test_gone_goes_missing() -> None:
    plan = plan_of([row("shop:web", "web")], [])
    assert [(change.after.id, change.after.state) for change in plan.changes] == [("shop:web", "missing")]


def test_a_failed_row_goes_missing_as_any_other() -> None:
    assert str(plan_of([row("shop:web", "web", state="failed")], [])).endswith("is not in the listing (was failed)")


def test_a_placeholder_is_left_alone() -> None:
    """I4."""
    assert str(plan_of([row("shop:web", "", state="")], [])) == ""


def test_a_missing_row_is_left_alone() -> None:
    assert str(plan_of([row("shop:web", "web", state="missing")], [])) == ""


def test_a_missing_row_reappears() -> None:
    plan = plan_of([row("shop:web", "web", state="missing")], [container("web", WEB)])
    assert str(plan) == "update shop:web: state missing → running"


def test_a_placeholder_is_bound_by_its_container() -> None:
    plan = plan_of([row("shop:web", "", state="")], [container("web", WEB)])
    assert str(plan) == f"update shop:web: container none → {cid('web')[:12]}, state none → running"


def test_a_container_listed_but_not_dispatched_keeps_its_row() -> None:
    """I3: the instance is unknown, but its container is there."""
    plan = plan_of([row("i9", "web")], [container("web", instance("i9"))])
    assert (str(plan), reasons(plan)) == ("", [("web", Reason.UNKNOWN_INSTANCE)])


def test_a_container_with_a_bad_label_keeps_its_row() -> None:
    """I3."""
    plan = plan_of([row("shop:web", "web")], [container("web", workload("shop", role="r" * 999))])
    assert (str(plan), reasons(plan)) == ("", [("web", Reason.BAD_LABEL)])


def test_a_listing_with_an_unreadable_id_sweeps_nothing() -> None:
    """I3: the item could be any container."""
    assert str(plan_of([row("shop:web", "web")], [], sweep=False)) == ""


def test_the_deployers_columns_are_never_blanked() -> None:
    """I9."""
    before = row("shop:web", "web", image_tag="v1", subdomain="shop.example", proxy_route_id="r", npm_proxy_id=3)
    plan = plan_of([before], [container("web", WEB, state="paused")])
    assert plan.changes[0].after == replace(before, state="paused")


@pytest.mark.parametrize("now", [container("web", WEB), container("new", WEB, state="stopped")])
def test_an_exit_code_that_no_listing_tells_goes_with_the_end_that_it_told_of(now: Observation) -> None:
    before = row("shop:web", "web", state="stopped", exit_code=127)
    assert plan_of([before], [now]).changes[0].after.exit_code is None


def test_the_deployers_columns_alone_are_no_difference() -> None:
    """I9."""
    assert str(plan_of([row("shop:web", "web", image_tag="v1")], [container("web", WEB)])) == ""


def test_the_legacy_path_copies_what_changed_on_the_instance() -> None:
    before = row(
        "i1", "c", workload_id="shop", workload_kind="project", role="", image_tag="v1", subdomain="shop.example"
    )
    plan = plan_of([before], [container("c", instance("i1"))])
    assert str(plan) == "update i1: image_tag v1 → v2"


@pytest.mark.parametrize("state", ["missing", "failed", "moved", "Missing", "FAILED", "Moved"])
def test_a_state_that_is_ours_to_say_is_refused_from_a_daemon(state: str) -> None:
    """I3: the container is refused, and counts as listed all the same."""
    items = [{"Id": cid("liar"), "Names": ["/liar"], "State": state}, {"Id": cid("web"), "State": "running"}]
    snapshot = decode_listing(json.dumps(items).encode())
    assert [(skip.name, skip.reason) for skip in snapshot.refusals] == [("liar", Reason.MALFORMED)]
    assert [each.container_id for each in snapshot.observations] == [cid("web")]
    assert snapshot.listed_ids == {cid("liar"), cid("web")}


def seen(**item: object) -> Observation:
    (observation,) = decode_listing(json.dumps([{"Id": cid("web"), "State": "running"} | item]).encode()).observations
    return observation


def test_health_comes_with_the_listing() -> None:
    assert seen(Status="Up 2 hours (unhealthy)").health == "unhealthy"


def test_health_of_a_modern_engine_is_a_field_of_its_own() -> None:
    assert seen(Status="Up 2 hours", Health={"Status": "unhealthy", "FailingStreak": 3}).health == "unhealthy"


@pytest.mark.parametrize("odd", [None, "healthy", 7, [], {}, {"Status": 1}, {"Status": "none"}, {"Status": "odd"}])
def test_an_odd_health_costs_the_detail_and_not_the_container(odd: object) -> None:
    assert seen(Status="Up 2 hours (healthy)", Health=odd).health == "healthy"


def test_exit_code_and_age_come_with_the_listing() -> None:
    assert seen(State="exited", Status="Exited (137) 3 minutes ago").exit_code == 137
    assert seen(Status="Up 3 seconds").up_seconds == 3


@pytest.mark.parametrize(
    ("name", "shown"), [("nul\0", r"nul\x00"), ("x" * 999, "x" * 128), ("", "no name"), ("wéb", "wéb")]
)
def test_a_cause_can_be_stored_whatever_a_container_is_called(name: str, shown: str) -> None:
    odd = replace(container("web", WEB), name=name)
    assert plan_of([], [odd]).changes[0].cause == f"container {cid('web')[:12]} ({shown}) is running"


def test_what_goes_missing_takes_nothing_from_an_instance() -> None:
    (change,) = plan_of([row("i1", "gone")], []).changes
    assert (change.kind, change.copies) == (Kind.MISSING, False)
