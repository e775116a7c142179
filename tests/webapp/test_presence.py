"""A real worker and a real beat: the rows they write, and the lines of their logs."""

import json
import signal
from pathlib import Path

import pytest
from django.conf import settings
from structlog.contextvars import bound_contextvars

from annotate.models import Campaign, User
from annotate.services.participants import participant_of
from annotate.services.shapes import stamped
from benchmarks.rig.inside import enqueueing_to
from benchmarks.rig.shell import what_is_missing
from benchmarks.rig.site import Site
from benchmarks.rig.waiting import until
from mlcore.geodesy import rim_polygon
from review.models import Run, Worker
from review.services import queues
from review.tasks import enqueue
from tests.browser.workers import _database_url


@pytest.fixture
def spoilt(lead: User) -> Run:
    """A waiting run whose wishes cannot be read, as none that a service made can be."""
    region = stamped(rim_polygon(10.0, 5.0, 200_000.0, 1_737_400.0))
    campaign = Campaign.objects.create(
        name="Mare Test", body="moon", created_by=participant_of(lead), grid={}, region=region
    )
    return Run.objects.create(campaign=campaign, number=1, system="crater_detector", verb=Run.Verb.TRAIN)


def lines_of(log: Path) -> list[dict[str, object]]:
    """The lines of a log that are Tektite's own; Celery prints a warning of its own to root."""
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.django_db(transaction=True)
def test_it_works(spoilt: Run, media: Path):
    if missing := what_is_missing({"redis-server"}):
        pytest.skip(missing)
    environment = {
        "MEDIA_ROOT": str(media),
        "SECRET_KEY": settings.SECRET_KEY,
        "LOG_FORMAT": "json",
        "HEARTBEAT_S": "0.5",
    }
    with (
        Site(services=["beat", "worker-gpu"], environment=environment, database_url=_database_url()) as site,
        enqueueing_to(site.redis.broker_url),
    ):
        until("both say that they live", lambda: Worker.objects.heard().count() == 2)
        beat, gpu = Worker.objects.order_by("name")
        assert (beat.kind, beat.queues, beat.gpus) == ("beat", [], None)
        assert (gpu.kind, gpu.queues) == ("worker", ["gpu"])
        assert gpu.gpus is not None
        assert gpu.versions["torch"]
        until("they go on saying so", lambda: Worker.objects.get(pk=beat.pk).seen_at > beat.seen_at)
        assert queues.lengths()["gpu"] == 0

        with bound_contextvars(request_id="who-pressed-it"):
            enqueue(spoilt)
        until("the run has failed", lambda: Run.objects.get().state == Run.State.FAILED)
        for name, sign in (("worker-gpu", signal.SIGQUIT), ("beat", signal.SIGTERM)):
            site.components[name].process.send_signal(sign)
        known = [beat.pk, gpu.pk]
        until("who ends takes its row away", lambda: not Worker.objects.filter(pk__in=known).exists())
        lines = lines_of(site.logs / "worker-gpu.log")

    (line,) = [line for line in lines if line.get("exception")]
    assert (line["run"], line["attempt"]) == (str(spoilt.uid), 1)
    assert line["request_id"] == "who-pressed-it"
    received = next(line for line in lines if "received" in str(line["event"]))
    assert received["task_id"] == line["task_id"]
    assert received["task"] == line["task"] == "review.tasks.train_task"
