"""What is deployed: workloads, instances and stacks. All of them can be edited."""

from django.contrib import admin

from reconciler.models import Instance, Stack, Workload


@admin.register(Workload)
class WorkloadAdmin(admin.ModelAdmin):
    """Workloads."""

    list_display = ("id", "name", "kind", "ref_id")
    list_filter = ("kind",)
    search_fields = ("id", "name", "ref_id")


@admin.register(Instance)
class InstanceAdmin(admin.ModelAdmin):
    """Instances of projects."""

    list_display = ("id", "project_id", "stage", "image_tag", "port", "subdomain")
    list_filter = ("stage",)
    search_fields = ("id", "project_id", "subdomain")


@admin.register(Stack)
class StackAdmin(admin.ModelAdmin):
    """Compose stacks."""

    list_display = ("id", "name", "compose_project_name")
    search_fields = ("id", "name", "compose_project_name")
