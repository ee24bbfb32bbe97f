from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import F


def tell_states(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Say of the details that are there how they came; those of another container, or of none, are owed."""
    containers = apps.get_model("reconciler", "Container").objects.using(schema_editor.connection.alias)
    inspected = containers.exclude(container_id="").filter(details_of=F("container_id"))
    inspected.exclude(restart_count=None).update(details_state="told")
    inspected.filter(restart_count=None).update(details_state="stuck")


class Migration(migrations.Migration):
    dependencies = [
        ("reconciler", "0008_held_over_a_window"),
    ]

    operations = [
        migrations.AddField(
            model_name="container",
            name="details_state",
            field=models.CharField(
                choices=[("told", "told"), ("owed", "owed"), ("stuck", "stuck")],
                default="owed",
                editable=False,
                help_text="Told by an inspect, owed by a later one, or the daemon was stuck on the container.",
                max_length=8,
            ),
        ),
        migrations.AlterField(
            model_name="container",
            name="restart_count",
            field=models.IntegerField(
                blank=True,
                default=None,
                help_text="How often its restart policy has restarted it, as known last.",
                null=True,
            ),
        ),
        migrations.RunPython(tell_states, migrations.RunPython.noop),
    ]
