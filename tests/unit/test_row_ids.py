"""I20: no label, name or host makes the row id of anything else."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core import labels
from reconciler.core.dispatch import Row, claim_all, dispatch_all
from reconciler.core.identities import Catalogue, InstanceFacts
from reconciler.core.observation import Observation, Reason
from reconciler.core.row_ids import MAX_ROW_ID_CHARS
from tests.builders import cid, compose, container, instance, site, workload

IDS = ["a", "a:b", "a@east", "a%3Ab", "2", "a:2", "a:site", "a:b@east", "site"]
ROLES = ["", "b", "b:2", "2", "site", "b@east", "%", "25", "%25", "%32", "%73ite", "b%3A2", "2@east", cid("x")]
NUMBERS = ["", "1", "2", "25"]
HOSTS = ["local", "east"]
CATALOGUE = Catalogue(
    workloads={(kind, f"{kind} {each}"): each for kind in ("project", "site", "stack") for each in IDS},
    instances={each: InstanceFacts("project a", 0, "", "", "", 0) for each in IDS},
    stacks={f"tinyforge-{each}": f"stack {each}" for each in IDS},
)

Meaning = tuple[object, ...]


def meaning(seen: Observation, host: str) -> Meaning:
    """Return what a container is, and where, in parts that are never joined."""
    number = int(seen.labels[labels.COMPOSE_NUMBER] or 1)
    parts = identity(seen)
    return (*parts, number) if parts[0] == "instance" else (*parts, number, host)


def identity(seen: Observation) -> Meaning:
    get = seen.labels.get
    workload_id, instance_id = get(labels.WORKLOAD_ID), get(labels.INSTANCE_ID)
    kind, role = get(labels.WORKLOAD_KIND), get(labels.ROLE)
    if instance_id and (kind == "project" or not workload_id):
        return "instance", instance_id
    if workload_id and kind == "site" and role in (None, "site"):
        return "site", workload_id
    if workload_id:
        return ("role", workload_id, role) if role else ("container", workload_id, seen.container_id)
    if site_id := get(labels.STATIC_SITE):
        return "site", site_id.removeprefix("site ")
    stack = seen.labels[labels.COMPOSE_PROJECT].removeprefix("tinyforge-")
    return "role", stack, get(labels.COMPOSE_SERVICE) or seen.name


def row_of(*label_maps: Mapping[str, str], host: str = "local", name: str = "x") -> Row:
    managed, _ = claim_all([container(name, *label_maps)])
    ((sighting,), _) = dispatch_all(managed, CATALOGUE, host)
    return sighting.row


def every_claim() -> Iterator[dict[str, str]]:
    """Yield labels of every path, with all ids, roles and kinds."""
    for each in IDS:
        yield instance(each)
        yield site(f"site {each}")
        for role in ROLES:
            yield compose(f"tinyforge-{each}", role)
            for kind, owner in product(["", "site", "project"], ["", "a", "a:2"]):
                yield workload(each, role=role, kind=kind, instance=owner)


def check_one_id_for_each_meaning(seen: Iterable[tuple[Observation, str]]) -> None:
    ids: dict[Meaning, str] = {}
    meanings: dict[str, Meaning] = {}
    for observation, host in seen:
        means, row_id = meaning(observation, host), row_of(observation.labels, host=host, name=observation.name).id
        assert (ids.setdefault(means, row_id), meanings.setdefault(row_id, means)) == (row_id, means)


def test_every_two_identities_of_a_table_of_odd_ones_have_two_row_ids() -> None:
    """I20."""
    numbered = [claim | {labels.COMPOSE_NUMBER: number} for claim in every_claim() for number in NUMBERS]
    check_one_id_for_each_meaning(
        (container(name, claim), host) for claim, name, host in product(numbered, ["x", "site"], HOSTS)
    )


TEXTS = st.text("ab12:@%3A", min_size=1, max_size=5)


@given(st.lists(st.tuples(TEXTS, TEXTS, st.sampled_from(NUMBERS), st.sampled_from(HOSTS)), min_size=2, max_size=20))
def test_whatever_ids_and_roles_are_called_two_of_them_have_two_row_ids(found: list[tuple[str, ...]]) -> None:
    """I20."""
    check_one_id_for_each_meaning(
        (container("x", workload(owner, **more), {labels.COMPOSE_NUMBER: number}), host)
        for owner, other, number, host in found
        for more in ({"role": other}, {"kind": "project", "instance": other}, {"kind": "site"})
    )


@pytest.mark.parametrize(
    ("label_maps", "row_id"),
    [
        ([workload("shop", role="web:2")], "shop:web%3A2"),
        ([workload("shop", role="web@east")], "shop:web%40east"),
        ([workload("shop", role="100%")], "shop:100%25"),
        ([workload("a:b", role="web")], "a%3Ab:web"),
        ([workload("shop", kind="project", instance="shop:web")], "shop%3Aweb"),
        ([workload("shop", role="site")], "shop:%73ite"),
        ([workload("shop", kind="site", role="site")], "shop:site"),
        ([workload("shop", role="2")], "shop:%32"),
        ([workload("shop", role=cid("x"))], f"shop:%{ord(cid('x')[0]):02X}{cid('x')[1:]}"),
        ([compose("tinyforge-a", "site")], "a:%73ite"),
        ([workload("shop", role="wéb 2.0_x-y")], "shop:wéb 2.0_x-y"),
    ],
)
def test_a_text_that_could_make_another_rows_id_is_escaped(label_maps: list[dict[str, str]], row_id: str) -> None:
    """I20."""
    assert row_of(*label_maps).id == row_id


def test_ids_and_roles_are_kept_as_they_are_in_the_rows_columns() -> None:
    found = row_of(workload("a:b", role="web@east"))
    assert (found.workload_id, found.role) == ("a:b", "web@east")


def test_an_id_that_is_too_long_when_escaped_is_a_skip_that_says_so() -> None:
    managed, _ = claim_all([container("c", workload(":" * 128, role="@" * 128))])
    sightings, (skip,) = dispatch_all(managed, CATALOGUE, "local")
    assert (sightings, skip.reason) == ([], Reason.BAD_LABEL)
    assert f"longer than {MAX_ROW_ID_CHARS} characters" in skip.detail
    assert "use fewer of them" in skip.detail


def test_a_container_without_a_role_and_with_an_odd_id_of_its_own_is_a_skip_that_says_so() -> None:
    """I20: a daemon that calls a container `web` would make the id of the role `web`."""
    odd = Observation("web", "c", "app:1", "running", workload("shop"), 0, 0)
    managed, _ = claim_all([odd])
    sightings, (skip,) = dispatch_all(managed, CATALOGUE, "local")
    assert (sightings, skip.reason) == ([], Reason.NO_NAME)
    assert "give it the label tinyforge.role" in skip.detail


def test_the_longest_row_id_is_as_long_as_its_column() -> None:
    longest = {labels.COMPOSE_NUMBER: "99999"}
    row = row_of(workload("w" * 128, role="r" * 128), longest, host="h" * 63)
    assert len(row.id) == MAX_ROW_ID_CHARS == 327
