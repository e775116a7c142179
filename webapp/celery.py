"""The Celery application. Two queues: `default`, and `gpu` with one process per accelerator."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")

app = Celery("tektite")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["annotate", "review"])
