"""The API of visits and marks: what the browser saves, and what it is told when that cannot be."""

import json
from collections.abc import Callable
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from annotate.models import Campaign, Mark, MarkRevision, User, Visit
from annotate.services.participants import participant_of
from tests.annotate.builders import at_once, draw, join, make_campaign, make_people, place, search, take

pytestmark = pytest.mark.django_db
Stroke = Callable[..., dict[str, object]]
ClientOf = Callable[[User | None], Client]


def url(name: str, *args: object) -> str:
    return reverse(f"annotate:{name}", args=args)


def send(client: Client, method: str, address: str, body: object) -> object:
    return client.generic(method, address, json.dumps(body), content_type="application/json")


def post(client: Client, address: str, body: object = None) -> object:
    return send(client, "POST", address, {} if body is None else body)


class TestTiles:
    def test_it_works(self, api: Client, campaign: Campaign) -> None:
        answer = post(api, url("api_tile_next", campaign.uid))
        assert answer.status_code == 200
        body = answer.json()
        assert body["reason"] is None
        assert body["progress"] == {"tiles_settled": 0, "tiles": 4, "my_visits": 0}
        tile = body["visit"]["tile"]
        assert (tile["number"], tile["of"], tile["x_px"], tile["width_px"], tile["overlap_px"]) == (
            1,
            4,
            0,
            256,
            32,
        )
        west, south, east, north = tile["bounds_lonlat"]
        assert west < 10 < east
        assert south < 5 < north
        assert tile["outline"]["type"] == "MultiPolygon"

    def test_submitting_brings_the_next_in_one_answer(self, api: Client, visit: Visit) -> None:
        body = post(api, url("api_visit_submit", visit.uid), {"empty": True}).json()
        assert body["submitted"]["state"] == "submitted"
        assert body["next"]["tile"]["number"] == 2
        assert body["progress"]["my_visits"] == 1

    def test_the_last_needed_visit_settles_the_tile(
        self, api: Client, visit: Visit, django_capture_on_commit_callbacks: Callable
    ) -> None:
        for person in make_people(visit.tile.campaign, 2):
            search(visit.tile, person)
        with django_capture_on_commit_callbacks(execute=True):
            post(api, url("api_visit_submit", visit.uid), {"empty": True})
        visit.tile.refresh_from_db()
        assert visit.tile.settled_at is not None

    def test_a_tile_is_reopened_extended_and_returned(self, api: Client, visit: Visit) -> None:
        post(api, url("api_visit_submit", visit.uid), {"empty": True})
        assert post(api, url("api_visit_reopen", visit.uid)).json()["state"] == "leased"
        assert post(api, url("api_visit_extend", visit.uid)).json()["uid"] == str(visit.uid)
        assert post(api, url("api_visit_return", visit.uid), {"reason": "too hard"}).json() == {}
        visit.refresh_from_db()
        assert (visit.state, visit.return_reason) == ("returned", "too hard")

    def test_empty_with_marks_is_a_conflict(self, api: Client, visit: Visit) -> None:
        draw(visit, 100, 100)
        answer = post(api, url("api_visit_submit", visit.uid), {"empty": True})
        assert (answer.status_code, answer.json()["code"]) == (409, "not_empty")


class TestMarks:
    def test_it_works(self, api: Client, visit: Visit, stroke: Stroke) -> None:
        sent = stroke(uncertain=True)
        answer = post(api, url("api_marks", visit.uid), sent)
        assert answer.status_code == 201
        body = answer.json()
        assert (body["uid"], body["version"], body["deleted"], body["uncertain"]) == (
            sent["uid"],
            1,
            False,
            True,
        )
        assert api.get(url("api_visit", visit.uid)).json()["marks"] == [body]

    def test_the_same_again_answers_the_same(self, api: Client, visit: Visit, stroke: Stroke) -> None:
        sent = stroke()
        first, again = (post(api, url("api_marks", visit.uid), sent) for _ in range(2))
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json() == again.json()

    def test_the_same_by_another_person_is_refused(
        self, api: Client, client_of: ClientOf, visit: Visit, lead: User, stroke: Stroke
    ) -> None:
        sent = stroke()
        post(api, url("api_marks", visit.uid), sent)
        theirs = take(visit.tile, participant_of(lead))
        answer = post(client_of(lead), url("api_marks", theirs.uid), sent)
        assert answer.status_code == 409
        assert set(answer.json()) == {"code", "message"}
        assert Mark.objects.count() == 1

    def test_a_change_a_conflict_and_the_choice(self, api: Client, visit: Visit, stroke: Stroke) -> None:
        mark = post(api, url("api_marks", visit.uid), stroke()).json()
        there = url("api_mark", mark["uid"])
        changed = send(api, "PATCH", there, {"version": 1, "diameter_m": 3000})
        assert (changed.status_code, changed.json()["version"]) == (200, 2)
        late = send(api, "PATCH", there, {"version": 1, "diameter_m": 4000})
        assert late.status_code == 409
        assert late.json()["code"] == "conflict"
        assert late.json()["current"] == changed.json()
        mine = send(api, "PATCH", there, {"version": 2, "diameter_m": 4000})
        assert mine.json()["diameter_m"] == 4000

    def test_delete_and_restore(self, api: Client, visit: Visit, stroke: Stroke) -> None:
        uid = post(api, url("api_marks", visit.uid), stroke()).json()["uid"]
        gone = api.delete(f"{url('api_mark', uid)}?version=1")
        assert (gone.status_code, gone.json()["deleted"]) == (200, True)
        assert api.get(url("api_visit", visit.uid)).json()["marks"] == []
        back = post(api, url("api_mark_restore", uid), {"version": 2})
        assert (back.status_code, back.json()["deleted"], back.json()["version"]) == (200, False, 3)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"lat": 95},
            {"lat": "5.0"},
            {"lat": None},
            {"lat": True},
            {"diameter_m": -1},
            {"diameter_m": 10**400},
            {"lon": [10]},
            {"uid": "not-a-uuid"},
            {"rim_points": [[1, 2]]},
            {"rim_points": [[1, 2], [3, 4], [5, "x"]]},
            {"view": {"note": ["nested"]}},
            {"view": {f"key {k}": k for k in range(21)}},
            {"view": {"zoom": 10**400}},
            {"view": "wide"},
            {"uncertain": "perhaps"},
            {"basemap": "9d2cf6d0-52a0-4c6e-9b53-3f3a4b1d1f00"},
        ],
    )
    def test_what_is_no_mark_gets_a_sentence(
        self, api: Client, visit: Visit, stroke: Stroke, wrong: dict[str, object]
    ) -> None:
        answer = post(api, url("api_marks", visit.uid), stroke(**wrong))
        assert answer.status_code == 400
        assert answer.json()["code"]
        assert answer.json()["message"]
        assert not Mark.objects.exists()

    def test_the_view_is_kept_without_what_a_database_cannot_hold(
        self, api: Client, visit: Visit, stroke: Stroke
    ) -> None:
        view = {"zoom": 3, "invert": True, "layer": None, "n\x00ote": "a\x00b\ud800" + "x" * 300}
        assert post(api, url("api_marks", visit.uid), stroke(view=view)).status_code == 201
        kept = Mark.objects.get().view
        assert (kept["zoom"], kept["invert"], kept["layer"]) == (3.0, True, None)
        assert kept["n ote"].startswith("a b xxx")
        assert len(kept["n ote"]) == 200

    @pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"lat": NaN}', '{"lat": Infinity}', "7"])
    def test_what_is_no_json_object_gets_a_sentence(self, api: Client, visit: Visit, text: str) -> None:
        answer = api.generic("POST", url("api_marks", visit.uid), text, content_type="application/json")
        assert answer.status_code == 400
        assert answer.json()["message"]

    def test_ten_megabytes_are_refused(self, api: Client, visit: Visit, stroke: Stroke) -> None:
        body = stroke(rim_points=[[10.0, 5.0]] * 1_000_000)
        answer = post(api, url("api_marks", visit.uid), body)
        assert answer.status_code == 413
        assert "MB" in answer.json()["message"]
        assert not Mark.objects.exists()


class TestBlindness:
    def test_nobody_else_can_ask_for_a_visit_or_a_mark(
        self, visit: Visit, client_of: ClientOf, lead: User, reviewer: User, staff: User, stroke: Stroke
    ) -> None:
        mark = draw(visit, 100, 100)
        join(visit.tile.campaign, reviewer, "reviewer")
        for other in (lead, reviewer, staff):
            client = client_of(other)
            answers = [
                client.get(url("api_visit", visit.uid)),
                post(client, url("api_visit_submit", visit.uid), {"empty": False}),
                post(client, url("api_visit_reopen", visit.uid)),
                post(client, url("api_visit_return", visit.uid), {"reason": ""}),
                post(client, url("api_marks", visit.uid), stroke()),
                send(client, "PATCH", url("api_mark", mark.uid), {"version": 1, "diameter_m": 9000}),
                client.delete(f"{url('api_mark', mark.uid)}?version=1"),
                post(client, url("api_mark_restore", mark.uid), {"version": 1}),
            ]
            assert {answer.status_code for answer in answers} == {404}
            assert not any(str(mark.uid) in answer.content.decode() for answer in answers)
        assert MarkRevision.objects.count() == 1

    def test_somebody_not_signed_in_is_asked_to(self, client_of: ClientOf, visit: Visit) -> None:
        answer = post(client_of(None), url("api_marks", visit.uid), {})
        assert (answer.status_code, answer.json()["code"]) == (401, "sign_in")

    def test_a_stranger_may_not_draw(self, client_of: ClientOf, campaign: Campaign, stranger: User) -> None:
        answer = post(client_of(stranger), url("api_tile_next", campaign.uid))
        assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")

    def test_a_private_campaign_does_not_exist_for_strangers(
        self, client_of: ClientOf, campaign: Campaign, stranger: User
    ) -> None:
        Campaign.objects.update(visibility="private")
        assert post(client_of(stranger), url("api_tile_next", campaign.uid)).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_the_same_mark_sent_twice_at_once_is_one_row(make_user: Callable, client_of: ClientOf) -> None:
    campaign = make_campaign()
    user = make_user("ada")
    visit = take(campaign.tiles.first(), join(campaign, user))
    lon, lat = place(campaign, 100, 100)
    sent = {"uid": str(uuid4()), "lon": lon, "lat": lat, "diameter_m": 2000.0, "view": {}}
    answers: list[object] = []

    def save(client: Client) -> None:
        answers.append(post(client, url("api_marks", visit.uid), sent))

    clients = [client_of(user) for _ in range(4)]
    assert at_once([lambda c=c: save(c) for c in clients]) == []
    assert Mark.objects.count() == MarkRevision.objects.count() == 1
    assert {answer.status_code for answer in answers} <= {200, 201}
    assert len({answer.content for answer in answers}) == 1
