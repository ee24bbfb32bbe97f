from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("reconciler", "0019_live_watcher"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="transition",
            index=models.Index(fields=["host", "id"], name="transition_host_id"),
        ),
        migrations.AddIndex(
            model_name="transition",
            index=models.Index(condition=models.Q(("restarts__gt", 0)), fields=["at"], name="transition_restarts"),
        ),
    ]
