"""What a straightforward Django task does: the SDK's list, update_or_create per container, save per missing row."""

import docker
from django.utils import timezone
from msgspec.structs import astuple

from reconciler.dispatch import Sighting, claim_all, dispatch, needs_of
from reconciler.models import Container
from reconciler.observation import Observation, normalise_state
from reconciler.store import ROW_COLUMNS, catalogue


def straightforward_pass(url: str) -> None:
    """Bring the table up to date, the obvious way; dispatch is shared, so that only the ways of doing I/O differ."""
    client = docker.DockerClient(base_url=url)
    seen: set[str] = set()
    for listed in client.containers.list(all=True):
        ports = sorted(int(port.split("/")[0]) for port in listed.ports) or [0]
        observation = Observation(
            str(listed.id),
            str(listed.name),
            listed.attrs["Config"]["Image"],
            normalise_state(listed.status),
            listed.labels,
            ports[0],
            0,
        )
        managed, _ = claim_all([observation])
        for container in managed:
            found = dispatch(container, catalogue(needs_of(managed)), "local")
            if isinstance(found, Sighting):
                values = dict(zip(ROW_COLUMNS, astuple(found.row), strict=True))
                row_id = values.pop("id")
                Container.objects.update_or_create(id=row_id, defaults={**values, "last_seen_at": timezone.now()})
                seen.add(found.row.id)
    for row in Container.objects.all():
        if row.id not in seen and row.container_id and row.state != "missing":
            row.state = "missing"
            row.save()
    client.close()
