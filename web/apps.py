"""The Django app."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class WebConfig(AppConfig):
    """What people and programs see of the index."""

    name = "web"
    verbose_name = "Web"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from web import audit  # noqa: F401 - follows logins
        from web.roles import make_groups

        post_migrate.connect(make_groups, sender=self)
