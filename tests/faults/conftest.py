"""A site of real processes, which the tests here kill. Its database is its own, a durable one."""

from collections.abc import Iterator

import pytest
from pytest_django import DjangoDbBlocker

from benchmarks.rig import ground, network, shell
from benchmarks.rig.ground import Ground
from benchmarks.rig.inside import reach, until_rows
from benchmarks.rig.network import Network
from benchmarks.rig.site import Site
from review import tasks
from review.models import ModelVersion, Run

HOSTS = ("north", "south")
# Who is killed is given up for lost after 8 seconds instead of 40; programs send faster than people.
IMPATIENT = {
    "HEARTBEAT_S": "2",
    "FOIL_ANSWERS_PER_MINUTE": "1000000",
    "API_WRITES_PER_MINUTE": "1000000",
}
# Enough steps and windows that there is a middle to be killed in; what is learnt does not matter.
SHORT = {"steps": 200, "views": 1, "batch_size": 1, "crop_px": 96, "window_px": 128, "overlap_px": 96}


@pytest.fixture(scope="package")
def hosts() -> Iterator[Network | None]:
    """Two more hosts on a bridge, where they can be had."""
    if network.what_is_missing():
        yield None
    else:
        with Network(*HOSTS) as made:
            yield made


@pytest.fixture(scope="package")
def site(hosts: Network | None, django_db_blocker: DjangoDbBlocker) -> Iterator[Site]:
    """Everything that bin/run starts, with passwords where it listens on a bridge; our models are its own."""
    if missing := shell.what_is_missing():
        pytest.skip(missing)
    with Site(environment=IMPATIENT, network=hosts) as made, reach(made), django_db_blocker.unblock():
        yield made
    assert made.leftovers() == []


@pytest.fixture(scope="package")
def place(site: Site) -> Ground:
    """A campaign on the site."""
    return ground.lay(site)


@pytest.fixture
def version(site: Site, place: Ground) -> ModelVersion:
    """Whatever crater detector was trained here before, or one that has learnt nothing."""
    detectors = ModelVersion.objects.filter(campaign=place.campaign)
    if not detectors.exists():
        run = place.ask_for_training(**{**SHORT, "steps": 2})
        tasks.enqueue(run)
        until_ended(run, site)
    return detectors.latest("pk")


def until_ended(run: Run, site: Site) -> None:
    """Until it has ended by itself, well or not."""
    active = Run.objects.active().filter(pk=run.pk)
    until_rows(f"{run} has ended", lambda: not active.exists(), site, patience_s=300)
    run.refresh_from_db()
