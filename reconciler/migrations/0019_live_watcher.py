from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("reconciler", "0018_label_path"),
    ]

    operations = [
        migrations.CreateModel(
            name="LiveWatcher",
            fields=[
                ("name", models.CharField(max_length=128, primary_key=True, serialize=False)),
                ("beats", models.PositiveBigIntegerField(default=1)),
                ("told", models.JSONField(default=list)),
            ],
            options={"default_permissions": ()},
        ),
        migrations.AddField(
            model_name="host",
            name="watcher",
            field=models.CharField(
                blank=True, default="", editable=False, help_text="Which watcher follows its events.", max_length=128
            ),
        ),
    ]
