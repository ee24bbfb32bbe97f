"""What the index knows: hosts, what is deployed, the containers that serve it, and their history."""

from reconciler.models.container import UNKNOWN, Container, State, orphan_condition, unknown_condition
from reconciler.models.host import Host
from reconciler.models.transition import Transition
from reconciler.models.workload import Instance, Stack, Workload, WorkloadKind

__all__ = [
    "UNKNOWN",
    "Container",
    "Host",
    "Instance",
    "Stack",
    "State",
    "Transition",
    "Workload",
    "WorkloadKind",
    "orphan_condition",
    "unknown_condition",
]
