"""The rows behind the sample containers: workloads, an instance, a stack, a deploy. Runs inside Django."""

import sys
from datetime import timedelta

import django

SHOP = "sample-shop"
INSTANCE = "sample-instance"
PROJECT_ID = "sample-project"
SITE = "sample-site"
STACK = "sample-stack"
GONE = "sample-gone"
DEPLOY = f"{SHOP}:next"
DEPLOY_LASTS = timedelta(minutes=30)
BY = "the samples"
COMPOSE_PROJECT = "tinyforge-sample-stack"


def create() -> None:
    """Create the rows that are not there yet."""
    from reconciler.models import Instance, Stack, Workload, WorkloadKind

    workloads = [
        (SHOP, WorkloadKind.PROJECT, SHOP, "Sample shop"),
        (PROJECT_ID, WorkloadKind.PROJECT, PROJECT_ID, "Sample blog"),
        (SITE, WorkloadKind.SITE, SITE, "Sample site"),
        (STACK, WorkloadKind.STACK, STACK, "Sample stack"),
    ]
    for row_id, kind, ref_id, name in workloads:
        Workload.objects.get_or_create(id=row_id, defaults={"kind": kind, "ref_id": ref_id, "name": name})
    Stack.objects.get_or_create(id=STACK, defaults={"name": "Sample stack", "compose_project_name": COMPOSE_PROJECT})
    Instance.objects.get_or_create(
        id=INSTANCE,
        defaults={
            "project_id": PROJECT_ID,
            "stage": "production",
            "image_tag": "2.0",
            "port": 3000,
            "subdomain": "blog",
        },
    )
    _begin_deploy()


def _begin_deploy() -> None:
    """Begin a deploy that never makes its container, as one that has got stuck."""
    from reconciler import api

    api.place(DEPLOY, api.Placeholder(workload=SHOP, workload_kind="project", role="next"), by=BY)
    api.begin_deployment(row=DEPLOY, lasts=DEPLOY_LASTS, by=BY)


def delete() -> None:
    """Delete the sample's rows, those of its containers too."""
    from reconciler import api
    from reconciler.models import Container, Instance, Stack, Workload

    workloads = [SHOP, PROJECT_ID, SITE, STACK]
    rows = Container.objects.filter(workload_id__in=[*workloads, GONE])
    api.end_deployment(row=DEPLOY, by=BY)
    api.delete_rows(list(rows.values_list("id", flat=True)), "the samples were removed")
    Instance.objects.filter(id=INSTANCE).delete()
    Stack.objects.filter(id=STACK).delete()
    Workload.objects.filter(id__in=workloads).delete()


if __name__ == "__main__":
    django.setup()
    {"create": create, "delete": delete}[sys.argv[1]]()
