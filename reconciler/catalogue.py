"""I/O: the joins that a listing needs, in one statement."""

from typing import Any

import msgspec
from django.db import connection

from reconciler.core.dispatch import LookupKeys
from reconciler.core.identities import PROJECT, SITE, STACK, Catalogue, InstanceFacts
from reconciler.json_rows import NO_ROWS, json_array_sql, json_rows_sql
from reconciler.lookups import among
from reconciler.models import Instance, Stack, Workload

_WORKLOADS, _INSTANCES, _STACKS = (f'"{model._meta.db_table}"' for model in (Workload, Instance, Stack))
# not a join: for one, PostgreSQL may compare all with all while it knows nothing yet of many new workloads
_WORKLOAD_OF = " ".join(["(SELECT w.id FROM", _WORKLOADS, "AS w WHERE w.kind = '{}' AND w.ref_id = {})"])
_OF_STACK, _OF_INSTANCE = _WORKLOAD_OF.format(STACK, "s.id"), _WORKLOAD_OF.format(PROJECT, "i.project_id")
_PROJECT_NAME = "s.compose_project_name"
_FACTS = tuple(f"i.{column}" for column in InstanceFacts.__struct_fields__)

_kinds = msgspec.json.Decoder(list[tuple[str, str]])
_sites = msgspec.json.Decoder(list[tuple[str, str]])
_stacks = msgspec.json.Decoder(list[tuple[str, str, str | None]])
_instances = msgspec.json.Decoder(list[tuple[str, InstanceFacts, str | None]])


def catalogue(needs: LookupKeys) -> Catalogue:
    """Return the joins for the names a listing uses, and no others."""
    told = _ask(needs)
    kinds, sites = _kinds.decode(told[0]), _sites.decode(told[1])
    stacks, instances = _stacks.decode(told[2]), _instances.decode(told[3])
    workloads = {(SITE, ref_id): workload_id for ref_id, workload_id in sites}
    workloads |= {(STACK, stack_id): workload_id for _, stack_id, workload_id in stacks if workload_id is not None}
    workloads |= {
        (PROJECT, facts.project_id): workload_id for _, facts, workload_id in instances if workload_id is not None
    }
    return Catalogue(
        workload_kinds=dict(kinds),
        workloads=workloads,
        instances={instance_id: facts for instance_id, facts, _ in instances},
        stacks={project: stack_id for project, stack_id, _ in stacks},
    )


def _ask(needs: LookupKeys) -> list[str]:
    """Return kinds, sites, stacks and instances as JSON; send one statement, or none if there are no names."""
    vendor = connection.vendor
    facts = json_array_sql(_FACTS, vendor)
    parts: list[str] = []
    params: list[Any] = []
    for columns, tables, column, wanted in (
        (["id", "kind"], _WORKLOADS, "id", needs.workload_ids),
        (["ref_id", "id"], _WORKLOADS, f"kind = '{SITE}' AND ref_id", needs.site_ids),
        ([_PROJECT_NAME, "s.id", _OF_STACK], f"{_STACKS} AS s", _PROJECT_NAME, needs.compose_projects),
        (["i.id", facts, _OF_INSTANCE], f"{_INSTANCES} AS i", "i.id", needs.instance_ids),
    ):
        if not wanted:
            parts.append("NULL")
            continue
        condition, param = among(column, wanted, vendor)
        parts.append(" ".join(["(SELECT", json_rows_sql(columns, vendor), "FROM", tables, "WHERE", condition, ")"]))
        params.append(param)
    if not params:
        return [NO_ROWS] * len(parts)
    with connection.cursor() as cursor:
        cursor.execute("SELECT " + ", ".join(parts), params)
        return [text or NO_ROWS for text in cursor.fetchall()[0]]
