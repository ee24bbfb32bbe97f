"""From an observation to the row it stands for, or to a skip with its reason.

Pure: imports no framework, reads no clock, does no I/O. What it needs from the database it is
given as a `Catalogue`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from msgspec import Struct
from msgspec.structs import replace

from reconciler.core.labels import BadLabel, Claim, Path, read_claim, text_problem
from reconciler.core.observation import Observation, Reason, Skip
from reconciler.core.row_ids import (
    MAX_ROW_ID_CHARS,
    SITE_WORD,
    complete_row_id,
    container_row_id,
    instance_row_id,
    role_row_id,
    site_row_id,
)

PROJECT, SITE, STACK = "project", "site", "stack"


class Row(Struct, frozen=True, gc=False):
    """The columns of a Container row that a pass reads and writes.

    `details_of` is the container that the row's details tell of; another than its own: they are owed.
    """

    id: str
    host: str
    container_id: str
    state: str
    workload_id: str
    workload_kind: str
    role: str
    image_ref: str
    port: int
    health: str = ""
    exit_code: int | None = None
    image_tag: str = ""
    subdomain: str = ""
    proxy_route_id: str = ""
    npm_proxy_id: int = 0
    details_of: str = ""


class Sighting(Struct, frozen=True, gc=False):
    """A container and the row it stands for; `copies`: the deployer's columns come from its instance."""

    row: Row
    observation: Observation
    copies: bool


class InstanceFacts(Struct, frozen=True, gc=False):
    """What the catalogue knows of an instance."""

    project_id: str
    port: int
    image_tag: str
    subdomain: str
    proxy_route_id: str
    npm_proxy_id: int


class Managed(Struct, frozen=True, gc=False):
    """A container whose labels claim a row."""

    observation: Observation
    claim: Claim


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupKeys:
    """The names by which a listing refers to the catalogue."""

    workload_ids: frozenset[str]
    instance_ids: frozenset[str]
    site_ids: frozenset[str]
    compose_projects: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """The joins: workload kinds by id, workload ids by (kind, ref_id), instances by id, stack ids by project."""

    workload_kinds: Mapping[str, str] = field(default_factory=dict)
    workloads: Mapping[tuple[str, str], str] = field(default_factory=dict)
    instances: Mapping[str, InstanceFacts] = field(default_factory=dict)
    stacks: Mapping[str, str] = field(default_factory=dict)


def claim_all(observations: Iterable[Observation], install_id: str = "") -> tuple[list[Managed], list[Skip]]:
    """Split a listing into containers that claim a row and skips; the rest are not ours."""
    managed: list[Managed] = []
    skips: list[Skip] = []
    for observation in observations:
        try:
            claim = read_claim(observation.labels, install_id)
        except BadLabel as error:
            skips.append(_skip(observation, Reason.BAD_LABEL, str(error)))
            continue
        if claim is None:
            continue
        if claim.one_off:
            skips.append(_skip(observation, Reason.ONE_OFF, "a one-off container of Compose takes no service's row"))
        else:
            managed.append(Managed(observation, claim))
    return managed, skips


def lookup_keys(managed: Iterable[Managed]) -> LookupKeys:
    """Name what the catalogue must hold to dispatch these containers."""
    keys: dict[Path, set[str]] = {path: set() for path in Path}
    for claim in (container.claim for container in managed):
        # a workload label carries everything but, sometimes, its kind
        if claim.path is not Path.WORKLOAD or not claim.kind:
            keys[claim.path].add(claim.key)
    return LookupKeys(
        workload_ids=frozenset(keys[Path.WORKLOAD]),
        instance_ids=frozenset(keys[Path.INSTANCE]),
        site_ids=frozenset(keys[Path.SITE]),
        compose_projects=frozenset(keys[Path.COMPOSE]),
    )


def dispatch_all(managed: Iterable[Managed], catalogue: Catalogue, host: str) -> tuple[list[Sighting], list[Skip]]:
    """Return the rows that these containers stand for on `host`, in the listing's order, and skips for the others."""
    sightings: list[Sighting] = []
    skips: list[Skip] = []
    for container in managed:
        found = _dispatch(container, catalogue, host)
        if isinstance(found, Sighting):
            sightings.append(found)
        else:
            skips.append(found)
    return sightings, skips


def _dispatch(container: Managed, catalogue: Catalogue, host: str) -> Sighting | Skip:
    """Return the row this container stands for on `host`, or a skip that says why there is none."""
    observation, claim = container.observation, container.claim
    identity = _IDENTITIES[claim.path](observation, claim, catalogue)
    if isinstance(identity, Skip):
        return identity
    row_id = complete_row_id(identity.row_id, claim.replica, None if identity.is_instance else host)
    if len(row_id) > MAX_ROW_ID_CHARS:
        return _skip(observation, Reason.BAD_LABEL, _TOO_LONG)
    row = Row(
        row_id,
        host,
        observation.container_id,
        observation.state,
        identity.workload_id,
        identity.kind,
        identity.role,
        observation.image,
        observation.port,
        observation.health,
        observation.exit_code,
        details_of=observation.container_id,
    )
    if identity.instance:
        return Sighting(_with_copies(row, identity.instance), observation, copies=True)
    return Sighting(row, observation, copies=False)


_TOO_LONG = (
    f"the row id would be longer than {MAX_ROW_ID_CHARS} characters, because each %, : and @ in an id or a role takes"
    " three; use fewer of them"
)
_NOTHING_TO_TELL_BY = (
    "it has no role, and its id is not 64 hexadecimal digits to tell it by; give it the label tinyforge.role"
)


def _with_copies(row: Row, instance: InstanceFacts) -> Row:
    return replace(
        row,
        port=instance.port or row.port,
        image_tag=instance.image_tag,
        subdomain=instance.subdomain,
        proxy_route_id=instance.proxy_route_id,
        npm_proxy_id=instance.npm_proxy_id,
    )


class RowIdentity(Struct, frozen=True, gc=False):
    """The row a container stands for, before replica and host; an instance's id is unique on every host."""

    row_id: str
    workload_id: str
    kind: str
    role: str
    is_instance: bool = False
    instance: InstanceFacts | None = None


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
        return _skip(observation, Reason.NO_NAME, _NOTHING_TO_TELL_BY)
    return RowIdentity(row_id, workload_id, kind, "")


def _by_instance(observation: Observation, claim: Claim, catalogue: Catalogue) -> RowIdentity | Skip:
    instance = catalogue.instances.get(claim.key)
    if instance is None:
        return _skip(observation, Reason.UNKNOWN_INSTANCE, f"no instance {claim.key}")
    workload_id = catalogue.workloads.get((PROJECT, instance.project_id))
    if workload_id is None:
        return _skip(observation, Reason.UNKNOWN_WORKLOAD, f"no project workload for {instance.project_id}")
    return RowIdentity(
        instance_row_id(claim.key), workload_id, PROJECT, claim.role, is_instance=True, instance=instance
    )


def _by_site(observation: Observation, claim: Claim, catalogue: Catalogue) -> RowIdentity | Skip:
    workload_id = catalogue.workloads.get((SITE, claim.key))
    if workload_id is None:
        return _skip(observation, Reason.UNKNOWN_WORKLOAD, f"no site workload for {claim.key}")
    return RowIdentity(site_row_id(workload_id), workload_id, SITE, "")


def _by_compose(observation: Observation, claim: Claim, catalogue: Catalogue) -> RowIdentity | Skip:
    stack_id = catalogue.stacks.get(claim.key)
    if stack_id is None:
        return _skip(observation, Reason.UNKNOWN_STACK, f"no stack with the Compose project {claim.key}")
    workload_id = catalogue.workloads.get((STACK, stack_id))
    if workload_id is None:
        return _skip(observation, Reason.UNKNOWN_WORKLOAD, f"no stack workload for {stack_id}")
    role = claim.role or observation.name
    if not role:
        return _skip(observation, Reason.NO_NAME, "neither a service label nor a container name to tell it by")
    if problem := text_problem(role):
        return _skip(observation, Reason.NO_NAME, f"no service label, and the container name is {problem}")
    return RowIdentity(role_row_id(workload_id, role), workload_id, STACK, role)


_IDENTITIES: Mapping[Path, Callable[[Observation, Claim, Catalogue], RowIdentity | Skip]] = {
    Path.WORKLOAD: _by_workload,
    Path.INSTANCE: _by_instance,
    Path.SITE: _by_site,
    Path.COMPOSE: _by_compose,
}


def _skip(observation: Observation, reason: Reason, detail: str) -> Skip:
    return Skip(observation.container_id, observation.name, reason, detail)
