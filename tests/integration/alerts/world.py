"""A small index that a test changes, and a judge that looks at it every ten seconds of a clock that the test moves."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from alerts.core.conditions import Phase
from alerts.judging import judge_now
from alerts.models import Incident
from reconciler.models import Container, Host, Transition, Workload
from tests.builders import cid

START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
PERIOD = timedelta(seconds=10)
WEB = "shop:web"


@dataclass
class World:
    """Rows on the host west, which is watched, with a pass before every look, unless the host cannot be seen."""

    at: datetime = START
    is_dark: bool = False
    is_watched: bool = True

    def __post_init__(self) -> None:
        Host.objects.create(name="west", url="tcp://west:2375")
        Host.objects.exclude(name="west").update(enabled=False)
        Workload.objects.create(id="shop", name="Shop", ref_id="p1")
        self.look()

    def row(self, row_id: str = WEB, **columns: object) -> None:
        """Change a row, or make it, and tell its history."""
        of_it = {"workload_id": "shop", "host_id": "west", "container_id": cid(row_id), "state": "running"}
        before = Container.objects.filter(id=row_id).values_list("state", flat=True).first() or ""
        row, _ = Container.objects.update_or_create(id=row_id, defaults=columns, create_defaults={**of_it, **columns})
        step = {"from_state": before, "to_state": row.state, "container_id": row.container_id, "at": self.at}
        of_step = {"exit_code": row.exit_code, "oom_killed": row.oom_killed, "cause": f"it is {row.state}"}
        Transition.objects.create(row_id=row_id, host_id="west", workload_id="shop", **step, **of_step)

    def look(self) -> None:
        """Let a pass see the host, or fail, and the judge look."""
        seen = {"last_attempt_at": self.at, "last_success_at": self.at, "sightings_at": self.at, "last_error": ""}
        failed = {"last_attempt_at": self.at, "last_error": "it does not answer", "last_error_at": self.at}
        watched = {"watching_since": self.at, "watcher_alive_at": self.at} if self.is_watched else {}
        Host.objects.filter(name="west").update(**(failed if self.is_dark else seen), **watched)
        judge_now(self.at, by_beat=True)

    def wait(self, seconds: float) -> None:
        """Let time go by, with a look every ten seconds."""
        until = self.at + timedelta(seconds=seconds)
        while self.at < until:
            self.at = min(self.at + PERIOD, until)
            self.look()


def phases() -> list[tuple[str, str, str]]:
    """Return condition, subject and phase of each incident, in the order of their beginning."""
    return [(each.condition, each.subject, each.phase) for each in Incident.objects.order_by("id")]


def standing() -> list[str]:
    """Return the conditions that people are told of and that are not over."""
    return [each.condition for each in Incident.objects.filter(phase=Phase.FIRING).order_by("id")]
