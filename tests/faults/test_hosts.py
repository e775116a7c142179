"""Two worker hosts with addresses of their own share one prediction; one is cut off in the middle."""

from collections.abc import Iterator

import pytest
from pytest_django import DjangoDbBlocker

from annotate.models import Catalogue
from review import tasks
from review.models import ModelVersion, Run, RunWindow
from review.services import registry
from rig import ground, network, shell
from rig.inside import reach, until_rows
from rig.network import Network
from rig.outcomes import features_due, features_of, windows_of
from rig.site import Site
from tests.faults.conftest import IMPATIENT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

HOSTS = ("north", "south")
# So little teaches nothing; windows so small make many, so that there is a middle in which to cut.
TINY = {"steps": 2, "views": 2, "batch_size": 1, "crop_px": 96, "window_px": 128, "overlap_px": 96}


@pytest.fixture
def hosts() -> Iterator[Network]:
    if missing := shell.what_is_missing() or network.what_is_missing():
        pytest.skip(missing)
    with Network(*HOSTS) as made:
        yield made


@pytest.fixture
def site(hosts: Network, django_db_blocker: DjangoDbBlocker) -> Iterator[Site]:
    """The servers here, with passwords, on the bridge; a GPU worker on each host."""
    with Site(services=["beat", "worker-default"], network=hosts, environment=IMPATIENT) as made:
        worker = shell.service_commands(made.environment)["worker-gpu"]
        for host in HOSTS:
            made.add(f"worker-{host}", hosts.on(host, worker))
        made.wait_until_up(*(f"worker-{host}" for host in HOSTS))
        with reach(made), django_db_blocker.unblock():
            yield made
    assert made.leftovers() == []


@pytest.fixture
def version(site: Site) -> ModelVersion:
    """Trained by one of the hosts."""
    run = ground.lay(site).ask_for_training(**TINY)
    tasks.enqueue(run)
    until_rows("the training has ended", lambda: not Run.objects.active().filter(pk=run.pk).exists(), site)
    return ModelVersion.objects.get(run=run)


def searched_by(run: Run, host: str, state: str) -> int:
    return run.windows.filter(claimed_by__startswith=host, state=state).count()


def test_a_host_that_is_cut_off_loses_and_doubles_nothing(site: Site, hosts: Network, version: ModelVersion):
    run = registry.promote(version=version, by=None)
    tasks.enqueue(run)
    done, claimed = RunWindow.State.DONE, RunWindow.State.CLAIMED
    until_rows(
        "both hosts are in the middle",
        lambda: all(searched_by(run, host, done) and searched_by(run, host, claimed) for host in HOSTS),
        site,
        pause_s=0.02,
    )
    hosts.cut("south")
    until_rows("the run has ended", lambda: not Run.objects.active().filter(pk=run.pk).exists(), site)
    run.refresh_from_db()
    assert run.state == Run.State.FINISHED, run.error
    before = windows_of(run)
    assert {state for _, state, _, _ in before} == {"done"}

    hosts.mend("south")
    until_rows("the host that was away rests", lambda: rests(site, "worker-south"), site)
    assert windows_of(run) == before
    run.refresh_from_db()
    assert run.state == Run.State.FINISHED
    assert Catalogue.objects.filter(origin=Catalogue.Origin.PREDICTED, name=run.catalogue.name).count() == 1
    assert features_of(run) == features_due(run)


def rests(site: Site, name: str) -> bool:
    """Whether a worker has ended all tasks that it began."""
    log = site.components[name].log.read_text()
    ended = sum(log.count(f"] {how} ") for how in ("succeeded", "raised", "retry"))
    return log.count("] received") == ended
