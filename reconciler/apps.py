"""The Django app."""

from django.apps import AppConfig


class ReconcilerConfig(AppConfig):
    """The container index."""

    name = "reconciler"
    verbose_name = "Container index"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from reconciler import checks, lookups  # noqa: F401 - they register the system checks, and `among`
