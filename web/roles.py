"""The two roles beside the superuser: who may look, and who may ask for a look, and acknowledge, as well."""

from typing import Any

from django.apps import AppConfig, apps

VIEWER, OPERATOR, SUPERUSER = "viewer", "operator", "superuser"
MAY_ASK = "ask_for_pass"
MAY_ACKNOWLEDGE = "alerts.change_incident"


def make_groups(sender: AppConfig, **_: Any) -> None:
    """Make the groups and give them what they need, after each migrate; what a person has added stays."""
    from django.contrib.auth.management import create_permissions
    from django.contrib.auth.models import Group, Permission

    for app in ("reconciler", "alerts"):
        create_permissions(apps.get_app_config(app), verbosity=0)
    of_the_index = Permission.objects.filter(content_type__app_label="reconciler")
    looks = list(of_the_index.filter(codename__startswith="view_"))
    asks = list(of_the_index.filter(codename=MAY_ASK))
    of_incidents = Permission.objects.filter(content_type__app_label="alerts", content_type__model="incident")
    asks += of_incidents.filter(codename="change_incident")
    for name, permissions in ((VIEWER, looks), (OPERATOR, looks + asks)):
        Group.objects.get_or_create(name=name)[0].permissions.add(*permissions)
