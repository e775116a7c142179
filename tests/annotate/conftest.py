"""A campaign with people, and Celery doing its work on the spot."""

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from django.test import Client

from annotate.models import Campaign, User, Visit
from annotate.services import leases
from annotate.services.participants import participant_of
from tests.annotate.builders import join, make_campaign, place
from webapp.celery import app


@pytest.fixture(autouse=True)
def work_at_once() -> Iterator[None]:
    """Tasks run where they are enqueued, and their errors are the test's."""
    before = app.conf.task_always_eager, app.conf.task_eager_propagates
    app.conf.task_always_eager = app.conf.task_eager_propagates = True
    yield
    app.conf.task_always_eager, app.conf.task_eager_propagates = before


@pytest.fixture
def campaign(lead: User, annotator: User) -> Campaign:
    """Public, four tiles, three visits each; the annotator has joined."""
    campaign = make_campaign(lead=lead)
    join(campaign, annotator)
    return campaign


@pytest.fixture
def visit(campaign: Campaign, annotator: User) -> Visit:
    """The annotator's lease of a tile."""
    visit = leases.hand_out(campaign=campaign, participant=participant_of(annotator))
    assert visit is not None
    return visit


@pytest.fixture
def api(client_of: Callable[[User | None], Client], annotator: User) -> Client:
    """The annotator's browser."""
    return client_of(annotator)


@pytest.fixture
def stroke(campaign: Campaign) -> Callable[..., dict[str, object]]:
    """What the browser sends for a crater in the middle of the first tile."""

    def make(**fields: object) -> dict[str, object]:
        lon, lat = place(campaign, 100, 100)
        return {"uid": str(uuid4()), "lon": lon, "lat": lat, "diameter_m": 2500.0, "view": {}, **fields}

    return make
