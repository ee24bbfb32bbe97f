"""The rows behind the sample containers: workloads, an instance, a stack. Runs inside Django."""

import sys

import django

SHOP = "sample-shop"
INSTANCE = "sample-instance"
PROJECT_ID = "sample-project"
SITE = "sample-site"
STACK = "sample-stack"
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


def delete() -> None:
    """Delete the sample's rows, those of its containers too."""
    from reconciler.models import Container, Instance, Stack, Workload

    workloads = [SHOP, PROJECT_ID, SITE, STACK]
    Container.objects.filter(workload_id__in=workloads).delete()
    Instance.objects.filter(id=INSTANCE).delete()
    Stack.objects.filter(id=STACK).delete()
    Workload.objects.filter(id__in=workloads).delete()


if __name__ == "__main__":
    django.setup()
    {"create": create, "delete": delete}[sys.argv[1]]()
