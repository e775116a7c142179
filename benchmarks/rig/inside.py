"""This process's Django, at work on the database, files and queue of a site."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import environ
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.test import override_settings
from kombu import pools

from benchmarks.rig.site import Site
from benchmarks.rig.waiting import until
from webapp.celery import app

T = TypeVar("T")

_ADDRESS = ("NAME", "USER", "PASSWORD", "HOST", "PORT")
_AWAY = (OperationalError, InterfaceError)


@contextmanager
def reach(site: Site) -> Iterator[None]:
    """Until the end of the block, models, services and tasks of this process are the site's."""
    caches = {"default": {**settings.CACHES["default"], "LOCATION": site.environment["REDIS_URL"]}}
    changed = {
        "MEDIA_ROOT": site.environment["MEDIA_ROOT"],
        "SECRET_KEY": site.environment["SECRET_KEY"],
        "CACHES": caches,
    }
    with (
        override_settings(**changed),
        _database(site.environment["DATABASE_URL"]),
        enqueueing_to(site.environment["CELERY_BROKER_URL"]),
    ):
        yield


@contextmanager
def enqueueing_to(broker: str) -> Iterator[None]:
    """What this process enqueues goes to another broker, and to real workers."""
    before = {name: app.conf[name] for name in ("broker_url", "broker_write_url", "task_always_eager")}
    app.conf.update(broker_url=broker, broker_write_url=broker, task_always_eager=False)
    _forget_connections()
    try:
        yield
    finally:
        app.conf.update(before)
        _forget_connections()


def until_rows(what: str, question: Callable[[], T], site: Site, **options: float) -> T:
    """As waiting.until, of something in the database, which may be away for a while."""

    def ask() -> T:
        try:
            return question()
        except _AWAY:
            connection.close()
            raise

    return until(what, ask, despite=_AWAY, explain=site.last_words, **options)


@contextmanager
def _database(url: str) -> Iterator[None]:
    names = (*_ADDRESS, "OPTIONS")
    before = {name: connection.settings_dict[name] for name in names}
    wanted = environ.Env.db_url_config(url)
    options = {**before["OPTIONS"], **wanted.get("OPTIONS", {})}
    connection.close()
    connection.settings_dict.update({name: wanted[name] for name in _ADDRESS} | {"OPTIONS": options})
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict.update(before)


def _forget_connections() -> None:
    pools.reset()
    app.amqp._producer_pool = app._pool = None
