"""What holds for any world of containers and rows. The tests work out what is right without dispatch or plan."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from random import Random

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from reconciler.core import labels
from reconciler.core.contests import RowElsewhere
from reconciler.core.dispatch import Row, claim_all, dispatch_all
from reconciler.core.identities import Catalogue, InstanceFacts
from reconciler.core.observation import Observation, Reason, Skip
from reconciler.core.plan import Plan, make_plan
from reconciler.core.report import Trigger
from reconciler.models import Container, Host, Instance, Stack, Workload
from reconciler.reconcile import reconcile
from reconciler.store import rows_on
from tests.builders import FakeEngine, cid, compose, container, instance, row, site, workload
from tests.holds import age_holds

# a count of lines would cost as much as the tests, and others reach the same lines
pytestmark = pytest.mark.no_cover

HOSTS = ("local", "west", "east")
LIVE = ("running", "restarting", "paused", "created")
NAMES = [f"c{number}" for number in range(9)]
KINDS = {"shop": "project", "blog": "site", "mail": "stack"}
CATALOGUE = Catalogue(
    workload_kinds=KINDS,
    workloads={("project", "p1"): "shop", ("site", "s1"): "blog", ("stack", "stack-1"): "mail"},
    instances={
        "i1": InstanceFacts("p1", 8080, "v2", "shop.example", "", 0),
        "i2": InstanceFacts("p9", 0, "", "", "", 0),
    },
    stacks={"tinyforge-mail": "stack-1", "tinyforge-lost": "stack-9"},
)


@dataclass(frozen=True)
class World:
    """One host's listing, everybody's rows, and the hosts that are off."""

    host: str
    containers: list[Observation]
    refused_ids: list[str]
    rows: list[Row]
    off: set[str]

    @property
    def refusals(self) -> list[Skip]:
        return [Skip(container_id, "", Reason.MALFORMED, "") for container_id in self.refused_ids]

    @property
    def listed(self) -> set[str]:
        return {each.container_id for each in self.containers} | set(self.refused_ids)


# any world

CLAIMS = st.one_of(
    st.builds(
        workload,
        st.sampled_from(["shop", "blog", "gone"]),
        role=st.sampled_from(["", "web", "db"]),
        kind=st.sampled_from(["", "project", "site"]),
        instance=st.sampled_from(["", "i1", "i9"]),
    ),
    st.builds(instance, st.sampled_from(["i1", "i2", "i9"]), stage=st.sampled_from(["", "live"])),
    st.builds(site, st.sampled_from(["s1", "s9"])),
    st.builds(
        compose,
        st.sampled_from(["tinyforge-mail", "tinyforge-lost", "tinyforge-none", "foreign"]),
        st.sampled_from(["", "smtp"]),
        number=st.sampled_from([None, 1, 2]),
        one_off=st.booleans(),
    ),
    st.sampled_from([{}, workload("r" * 129), workload("shop", role="nul\0"), {labels.WORKLOAD_ID: ""} | site("s1")]),
)
STATES = st.sampled_from([*LIVE, "stopped", "removing", "odd"])


def containers() -> st.SearchStrategy[list[Observation]]:
    one = st.builds(container, st.sampled_from(NAMES), CLAIMS, state=STATES, created=st.integers(1, 3))
    return st.lists(one, max_size=8, unique_by=lambda each: each.container_id)


@st.composite
def any_rows(draw: st.DrawFn) -> list[Row]:
    """Rows with ids that containers of the world may stand for, and with other ids."""
    plain = ["shop:web", "shop:db", "blog:site", "blog:web", "gone:web", "mail:smtp", "mail:smtp:2", "mail:c0"]
    drawn = []
    for host in HOSTS:
        suffix = "" if host == "local" else f"@{host}"
        ids = [f"{row_id}{suffix}" for row_id in [*plain, f"gone:{cid('c1')}", "other:row"]]
        drawn += [(row_id, host) for row_id in draw(st.lists(st.sampled_from(ids), max_size=5, unique=True))]
    ids = draw(st.lists(st.sampled_from(["i1", "i9"]), max_size=2, unique=True))
    drawn += [(row_id, draw(st.sampled_from(HOSTS))) for row_id in ids]
    return [draw(any_row(row_id, host)) for row_id, host in drawn]


def any_row(row_id: str, host: str) -> st.SearchStrategy[Row]:
    states = st.sampled_from(["", "running", "stopped", "failed", "missing", "moved"])
    return st.builds(
        row, st.just(row_id), st.sampled_from(["", *NAMES]), host=st.just(host), state=states, image_tag=st.just("v1")
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    listed = draw(containers())
    free = sorted(set(map(cid, NAMES)) - {each.container_id for each in listed})
    refused = draw(st.lists(st.sampled_from(free), max_size=2, unique=True))
    unreadable = draw(st.sampled_from([[], [], [], [""]]))
    host = draw(st.sampled_from(HOSTS))
    off = draw(st.sets(st.sampled_from(HOSTS)))
    return World(host, listed, refused + unreadable, draw(any_rows()), off - {host})


# what is right


def identity(seen: Observation, host: str) -> str | None:
    """Return the id of the row that a container stands for, by docs/labels.md, or None."""
    get = seen.labels.get
    if any(len(value) > 128 or "\0" in value for value in seen.labels.values()):
        return None
    if get(labels.COMPOSE_ONE_OFF) == "True":
        return None
    row_id, is_instance = place(get, seen)
    if row_id is None or is_instance:
        return row_id
    number = int(get(labels.COMPOSE_NUMBER, "1"))
    return row_id + (f":{number}" if number > 1 else "") + ("" if host == "local" else f"@{host}")


def place(get: Callable[..., str], seen: Observation) -> tuple[str | None, bool]:
    if workload_id := get(labels.WORKLOAD_ID):
        kind = get(labels.WORKLOAD_KIND) or KINDS.get(workload_id)
        if kind == "project" and get(labels.INSTANCE_ID):
            return get(labels.INSTANCE_ID), True
        role = get(labels.ROLE) or ("site" if kind == "site" else seen.container_id)
        return f"{workload_id}:{role}", False
    if instance_id := get(labels.INSTANCE_ID):
        return ("i1", True) if instance_id == "i1" else (None, True)
    if site_id := get(labels.STATIC_SITE):
        return ("blog:site" if site_id == "s1" else None), False
    if get(labels.COMPOSE_PROJECT) == "tinyforge-mail":
        return f"mail:{get(labels.COMPOSE_SERVICE) or seen.name}", False
    return None, False


def winners(world: World) -> dict[str, Observation]:
    """Return by row id the container that the row has to show: live first, then newest, then the one listed first."""
    won: dict[str, Observation] = {}
    listed = world.containers
    for seen in sorted(listed, key=lambda c: (c.state in LIVE, c.created, -listed.index(c))):
        row_id = identity(seen, world.host)
        taken = next((r for r in world.rows if r.id == row_id and r.host != world.host), None)
        if row_id and (taken is None or may_move(world, taken, seen)):
            won[row_id] = seen
    return won


def may_move(world: World, taken: Row, seen: Observation) -> bool:
    """Tell whether a row of another host may come to a container of this one (I4, I20)."""
    if seen.state not in LIVE or (not taken.container_id and taken.state != "moved"):
        return False
    return taken.state in ("missing", "stopped", "failed", "moved") or taken.host in world.off


def check(world: World, after: Iterable[Row]) -> None:
    """Assert everything that has to be true of the rows after a pass."""
    won, left = winners(world), {each.id: each for each in after}
    event(f"{len(won)} rows won")
    for row_id, seen in won.items():
        shown = left[row_id]
        assert (shown.host, shown.container_id, shown.state) == (world.host, seen.container_id, seen.state)
    assert left.keys() == {each.id for each in world.rows} | won.keys()
    for before in world.rows:
        if before.id not in won:
            check_unclaimed(world, before, left[before.id])
    check_one_present_row(world, left.values())


def check_unclaimed(world: World, before: Row, after: Row) -> None:
    """Assert what has become of a row that no listed container stands for."""
    if before.host != world.host or not before.container_id:
        assert after == before
    elif any(identity(seen, world.host) for seen in world.containers if seen.container_id == before.container_id):
        assert (after.state, after.container_id) == ("moved", "")
    elif before.container_id in world.listed or "" in world.listed:
        assert after == before
    else:
        assert (after.state, after.container_id) == ("missing", before.container_id)
    assert (after.host, after.image_tag) == (before.host, before.image_tag)


def check_one_present_row(world: World, after: Iterable[Row]) -> None:
    """Assert that no container which stands for a row is bound to two rows of its host."""
    placed = {seen.container_id for seen in world.containers if identity(seen, world.host)}
    bound = [each.container_id for each in after if each.host == world.host and each.container_id in placed]
    assert len(bound) == len(set(bound))


# the plan alone


def plan_of(world: World, rows: Iterable[Row]) -> Plan:
    managed, skips = claim_all(world.containers)
    sightings, lost = dispatch_all(managed, CATALOGUE, world.host)
    skips += lost + world.refusals
    listed = None if "" in world.listed else frozenset(world.listed)
    elsewhere = {each.id: RowElsewhere(each, each.host in world.off) for each in rows if each.host != world.host}
    return make_plan({each.id: each for each in rows if each.host == world.host}, sightings, skips, listed, elsewhere)


def carried_out(plan: Plan, rows: Iterable[Row]) -> list[Row]:
    return list(
        ({each.id: each for each in rows} | {change.after.id: change.after for change in plan.changes}).values()
    )


@settings(max_examples=250)
@given(worlds())
def test_a_plan_leaves_every_row_as_it_shall_be(world: World) -> None:
    """I3, I4, I20."""
    check(world, carried_out(plan_of(world, world.rows), world.rows))


@settings(max_examples=100)
@given(worlds())
def test_a_second_plan_is_empty(world: World) -> None:
    """I10."""
    after = carried_out(plan_of(world, world.rows), world.rows)
    assert str(plan_of(world, after)) == ""


@settings(max_examples=100)
@given(worlds(), st.randoms(use_true_random=False))
def test_only_among_containers_of_one_second_does_the_order_matter(world: World, random: Random) -> None:
    seconds, rows = [1, 2, 3], list(world.rows)
    random.shuffle(seconds)
    random.shuffle(rows)
    shuffled = [each for second in seconds for each in world.containers if each.created == second]
    assert plan_of(replace(world, containers=shuffled), rows).changes == plan_of(world, world.rows).changes


@settings(max_examples=100)
@given(worlds())
def test_every_managed_container_is_a_rows_or_a_skip(world: World) -> None:
    """I8."""
    plan = plan_of(world, world.rows)
    skipped = [skip.container_id for skip in plan.skips]
    ours = {each.container_id for each in world.containers if is_ours(each)} | set(world.refused_ids)
    assert sorted([*plan.sighted, *skipped]) == sorted(ours)


def is_ours(seen: Observation) -> bool:
    ids = (labels.WORKLOAD_ID, labels.INSTANCE_ID, labels.STATIC_SITE)
    return any(map(seen.labels.get, ids)) or seen.labels.get(labels.COMPOSE_PROJECT, "").startswith("tinyforge-")


# the whole pass


def furnish(world: World) -> None:
    """Make the tables hold a world's rows and the catalogue, and nothing else."""
    for model in (Container, Instance, Stack, Workload, Host):
        model.objects.all().delete()
    Host.objects.bulk_create([Host(name=name, enabled=name not in world.off) for name in HOSTS])
    Workload.objects.bulk_create(
        [Workload(id=CATALOGUE.workloads[key], kind=key[0], ref_id=key[1]) for key in CATALOGUE.workloads]
    )
    Instance.objects.create(id="i1", project_id="p1", port=8080, image_tag="v2", subdomain="shop.example")
    Instance.objects.create(id="i2", project_id="p9")
    Stack.objects.bulk_create([Stack(id=id_, compose_project_name=name) for name, id_ in CATALOGUE.stacks.items()])
    Container.objects.bulk_create([a_container(each) for each in world.rows])


def a_container(of: Row) -> Container:
    names = (
        "id",
        "container_id",
        "state",
        "workload_id",
        "workload_kind",
        "role",
        "image_ref",
        "port",
        "image_tag",
    )
    return Container(host_id=of.host, **{name: getattr(of, name) for name in names})


@pytest.mark.django_db
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(worlds())
def test_a_pass_leaves_every_row_as_it_shall_be_and_a_second_plans_nothing(db: None, world: World) -> None:
    """I3, I4, I10, I14: a sweep that is held is carried out once a second listing agrees."""
    furnish(world)
    daemon = FakeEngine(world.containers, world.refusals)
    first = reconcile(Host(name=world.host), daemon, trigger=Trigger.MANUAL)
    assert (first.outcome, first.conflicts) == ("applied", 0)
    if first.held:
        assert first.missing == 0
        age_holds(6)
        assert reconcile(Host(name=world.host), daemon, trigger=Trigger.MANUAL).missing == first.held
    check(world, [each for host in HOSTS for each in rows_on(host).rows.values()])
    assert reconcile(Host(name=world.host), daemon, trigger=Trigger.MANUAL).changes == ()
