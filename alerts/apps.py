"""The Django app."""

from django.apps import AppConfig


class AlertsConfig(AppConfig):
    """Who is told when something is wrong."""

    name = "alerts"
    verbose_name = "Alerts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from alerts import incident_admin  # noqa: F401 - registers with the admin
