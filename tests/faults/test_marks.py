"""Several people post marks while servers are killed: what was acknowledged is stored, and stored once."""

import threading
from collections import Counter
from collections.abc import Iterator
from uuid import uuid4

import pytest
from django.db import connection
from django.urls import reverse

from annotate.models import Campaign, Mark, MarkRevision, Role, User
from annotate.services import members
from benchmarks.rig.ground import Ground
from benchmarks.rig.people import NO_ANSWER, Person
from benchmarks.rig.site import Site
from benchmarks.rig.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

DRAWERS = 4
# Each must have had so many acknowledgements before something is killed, and after it is back.
MARKS_BETWEEN = 5


class Drawer(threading.Thread):
    """Draws one mark after the other as the page does: it repeats each until it is acknowledged."""

    def __init__(self, person: Person, campaign: Campaign) -> None:
        super().__init__(daemon=True)
        self.person = person
        visit = person.post(reverse("annotate:api_tile_next", args=[campaign.uid]), {}).data["visit"]
        self.path = reverse("annotate:api_marks", args=[visit["uid"]])
        west, south, east, north = visit["tile"]["bounds_lonlat"]
        self.middle = {"lon": (west + east) / 2, "lat": (south + north) / 2}
        self.acknowledged: dict[str, dict] = {}
        self.refused: list[object] = []
        self.unanswered = 0
        self.may_stop = threading.Event()

    def run(self) -> None:
        while not self.may_stop.is_set():
            self.draw({"uid": str(uuid4()), **self.middle, "diameter_m": 2000.0 + len(self.acknowledged)})

    def draw(self, mark: dict[str, object]) -> None:
        while True:
            try:
                answer = self.person.post(self.path, mark)
            except NO_ANSWER:
                self.unanswered += 1
            else:
                if answer.status in (200, 201):
                    self.acknowledged[mark["uid"]] = answer.data
                    return
                if answer.status < 500:
                    self.refused.append(answer)
                    return
                self.unanswered += 1
            self.may_stop.wait(0.05)


@pytest.fixture
def drawers(site: Site, place: Ground) -> Iterator[list[Drawer]]:
    """Several people at it, each on a tile of their own."""
    people = [User.objects.create_user(f"drawer {number}") for number in range(DRAWERS)]
    for user in people:
        members.add_member(campaign=place.campaign, who=user.username, role=Role.ANNOTATOR)
    at_it = [Drawer(Person.signed_in(user, site), place.campaign) for user in people]
    for drawer in at_it:
        drawer.start()
    yield at_it
    for drawer in at_it:
        drawer.may_stop.set()
        drawer.join(120)


def wait_for_more(drawers: list[Drawer], site: Site) -> None:
    """Until everybody has so many more acknowledgements."""
    wanted = [len(drawer.acknowledged) + MARKS_BETWEEN for drawer in drawers]
    until(
        "everybody's marks are acknowledged",
        lambda: all(
            len(drawer.acknowledged) >= n or drawer.refused for drawer, n in zip(drawers, wanted, strict=True)
        ),
        explain=site.last_words,
    )


def test_what_was_acknowledged_is_stored_once(site: Site, place: Ground, drawers: list[Drawer]):
    wait_for_more(drawers, site)
    for name in ("web", "postgres", "redis"):
        site.kill(name)
        site.wait_until_up(name)
        wait_for_more(drawers, site)
    for drawer in drawers:
        drawer.may_stop.set()
    for drawer in drawers:
        drawer.join(120)
        assert not drawer.is_alive() and drawer.refused == []

    connection.close()  # it was cut by the kill as well
    said = {uid: mark for drawer in drawers for uid, mark in drawer.acknowledged.items()}
    stored = Mark.objects.filter(visit__tile__campaign=place.campaign)
    assert Counter(str(uid) for uid in stored.values_list("uid", flat=True)) == Counter(said.keys())
    assert MarkRevision.objects.filter(mark__in=stored).count() == len(said)
    assert sum(drawer.unanswered for drawer in drawers) > 0, "Nobody has noticed that anything was killed."
    for drawer in drawers:
        for uid, first in drawer.acknowledged.items():
            again = drawer.person.post(drawer.path, {"uid": uid, **drawer.middle, "diameter_m": 1e4})
            assert (again.status, again.data) == (200, first)
