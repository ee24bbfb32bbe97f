"""Rows in every condition, on hosts in every condition, for what shows them to people."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from alerts.core.conditions import Phase, Severity
from alerts.models import Delivery, Incident, Message, Silence
from reconciler.models import Container, Deployment, Host, Outage, OutageKind, Transition, Workload
from tests.builders import cid
from tests.channels import channel
from tests.pages import HOSTILE

NAMES = {"shop": "Shop", "metrics": "Metrics", "wiki": "Team wiki", "blog": "Blog"}
KINDS = {"shop": "project", "metrics": "stack", "wiki": "site", "blog": "project"}
IMAGES = "registry.example.org/shop"
UP = {"state": "running", "oom_killed": False, "restart_count": 0, "started_at": 2880}
ENDED = {"state": "stopped", "started_at": 180, "finished_at": 42}
# times are in minutes before now
ROWS: dict[str, dict[str, Any]] = {
    "blog-production": {**UP, "workload_id": "blog", "role": "production", "port": 3000, "image_ref": "ghost:5.2"},
    "landing:site": {**UP, "workload_kind": "site", "role": "", "image_ref": "nginx:1.27"},
    "metrics:agent@berlin": {**ENDED, "exit_code": 1, "last_seen_at": 11, "image_ref": "metrics-agent:9"},
    "metrics:api": {**UP, "image_ref": "registry.example.org/metrics-api:9", "port": 8080, "health": "healthy"},
    "metrics:db": {**ENDED, "exit_code": 137, "oom_killed": True, "restart_count": 4, "image_ref": "postgres:17"},
    "shop:cache": {**UP, "state": "paused", "image_ref": "valkey:9"},
    "shop:mailer": {**UP, "health": "unhealthy", "image_ref": f"{IMAGES}/mailer:2.4.1"},
    "shop:migrate": {**ENDED, "exit_code": 0, "oom_killed": False},
    "shop:next": {"state": "", "container_id": "", "last_seen_at": None},
    "shop:reports": {"state": "failed", "container_id": "", "last_seen_at": None, "image_ref": f"{IMAGES}/reports:7"},
    "shop:search": {"state": "missing", "last_seen_at": 13, "image_ref": "search:3"},
    "shop:web": {**UP, "health": "healthy", "port": 8000},
    "shop:web@berlin": {**UP, "port": 8000, "last_seen_at": 11},
    "shop:web@edge": {**UP, "port": 8000},
    "shop:worker": {**UP, "started_at": 1, "restart_count": 17, "image_ref": f"{IMAGES}/worker:2.4.1"},
    "wiki:site": {**UP, "workload_kind": "site", "role": "", "image_ref": "nginx:1.27"},
}
PAST: list[dict[str, Any]] = [
    {"row_id": "metrics:db", "at": 180, "to_state": "running", "cause": "container 90c1d2ab0f11 (db) is running"},
    {
        "row_id": "metrics:db",
        "at": 42,
        "from_state": "running",
        "to_state": "stopped",
        "cause": "state running → stopped",
        "exit_code": 137,
        "oom_killed": True,
    },
    {
        "row_id": "shop:search",
        "at": 12,
        "from_state": "running",
        "to_state": "missing",
        "cause": "container 1d3b7e0c9f42 is in no complete listing",
    },
    *(
        {
            "row_id": "shop:worker",
            "at": 17 - count,
            "from_state": "running",
            "to_state": "running",
            "cause": f"container a54e095e43ee was restarted, restart count {count - 1} → {count}",
            "restarts": 1,
        }
        for count in (14, 15, 16)
    ),
]


def make_fleet() -> None:
    """Make containers in every condition, on hosts in every condition; the host local is there already."""
    now = timezone.now()

    def row(row_id: str, columns: dict[str, Any]) -> Container:
        name, _, host = row_id.partition("@")
        project, _, role = name.partition(":")
        given: dict[str, Any] = {"workload_id": project, "workload_kind": KINDS.get(project, ""), "role": role}
        given |= {
            "host_id": host or "local",
            "label_path": "workload",
            "container_id": cid(row_id),
            "last_seen_at": 0.1,
        }
        return Container(id=row_id, **moments({"image_ref": f"{IMAGES}/web:2.4.1", **given, **columns}, now))

    answers = {"last_attempt_at": now, "last_success_at": now}
    Host.objects.filter(name="local").update(**answers, watching_since=now, watcher_alive_at=now)
    fails = {"last_error": "cannot be reached: connection refused", "failures": 5, "retry_at": -3}
    fails |= {"last_success_at": 11, "last_attempt_at": 1, "last_error_at": 1}
    Host.objects.create(name="berlin", url="tcp://berlin.example.org:2376", **moments(fails, now))
    held = [{"since": now.isoformat(), "engine_id": "edge", "containers": [cid("shop:web@edge")]}]
    reason = {"held_since": now, "held_reason": "1 of 1 present rows would go missing"}
    Host.objects.create(name="edge", url="ssh://edge.example.org", held=held, **answers, **reason)
    Host.objects.create(name="attic", url="tcp://attic.example.org:2376", enabled=False)
    Workload.objects.bulk_create(Workload(id=w, kind=KINDS[w], ref_id=w, name=name) for w, name in NAMES.items())
    Container.objects.bulk_create(row(row_id, columns) for row_id, columns in ROWS.items())
    Transition.objects.bulk_create(
        Transition(host_id="local", trigger="event", container_id=cid(step["row_id"]), **moments(step, now))
        for step in PAST
    )
    make_incidents(now)


FIRST_INCIDENT = 1_000
# times are in minutes before now
INCIDENTS: list[dict[str, Any]] = [
    {"subject": "berlin", "condition": "host", "severity": "page", "host": "berlin", "since": 11},
    {"subject": "shop:search", "condition": "missing", "severity": "page", "since": 12, "exit_code": None},
    {"subject": "shop:worker", "condition": "looping", "severity": "page", "since": 3},
    {"subject": "shop:mailer", "condition": "unhealthy", "severity": "notify", "since": 1, "phase": "pending"},
    {
        "subject": "metrics:db",
        "condition": "oom",
        "severity": "notify",
        "since": 42,
        "acknowledged_at": 30,
        "acknowledged_by": "vera",
        "state_before": "running",
        "cause": "state running → stopped",
        "exit_code": 137,
        "oom_killed": True,
        "image_ref": "postgres:17",
    },
    {
        "subject": "wiki:site",
        "condition": "unhealthy",
        "severity": "notify",
        "since": 9,
        "phase": "clearing",
        "clears_at": -0.5,
    },
]


def make_incidents(now: datetime) -> None:
    """Let people be told of some of what is wrong in the fleet, in all the ways in which a line says so."""
    ops, on_call = channel("ops"), channel("on-call")
    for pk, each in enumerate(INCIDENTS, FIRST_INCIDENT):
        given: dict[str, Any] = {"host": "local", "phase": "firing", "ordinal": 1, **each}
        since = given.pop("since")
        told = max(0, since - 1)
        times = {"opened_at": since, "fires_at": told, "fired_at": told} | given
        incident = Incident.objects.create(pk=pk, since=now - timedelta(minutes=since), **moments(times, now))
        if incident.phase == Phase.PENDING:
            continue
        group = {"severity": incident.severity, "host": incident.host}
        sent = moments({"made_at": told, "next_attempt_at": told, "sent_at": told, "state": "sent"}, now)
        message = Message.objects.create(channel=ops, **group, **sent)
        of_it: dict[str, Any] = {"incident": incident, "phase": "firing", "ordinal": 1, "made_at": message.made_at}
        Delivery.objects.create(channel=ops, state="sent", message=message, **group, **of_it)
        if incident.severity == Severity.PAGE:
            Delivery.objects.create(channel=on_call, state="waiting", **group, **of_it)
    lasts = {"begins_at": now - timedelta(hours=1), "ends_at": now + timedelta(hours=1)}
    Silence.objects.create(host="local", condition="looping", reason="being mended", by="vera", **lasts)


DAYS = 40 * 24 * 60
DOWNS: dict[str, list[tuple[float, float]]] = {
    "shop:web": [(1200, 1170)],
    "wiki:site": [(1300, 1100), (400, 385)],
    "blog-production": [(22000, 21000)],
}
BLIND: dict[str, list[tuple[float, float | None]]] = {"berlin": [(11, None)], "local": [(900, 780)]}


def make_history() -> None:
    """Give rows of the fleet a past of some weeks, with downs, outages and deploys, as a person would see it."""
    now = timezone.now()
    steps: list[dict[str, Any]] = []
    for row in Container.objects.filter(state__in=("running", "paused")):
        turns: list[tuple[float, str, str]] = [(DAYS, "", "running")]
        for begin, end in DOWNS.get(row.id, []):
            turns += [(begin, "running", "stopped"), (end, "stopped", "running")]
        given = {
            "row_id": row.id,
            "host_id": row.host_id,
            "workload_id": row.workload_id,
            "cause": "",
            "trigger": "event",
        }
        steps += [given | {"at": at, "from_state": before, "to_state": after} for at, before, after in turns]
    deploy = {"began_at": 540, "ends_at": 530, "ended_at": 535}
    Deployment.objects.create(workload_id="shop", by="ci", **moments(deploy, now))
    # the latest comes last, as a feed is written
    entries = [Transition(**moments(step, now)) for step in sorted(steps, key=lambda step: -step["at"])]
    past = list(Transition.objects.order_by("id"))
    Transition.objects.all().delete()
    Transition.objects.bulk_create(entries)
    for entry in past:
        entry.pk = None
    Transition.objects.bulk_create(past)
    for host, spans in BLIND.items():
        for began, ended in spans:
            known = {"began_at": began, "noticed_at": began, "ended_at": ended, "kind": OutageKind.UNREACHABLE}
            Outage.objects.create(host_id=host, reason="connection refused", **moments(known, now))
    Host.objects.update(created_at=now - timedelta(days=41))


def make_hostile() -> list[str]:
    """Put hostile texts wherever a page shows what somebody else has named; return the ids of rows with such names."""
    now = timezone.now()
    # a database and an address hold any text but the slash and what is no text
    ids = [f"{text.replace('/', '|')[:120]}:{number}" for number, text in enumerate(HOSTILE)]
    given: dict[str, Any] = {"state": "missing", "restart_count": 3, "exit_code": 1, "label_path": "workload"}
    for row_id, text in zip(ids, HOSTILE, strict=True):
        workload = Workload.objects.create(id=row_id.rpartition(":")[0], ref_id=row_id, name=text[:255])
        named = {"role": text[:128], "image_ref": text[:255], "subdomain": text[:255], "container_id": cid(row_id)}
        Container.objects.create(id=row_id, workload=workload, **named, **given)
        told = {"row_id": row_id, "host_id": "berlin", "workload_id": workload.pk, "at": now, "to_state": "missing"}
        Transition.objects.create(**told, cause=text, trigger="event")
        Deployment.objects.create(workload_id=workload.pk, by=text[:64], began_at=now, ends_at=now + timedelta(hours=1))
        known: dict[str, Any] = {"cause": text, "image_ref": text[:255], "acknowledged_by": text[:100]}
        known |= {"opened_at": now, "fires_at": now, "fired_at": now, "acknowledged_at": now, "since": now}
        of_it = {"host": "berlin", "workload_id": workload.pk, "condition": "missing", "severity": "page"}
        Incident.objects.create(subject=row_id, phase="firing", **of_it, **known)
        past = {"began_at": now, "noticed_at": now, "ended_at": now, "kind": OutageKind.UNREACHABLE}
        Outage.objects.create(host_id="berlin", reason=text, **past)
    skips = [{"container_id": "c" * 64, "name": text, "reason": "bad_label", "detail": text} for text in HOSTILE]
    Host.objects.filter(name="berlin").update(skips=skips, last_error=" ".join(HOSTILE), held_reason="x" * 300)
    return ids


def moments(columns: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Return columns in which moments have replaced the minutes before now."""
    made = dict(columns)
    for name, value in columns.items():
        if (name.endswith("_at") or name == "at") and value is not None:
            made[name] = now - timedelta(minutes=value)
    return made
