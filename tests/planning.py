"""Plans of listings against rows, in a small catalogue."""

from collections.abc import Iterable

from reconciler.core.contests import RowElsewhere
from reconciler.core.dispatch import Row, claim_all, dispatch_all
from reconciler.core.identities import Catalogue, InstanceFacts
from reconciler.core.observation import Observation, Reason
from reconciler.core.plan import Plan, make_plan
from tests.builders import row, workload

CATALOGUE = Catalogue(
    workloads={("project", "p1"): "shop"}, instances={"i1": InstanceFacts("p1", 0, "v2", "shop.example", "", 0)}
)
WEB = workload("shop", role="web")


def plan_of(
    rows: Iterable[Row],
    containers: Iterable[Observation],
    *,
    elsewhere: Iterable[RowElsewhere] = (),
    host: str = "local",
    sweep: bool = True,
) -> Plan:
    """Plan a listing against rows."""
    containers = list(containers)
    managed, skips = claim_all(containers)
    sightings, lost = dispatch_all(managed, CATALOGUE, host)
    listed = frozenset(each.container_id for each in containers) if sweep else None
    return make_plan(
        {row.id: row for row in rows}, sightings, [*skips, *lost], listed, {each.row.id: each for each in elsewhere}
    )


def reasons(plan: Plan) -> list[tuple[str, Reason]]:
    """Return the names of the containers that are left alone, and why."""
    return [(skip.name, skip.reason) for skip in plan.skips]


def elsewhere(state: str, *, container_name: str = "old", is_off: bool = False) -> RowElsewhere:
    """Return the row i1 as it is on the host west."""
    return RowElsewhere(row("i1", container_name, host="west", state=state), is_off)
