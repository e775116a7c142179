"""Craters cut out of pictures: what may be cut, what is refused, kept once, withdrawn, mended, seen."""

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from math import cos, pi, sin, sqrt
from uuid import UUID, uuid4

import numpy as np
import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image

from annotate.models import Campaign, Membership, Participant, Role, User
from annotate.services.campaigns import create_foil_campaign
from annotate.services.participants import participant_of
from annotate.services.storage import file_of
from mlcore.errors import Conflict, InvalidInput, NotFound
from review.models import AuditStratum, Confirmation, CutOut, Picture, Subject, Workflow
from review.services.foils import pictures
from review.services.foils.network import cut_out_list, cut_outs

pytestmark = pytest.mark.django_db
SQUARE = [[10.0, 8.0], [30.0, 8.0], [30.0, 28.0], [10.0, 28.0]]
BrowserOf = Callable[[User | None], Client]
MakeShot = Callable[..., Picture]


@pytest.fixture
def make_shot(foils: Campaign) -> MakeShot:
    """A picture to cut out of, another one each time: make_shot(purpose="blank", shape=(40, 50))."""

    def make(*, purpose: str = "reference", n_frames: int = 1, **options: object) -> Picture:
        seed = Picture.objects.count() + 1
        shape = options.pop("shape", (48, 64))
        dtype = options.pop("dtype", np.uint8)
        random = np.random.default_rng(seed)
        top = 200 if dtype == np.uint8 else 60_000
        picture, _new = pictures.add_picture(
            campaign=foils,
            name=f"shot-{seed}.tif",
            frames=[random.integers(60, top, shape, dtype) for _ in range(n_frames)],
            where=pictures.Where(nm_per_px=50.0),
            purpose=purpose,
        )
        return picture

    return make


@pytest.fixture
def shot(make_shot: MakeShot) -> Picture:
    return make_shot()


@pytest.fixture
def expert(lead: User) -> Participant:
    return participant_of(lead)


def confirmed(triage: Workflow, picture: Picture, by: Participant, result: str = "crater") -> Subject:
    subject, _ = Subject.objects.get_or_create(workflow=triage, picture=picture)
    places = [{"x_px": 20.0, "y_px": 18.0, "diameter_um": 1.0}]
    Confirmation.objects.create(subject=subject, by=by, method="sem", result=result, places=places)
    return subject


def ring(n: int, radius_px: float, x_px: float = 32.0, y_px: float = 24.0) -> list[list[float]]:
    return [
        [x_px + radius_px * cos(2 * pi * k / n), y_px + radius_px * sin(2 * pi * k / n)] for k in range(n)
    ]


# -- Cutting ------------------------------------------------------------------------------------------


def test_a_crater_is_cut_out(shot: Picture, expert: Participant):
    uid = uuid4()
    kept = cut_outs.cut(uid=uid, picture=shot, polygon=SQUARE, by=expert)
    assert (kept.uid, kept.picture, kept.frame, kept.polygon, kept.by) == (uid, shot, 0, SQUARE, expert)
    assert kept.diameter_px == pytest.approx(2 * sqrt(400 / pi))
    assert kept.withdrawn_at is None


@given(
    st.integers(3, 40),
    st.floats(2.6, 22.0),
    st.integers(0, 39),
    st.booleans(),
)
@hypothesis_settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_direction_and_first_point_change_nothing_but_themselves(
    shot: Picture, n: int, radius_px: float, first: int, turned: bool
):
    polygon = ring(n, radius_px)
    first %= n
    other = polygon[first:] + polygon[:first]
    other = other[::-1] if turned else other
    try:
        expected = cut_outs.check(shot, polygon)
    except InvalidInput as refusal:
        assert refusal.code == "too_small"
        with pytest.raises(InvalidInput):
            cut_outs.check(shot, other)
        return
    assert cut_outs.check(shot, other) == pytest.approx(expected)
    assert expected < 2 * radius_px + 1e-6


def test_a_focus_series_is_cut_in_the_frame_that_was_seen(make_shot: MakeShot, expert: Participant):
    shot = make_shot(n_frames=3)
    kept = cut_outs.cut(uid=uuid4(), picture=shot, polygon=SQUARE, by=expert, frame=2)
    frame = shot.frames.get(number=2)
    assert (cut_outs.pixels_of(kept) == np.asarray(Image.open(file_of(frame.path)))).all()
    with pytest.raises(InvalidInput, match="no image number 3"):
        cut_outs.cut(uid=uuid4(), picture=shot, polygon=SQUARE, by=expert, frame=3)


def test_a_confirmed_crater_of_the_survey_may_be_cut(
    make_shot: MakeShot, triage: Workflow, expert: Participant
):
    picture = make_shot(purpose="survey")
    Picture.objects.filter(pk=picture.pk).update(side="train")
    picture.refresh_from_db()
    confirmed(triage, picture, expert)
    assert cut_outs.cut(uid=uuid4(), picture=picture, polygon=SQUARE, by=expert).picture == picture


# -- Refusals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("polygon", "code", "words"),
    [
        ([[10, 8], [30, 8]], "points", "3 to 500 points, not 2"),
        ([[10 + k / 100, 8 + (k % 2)] for k in range(501)], "points", "not 501"),
        ([[10, 8], [float("nan"), 8], [30, 28]], "points", "no place in the picture"),
        ([[10, 8], [30, 28], [30, 8], [10, 28]], "crossing", "crosses or touches itself"),
        ([[10, 8], [20, 18], [30, 28]], "crossing", "crosses or touches itself"),
        ([[10, 8], [30, 8], [10, 8], [10, 28]], "crossing", "crosses or touches itself"),
        ([[10, 8], [64.5, 8], [30, 28]], "outside", "picture of 64 × 48 px"),
        ([[-0.1, 8], [30, 8], [30, 28]], "outside", "keep every point inside"),
        ([[10, 8], [13, 8], [13, 11], [10, 11]], "too_small", "3.4 px across and must be 4 px at least"),
    ],
)
def test_what_is_no_outline_of_a_crater_is_refused(
    shot: Picture, expert: Participant, polygon: list[list[float]], code: str, words: str
):
    with pytest.raises(InvalidInput, match=words) as refusal:
        cut_outs.cut(uid=uuid4(), picture=shot, polygon=polygon, by=expert)
    assert refusal.value.code == code
    assert not CutOut.objects.exists()


def test_what_no_blank_could_hold_is_refused(shot: Picture, make_shot: MakeShot, expert: Participant):
    make_shot(purpose="blank", shape=(40, 50))
    make_shot(purpose="blank", shape=(60, 32))
    assert cut_outs.room(shot.campaign) == (32, 40)
    cut_outs.check(shot, [[0, 0], [32, 0], [32, 40], [0, 40]])
    words = r"33 × 20 px and could not be pasted whole.*32 × 40 px"
    with pytest.raises(InvalidInput, match=words) as refusal:
        cut_outs.check(shot, [[10, 8], [43, 8], [43, 28], [10, 28]])
    assert refusal.value.code == "too_large"


def test_of_blank_foil_nothing_is_cut(make_shot: MakeShot, expert: Participant):
    with pytest.raises(InvalidInput, match="no crater to cut out"):
        cut_outs.cut(uid=uuid4(), picture=make_shot(purpose="blank"), polygon=SQUARE, by=expert)


@pytest.mark.parametrize("result", [None, "look_alike", "nothing", "unclear"])
def test_what_no_expert_has_found_a_crater_in_is_not_cut(
    make_shot: MakeShot, triage: Workflow, expert: Participant, result: str | None
):
    picture = make_shot(purpose="survey")
    if result:
        confirmed(triage, picture, expert)
        confirmed(triage, picture, expert, result)
    with pytest.raises(InvalidInput, match="no expert has found a crater in it"):
        cut_outs.cut(uid=uuid4(), picture=picture, polygon=SQUARE, by=expert)


def test_what_tests_the_network_is_not_cut(make_shot: MakeShot, triage: Workflow, expert: Participant):
    picture = make_shot(purpose="survey")
    Picture.objects.filter(pk=picture.pk).update(side="test")
    picture.refresh_from_db()
    confirmed(triage, picture, expert)
    assert "kept to test the network" in cut_outs.obstacle(picture)


def test_what_the_audit_has_drawn_is_not_cut(make_shot: MakeShot, triage: Workflow, expert: Participant):
    picture = make_shot(purpose="survey")
    Picture.objects.filter(pk=picture.pk).update(side="train")
    picture.refresh_from_db()
    subject = confirmed(triage, picture, expert)
    subject.audit = AuditStratum.objects.create(
        workflow=triage, number=0, low=0.0, high=0.01, n_pictures=1, n_drawn=1, seed=1
    )
    subject.save()
    assert "drawn for the audit" in cut_outs.obstacle(picture)
    assert not cut_out_list.confirmed_uncut(triage.campaign).n


# -- Kept once ----------------------------------------------------------------------------------------


def test_the_same_again_changes_nothing(shot: Picture, expert: Participant, reviewer: User):
    uid = uuid4()
    first = cut_outs.cut(uid=uid, picture=shot, polygon=SQUARE, by=expert)
    again = cut_outs.cut(uid=uid, picture=shot, polygon=SQUARE, by=participant_of(reviewer))
    assert again == first and again.by == expert and CutOut.objects.count() == 1
    # Withdrawn meanwhile, it stays so: what comes late is the same cut-out.
    cut_outs.withdraw(first, by=expert)
    assert cut_outs.cut(uid=uid, picture=shot, polygon=SQUARE, by=expert).withdrawn_at is not None


def test_an_identifier_is_of_one_cut_out(shot: Picture, make_shot: MakeShot, expert: Participant):
    uid = uuid4()
    cut_outs.cut(uid=uid, picture=shot, polygon=SQUARE, by=expert)
    with pytest.raises(Conflict, match="Another cut-out was sent"):
        cut_outs.cut(uid=uid, picture=shot, polygon=SQUARE[::-1], by=expert)
    with pytest.raises(Conflict, match="Another cut-out was sent"):
        cut_outs.cut(uid=uid, picture=make_shot(), polygon=SQUARE, by=expert)


@pytest.mark.django_db(transaction=True)
def test_sent_twice_at_once_it_is_kept_once(shot: Picture, expert: Participant):
    uid = uuid4()

    def send(_: int) -> UUID:
        try:
            return cut_outs.cut(uid=uid, picture=shot, polygon=SQUARE, by=expert).uid
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as people:
        assert set(people.map(send, range(8))) == {uid}
    assert CutOut.objects.count() == 1


# -- Withdrawn, taken back, mended ---------------------------------------------------------------------


def test_a_cut_out_is_withdrawn_and_taken_back(shot: Picture, expert: Participant, reviewer: User):
    other = participant_of(reviewer)
    kept = cut_outs.cut(uid=uuid4(), picture=shot, polygon=SQUARE, by=expert)
    first = cut_outs.withdraw(kept, by=other).withdrawn_at
    assert kept.withdrawn_by == other and first is not None
    assert cut_outs.withdraw(kept, by=expert).withdrawn_at == first and kept.withdrawn_by == other
    assert cut_out_list.standing(shot.campaign) == ([], None)
    assert cut_out_list.withdrawn(shot.campaign) == [kept]
    assert cut_outs.restore(kept).withdrawn_at is None and kept.withdrawn_by is None
    assert cut_out_list.standing(shot.campaign) == ([kept], None)


def test_mending_withdraws_the_old_one_and_cuts_anew(shot: Picture, expert: Participant):
    old = cut_outs.cut(uid=uuid4(), picture=shot, polygon=SQUARE, by=expert)
    new = cut_outs.cut(uid=uuid4(), picture=shot, polygon=ring(8, 12.0), by=expert, mends=old)
    old.refresh_from_db()
    assert old.withdrawn_at is not None and old.polygon == SQUARE
    assert cut_out_list.standing(shot.campaign)[0] == [new]


def test_a_mending_that_is_refused_leaves_the_old_one(
    shot: Picture, make_shot: MakeShot, expert: Participant
):
    old = cut_outs.cut(uid=uuid4(), picture=shot, polygon=SQUARE, by=expert)
    with pytest.raises(InvalidInput):
        cut_outs.cut(uid=uuid4(), picture=shot, polygon=SQUARE[:2], by=expert, mends=old)
    with pytest.raises(InvalidInput, match="in the picture it was cut out of"):
        cut_outs.cut(uid=uuid4(), picture=make_shot(), polygon=SQUARE, by=expert, mends=old)
    old.refresh_from_db()
    assert old.withdrawn_at is None


# -- Seen ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_its_small_picture_has_brightness_and_alpha(
    make_shot: MakeShot, expert: Participant, dtype: type[np.generic]
):
    shot = make_shot(dtype=dtype)
    kept = cut_outs.cut(uid=uuid4(), picture=shot, polygon=SQUARE, by=expert)
    image = Image.open(io.BytesIO(cut_outs.small_picture(kept)))
    assert (image.mode, image.size) == ("LA", (26, 26))
    grey, alpha = (np.asarray(band) for band in image.split())
    # As people see the picture: its own range, not the cut-out's.
    pixels = cut_outs.pixels_of(kept)[5:31, 7:33].astype(float)
    assert np.corrcoef(grey.ravel(), pixels.ravel())[0, 1] > 0.999
    assert alpha[13, 13] == 255 and alpha[0, 0] == 0
    assert alpha.sum() / 255 == pytest.approx(400, abs=1)


def test_a_file_that_is_gone_is_told(shot: Picture, expert: Participant):
    kept = cut_outs.cut(uid=uuid4(), picture=shot, polygon=SQUARE, by=expert)
    file_of(shot.frames.get().path).unlink()
    with pytest.raises(NotFound, match="missing on the server"):
        cut_outs.small_picture(kept)


def test_pictures_wait_until_something_of_them_is_cut(
    shot: Picture, make_shot: MakeShot, triage: Workflow, expert: Participant
):
    survey = make_shot(purpose="survey")
    Picture.objects.filter(pk=survey.pk).update(side="validation")
    confirmed(triage, survey, expert)
    make_shot(purpose="blank")
    foils = shot.campaign
    assert cut_out_list.references_uncut(foils).pictures == [shot]
    assert cut_out_list.confirmed_uncut(foils).pictures == [survey]
    kept = cut_outs.cut(uid=uuid4(), picture=shot, polygon=SQUARE, by=expert)
    assert cut_out_list.references_uncut(foils).n == 0
    assert cut_out_list.figures(foils)["n"] == cut_out_list.figures(foils)["pictures"] == 1
    cut_outs.withdraw(kept, by=expert)
    assert cut_out_list.references_uncut(foils).n == 1
    Picture.objects.filter(pk=survey.pk).update(side="test")
    assert cut_out_list.confirmed_uncut(foils).n == 0


def test_long_lists_come_in_pages(shot: Picture, expert: Participant, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cut_out_list, "PER_PAGE", 2)
    kept = [cut_outs.cut(uid=uuid4(), picture=shot, polygon=ring(5 + k, 9.0), by=expert) for k in range(5)]
    page, older = cut_out_list.standing(shot.campaign)
    assert page == [kept[4], kept[3]]
    page, older = cut_out_list.standing(shot.campaign, before=older)
    assert page == [kept[2], kept[1]]
    assert cut_out_list.standing(shot.campaign, before=older) == ([kept[0]], None)


# -- Pages and API -------------------------------------------------------------------------------------


@pytest.fixture
def browser(client_of: BrowserOf, foils: Campaign, reviewer: User) -> Client:
    """An expert's, who does not lead the campaign."""
    Membership.objects.create(campaign=foils, user=reviewer, role=Role.REVIEWER)
    return client_of(reviewer)


def send(browser: Client, picture: Picture, **body: object) -> object:
    url = reverse("review:api_foil_cut_outs", args=[picture.uid])
    body = {"uid": str(uuid4()), "polygon": SQUARE, **body}
    return browser.post(url, body, content_type="application/json")


def test_the_api_keeps_lists_withdraws_and_takes_back(browser: Client, shot: Picture, reviewer: User):
    uid = str(uuid4())
    answer = send(browser, shot, uid=uid)
    assert answer.status_code == 201
    told = answer.json()
    assert (told["uid"], told["polygon"], told["frame"], told["by"]) == (uid, SQUARE, 0, "reviewer")
    assert told["diameter_um"] == pytest.approx(told["diameter_px"] * 0.05)
    assert send(browser, shot, uid=uid).json() == told
    withdrawn = browser.post(told["withdraw_url"]).json()
    assert withdrawn["withdrawn_at"] and withdrawn["withdrawn_by"] == "reviewer"
    url = reverse("review:api_foil_cut_outs", args=[shot.uid])
    assert browser.get(url).json() == {"cut_outs": [withdrawn]}
    assert browser.post(told["restore_url"]).json() == told
    image = browser.get(told["url"])
    assert (image["Content-Type"], image["Cache-Control"]) == (
        "image/png",
        "private, max-age=86400, immutable",
    )


def test_the_api_mends(browser: Client, shot: Picture):
    old = send(browser, shot).json()
    new = send(browser, shot, polygon=ring(6, 10.0), mends=old["uid"]).json()
    states = {one.uid: one.withdrawn_at is None for one in CutOut.objects.all()}
    assert states == {UUID(old["uid"]): False, UUID(new["uid"]): True}
    assert send(browser, shot, mends=str(uuid4())).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"uid": "one"},
        {"polygon": "square"},
        {"polygon": [[1, 2, 3]] * 4},
        {"polygon": [["1", 2]] * 4},
        {"polygon": [[10**400, 2]] * 4},
        {"polygon": [[1, 2]] * 600},
        {"frame": -1},
        {"frame": 5},
        {"polygon": SQUARE[:2]},
    ],
)
def test_the_api_refuses_in_words(browser: Client, shot: Picture, body: dict[str, object]):
    answer = send(browser, shot, **body)
    assert answer.status_code in (400, 422) and answer.json()["message"]
    assert not CutOut.objects.exists()


def test_nobody_else_cuts_or_sees(
    client_of: BrowserOf, foils: Campaign, annotator: User, stranger: User, browser: Client, shot: Picture
):
    Membership.objects.create(campaign=foils, user=annotator, role=Role.ANNOTATOR)
    cut_out = send(browser, shot).json()
    for person in (annotator, stranger):
        other = client_of(person)
        assert send(other, shot).status_code == 403
        assert other.post(cut_out["withdraw_url"]).status_code == 403
        for url in (
            cut_out["url"],
            reverse("review:foil_cut", args=[shot.uid]),
            reverse("review:foil_cut_outs", args=[foils.uid]),
        ):
            assert other.get(url).status_code == 403
    assert CutOut.objects.get().withdrawn_at is None


def test_nobody_withdraws_by_a_page_of_another_campaign(
    browser: Client, client_of: BrowserOf, shot: Picture, annotator: User
):
    uid = send(browser, shot).json()["uid"]
    own = create_foil_campaign(name="Own", created_by=participant_of(annotator))
    url = reverse("review:foil_cut_outs", args=[own.uid])
    assert client_of(annotator).post(url, {"cut_out": uid, "step": "withdraw"}).status_code == 404
    assert client_of(annotator).post(url, {"cut_out": "?"}).status_code == 400
    assert CutOut.objects.get().withdrawn_at is None


def test_the_list_shows_what_waits_and_what_was_cut(
    browser: Client, shot: Picture, make_shot: MakeShot, foils: Campaign
):
    url = reverse("review:foil_cut_outs", args=[foils.uid])
    page = browser.get(url).content.decode()
    assert "1 reference picture not cut yet" in page and reverse("review:foil_cut", args=[shot.uid]) in page
    cut_out = send(browser, shot).json()
    page = browser.get(url).content.decode()
    assert "Each has at least one cut-out." in page and cut_out["url"] in page
    assert "23 px" in page and "1.13 µm" in page and "reviewer, " in page
    answer = browser.post(url, {"cut_out": cut_out["uid"], "step": "withdraw"}, follow=True)
    assert "1 withdrawn cut-out" in answer.content.decode()
    answer = browser.post(url, {"cut_out": cut_out["uid"], "step": "restore"}, follow=True)
    assert "withdrawn cut-out" not in answer.content.decode()


def test_an_empty_list_says_what_to_bring(client_of: BrowserOf, lead: User, foils: Campaign):
    page = client_of(lead).get(reverse("review:foil_cut_outs", args=[foils.uid])).content.decode()
    assert "There is nothing to cut out of yet." in page
    assert f'href="{reverse("review:foil_import", args=[foils.uid])}"' in page


def test_the_tool_has_all_it_needs(browser: Client, shot: Picture, make_shot: MakeShot):
    blank = make_shot(purpose="blank", shape=(40, 50))
    other = make_shot()
    cut_out = send(browser, shot).json()
    answer = browser.get(reverse("review:foil_cut", args=[shot.uid]))
    config = answer.context["config"]
    assert config["cut_outs"] == [cut_out]
    assert config["blank"] == reverse("review:foil_frame", args=[blank.uid, 0])
    assert config["limits"]["room"] == {"width": 50, "height": 40}
    assert answer.context["next"] == other
    assert b"".join(browser.get(config["picture"]["frames"][0]["url"])).startswith(b"\xff\xd8")


def test_the_tool_refuses_pictures_that_nothing_is_cut_out_of(browser: Client, make_shot: MakeShot):
    answer = browser.get(reverse("review:foil_cut", args=[make_shot(purpose="blank").uid]))
    assert answer.status_code == 400 and "no crater to cut out" in answer.content.decode()
