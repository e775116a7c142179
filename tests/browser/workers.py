"""A queue and workers of a test's own, as an operator would start them, on the test's database."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote, urlsplit, urlunsplit

import pytest
from django.conf import settings
from django.db import connection

from benchmarks.rig.inside import enqueueing_to
from benchmarks.rig.shell import what_is_missing
from benchmarks.rig.site import Site


@contextmanager
def real_workers() -> Iterator[None]:
    """One worker per queue; what this process enqueues meanwhile is theirs to do."""
    if missing := what_is_missing({"redis-server"}):
        pytest.skip(missing)
    environment = {"MEDIA_ROOT": str(settings.MEDIA_ROOT), "SECRET_KEY": settings.SECRET_KEY}
    workers = ["worker-default", "worker-gpu"]
    with (
        Site(services=workers, environment=environment, database_url=_database_url()) as site,
        enqueueing_to(site.redis.broker_url),
    ):
        yield


def _database_url() -> str:
    """The address in the environment, with the test's database in the place of the real one."""
    address = urlsplit(os.environ["DATABASE_URL"])
    return urlunsplit(address._replace(path=f"/{quote(str(connection.settings_dict['NAME']))}"))
