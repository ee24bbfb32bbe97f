"""From a container's claim and the joins to the identity of its row.

Pure: imports no framework, reads no clock, does no I/O.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from msgspec import Struct

from reconciler.core.labels import Claim, Path, text_problem
from reconciler.core.observation import Observation, Reason, Skip
from reconciler.core.row_ids import SITE_WORD, container_row_id, instance_row_id, role_row_id, site_row_id

PROJECT, SITE, STACK = "project", "site", "stack"


class InstanceFacts(Struct, frozen=True, gc=False, array_like=True):
    """What the catalogue knows about an instance."""

    project_id: str
    port: int
    image_tag: str
    subdomain: str
    proxy_route_id: str
    npm_proxy_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """The joins: kinds of workloads by id, ids of workloads by (kind, ref_id), instances by id, stacks by project."""

    workload_kinds: Mapping[str, str] = field(default_factory=dict)
    workloads: Mapping[tuple[str, str], str] = field(default_factory=dict)
    instances: Mapping[str, InstanceFacts] = field(default_factory=dict)
    stacks: Mapping[str, str] = field(default_factory=dict)


class RowIdentity(Struct, frozen=True, gc=False):
    """The row that a container stands for, without replica and host; an instance's id is the same on all hosts."""

    row_id: str
    workload_id: str
    kind: str
    role: str
    is_instance: bool = False
    instance: InstanceFacts | None = None


def identity_of(observation: Observation, claim: Claim, catalogue: Catalogue) -> RowIdentity | Skip:
    """Return the identity that a claim leads to, or a skip that says why it leads to none."""
    return _IDENTITIES[claim.path](observation, claim, catalogue)


def _by_workload(observation: Observation, claim: Claim, catalogue: Catalogue) -> RowIdentity | Skip:
    workload_id, role = claim.key, claim.role
    kind = claim.kind or catalogue.workload_kinds.get(workload_id, "")
    if kind == PROJECT and claim.instance_id:
        return RowIdentity(instance_row_id(claim.instance_id), workload_id, kind, role, is_instance=True)
    if kind == SITE and role in ("", SITE_WORD):
        return RowIdentity(site_row_id(workload_id), workload_id, kind, role)
    if role:
        return RowIdentity(role_row_id(workload_id, role), workload_id, kind, role)
    row_id = container_row_id(workload_id, observation.container_id)
    if row_id is None:
        return observation.skip(Reason.NO_NAME, _NOTHING_TO_TELL_BY)
    return RowIdentity(row_id, workload_id, kind, "")


def _by_instance(observation: Observation, claim: Claim, catalogue: Catalogue) -> RowIdentity | Skip:
    instance = catalogue.instances.get(claim.key)
    if instance is None:
        return observation.skip(Reason.UNKNOWN_INSTANCE, f"no instance {claim.key}")
    workload_id = catalogue.workloads.get((PROJECT, instance.project_id))
    if workload_id is None:
        return observation.skip(Reason.UNKNOWN_WORKLOAD, f"no project workload for {instance.project_id}")
    return RowIdentity(
        instance_row_id(claim.key), workload_id, PROJECT, claim.role, is_instance=True, instance=instance
    )


def _by_site(observation: Observation, claim: Claim, catalogue: Catalogue) -> RowIdentity | Skip:
    workload_id = catalogue.workloads.get((SITE, claim.key))
    if workload_id is None:
        return observation.skip(Reason.UNKNOWN_WORKLOAD, f"no site workload for {claim.key}")
    return RowIdentity(site_row_id(workload_id), workload_id, SITE, "")


def _by_compose(observation: Observation, claim: Claim, catalogue: Catalogue) -> RowIdentity | Skip:
    stack_id = catalogue.stacks.get(claim.key)
    if stack_id is None:
        return observation.skip(Reason.UNKNOWN_STACK, f"no stack with the Compose project {claim.key}")
    workload_id = catalogue.workloads.get((STACK, stack_id))
    if workload_id is None:
        return observation.skip(Reason.UNKNOWN_WORKLOAD, f"no stack workload for {stack_id}")
    role = claim.role or observation.name
    if not role:
        return observation.skip(Reason.NO_NAME, "neither a service label nor a container name to tell it by")
    if problem := text_problem(role):
        return observation.skip(Reason.NO_NAME, f"no service label, and the container name is {problem}")
    return RowIdentity(role_row_id(workload_id, role), workload_id, STACK, role)


_IDENTITIES: Mapping[Path, Callable[[Observation, Claim, Catalogue], RowIdentity | Skip]] = {
    Path.WORKLOAD: _by_workload,
    Path.INSTANCE: _by_instance,
    Path.SITE: _by_site,
    Path.COMPOSE: _by_compose,
}


_NOTHING_TO_TELL_BY = (
    "it has no role, and its id is not 64 hexadecimal digits to tell it by; give it the label tinyforge.role"
)
