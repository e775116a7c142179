"""Machines learn: pure Python, no Django, no Celery; `python -m mlcore` runs on any GPU machine."""
