"""From a row it can be told which labels have led there: they are those of its container."""

from reconciler.core.dispatch import claim_all, dispatch_all
from reconciler.core.identities import Catalogue, InstanceFacts
from reconciler.core.leads import Found, leads_to
from reconciler.core.observation import Observation
from tests.builders import certain, compose, container, instance, site, workload

CATALOGUE = Catalogue(
    workloads={("project", "p-1"): "shop", ("site", "s-1"): "wiki", ("stack", "t-1"): "metrics"},
    instances={"i:1": InstanceFacts("p-1", 0, "", "", "", 0)},
    stacks={"tinyforge-metrics": "t-1"},
)
REF_IDS = {workload_id: ref_id for (_, ref_id), workload_id in CATALOGUE.workloads.items()}
PROJECTS = {stack_id: name for name, stack_id in CATALOGUE.stacks.items()}


def told(seen: Observation, host: str = "local") -> dict[str, str]:
    """Return the labels that are told of the row of a container."""
    managed, _ = claim_all([seen])
    (sighting,), _ = dispatch_all(managed, CATALOGUE, host)
    row = sighting.row
    ref_id = REF_IDS.get(row.workload_id, "")
    found = Found(row.id, row.role, row.workload_id, ref_id, PROJECTS.get(ref_id, ""))
    return {lead.label: lead.value for lead in leads_to(found, certain(sighting.path))}


def test_a_workload_label_and_a_role_are_told() -> None:
    labels = {"tinyforge.workload.id": "sh:op", "tinyforge.role": "2"}
    assert told(container("c", labels), "east") == labels


def test_of_a_workload_s_instance_the_instance_is_told_too() -> None:
    labels = workload("shop", role="production", kind="project", instance="i:1")
    assert told(container("c", labels)) == {name: labels[name] for name in labels if not name.endswith("kind")}


def test_of_a_container_without_a_role_the_workload_alone_is_told() -> None:
    assert told(container("c", {"tinyforge.workload.id": "shop"})) == {"tinyforge.workload.id": "shop"}


def test_an_instance_label_and_a_stage_are_told() -> None:
    labels = instance("i:1", stage="production")
    assert told(container("c", labels)) == labels


def test_the_label_of_a_site_is_told() -> None:
    assert told(container("c", site("s-1"))) == site("s-1")


def test_the_project_service_and_number_of_compose_are_told() -> None:
    labels = compose("tinyforge-metrics", "web", number=3)
    assert told(container("c", labels), "east") == labels


def test_of_a_first_replica_no_number_is_told() -> None:
    labels = compose("tinyforge-metrics", "web", number=1)
    assert told(container("c", labels)) == compose("tinyforge-metrics", "web")
