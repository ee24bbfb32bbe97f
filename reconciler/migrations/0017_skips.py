from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("reconciler", "0016_uptime"),
    ]

    operations = [
        migrations.AddField(
            model_name="host",
            name="skips",
            field=models.JSONField(
                blank=True, default=list, editable=False, help_text="What its last pass left alone."
            ),
        ),
    ]
