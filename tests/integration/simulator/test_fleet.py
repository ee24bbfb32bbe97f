"""Many containers on a simulated Engine, and many simulated Engines."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import requests

from simulator import Engine, Fleet, Server, populate
from tests.integration.simulator.conftest import LISTING
from tests.waiting import WAIT_SECONDS


def row_id(labels: Mapping[str, str], rows: dict[str, list[dict[str, Any]]]) -> str:
    """Return the row id that docs/labels.md gives a container on the host `local`; fail if a join finds nothing."""
    workloads = {(row["kind"], row["ref_id"]): row["id"] for row in rows["workloads"]}
    if workload := labels.get("tinyforge.workload.id"):
        assert workload in workloads.values()
        return f"{workload}:{labels['tinyforge.role']}"
    if instance := labels.get("tinyforge.instance-id"):
        (project,) = [row["project_id"] for row in rows["instances"] if row["id"] == instance]
        assert ("project", project) in workloads
        return instance
    if site := labels.get("tinyforge.static-site"):
        return f"{workloads['site', site]}:site"
    (stack,) = [
        row["id"] for row in rows["stacks"] if row["compose_project_name"] == labels["com.docker.compose.project"]
    ]
    return f"{workloads['stack', stack]}:{labels['com.docker.compose.service']}"


def test_every_populated_container_has_a_row_of_its_own(engine: Engine) -> None:
    rows = populate(engine, 1003)
    assert len({row_id(container.labels, rows) for container in engine.containers.values()}) == 1003


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("workloads", ["id"]),
        ("workloads", ["kind", "ref_id"]),
        ("instances", ["id"]),
        ("stacks", ["id"]),
        ("stacks", ["compose_project_name"]),
    ],
)
def test_populations_of_different_seeds_share_nothing(table: str, columns: list[str]) -> None:
    rows = [row for seed in (1, 11) for row in populate(Engine(), 200, seed)[table]]
    assert len({tuple(row[column] for column in columns) for row in rows}) == len(rows)


def test_a_population_is_the_same_each_time() -> None:
    one, other = Engine(), Engine()
    assert populate(one, 50, 3) == populate(other, 50, 3)
    assert list(one.containers) == list(other.containers)


def test_a_large_population_is_quick(engine: Engine) -> None:
    began = time.process_time()
    populate(engine, 10_000)
    assert time.process_time() - began < 3


def test_an_unchanged_listing_costs_nothing(engine: Engine) -> None:
    populate(engine, 10_000)
    first = engine.world.listing(everything=True, filters={})
    assert engine.world.listing(everything=True, filters={}) is first


@pytest.fixture
def fleet() -> Fleet:
    return Fleet(10, 20)


def running(states: Sequence[dict[str, str]]) -> set[str]:
    return {container_id for engine in states for container_id, state in engine.items() if state == "running"}


def test_a_fleets_engines_share_no_container(fleet: Fleet) -> None:
    assert len({container_id for engine in fleet.states() for container_id in engine}) == 200


def test_a_fleet_is_the_same_each_time(fleet: Fleet) -> None:
    assert fleet.change(0.1) == Fleet(10, 20).change(0.1)


def test_a_fleet_lists_what_it_has_changed(server: Server, fleet: Fleet) -> None:
    url = server.serve(fleet.engines[3]).replace("tcp", "http") + LISTING
    before = {item["Id"]: item["State"] for item in requests.get(url, timeout=WAIT_SECONDS).json()}
    changed = fleet.change(0.1)[3]
    after = {item["Id"]: item["State"] for item in requests.get(url, timeout=WAIT_SECONDS).json()}
    assert after == fleet.states()[3]
    assert sorted(changed) == sorted(each for each in before if before[each] != after[each])
    assert len(changed) == 2


def test_a_fleet_changes_the_same_share_of_every_engine(fleet: Fleet) -> None:
    before = fleet.states()
    changed = fleet.change(0.1)
    assert [len(ids) for ids in changed] == [2] * 10
    assert running(before) ^ running(fleet.states()) == {each for ids in changed for each in ids}


def test_a_share_of_a_fleet_can_hang(server: Server, fleet: Fleet) -> None:
    assert fleet.hang(0.2) == [2, 7]
    urls = [server.serve(engine).replace("tcp", "http") for engine in fleet.engines]
    for number, url in enumerate(urls):
        if number in {2, 7}:
            with pytest.raises(requests.ReadTimeout):
                requests.get(f"{url}/version", timeout=0.1)
        else:
            assert requests.get(f"{url}/version", timeout=WAIT_SECONDS).ok
    fleet.heal()
    assert requests.get(f"{urls[7]}/version", timeout=WAIT_SECONDS).ok


def test_a_large_fleet_is_quick() -> None:
    began = time.process_time()
    Fleet(200, 100)
    assert time.process_time() - began < 3
