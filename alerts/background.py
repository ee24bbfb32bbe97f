"""I/O: what was known when an incident began: out of the row's history, or the host's outage."""

from collections.abc import Sequence
from datetime import datetime

from django.db.models import Max

from alerts.core.conditions import Condition, SubjectKind
from alerts.core.facts import Facts
from alerts.models import Incident
from reconciler.models import Outage, Transition

CAUSE_CHARS = 2_000


def tell_background(incidents: Sequence[Incident], facts: Facts, at: datetime) -> None:
    """Fill into incidents that were opened, or fire now, what is known of how they began."""
    _of_rows([each for each in incidents if each.subject_kind is SubjectKind.ROW], facts, at)
    outages = {outage.host_id: outage for outage in Outage.objects.open()}
    for each in incidents:
        if each.subject_kind is SubjectKind.HOST:
            each.host = each.subject
            outage = outages.get(each.host)
            if each.condition == Condition.HOST and outage:
                each.since, each.cause = min(outage.began_at, at), outage.reason[:CAUSE_CHARS]
        elif each.subject_kind is SubjectKind.INDEX:
            each.cause = facts.troubles.get(Condition(each.condition), each.cause)


def _of_rows(incidents: Sequence[Incident], facts: Facts, at: datetime) -> None:
    steps = _last_steps([each.subject for each in incidents])
    for each in incidents:
        if row := facts.rows.get(each.subject):
            each.host, each.workload_id, each.state = row.host, row.workload_id, row.state
            each.container_id, each.image_ref, each.exit_code = row.container_id, row.image_ref, row.exit_code
        # no step of a row tells that its workload was deleted, or when
        if (step := steps.get(each.subject)) and each.condition != Condition.ORPHAN:
            each.since, each.state_before, each.cause = min(step.at, at), step.from_state, step.cause[:CAUSE_CHARS]
            each.oom_killed = step.oom_killed
            each.exit_code = step.exit_code if each.exit_code is None else each.exit_code


def _last_steps(row_ids: Sequence[str]) -> dict[str, Transition]:
    """Return the last step of each row's history."""
    if not row_ids:
        return {}
    steps = Transition.objects.steps().filter(row__id__among=row_ids).order_by()
    last = steps.values("row_id").annotate(last=Max("id")).values("last")
    return {step.row_id: step for step in Transition.objects.filter(id__in=last)}
