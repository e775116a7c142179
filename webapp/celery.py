"""The Celery application. Two queues: `default`, and `gpu` with one process per accelerator."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")

app = Celery("tektite", log="webapp.logging_tasks:Logging", task_cls="webapp.logging_tasks:LoggedTask")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.steps["worker"].add("webapp.presence:Presence")
app.autodiscover_tasks(["annotate", "review"])
