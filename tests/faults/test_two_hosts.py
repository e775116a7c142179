"""Two worker hosts with addresses of their own share one prediction; one is cut off in the middle."""

from collections.abc import Iterator

import pytest

from annotate.models import Catalogue
from annotate.services.participants import participant_of
from benchmarks.rig import network, shell
from benchmarks.rig.ground import Ground
from benchmarks.rig.inside import until_rows
from benchmarks.rig.network import Network
from benchmarks.rig.outcomes import features_due, features_of, windows_of
from benchmarks.rig.site import Site
from review import tasks
from review.models import ModelVersion, Run, RunWindow
from review.services import prediction
from tests.faults.conftest import HOSTS, until_ended

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def workers(site: Site, hosts: Network | None) -> Iterator[Network]:
    """A GPU worker on each host, and none on this machine."""
    if hosts is None:
        pytest.skip(network.what_is_missing())
    command = shell.service_commands(site.environment)["worker-gpu"]
    with site.held("worker-gpu"):
        site.kill("worker-gpu")
        for host in HOSTS:
            site.add(host, hosts.on(host, command))
        site.wait_until_up(*HOSTS)
        yield hosts
        for host in HOSTS:
            site.remove(host)
    site.wait_until_up("worker-gpu")


def test_a_host_that_is_cut_off_loses_and_doubles_nothing(
    site: Site, place: Ground, version: ModelVersion, workers: Network
):
    run = prediction.request_prediction(model_version=version, requested_by=participant_of(place.lead))
    tasks.enqueue(run)
    until_rows(
        "both hosts are in the middle", lambda: all(is_at_it(run, h) for h in HOSTS), site, pause_s=0.02
    )
    workers.cut("south")
    until_ended(run, site)
    assert (run.state, run.error) == ("finished", "")
    before = windows_of(run)
    assert {state for _, state, _, _ in before} == {"done"}

    workers.mend("south")
    until_rows("the host that was away rests", lambda: rests(site, "south"), site)
    assert windows_of(run) == before
    run.refresh_from_db()
    assert run.state == Run.State.FINISHED
    assert features_of(run) == features_due(run)
    assert Catalogue.objects.filter(name=run.catalogue.name, source=run.catalogue.source).count() == 1


def is_at_it(run: Run, host: str) -> bool:
    """Whether a host has searched windows and has others to search."""
    states = set(run.windows.filter(claimed_by__startswith=host).values_list("state", flat=True))
    return states == {RunWindow.State.DONE, RunWindow.State.CLAIMED}


def rests(site: Site, host: str) -> bool:
    """Whether a worker has ended all tasks that it began."""
    log = site.components[host].log.read_text()
    ended = sum(log.count(f"] {how} ") for how in ("succeeded", "raised", "retry"))
    return log.count("] received") == ended
