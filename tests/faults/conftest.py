"""A site of real processes, which the tests here kill. Its database is its own, a durable one."""

from collections.abc import Iterator

import pytest
from pytest_django import DjangoDbBlocker

from rig import ground
from rig.ground import Ground
from rig.inside import reach
from rig.shell import what_is_missing
from rig.site import Site

# Who is killed is given up for lost after 8 seconds instead of 40.
IMPATIENT = {"HEARTBEAT_S": "2"}


@pytest.fixture(scope="package")
def site(django_db_blocker: DjangoDbBlocker) -> Iterator[Site]:
    """Everything that bin/run starts; this process's models are the site's."""
    if missing := what_is_missing():
        pytest.skip(missing)
    with Site(environment=IMPATIENT) as made, reach(made), django_db_blocker.unblock():
        yield made
    assert made.leftovers() == []


@pytest.fixture(scope="package")
def place(site: Site) -> Ground:
    """A campaign on the site."""
    return ground.lay(site)
