"""What the index knows: hosts, what is deployed, the containers that serve it, and their history."""

from reconciler.models.container import Container
from reconciler.models.feed import Feed, newest_position
from reconciler.models.host import Host
from reconciler.models.state import UNKNOWN, State
from reconciler.models.transition import ChangeKind, Transition
from reconciler.models.trouble import Trouble
from reconciler.models.workload import Instance, Stack, Workload, WorkloadKind

__all__ = [
    "UNKNOWN",
    "ChangeKind",
    "Container",
    "Feed",
    "Host",
    "Instance",
    "Stack",
    "State",
    "Transition",
    "Trouble",
    "Workload",
    "WorkloadKind",
    "newest_position",
]
