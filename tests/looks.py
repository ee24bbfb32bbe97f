"""One look at a host as the core sees it: rows, a listing, and what the rows say of earlier inspects."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from reconciler.core.details import Answers, merge_details
from reconciler.core.dispatch import Row, Sighting, claim_all, dispatch_all
from reconciler.core.identities import Catalogue
from reconciler.core.inspects import HostRows, in_turn, to_inspect, worth_asking
from reconciler.core.last_inspect import DetailsState, LastInspect
from reconciler.core.observation import Details, Observation
from reconciler.core.plan import Change, Plan, make_plan
from tests.builders import STARTED, cid, container, details, row, workload

ANSWERED = STARTED + timedelta(hours=1)
WEB = workload("shop", role="web")
DB = workload("shop", role="db")


def known(name: str = "web", **columns: object) -> LastInspect:
    """Return what an inspect has told of the container of that name, which runs since STARTED."""
    given: dict[str, object] = {
        "details_of": cid(name),
        "details_state": DetailsState.TOLD,
        "oom_killed": False,
        "restart_count": 0,
        "started_at": STARTED,
    }
    return LastInspect(**(given | columns))  # type: ignore[arg-type]


def owed(name: str = "web", **columns: object) -> LastInspect:
    """Return what is known of that container after an inspect in vain: no more than the count, if that is given."""
    nothing: dict[str, object] = {"oom_killed": None, "restart_count": None, "started_at": None}
    return known(name, **(nothing | {"details_state": DetailsState.OWED} | columns))


@dataclass
class Look:
    """Rows as a pass reads them, the containers that it lists, and what the rows, by id, say of earlier inspects.

    A row of which nothing is said has had the details of its container told.
    """

    rows: list[Row]
    containers: list[Observation]
    inspects: Mapping[str, LastInspect] = field(default_factory=dict)
    answered_at: datetime | None = ANSWERED

    def plan(self) -> Plan:
        """Return the plan before any inspect."""
        listed = frozenset(each.container_id for each in self.containers)
        return make_plan({row.id: row for row in self.rows}, self._sightings(), [], listed, {})

    def wanted(self, most: int = 100, turn: int = 0) -> list[Change]:
        """Return the changes that an inspect could add to."""
        wanted = to_inspect(self.plan(), self._host_rows(), self._sightings(), most, turn)
        return worth_asking(wanted, self._known(), self.answered_at)

    def asked(self, most: int = 100, turn: int = 0) -> list[str]:
        """Return the row ids of the containers that are inspected, in this order."""
        return [change.after.id for change in in_turn(self.wanted(most, turn), most, turn)]

    def learnt(self, answers: Answers) -> Plan:
        """Return the plan after these answers."""
        return merge_details(self.plan(), self.wanted(), answers, self.answered_at)

    def change(self, answers: Answers) -> Change:
        """Return the only change that there is after these answers."""
        (change,) = self.learnt(answers).changes
        return change

    def _sightings(self) -> list[Sighting]:
        managed, _ = claim_all(self.containers)
        return dispatch_all(managed, Catalogue(), "local")[0]

    def _known(self) -> dict[str, LastInspect]:
        told = {row.id: LastInspect(row.container_id, DetailsState.TOLD, False, 0, STARTED) for row in self.rows}
        return told | dict(self.inspects)

    def _host_rows(self) -> HostRows:
        said = self._known()
        young = {row_id for row_id, each in said.items() if each.details_state == DetailsState.YOUNG}
        owed = {
            row.id: said[row.id].details_of
            for row in self.rows
            if row.id in young
            or said[row.id].details_state == DetailsState.OWED
            or said[row.id].details_of != row.container_id
        }
        return HostRows({row.id: row for row in self.rows}, owed, young)


RUNNING_WEB = row("shop:web", "web")
STOPPED_WEB = row("shop:web", "web", state="stopped", exit_code=1)
RESTARTING_WEB = row("shop:web", "web", state="restarting")
CREATED_WEB = row("shop:web", "web", state="created")
YOUNG = container("web", WEB, up_seconds=1)
SOON = STARTED + timedelta(minutes=1)
UNANSWERED = [DetailsState.OWED, DetailsState.STUCK]


def of_web(before: Row, now: Observation, last: LastInspect | None = None) -> Look:
    """Return a look at one container; its details were told once, if nothing else is said."""
    return Look([before], [now], {"shop:web": last or known()})


def answer(**told: object) -> dict[str, Details]:
    return {cid("web"): details(**told)}
