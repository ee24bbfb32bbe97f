"""Passes over an Engine that says what a test wants, on a real database."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from reconciler import store
from reconciler.core import labels
from reconciler.core.last_inspect import DetailsState
from reconciler.core.observation import Observation, Reason, Skip
from reconciler.core.report import Report, Trigger
from reconciler.models import Container, Host, Instance, Stack, Workload
from reconciler.reconcile import reconcile
from tests.builders import FakeEngine, certain, cid, compose, container, instance, site, workload

pytestmark = pytest.mark.django_db

SHOP_WEB = workload("shop", role="web")
WEB = container("web", SHOP_WEB)
PAUSED = container("web", SHOP_WEB, state="paused")


def look(host: Host, *containers: Observation, dry_run: bool = False, **daemon: Any) -> Report:
    return reconcile(host, FakeEngine(list(containers), **daemon), trigger=Trigger.MANUAL, dry_run=dry_run)


def bind(row_id: str, name: str = "", **columns: Any) -> Container:
    """Make a row as a deployer does: bound to the running container of that name, or a placeholder."""
    bound = {"container_id": cid(name), "state": "running"} if name else {}
    return Container.objects.create(id=row_id, workload_id=row_id.partition(":")[0], **(bound | columns))


def states() -> dict[str, str]:
    return dict(Container.objects.values_list("id", "state"))


def dump() -> dict[str, list[dict[str, Any]]]:
    """Return everything that every table holds."""
    return {model.__name__: list(model._default_manager.order_by("pk").values()) for model in apps.get_models()}


def reasons(report: Report) -> list[tuple[str, str]]:
    return [(skip.name, skip.reason) for skip in report.skips]


def age_sightings(seconds: float) -> None:
    Host.objects.update(sightings_at=timezone.now() - timedelta(seconds=seconds))


# the sweep


def test_a_container_that_is_gone_leaves_a_missing_row(local: Host) -> None:
    bind("shop:web", "web")
    report = look(local)
    assert (report.outcome, report.missing, states()) == ("applied", 1, {"shop:web": "missing"})


def test_a_missing_row_keeps_what_was_known_of_it(local: Host) -> None:
    look(local, WEB)
    before = Container.objects.values("container_id", "image_ref", "last_seen_at").get()
    look(local)
    assert Container.objects.values("container_id", "image_ref", "last_seen_at").get() == before


def test_a_placeholder_is_left_alone(local: Host) -> None:
    """I4."""
    bind("shop:web")
    before = list(Container.objects.values())
    report = look(local)
    assert (report.missing, list(Container.objects.values())) == (0, before)


def test_a_row_already_missing_is_not_written_again(local: Host) -> None:
    bind("shop:web", "web", state="missing")
    before = list(Container.objects.values())
    report = look(local)
    assert (report.missing, list(Container.objects.values())) == (0, before)


def test_a_container_that_reappears_is_no_longer_missing(local: Host) -> None:
    look(local, WEB)
    look(local)
    assert look(local, WEB).updated == 1
    assert states() == {"shop:web": "running"}


def test_rows_of_another_host_are_untouched(local: Host) -> None:
    """I20."""
    bind("blog:web@west", "elsewhere", host=Host.objects.create(name="west"))
    before = list(Container.objects.values())
    look(local)
    assert list(Container.objects.values()) == before


@pytest.mark.parametrize(
    "claim",
    [
        instance("unknown"),
        site("unknown"),
        compose("tinyforge-unknown", "api"),
        compose("tinyforge-unknown", "api", one_off=True),
        workload("shop", role="r" * 129),
        {},
    ],
)
def test_a_container_listed_but_not_dispatched_does_not_go_missing(local: Host, claim: dict[str, str]) -> None:
    """I3."""
    bind("shop:old-id", "web")
    look(local, container("web", claim))
    assert states() == {"shop:old-id": "running"}


def test_a_refused_container_does_not_go_missing(local: Host) -> None:
    """I3."""
    bind("shop:web", "web")
    look(local, refusals=[Skip(cid("web"), "web", Reason.MALFORMED, "")])
    assert states() == {"shop:web": "running"}


def test_an_unreadable_id_in_the_listing_withholds_the_sweep_and_nothing_else(local: Host) -> None:
    """I3."""
    bind("shop:db", "db")
    look(local, WEB, refusals=[Skip("", "", Reason.MALFORMED, "")])
    assert states() == {"shop:db": "running", "shop:web": "running"}


def test_a_daemon_that_fails_changes_no_row(local: Host) -> None:
    """I1."""
    bind("shop:web", "web")
    before = list(Container.objects.values())
    report = look(local, failure="took no connection")
    assert (report.outcome, list(Container.objects.values())) == ("failed", before)


def test_only_a_listing_that_is_empty_empties_the_table(local: Host) -> None:
    """I1."""
    bind("shop:web", "web")
    bind("shop:db", "db", state="failed")
    look(local)
    assert set(states().values()) == {"missing"}


def test_a_container_of_another_installation_leaves_no_trace(local: Host, settings: Any) -> None:
    settings.INSTALL_ID = "a"
    look(local, container("theirs", SHOP_WEB, {labels.INSTALL_ID: "b"}), WEB)
    assert Container.objects.get().container_id == cid("web")


# the report


def test_a_report_counts_what_was_done(local: Host) -> None:
    look(local, WEB, container("db", workload("shop", role="db")), container("gone", workload("shop", role="gone")))
    report = look(
        local,
        WEB,
        container("db", workload("shop", role="db"), state="paused"),
        container("new", workload("shop", role="new")),
        container("lost", instance("unknown")),
        container("foreign"),
    )
    numbers = (report.listed, report.managed, report.created, report.updated, report.missing, report.unchanged)
    assert numbers == (5, 4, 1, 1, 1, 1)


def test_a_report_says_who_asked_and_how_it_ended(local: Host) -> None:
    report = look(local, WEB)
    assert (report.host, report.trigger, report.outcome, report.conflicts) == ("local", "manual", "applied", 0)


def test_a_report_lists_changes_with_their_causes(local: Host) -> None:
    changes = [str(change) for change in look(local, WEB).changes]
    assert changes == [f"create shop:web: container {cid('web')[:12]} (web) is running"]


def test_a_failed_report_names_host_address_and_reason(local: Host) -> None:
    report = look(local, failure="sent nothing for 10 s")
    assert report.error == "host local: the Engine at unix:///fake.sock sent nothing for 10 s"


# what the host's row remembers


def test_a_success_is_noted(local: Host) -> None:
    before = timezone.now()
    look(local)
    local.refresh_from_db()
    assert before <= certain(local.last_attempt_at) <= certain(local.last_success_at) <= timezone.now()


def test_a_failure_is_noted_and_the_last_success_stays(local: Host) -> None:
    look(local)
    success = Host.objects.get().last_success_at
    look(local, failure="sent nothing")
    local.refresh_from_db()
    assert (local.last_error, local.last_success_at) == ("sent nothing", success)
    assert certain(local.last_attempt_at) > certain(success)


def test_a_success_clears_the_error(local: Host) -> None:
    look(local, failure="sent nothing")
    look(local)
    assert Host.objects.get().last_error == ""


def test_another_hosts_bookkeeping_is_untouched(local: Host) -> None:
    """I15."""
    Host.objects.create(name="west")
    before = Host.objects.values().get(name="west")
    look(local, WEB)
    assert Host.objects.values().get(name="west") == before


def test_a_failure_is_a_warning_once_and_again_when_it_changes(local: Host, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "reconciler")
    for failure in ("sent nothing", "sent nothing", "sent nothing", "answered HTTP 500"):
        look(local, failure=failure)
    warned = [record.levelno == logging.WARNING for record in caplog.records]
    assert warned == [True, False, False, True]


def test_a_failure_after_a_success_is_news(local: Host, caplog: pytest.LogCaptureFixture) -> None:
    look(local, failure="sent nothing")
    look(local)
    caplog.clear()
    look(local, failure="sent nothing")
    assert [record.levelname for record in caplog.records] == ["WARNING"]


# a dry run


def test_a_dry_run_tells_everything_and_writes_nothing_at_all(local: Host) -> None:
    bind("shop:gone", "gone")
    before = dump()
    report = look(local, WEB, dry_run=True)
    assert (report.outcome, report.created, report.missing) == ("planned", 1, 1)
    assert dump() == before


def test_a_dry_run_that_fails_writes_nothing_at_all(local: Host) -> None:
    before = dump()
    assert look(local, failure="sent nothing", dry_run=True).outcome == "failed"
    assert dump() == before


def test_a_dry_run_plans_what_a_pass_then_does(local: Host) -> None:
    bind("shop:gone", "gone")
    planned = look(local, WEB, dry_run=True)
    assert list(map(str, look(local, WEB).changes)) == list(map(str, planned.changes))


# sightings


def test_last_seen_is_a_moment_before_the_listing(local: Host) -> None:
    before, during = timezone.now(), []
    look(local, WEB, meanwhile=lambda: during.append(timezone.now()))
    seen = certain(Container.objects.get().last_seen_at)
    assert before <= seen <= during[0]


def test_an_unchanged_world_rewrites_no_row(local: Host) -> None:
    """I10, I11."""
    look(local, WEB)
    before = list(Container.objects.values())
    report = look(local, WEB)
    assert (report.changes, report.unchanged, list(Container.objects.values())) == ((), 1, before)


def test_sightings_are_refreshed_after_half_an_interval(local: Host) -> None:
    """I11."""
    look(local, WEB)
    before = Container.objects.get()
    age_sightings(16)
    look(local, WEB)
    after = Container.objects.get()
    assert certain(after.last_seen_at) > certain(before.last_seen_at)
    assert after.updated_at == before.updated_at


def test_sightings_are_not_refreshed_sooner(local: Host) -> None:
    """I11."""
    look(local, WEB)
    before = Container.objects.get()
    age_sightings(14)
    look(local, WEB)
    assert Container.objects.get().last_seen_at == before.last_seen_at


def test_a_row_of_another_host_is_not_refreshed_even_if_it_names_the_same_container(local: Host) -> None:
    """I20."""
    look(local, WEB)
    other = Host.objects.create(name="other")
    look(other, WEB)
    age_sightings(16)
    before = Container.objects.on("other").get().last_seen_at
    look(local, WEB)
    assert Container.objects.on("other").get().last_seen_at == before


def test_sightings_are_refreshed_by_one_update(local: Host) -> None:
    """I11."""
    many = [container(f"c{number}", workload("shop", role=f"r{number}")) for number in range(50)]
    look(local, *many)
    age_sightings(16)
    with CaptureQueriesContext(connection) as queries:
        look(local, *many)
    updates = [query for query in queries if query["sql"].startswith('UPDATE "reconciler_container"')]
    assert len(updates) == 1


def test_when_a_workload_goes_is_noticed_once_and_forgotten_when_it_is_back(local: Host) -> None:
    shop = Workload.objects.create(id="shop", ref_id="p1")
    look(local, WEB)
    noticed = []
    for act in (lambda: None, shop.delete, lambda: None, lambda: Workload.objects.create(id="shop", ref_id="p1")):
        act()
        age_sightings(16)
        look(local, WEB)
        noticed.append(Container.objects.get().orphaned_at)
    with_it, without_it, still_without_it, back = noticed
    assert (with_it, back) == (None, None)
    assert without_it is not None
    assert still_without_it == without_it < certain(Container.objects.get().last_seen_at)


def test_a_missing_row_is_not_refreshed(local: Host) -> None:
    look(local, WEB)
    look(local)
    before = Container.objects.get().last_seen_at
    age_sightings(16)
    look(local)
    assert Container.objects.get().last_seen_at == before


def test_a_changed_row_was_seen(local: Host) -> None:
    look(local, WEB)
    before = Container.objects.get()
    look(local, PAUSED)
    after = Container.objects.get()
    assert certain(after.last_seen_at) > certain(before.last_seen_at)
    assert after.updated_at > before.updated_at
    assert after.created_at == before.created_at


# the deployer's columns


OWNED = {"image_tag": "v1", "subdomain": "shop.example", "proxy_route_id": "route-1", "npm_proxy_id": 7}


@pytest.mark.parametrize("name", ["", "old", "web"])
def test_the_deployers_columns_survive_an_update(local: Host, name: str) -> None:
    """I9."""
    bind("shop:web", name, **OWNED)
    assert look(local, PAUSED).updated == 1
    assert Container.objects.values(*OWNED).get() == OWNED


def test_the_deployers_columns_survive_going_missing(local: Host) -> None:
    """I9."""
    bind("shop:web", "web", **OWNED)
    look(local)
    assert Container.objects.values(*OWNED).get() == OWNED


def test_what_a_deployer_writes_into_its_columns_during_a_pass_survives(local: Host) -> None:
    """I9."""
    bind("shop:web", "web", image_tag="v1")
    look(local, PAUSED, meanwhile=lambda: Container.objects.update(**OWNED))
    assert Container.objects.values("state", *OWNED).get() == {"state": "paused", **OWNED}


def test_the_legacy_path_copies_them_from_the_instance(local: Host) -> None:
    Workload.objects.create(id="shop", kind="project", ref_id="p1")
    Instance.objects.create(id="i1", project_id="p1", port=8080, **OWNED)
    bind("i1", "web", image_tag="v0", subdomain="old.example")
    look(local, container("web", instance("i1", stage="production")))
    assert Container.objects.values(*OWNED).get() == OWNED


# bad input


BAD = [
    container("overlong", workload("w" * 129)),
    container("overlong-role", workload("shop", role="r" * 129)),
    container("nul", workload("shop\0")),
    container("nul-role", workload("shop", role="\0")),
    container("surrogate", site("\ud800")),
    container("number", compose("tinyforge-mail", "smtp"), {labels.COMPOSE_NUMBER: "first"}),
]


@pytest.mark.parametrize("bad", BAD, ids=lambda each: each.name)
def test_a_bad_label_ends_as_a_skip_and_hides_no_other_container(local: Host, bad: Observation) -> None:
    """I8."""
    report = look(local, bad, WEB)
    assert (report.outcome, reasons(report)) == ("applied", [(bad.name, Reason.BAD_LABEL)])
    assert states() == {"shop:web": "running"}


@pytest.mark.parametrize("name", ["", "nul\0", "n" * 129])
def test_a_bad_name_where_it_would_be_the_role_ends_as_a_skip(local: Host, name: str) -> None:
    """I8."""
    Stack.objects.create(id="stack-1", compose_project_name="tinyforge-mail")
    Workload.objects.create(id="mail", kind="stack", ref_id="stack-1")
    report = look(local, container(name, compose("tinyforge-mail")), WEB)
    assert (reasons(report), states()) == ([(name, Reason.NO_NAME)], {"shop:web": "running"})


def test_a_bad_name_harms_nobody_where_it_is_not_stored(local: Host) -> None:
    """I8."""
    look(local, container("nul\0" + "n" * 999, SHOP_WEB))
    assert states() == {"shop:web": "running"}


def test_strange_labels_of_others_harm_nobody(local: Host) -> None:
    """I8."""
    assert reasons(look(local, container("foreign", {"their.label": "nul\0", labels.ROLE: "r" * 999}), WEB)) == []


def test_the_longest_names_that_are_allowed_fit(local: Host) -> None:
    west = Host.objects.create(name="h" * 63)
    claim = workload("w" * 128, role="r" * 128, kind="k" * 128) | {labels.COMPOSE_NUMBER: "99999"}
    report = look(west, container("c", claim, state="s" * 32, image="i" * 512, port=65_535))
    assert (report.outcome, list(states())) == ("applied", [f"{'w' * 128}:{'r' * 128}:99999@{'h' * 63}"])


# the joins


def test_an_unknown_workload_gets_its_row_as_an_orphan(local: Host) -> None:
    look(local, WEB)
    assert [row.id for row in Container.objects.orphans()] == ["shop:web"]


def test_a_known_workload_is_no_orphan(local: Host) -> None:
    Workload.objects.create(id="shop", ref_id="p1")
    look(local, WEB)
    assert not Container.objects.orphans().exists()


def test_a_missing_kind_is_filled_from_the_workload(local: Host) -> None:
    Workload.objects.create(id="blog", kind="site", ref_id="s1")
    look(local, container("web", workload("blog")))
    assert Container.objects.values_list("id", "workload_kind").get() == ("blog:site", "site")


def test_a_site_resolves_to_its_workload(local: Host) -> None:
    Workload.objects.create(id="blog", kind="site", ref_id="s1")
    look(local, container("web", site("s1"), port=80))
    row = Container.objects.get()
    assert (row.id, row.workload_id, row.workload_kind, row.role, row.port) == ("blog:site", "blog", "site", "", 80)


def test_an_instance_resolves_to_its_projects_workload(local: Host) -> None:
    Workload.objects.create(id="shop", kind="project", ref_id="p1")
    Instance.objects.create(id="i1", project_id="p1", port=8080)
    look(local, container("web", instance("i1", stage="production"), port=80))
    row = Container.objects.get()
    assert (row.id, row.workload_id, row.workload_kind, row.role) == ("i1", "shop", "project", "production")
    assert row.port == 8080


def test_a_compose_service_resolves_through_its_stack(local: Host) -> None:
    Stack.objects.create(id="stack-1", compose_project_name="tinyforge-mail")
    Workload.objects.create(id="mail", kind="stack", ref_id="stack-1")
    look(
        local,
        container("a", compose("tinyforge-mail", "smtp")),
        container("b", compose("tinyforge-mail", "smtp", number=2)),
    )
    rows = Container.objects.values_list("id", "workload_id", "workload_kind", "role")
    assert list(rows) == [("mail:smtp", "mail", "stack", "smtp"), ("mail:smtp:2", "mail", "stack", "smtp")]


def test_a_reference_counts_only_for_its_own_kind(local: Host) -> None:
    Workload.objects.create(id="shop", kind="project", ref_id="s1")
    assert reasons(look(local, container("web", site("s1")))) == [("web", Reason.UNKNOWN_WORKLOAD)]


def test_a_free_instance_row_moves_to_the_host_where_its_container_is(local: Host) -> None:
    """I20."""
    bind("i1", "old", state="missing", host=Host.objects.create(name="west"))
    look(local, container("web", workload("shop", kind="project", instance="i1")))
    assert Container.objects.values_list("host", "container_id", "state").get() == ("local", cid("web"), "running")


def test_an_instance_row_present_on_another_host_stays_there(local: Host) -> None:
    """I20."""
    bind("i1", "old", host=Host.objects.create(name="west"))
    report = look(local, container("web", workload("shop", kind="project", instance="i1")))
    assert reasons(report) == [("web", Reason.ROW_ON_OTHER_HOST)]
    assert Container.objects.values_list("host", "container_id").get() == ("west", cid("old"))


@pytest.mark.parametrize(
    ("table", "make", "claim"),
    [
        ("workload", lambda name: Workload.objects.create(id=name, kind="site", ref_id=name), workload),
        ("workload", lambda name: Workload.objects.create(id=name, kind="site", ref_id=name), site),
        ("instance", lambda name: Instance.objects.create(id=name, project_id=name), instance),
        ("stack", lambda name: Stack.objects.create(id=name, compose_project_name=name), compose),
    ],
)
def test_the_catalogue_is_asked_only_for_the_names_in_use(
    local: Host, table: str, make: Callable[[str], object], claim: Callable[[str], dict[str, str]]
) -> None:
    """I11."""
    for name in ("tinyforge-used", "tinyforge-idle"):
        make(name)
    with CaptureQueriesContext(connection) as queries:
        look(local, container("web", claim("tinyforge-used")))
    selects = [query["sql"] for query in queries if query["sql"].startswith("SELECT")]
    asked = [sql for sql in selects if f'FROM "reconciler_{table}"' in sql]
    assert asked
    assert all("tinyforge-used" in sql for sql in asked)


def test_a_listing_that_names_nothing_asks_the_catalogue_nothing(local: Host) -> None:
    """I11."""
    with CaptureQueriesContext(connection) as queries:
        look(local, container("foreign"))
    selects = [query["sql"] for query in queries if query["sql"].startswith("SELECT")]
    assert not [
        sql for sql in selects if any(f'"reconciler_{table}"' in sql for table in ("workload", "instance", "stack"))
    ]


def test_a_pass_keeps_which_containers_it_left_alone_and_why_until_the_next(local: Host) -> None:
    stranger = container("lost\0", instance("nobody"))
    look(local, WEB, stranger)
    local.refresh_from_db()
    (kept,) = local.skips
    assert (kept["container_id"], kept["reason"]) == (stranger.container_id, "unknown_instance")
    look(local, WEB)
    local.refresh_from_db()
    assert local.skips == []


def test_only_so_many_of_them_are_kept(local: Host) -> None:
    report = look(local, *(container(f"c{number}", instance("nobody")) for number in range(60)))
    local.refresh_from_db()
    assert (len(report.skips), len(local.skips)) == (60, 50)


@pytest.mark.parametrize(
    ("details_of", "state", "owed", "young"),
    [
        (cid("web"), DetailsState.TOLD, {}, set()),
        (cid("web"), DetailsState.OWED, {"shop:web": cid("web")}, set()),
        (cid("web"), DetailsState.YOUNG, {"shop:web": cid("web")}, {"shop:web"}),
        (cid("before"), DetailsState.TOLD, {"shop:web": cid("before")}, set()),
        ("", DetailsState.TOLD, {"shop:web": ""}, set()),
    ],
)
def test_a_hosts_rows_tell_whose_details_are_owed(
    local: Host, details_of: str, state: DetailsState, owed: dict[str, str], young: set[str]
) -> None:
    Host.objects.create(name="edge")
    for row_id, host in (("shop:web", local.name), ("shop:web@edge", "edge")):
        columns = {"host_id": host, "container_id": cid("web"), "state": "running", "workload_id": "shop"}
        Container.objects.create(id=row_id, details_of=details_of, details_state=state, **columns)
    rows = store.rows_on(local.name)
    assert (set(rows.rows), rows.owed, rows.young) == ({"shop:web"}, owed, young)
