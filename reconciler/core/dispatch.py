"""From an observation to the row that it stands for, or to a skip with its reason.

Pure: imports no framework, reads no clock, does no I/O. A `Catalogue` holds what it needs from the database.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from msgspec import Struct

from reconciler.core.identities import Catalogue, InstanceFacts, RowIdentity, identity_of
from reconciler.core.labels import BadLabel, Claim, Path, read_claim
from reconciler.core.observation import MOVED, Observation, Reason, Skip
from reconciler.core.row_ids import MAX_ROW_ID_CHARS, complete_row_id


class Row(Struct, frozen=True, gc=False, array_like=True):
    """The columns of a Container row that a listing tells, or that are copied from an instance."""

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

    @property
    def is_placeholder(self) -> bool:
        """True if a deploy has made the row for a container that does not exist yet (I4)."""
        return not self.container_id and self.state != MOVED


class Sighting(Struct, frozen=True, gc=False):
    """A container and the row that it stands for; if it `copies`, the deployer's columns come from its instance.

    `path` says which of its labels has decided.
    """

    row: Row
    observation: Observation
    copies: bool
    path: Path | None = None


class Managed(Struct, frozen=True, gc=False):
    """A container whose labels claim a row."""

    observation: Observation
    claim: Claim


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupKeys:
    """The names in a listing that have to be looked up in the catalogue."""

    workload_ids: frozenset[str]
    instance_ids: frozenset[str]
    site_ids: frozenset[str]
    compose_projects: frozenset[str]


def claim_all(observations: Iterable[Observation], install_id: str = "") -> tuple[list[Managed], list[Skip]]:
    """Return the containers whose labels claim a row, and skips; all others are not ours."""
    managed: list[Managed] = []
    skips: list[Skip] = []
    for observation in observations:
        try:
            claim = read_claim(observation.labels, install_id)
        except BadLabel as error:
            skips.append(observation.skip(Reason.BAD_LABEL, str(error)))
            continue
        if claim is None:
            continue
        if claim.one_off:
            skips.append(observation.skip(Reason.ONE_OFF, "a one-off container of Compose takes no service's row"))
        else:
            managed.append(Managed(observation, claim))
    return managed, skips


def lookup_keys(managed: Iterable[Managed]) -> LookupKeys:
    """Return the names that the catalogue has to hold so that these containers can be dispatched."""
    keys: dict[Path, set[str]] = {path: set() for path in Path}
    for container in managed:
        claim = container.claim
        # the kind is what a claim by the workload's label may lack, and no other claim has one
        if not claim.kind:
            keys[claim.path].add(claim.key)
    return LookupKeys(
        workload_ids=frozenset(keys[Path.WORKLOAD]),
        instance_ids=frozenset(keys[Path.INSTANCE]),
        site_ids=frozenset(keys[Path.SITE]),
        compose_projects=frozenset(keys[Path.COMPOSE]),
    )


def dispatch_all(managed: Iterable[Managed], catalogue: Catalogue, host: str) -> tuple[list[Sighting], list[Skip]]:
    """Return in the listing's order the rows that these containers stand for on `host`, and skips for the others."""
    sightings: list[Sighting] = []
    skips: list[Skip] = []
    for container in managed:
        observation, claim = container.observation, container.claim
        identity = identity_of(observation, claim, catalogue)
        if isinstance(identity, Skip):
            skips.append(identity)
            continue
        row_id = complete_row_id(identity.row_id, claim.replica, None if identity.is_instance else host)
        if len(row_id) > MAX_ROW_ID_CHARS:
            skips.append(observation.skip(Reason.BAD_LABEL, _TOO_LONG))
            continue
        row = _row(row_id, host, identity, observation)
        sightings.append(Sighting(row, observation, identity.instance is not None, claim.path))
    return sightings, skips


_TOO_LONG = (
    f"the row id would be longer than {MAX_ROW_ID_CHARS} characters, because each %, : and @ in an id or a role takes"
    " three; use fewer of them"
)


def _row(row_id: str, host: str, identity: RowIdentity, observation: Observation) -> Row:
    """Return the row as its container is, with the deployer's columns of its instance, if it has one."""
    instance = identity.instance or _NO_INSTANCE
    return Row(
        row_id,
        host,
        observation.container_id,
        observation.state,
        identity.workload_id,
        identity.kind,
        identity.role,
        observation.image,
        instance.port or observation.port,
        observation.health or "",
        observation.exit_code,
        instance.image_tag,
        instance.subdomain,
        instance.proxy_route_id,
        instance.npm_proxy_id,
    )


_NO_INSTANCE = InstanceFacts("", 0, "", "", "", 0)
