"""From an observation to the row that it stands for, or to a skip with its reason.

Pure: imports no framework, reads no clock, does no I/O. A `Catalogue` holds what it needs from the database.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from msgspec import Struct
from msgspec.structs import replace

from reconciler.core.identities import Catalogue, InstanceFacts, identity_of
from reconciler.core.labels import BadLabel, Claim, Path, read_claim
from reconciler.core.observation import MOVED, Observation, Reason, Skip
from reconciler.core.row_ids import MAX_ROW_ID_CHARS, complete_row_id


class Row(Struct, frozen=True, gc=False):
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
    for claim in (container.claim for container in managed):
        # with a workload label, only the kind may be missing
        if claim.path is not Path.WORKLOAD or not claim.kind:
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
        found = _dispatch(container, catalogue, host)
        if isinstance(found, Sighting):
            sightings.append(found)
        else:
            skips.append(found)
    return sightings, skips


def _dispatch(container: Managed, catalogue: Catalogue, host: str) -> Sighting | Skip:
    """Return the row that this container stands for on `host`, or a skip that says why there is none."""
    observation, claim = container.observation, container.claim
    identity = identity_of(observation, claim, catalogue)
    if isinstance(identity, Skip):
        return identity
    row_id = complete_row_id(identity.row_id, claim.replica, None if identity.is_instance else host)
    if len(row_id) > MAX_ROW_ID_CHARS:
        return observation.skip(Reason.BAD_LABEL, _TOO_LONG)
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
        observation.health or "",
        observation.exit_code,
    )
    if identity.instance:
        return Sighting(_with_copies(row, identity.instance), observation, copies=True, path=claim.path)
    return Sighting(row, observation, copies=False, path=claim.path)


_TOO_LONG = (
    f"the row id would be longer than {MAX_ROW_ID_CHARS} characters, because each %, : and @ in an id or a role takes"
    " three; use fewer of them"
)


def _with_copies(row: Row, instance: InstanceFacts) -> Row:
    """Return the row with the deployer's columns of its instance."""
    return replace(
        row,
        port=instance.port or row.port,
        image_tag=instance.image_tag,
        subdomain=instance.subdomain,
        proxy_route_id=instance.proxy_route_id,
        npm_proxy_id=instance.npm_proxy_id,
    )
