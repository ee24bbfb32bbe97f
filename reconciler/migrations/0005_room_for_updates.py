from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def leave_room(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Let PostgreSQL write a row's new version beside the old one: sightings are refreshed twice a minute."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE reconciler_container SET (fillfactor = 70)")


def fill_up(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Take the room back."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE reconciler_container RESET (fillfactor)")


class Migration(migrations.Migration):
    dependencies = [
        ("reconciler", "0004_fleet_and_truth"),
    ]

    operations = [migrations.RunPython(leave_room, fill_up)]
