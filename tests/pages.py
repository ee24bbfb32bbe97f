"""Rows and hosts as the pages read them, for tests; and the text of a page."""

import html
import re
from datetime import UTC, datetime
from typing import Any

from reconciler.models import Condition, Container, Trouble, Workload
from reconciler.models.trouble import WORST_FIRST
from reconciler.status import HostStatus
from tests.builders import cid
from web.pages.row import Row

AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def page_row(row_id: str = "shop:web", trouble: Trouble | None = None, **columns: object) -> Row:
    """Return a running row as a page reads it, with such trouble."""
    given: dict[str, object] = {
        "host_id": "local",
        "workload_id": row_id.split(":", maxsplit=1)[0],
        "workload_name": "Shop",
        "role": row_id.partition(":")[2],
        "container_id": cid(row_id),
        "state": "running",
        "health": "",
        "exit_code": None,
        "ended_lately": None,
        "oom_killed": None,
        "image_ref": "app:1",
        "restart_count": 0,
        "restarts_lately": 0,
        "unknown_since": None,
        "severity": WORST_FIRST.index(trouble) if trouble else len(WORST_FIRST),
        "created_at": AT,
        "changed_at": AT,
        "cause": "",
        "loop_began_at": None,
        "last_seen_at": AT,
        "alerts": "",
        "is_deploying": False,
        "orphaned_at": None,
    }
    return Row(id=row_id, **(given | columns))  # type: ignore[arg-type]


def host_status(name: str = "local", condition: Condition = Condition.FRESH, **more: Any) -> HostStatus:
    """Return the status of a host in a condition."""
    given: dict[str, Any] = {
        "enabled": condition is not Condition.OFF,
        "engine": "",
        "condition_text": "",
        "watching_since": None,
        "last_success_at": AT,
        "age_seconds": 0.0,
        "stale": condition is Condition.STALE,
        "error": "",
        "failures": 0,
        "retry_at": None,
        "held_since": None,
        "held_reason": "",
        "held_rows": 0,
        "containers": {},
        "last_known": {},
        "looping": 0,
        "events_seen": 0,
        "passes_asked": 0,
        "drift_found": 0,
        "drift_found_at": None,
        "latency_count": 0,
        "latency_p50_ms": None,
        "latency_p99_ms": None,
    }
    return HostStatus(host=name, condition=condition, **(given | more))


def make_row(row_id: str, state: str = "running", **columns: Any) -> Container:
    """Make a row of the host local, with its workload."""
    workload_id = columns.pop("workload_id", row_id.split(":", maxsplit=1)[0])
    if columns.pop("has_workload", True):
        Workload.objects.get_or_create(
            id=workload_id, defaults={"kind": "project", "ref_id": workload_id, "name": workload_id.title()}
        )
    given = {"container_id": cid(row_id), "workload_id": workload_id, "role": row_id.partition(":")[2]}
    return Container.objects.create(id=row_id, state=state, **(given | columns))


def text_of(page: bytes | str) -> str:
    """Return the text of a page on one line, without its tags."""
    whole = page if isinstance(page, str) else page.decode()
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", whole)).split())


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7|add:7 }}{% debug %}",
    "x" * 300,
    "\u202eexe.ekam\u202c שלום مرحبا",
    "🐳" * 40,
    "a b\tc\u2028d\u200be",
)
"""Texts that labels, images and causes may hold."""
