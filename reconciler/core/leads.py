"""Why a container is in its row: the labels that have led there, as they can be told from the row.

Pure: imports no framework, reads no clock, does no I/O. The labels themselves are kept nowhere. What they said follows
from the row's id, from which of them decided, and from what the row's workload stands for.
"""

from msgspec import Struct

from reconciler.core import labels
from reconciler.core.labels import Path
from reconciler.core.row_ids import instance_of, replica_of


class Lead(Struct, frozen=True, gc=False):
    """A label of a container, its value, and what it has told."""

    label: str
    value: str
    tells: str


class Found(Struct, frozen=True, gc=False):
    """A row with a container. Its workload stands for `ref_id`; both texts are empty if the workload is gone."""

    row_id: str
    role: str
    workload_id: str
    ref_id: str
    compose_project: str


def leads_to(found: Found, path: Path) -> list[Lead]:
    """Return the labels that have led to a row, the one that decided first."""
    replica = replica_of(found.row_id)
    number = Lead(labels.COMPOSE_NUMBER, str(replica), "the replica, because it is not the first")
    return [*_LEADS[path](found), *([number] if replica > 1 else [])]


def _by_workload(found: Found) -> list[Lead]:
    instance = instance_of(found.row_id)
    return [
        Lead(labels.WORKLOAD_ID, found.workload_id, "the workload"),
        *([Lead(labels.INSTANCE_ID, instance, "the instance of the project")] if instance else []),
        *_role(labels.ROLE, found.role, "the role"),
    ]


def _by_instance(found: Found) -> list[Lead]:
    instance = instance_of(found.row_id) or found.row_id
    return [
        Lead(labels.INSTANCE_ID, instance, "the instance; its project is that of the workload"),
        *_role(labels.STAGE, found.role, "the stage, which is the role"),
    ]


def _by_site(found: Found) -> list[Lead]:
    return [Lead(labels.STATIC_SITE, found.ref_id, "the site for which the workload stands")]


def _by_compose(found: Found) -> list[Lead]:
    return [
        Lead(labels.COMPOSE_PROJECT, found.compose_project, "the stack for which the workload stands"),
        *_role(labels.COMPOSE_SERVICE, found.role, "the role; without this label, the container's name is the role"),
    ]


def _role(label: str, role: str, tells: str) -> list[Lead]:
    return [Lead(label, role, tells)] if role else []


_LEADS = {
    Path.WORKLOAD: _by_workload,
    Path.INSTANCE: _by_instance,
    Path.SITE: _by_site,
    Path.COMPOSE: _by_compose,
}
