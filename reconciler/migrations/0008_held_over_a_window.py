from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("reconciler", "0007_moved"),
    ]

    operations = [
        migrations.RemoveField(model_name="host", name="held_containers"),
        migrations.RemoveField(model_name="host", name="held_engine_id"),
        migrations.AddField(
            model_name="host", name="held", field=models.JSONField(blank=True, default=list, editable=False)
        ),
        migrations.AddField(
            model_name="host", name="swept", field=models.JSONField(blank=True, default=list, editable=False)
        ),
        migrations.AlterField(
            model_name="host",
            name="enabled",
            field=models.BooleanField(
                default=True, help_text="Off: nobody looks at it but `manage.py reconcile --host`."
            ),
        ),
    ]
