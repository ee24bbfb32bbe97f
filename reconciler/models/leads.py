"""Why a container is in its row: which of its labels have led there."""

from reconciler.core.labels import Path
from reconciler.core.leads import Found, Lead, leads_to
from reconciler.models.container import Container
from reconciler.models.workload import Stack, Workload


def leads_of(row: Container) -> list[Lead]:
    """Return the labels that have led to a row; none if it has no container, or if no pass has noted them yet."""
    if not row.container_id or not row.label_path:
        return []
    workload = Workload.objects.filter(id=row.workload_id).first()
    ref_id = workload.ref_id if workload else ""
    stack = Stack.objects.filter(id=ref_id).first() if row.label_path == Path.COMPOSE else None
    found = Found(row.id, row.role, str(row.workload_id), ref_id, stack.compose_project_name if stack else "")
    return leads_to(found, Path(row.label_path))
