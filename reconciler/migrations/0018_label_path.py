from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("reconciler", "0017_skips"),
    ]

    operations = [
        migrations.AddField(
            model_name="container",
            name="label_path",
            field=models.CharField(
                blank=True,
                choices=[
                    ("workload", "workload"),
                    ("instance", "instance"),
                    ("site", "site"),
                    ("compose", "compose"),
                ],
                db_default="",
                default="",
                editable=False,
                help_text="Which label of its container has led to the row; empty: not noted yet.",
                max_length=16,
            ),
        ),
    ]
