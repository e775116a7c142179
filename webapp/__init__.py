"""Puts the rooms together: settings, Celery, the URL tree, the one exception handler."""

# Whoever enqueues a task, the web process too, must know the application that has the broker's address.
from webapp.celery import app as celery_app

__all__ = ["celery_app"]
