import uuid

import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("review", "0002_recording_and_requeueing")]

    operations = [
        migrations.CreateModel(
            name="Worker",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("uid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[("worker", "Worker"), ("beat", "Beat")], default="worker", max_length=16
                    ),
                ),
                ("name", models.CharField(help_text="Celery's node name", max_length=200)),
                ("host", models.CharField(max_length=200)),
                ("pid", models.PositiveIntegerField()),
                ("queues", models.JSONField(default=list)),
                ("concurrency", models.PositiveSmallIntegerField(default=0)),
                ("versions", models.JSONField(default=dict)),
                ("gpus", models.JSONField(blank=True, null=True)),
                ("busy", models.JSONField(default=list)),
                ("started_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("seen_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={"indexes": [models.Index(fields=["-seen_at"], name="worker_seen")]},
        ),
    ]
