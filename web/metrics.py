"""/metrics: what the database knows, in Prometheus' text form, read anew for each scrape.

Names follow the rules of kube-state-metrics: base units, one series for the state that holds, and no label that changes
with every container (its id, a cause, an error). Rows are series up to METRICS_MOST_ROWS; the hosts' counts always are.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime

from django.conf import settings
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from alerts.models import Delivery, Incident
from reconciler.models import UNKNOWN, Condition, Container, State
from reconciler.readiness import neglected_hosts
from reconciler.status import HostStatus, pass_outcomes, statuses
from web.address import client_address, is_within
from web.auth import refusal_of
from web.models import Scope
from web.version import VERSION

OTHER = "other"
"""A state that the Engine has a word for, and the index has not."""
KNOWN_STATES = tuple(state.value or "pending" for state in State if state is not State.GONE)
ROW = ("row", "host")


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer a scrape, from an address of METRICS_ALLOW or with a token."""
    if not is_within(client_address(request), settings.METRICS_ALLOW) and (refusal := refusal_of(request, Scope.READ)):
        return refusal
    registry = CollectorRegistry(auto_describe=False)
    registry.register(IndexCollector(timezone.now()))
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class IndexCollector(Collector):
    """The index at one moment, in a constant number of queries."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def describe(self) -> Iterable[Metric]:
        """Name nothing beforehand: that would be a scrape."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield all families."""
        yield InfoMetricFamily("tinyforge_build", "What runs here", {"version": VERSION})
        hosts = statuses(self._at)
        yield from _host_families(hosts, set(neglected_hosts(self._at)))
        yield from _own_families(hosts)
        yield _incident_family()
        yield from _delivery_families()
        count = Container.objects.count()
        truncated = count > settings.METRICS_MOST_ROWS
        yield _gauge("metrics_truncated", "1 if there are too many rows for series of their own", (), [((), truncated)])
        if not truncated:
            yield from _row_families(self._at)


def _host_families(hosts: list[HostStatus], neglected: set[str]) -> Iterator[Metric]:
    conditions = [((host.host, condition), host.condition == condition) for host in hosts for condition in Condition]
    yield _gauge("host_condition", "How a host is doing: 1 for what holds", ("host", "condition"), conditions)
    yield _gauge(
        "host_last_success_timestamp_seconds",
        "When a pass of the host last succeeded",
        ("host",),
        [((host.host,), host.last_success_at.timestamp()) for host in hosts if host.last_success_at],
    )
    unseen = [((host.host,), host.host in neglected) for host in hosts]
    yield _gauge("host_neglected", "1 if nobody looks at the host although it is enabled", ("host",), unseen)
    watched = [((host.host,), host.watching_since is not None) for host in hosts]
    yield _gauge("host_watched", "1 if the host's events are followed", ("host",), watched)
    yield _counter("host_events", "Events seen", ("host",), [((host.host,), host.events_seen) for host in hosts])
    drift = [((host.host,), host.drift_found) for host in hosts]
    yield _counter("host_drift", "Changes that a tick found and no event announced", ("host",), drift)
    yield from _row_counts(hosts)


def _row_counts(hosts: list[HostStatus]) -> Iterator[Metric]:
    effective = [(host.host, _counted(host.containers, (*KNOWN_STATES, UNKNOWN))) for host in hosts]
    last_known = [(host.host, _counted(host.last_known, KNOWN_STATES)) for host in hosts]
    for name, text, counts in (
        ("host_containers", "Rows by what is known now", effective),
        ("host_containers_unknown", "Unknown rows by the last state that was known", last_known),
    ):
        samples = [((host, state), count) for host, by_state in counts for state, count in by_state.items()]
        yield _gauge(name, text, ("host", "state"), samples)


def _counted(counts: dict[str, int], states: Sequence[str]) -> dict[str, int]:
    """Return how many rows there are in each of these states, zeros included, and in any other state."""
    others = sum(count for state, count in counts.items() if state not in states)
    return {state: counts.get(state, 0) for state in states} | {OTHER: others}


def _own_families(hosts: list[HostStatus]) -> Iterator[Metric]:
    latencies = [
        ((host.host, percentile), value / 1000)
        for host in hosts
        for percentile, value in (("50", host.latency_p50_ms), ("99", host.latency_p99_ms))
        if value is not None
    ]
    text = "From the Engine's event to the committed row, of the last few hundred"
    yield _gauge("event_latency_seconds", text, ("host", "percentile"), latencies)
    outcomes = [((outcome,), count) for outcome, count in pass_outcomes().items()]
    yield _counter("passes", "Passes by how they ended", ("outcome",), outcomes)


def _incident_family() -> Metric:
    standing = Incident.objects.standing().order_by().values_list("condition", "severity")
    counts = {(condition, severity): count for condition, severity, count in standing.annotate(count=Count("*"))}
    known = {(condition.value, rule.severity.value): 0 for condition, rule in settings.ALERT_RULES.items()}
    text = "Incidents that people are told of and that are not over"
    return _gauge("incidents", text, ("condition", "severity"), (known | counts).items())


def _delivery_families() -> Iterator[Metric]:
    pending, dead = Delivery.objects.waiting().count(), Delivery.objects.dead().count()
    yield _gauge("deliveries_pending", "Deliveries of alerts that are to be sent", (), [((), pending)])
    yield _gauge("deliveries_dead", "Deliveries of alerts that were given up", (), [((), dead)])


def _is_looping(row: Container) -> bool:
    return bool(row.restarts_lately >= settings.RESTART_LOOP_COUNT)  # type: ignore[attr-defined]


def _is_deploying(row: Container) -> bool:
    return bool(row.is_deploying)  # type: ignore[attr-defined]


def _state_of(row: Container) -> str:
    state = str(row.effective_state) or "pending"  # type: ignore[attr-defined]
    return state if state in (*KNOWN_STATES, UNKNOWN) else OTHER


def _seconds(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment else None


_GAUGES: tuple[tuple[str, str, Callable[[Container], "float | None"]], ...] = (
    ("oom_killed", "1 if it last ended for want of memory", lambda row: row.oom_killed),
    ("last_exit_code", "Exit code of its last end", lambda row: row.exit_code),
    ("restart_loop", "1 if it is in a restart loop", _is_looping),
    ("deploying", "1 while it is being deployed", _is_deploying),
    ("started_timestamp_seconds", "When it started", lambda row: _seconds(row.started_at)),
    ("last_seen_timestamp_seconds", "When it was last listed", lambda row: _seconds(row.last_seen_at)),
)


def _row_families(at: datetime) -> Iterator[Metric]:
    rows = list(Container.objects.with_effective_state(at).with_restarts(at).with_deploying(at).order_by("id"))
    info = [((row.id, str(row.host_id), str(row.workload_id), row.role, row.image_ref), 1) for row in rows]
    yield _gauge("container_info", "What a row is", (*ROW, "workload", "role", "image"), info)
    states = [((row.id, str(row.host_id), _state_of(row)), 1) for row in rows]
    yield _gauge("container_state", "The state that holds", (*ROW, "state"), states)
    healths = [((row.id, str(row.host_id), row.health), 1) for row in rows if row.health]
    yield _gauge("container_health", "What its health check says", (*ROW, "health"), healths)
    restarts = [((row.id, str(row.host_id)), row.restart_count) for row in rows if row.restart_count is not None]
    yield _counter("container_restarts", "Restarts by its restart policy", ROW, restarts)
    for name, text, value_of in _GAUGES:
        found = [((row.id, str(row.host_id)), value) for row in rows if (value := value_of(row)) is not None]
        yield _gauge(f"container_{name}", text, ROW, found)


def _gauge(name: str, text: str, labels: tuple[str, ...], samples: Iterable[tuple[Sequence[str], float]]) -> Metric:
    family = GaugeMetricFamily(f"tinyforge_{name}", text, labels=labels)
    for values, sample in samples:
        family.add_metric(values, float(sample))
    return family


def _counter(name: str, text: str, labels: tuple[str, ...], samples: Iterable[tuple[Sequence[str], float]]) -> Metric:
    family = CounterMetricFamily(f"tinyforge_{name}", text, labels=labels)
    for values, sample in samples:
        family.add_metric(values, float(sample))
    return family
