"""What the index knows: hosts, what is deployed, the containers that serve it, and their history."""

from reconciler.core.uptime import Piece, Span, Status, Uptime, cut_to, thinned, uptime_of
from reconciler.models.condition import Condition
from reconciler.models.container import Container
from reconciler.models.deployment import Deployment, DeploymentState
from reconciler.models.feed import Feed, newest_position
from reconciler.models.host import Host
from reconciler.models.leads import leads_of
from reconciler.models.live_watcher import LiveWatcher
from reconciler.models.outage import Outage, OutageKind
from reconciler.models.state import UNKNOWN, State
from reconciler.models.transition import ChangeKind, Transition
from reconciler.models.trouble import Trouble
from reconciler.models.uptime import (
    timeline_of_host,
    timelines_of_rows,
    timelines_of_workloads,
    uptime_of_all_rows,
    uptime_of_host,
    uptime_of_rows,
    uptime_of_workload,
)
from reconciler.models.workload import Instance, Stack, Workload, WorkloadKind

__all__ = [
    "UNKNOWN",
    "ChangeKind",
    "Condition",
    "Container",
    "Deployment",
    "DeploymentState",
    "Feed",
    "Host",
    "Instance",
    "LiveWatcher",
    "Outage",
    "OutageKind",
    "Piece",
    "Span",
    "Stack",
    "State",
    "Status",
    "Transition",
    "Trouble",
    "Uptime",
    "Workload",
    "WorkloadKind",
    "cut_to",
    "leads_of",
    "newest_position",
    "thinned",
    "timeline_of_host",
    "timelines_of_rows",
    "timelines_of_workloads",
    "uptime_of",
    "uptime_of_all_rows",
    "uptime_of_host",
    "uptime_of_rows",
    "uptime_of_workload",
]
