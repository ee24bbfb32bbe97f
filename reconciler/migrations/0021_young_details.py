from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def ask_podman_for_health(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Let containers on Podman, which has no identity, be inspected once more: only that tells their health."""
    containers = apps.get_model("reconciler", "Container").objects.using(schema_editor.connection.alias)
    containers.filter(host__engine_id="", state="running", details_state="told").update(details_state="owed")


class Migration(migrations.Migration):
    dependencies = [
        ("reconciler", "0020_quick_lists"),
    ]

    operations = [
        migrations.AlterField(
            model_name="container",
            name="details_state",
            field=models.CharField(
                choices=[("told", "told"), ("young", "young"), ("owed", "owed"), ("stuck", "stuck")],
                db_default="owed",
                default="owed",
                editable=False,
                help_text="Told by an inspect (young: once more), owed by a later one, or the daemon was stuck on it.",
                max_length=8,
            ),
        ),
        migrations.RunPython(ask_podman_for_health, migrations.RunPython.noop),
    ]
