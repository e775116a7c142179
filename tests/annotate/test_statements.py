"""What requests that everybody makes all day ask of the database: few statements, however much there is."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from annotate.models import Campaign, User, Visit
from annotate.services import leases
from annotate.services.participants import participant_of
from tests.annotate.builders import make_people, search, take

pytestmark = pytest.mark.django_db


def statements(ask: Callable[[], object]) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        answer = ask()
    assert answer.status_code in (200, 201), answer.content
    # Tests run in a transaction of their own, so that BEGIN is SAVEPOINT here and COMMIT its release.
    return [query["sql"] for query in captured.captured_queries]


class TestBounds:
    """Raise a bound only with a reason: each statement is a way to the database and back."""

    def test_a_mark(self, api: Client, visit: Visit, stroke: Callable[..., dict[str, object]]) -> None:
        there = reverse("annotate:api_marks", args=[visit.uid])
        # The page says whose it is; that costs nothing.
        whose = {"X-Participant": str(visit.participant.uid)}
        assert len(statements(lambda: api.post(there, stroke(), "application/json", headers=whose))) <= 11

    def test_the_same_mark_again(self, api: Client, visit: Visit, stroke: Callable) -> None:
        there, body = reverse("annotate:api_marks", args=[visit.uid]), stroke()
        api.post(there, body, "application/json")
        assert len(statements(lambda: api.post(there, body, "application/json"))) <= 9

    def test_the_next_tile(self, api: Client, campaign: Campaign) -> None:
        there = reverse("annotate:api_tile_next", args=[campaign.uid])
        new = len(statements(lambda: api.post(there)))
        resumed = len(statements(lambda: api.post(there)))
        assert new <= 17
        assert resumed <= 15

    def test_a_submission_with_the_next_tile(self, api: Client, visit: Visit) -> None:
        there = reverse("annotate:api_visit_submit", args=[visit.uid])
        assert len(statements(lambda: api.post(there, {"empty": True}, "application/json"))) <= 26

    def test_more_marks_tiles_and_people_ask_no_more(
        self, api: Client, campaign: Campaign, visit: Visit, stroke: Callable, annotator: User
    ) -> None:
        marks, following = (
            reverse("annotate:api_marks", args=[visit.uid]),
            reverse("annotate:api_tile_next", args=[campaign.uid]),
        )
        before = [len(statements(lambda: api.post(marks, stroke(), "application/json")))]
        before.append(len(statements(lambda: api.post(following))))
        for tile, somebody in zip(campaign.tiles.all(), make_people(campaign, 4), strict=True):
            search(tile, somebody)
        for _time in range(5):
            api.post(marks, stroke(), "application/json")
        after = [len(statements(lambda: api.post(marks, stroke(), "application/json")))]
        after.append(len(statements(lambda: api.post(following))))
        assert after == before


def test_the_quick_order_is_the_order_of_all_open_tiles(campaign: Campaign, annotator: User) -> None:
    """leases._in_order looks at some dozens of tiles, open_to at all: who asks must not see a difference."""
    me = participant_of(annotator)
    first, second, third, _fourth = campaign.tiles.order_by("number")
    people = iter(make_people(campaign, 3 + campaign.redundancy))

    def check() -> None:
        quick = [pk for pk, _had in leases._in_order(campaign, me)]
        assert quick == list(leases.open_to(campaign, me).values_list("pk", flat=True))

    check()
    take(third, next(people))
    check()
    search(second, next(people))
    check()
    leases.give_back(take(first, next(people)), "too dark")
    check()
    leases.end(leases.lock(take(third, me)), Visit.Ending.RELEASED)
    check()
    search(second, me)
    check()
    for _place in range(campaign.redundancy):
        take(first, next(people))
    check()
