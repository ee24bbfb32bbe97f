"""What a straightforward Django task does: the SDK's list, update_or_create per container, save per missing row."""

import docker
import requests
from django.utils import timezone
from msgspec.structs import astuple

from reconciler.catalogue import catalogue
from reconciler.conf import engine_of
from reconciler.core.dispatch import claim_all, dispatch_all, lookup_keys
from reconciler.core.observation import Observation, normalise_state
from reconciler.core.row_ids import LOCAL_HOST
from reconciler.models import Container, Host
from reconciler.store import ROW_COLUMNS


def straightforward_pass(url: str, host: str = LOCAL_HOST, timeout_seconds: int = 60) -> None:
    """Bring a host's rows up to date in the obvious way. Dispatch is shared, so that only the I/O differs.

    Raises what the SDK raises.
    """
    client = docker.DockerClient(base_url=url, timeout=timeout_seconds)
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
        for sighting in dispatch_all(managed, catalogue(lookup_keys(managed)), host)[0]:
            values = dict(zip(ROW_COLUMNS, astuple(sighting.row), strict=True))
            row_id = values.pop("id")
            Container.objects.update_or_create(id=row_id, defaults={**values, "last_seen_at": timezone.now()})
            seen.add(row_id)
    for row in Container.objects.filter(host=host):
        if row.id not in seen and row.container_id and row.state != "missing":
            row.state = "missing"
            row.save()
    client.close()


def straightforward_visit(host: Host) -> bool:
    """Make a straightforward pass over a host; return whether it came to its end."""
    try:
        straightforward_pass(host.url, host.name, round(engine_of(host).timeout_seconds))
    except (docker.errors.DockerException, requests.RequestException):
        return False
    return True
