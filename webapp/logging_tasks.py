"""Celery's logs in Tektite's form: each line of a task carries its id, and the request that asked for it."""

import logging.config
from typing import Any

from celery.app import log
from celery.contrib.django.task import DjangoTask
from django.db import transaction
from structlog.contextvars import bound_contextvars, get_contextvars


class Logging(log.Logging):
    """Leaves the handlers to LOGGING of the settings, in the worker's main process and in its children."""

    def setup_logging_subsystem(self, loglevel: int | str | None = None, *args: Any, **kwargs: Any) -> bool:
        """Whether it is set up, so that Celery does not do it."""
        from django.conf import settings

        if not Logging._setup:
            Logging._setup = True
            logging.config.dictConfig(settings.LOGGING)
        return True


class LoggedTask(DjangoTask):
    """A task whose lines can be found by its id, and by the id of the request that sent it."""

    abstract = True

    def delay_on_commit(self, *args: Any, **kwargs: Any) -> None:
        """As Celery's, but what has been committed is not answered with an error where the queue is away.

        The failure is logged, and beat finds the row that waits and enqueues it.
        """

        def send() -> None:
            super(LoggedTask, self).delay(*args, **kwargs)

        transaction.on_commit(send, robust=True)

    def apply_async(self, args: Any = None, kwargs: Any = None, *more: Any, **options: Any) -> Any:
        """As Celery's, with the present request's id in the message."""
        request_id = get_contextvars().get("request_id")
        if request_id:
            options["headers"] = {**(options.get("headers") or {}), "request_id": request_id}
        return super().apply_async(args, kwargs, *more, **options)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        asked_by = (self.request.headers or {}).get("request_id")
        known = {"request_id": asked_by} if asked_by else {}
        with bound_contextvars(task_id=self.request.id, task=self.name, **known):
            return self.run(*args, **kwargs)
