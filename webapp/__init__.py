"""Puts the rooms together: settings, Celery, the URL tree, the one exception handler."""
