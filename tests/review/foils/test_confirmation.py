"""What experts find at the microscope: recorded with method and place, never changed."""

import csv
import io
from collections.abc import Callable
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from annotate.models import Campaign, Membership, Role, User
from annotate.services.participants import participant_of
from mlcore.errors import Conflict, InvalidInput
from review.models import Classification, Confirmation, Picture, Subject
from review.services.foils.results import test_set
from review.services.foils.results.confirmation import confirm
from review.services.foils.spots import MOST, Spot

pytestmark = pytest.mark.django_db

AT = Spot(30.0, 20.0, 0.8)


@pytest.fixture
def subject(make_foil_subjects: Callable[..., list[Subject]]) -> Subject:
    (subject,) = make_foil_subjects(1)
    Picture.objects.filter(pk=subject.picture_id).update(nm_per_px=50.0, foil="C2044", x_um=10.0, y_um=20.0)
    subject.picture.refresh_from_db()
    return subject


def found(subject: Subject, by: User, **changes: object) -> Confirmation:
    given = {"uid": uuid4(), "method": "fib_tem", "result": "crater", "spots": [AT], **changes}
    return confirm(subject=subject, by=participant_of(by), **given)


def test_it_keeps_method_result_and_place(subject: Subject, lead: User):
    kept = found(subject, lead, note="  Section 3 ")
    assert (kept.method, kept.result, kept.note) == ("fib_tem", "crater", "Section 3")
    assert kept.places == [{"x_px": 30.0, "y_px": 20.0, "diameter_um": 0.8}]
    assert kept.by == participant_of(lead)


def test_a_later_result_counts_and_all_are_kept(foils: Campaign, subject: Subject, lead: User):
    found(subject, lead)
    assert test_set.confirmed(foils).count() == 1
    found(subject, lead, result="look_alike")
    assert test_set.confirmed(foils).count() == 0
    found(subject, lead, method="sem")
    assert [one.method for one in test_set.confirmed(foils)] == ["sem"]
    assert Confirmation.objects.count() == 3


def test_a_form_sent_twice_is_kept_once(subject: Subject, lead: User):
    uid = uuid4()
    assert found(subject, lead, uid=uid) == found(subject, lead, uid=uid)
    assert Confirmation.objects.count() == 1


def test_a_form_of_another_picture_is_refused(subject: Subject, make_foil_subjects: Callable, lead: User):
    uid = uuid4()
    found(subject, lead, uid=uid)
    with pytest.raises(Conflict, match="another picture"):
        found(make_foil_subjects(1)[0], lead, uid=uid)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"method": "guess"}, "Choose the method"),
        ({"result": "perhaps"}, "Choose what was found"),
        ({"spots": []}, "Click the crater"),
        ({"result": "nothing"}, "there is no place"),
        ({"result": "unclear"}, "there is no place"),
        ({"spots": [Spot(65.0, 20.0)]}, "64 × 48 pixels"),
        ({"spots": [Spot(float("nan"), 20.0)]}, "64 × 48 pixels"),
        ({"spots": [Spot(30.0, 20.0, 0.0)]}, "above 0"),
        ({"spots": [Spot(30.0, 20.0, 800.0)]}, "at most at 6.4 µm"),
        ({"spots": [Spot(30.0, 20.0, float("inf"))]}, "check the unit"),
        ({"spots": [AT] * (MOST + 1)}, "At most 20 places"),
        ({"method": "other"}, "Name the other method"),
        ({"note": "x" * 2001}, "at most 2000 characters"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(subject: Subject, lead: User, changes: dict, sentence: str):
    with pytest.raises(InvalidInput, match=sentence):
        found(subject, lead, **changes)
    assert not Confirmation.objects.exists()


def test_a_look_alike_may_have_a_place_and_need_not(subject: Subject, lead: User):
    found(subject, lead, result="look_alike", spots=[])
    found(subject, lead, result="look_alike")
    assert Confirmation.objects.count() == 2


# -- The page -----------------------------------------------------------------------------------


def form(**changes: object) -> dict[str, object]:
    given = {
        "uid": str(uuid4()),
        "result": "crater",
        "method": "sem",
        "x_px": ["30", ""],
        "y_px": ["20.5", ""],
        "diameter_um": ["0,8", ""],
    }
    return {**given, **changes}


@pytest.fixture
def expert(foils: Campaign, reviewer: User, client_of: Callable[..., Client]) -> Client:
    Membership.objects.create(campaign=foils, user=reviewer, role=Role.REVIEWER)
    return client_of(reviewer)


def test_the_page_shows_all_that_happened(subject: Subject, expert: Client, make_judge: Callable):
    judge, aside = make_judge("ada"), make_judge("bot", quarantined_at=subject.created_at)
    for who, x_px in ((judge, 30.0), (aside, 5.0)):
        Classification.objects.create(
            uid=uuid4(),
            workflow=subject.workflow,
            subject=subject,
            participant=who.participant,
            answer="crater",
            payload={"marks": [{"x_px": x_px, "y_px": 20.0}]},
        )
    shown = expert.get(reverse("review:foil_candidate", args=[subject.uid])).content.decode()
    for words in (
        "C2044",
        "x 10 µm, y 20 µm",
        "50 nm/px",
        judge.participant.pseudonym,
        "set aside",
        'cx="30.00"',
    ):
        assert words in shown
    assert 'cx="5.00"' not in shown
    assert "no published probability yet" in shown and "No expert has looked at it yet" in shown


def test_an_expert_keeps_a_result_on_the_page(subject: Subject, expert: Client, reviewer: User):
    url = reverse("review:foil_candidate", args=[subject.uid])
    sent = form()
    for _ in range(2):
        assert expert.post(url, sent).url == url
    (kept,) = Confirmation.objects.all()
    assert kept.places == [{"x_px": 30.0, "y_px": 20.5, "diameter_um": 0.8}]
    assert kept.by == participant_of(reviewer)
    assert "Impact crater" in expert.get(url).content.decode()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"x_px": ["here"], "y_px": ["20"], "diameter_um": [""]}, "Place 1 needs numbers"),
        ({"x_px": ["900"], "y_px": ["20"], "diameter_um": [""]}, "64 × 48 pixels"),
        ({"result": ""}, "This field is required"),
        ({"uid": "none"}, "damaged on its way"),
    ],
)
def test_a_wrong_form_comes_back_with_a_sentence(
    subject: Subject, expert: Client, changes: dict, sentence: str
):
    response = expert.post(reverse("review:foil_candidate", args=[subject.uid]), form(**changes))
    assert response.status_code == 422
    assert sentence in response.content.decode()
    assert not Confirmation.objects.exists()


def test_what_was_typed_is_not_lost(subject: Subject, expert: Client):
    response = expert.post(
        reverse("review:foil_candidate", args=[subject.uid]), form(result="", note="Section 3")
    )
    shown = response.content.decode()
    assert 'name="x_px" value="30"' in shown and "Section 3" in shown


def test_a_reader_sees_it_and_keeps_no_result(
    foils: Campaign, subject: Subject, stranger: User, client_of: Callable[..., Client]
):
    Membership.objects.create(campaign=foils, user=stranger, role=Role.READER)
    client, url = client_of(stranger), reverse("review:foil_candidate", args=[subject.uid])
    assert 'id="confirmation"' not in client.get(url).content.decode()
    assert client.post(url, form()).status_code == 403


# -- Confirmed craters as a table ---------------------------------------------------------------


def test_confirmed_craters_are_a_table_that_says_what_is_kept_to_test(
    foils: Campaign, subject: Subject, expert: Client, lead: User, make_foil_subjects: Callable
):
    found(subject, lead, spots=[AT, Spot(10.0, 11.0)])
    found(make_foil_subjects(1)[0], lead, result="look_alike")
    response = expert.get(reverse("review:foil_test_set", args=[foils.uid]))
    rows = list(csv.DictReader(io.StringIO(b"".join(response).decode())))
    assert [(row["crater"], row["crater_x_px"], row["crater_diameter_um"]) for row in rows] == [
        ("1", "30.0", "0.8"),
        ("2", "10.0", ""),
    ]
    assert {row["picture_sha256"] for row in rows} == {subject.picture.sha256}
    assert {row["side"] for row in rows} == {subject.picture.side}
    assert {(row["method"], row["confirmed_by"], row["synthetic"]) for row in rows} == {
        ("fib_tem", "lead", "true")
    }
