"""The leads' pages of scores, threshold, audit and known pictures."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotate.models import Campaign, User
from mlcore.simulate.foils import FoilParameters, draw_exposure, expose, make_scene
from review.models import Errand, Gold, Picture, Showing, Subject, Workflow
from review.services.foils import pictures, settings, work
from review.services.foils.gold import gold_watch
from review.services.foils.gold.gold_making import Order
from review.services.foils.stream import scores

pytestmark = pytest.mark.django_db


@pytest.fixture
def page(lead: User, foils: Campaign, client_of: Callable[[User | None], Client]) -> Callable[..., Any]:
    """The lead asks for a page, or sends a form: page("stream"), page("gold", act="make", …)."""
    client = client_of(lead)

    def ask(name: str, query: str = "", **form: Any) -> Any:
        url = reverse(f"review:foil_{name}", args=[foils.uid]) + query
        return client.post(url, form) if form else client.get(url)

    return ask


def text_of(response: Any) -> str:
    return " ".join(response.content.decode().split())


def threshold_form(act: str, **changes: Any) -> dict[str, Any]:
    return {
        "act": act,
        "threshold": "0.01",
        "audit_size": "10",
        "audit_share": "0.1",
        "audit_seed": "1",
        "base_rate": "0.01",
        **changes,
    }


def file_of_scores(text: str) -> SimpleUploadedFile:
    return SimpleUploadedFile("net scores.csv", text.encode())


@pytest.fixture
def foil(foils: Campaign) -> Picture:
    """A picture with ground in it."""
    grey = expose(make_scene(FoilParameters(96, 80), 1), draw_exposure(1), 1)
    made, _new = pictures.add_picture(
        campaign=foils, name="ground.tif", frames=[grey], where=pictures.Where(nm_per_px=50.0)
    )
    return made


# -- Stream ----------------------------------------------------------------------------------------


def test_scores_come_in_and_the_queue_is_filled(
    page: Callable[..., Any], make_picture: Callable[..., Picture], triage: Workflow
):
    make_picture(name="a.tif")
    make_picture(name="b.tif")
    upload = file_of_scores("name,score\na.tif,0.4\nb.tif,0.001\ngone.tif,0.5\n")
    assert page("stream", act="scores", kind="raw", file=upload).status_code == 302
    shown = text_of(page("stream"))
    assert "2 of 3 rows gave a picture its score." in shown
    assert "line 4: gone.tif" in shown
    assert "net scores.csv" in shown
    assert "The scores only rank" in shown
    assert set(triage.subjects.values_list("stratum", flat=True)) == {"queue", "audit"}


def test_a_file_that_is_no_table_is_refused_on_the_page(page: Callable[..., Any]):
    response = page("stream", act="scores", kind="raw", file=file_of_scores("a,b\n1,2\n"))
    assert response.status_code == 422
    assert "The first line must name the columns" in text_of(response)


def test_a_large_file_is_an_errand(
    page: Callable[..., Any],
    make_picture: Callable[..., Picture],
    triage: Workflow,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(scores, "SMALL_BYTES", 1)
    make_picture(name="a.tif")
    page("stream", act="scores", kind="calibrated", file=file_of_scores("name,score\na.tif,0.4\n"))
    errand = Errand.objects.get()
    assert "A file of scores is read" in text_of(page("stream"))
    work.execute(errand.pk)
    errand.refresh_from_db()
    assert (errand.state, errand.findings) == (Errand.State.DONE, {"new": 1})
    assert Picture.objects.get().score == 0.4


def test_a_threshold_is_previewed_before_it_is_set(
    page: Callable[..., Any], make_picture: Callable[..., Picture], triage: Workflow
):
    for score in (0.5, 0.02, 0.02):
        Picture.objects.filter(pk=make_picture().pk).update(score_raw=score)
    previewed = text_of(page("stream", **threshold_form("preview", threshold="0.1", audit_size="1")))
    assert "1 pictures go to people and 2 are held back" in previewed
    assert "1 would be shown to nobody." in previewed
    assert settings.of(triage).threshold == 0.01
    assert page("stream", **threshold_form("set", threshold="0.1", audit_size="1")).status_code == 302
    stored = Workflow.objects.get(pk=triage.pk)
    assert (settings.of(stored).threshold, settings.of(stored).audit_size) == (0.1, 1)
    shown = text_of(page("stream"))
    assert "<b>1 pictures below 0.1 are shown to nobody.</b>" in shown
    assert stored.audit_strata.get(number=0).n_drawn == 1


def test_without_a_threshold_nothing_is_held_back(page: Callable[..., Any], triage: Workflow):
    assert page("stream", **threshold_form("set", threshold="")).status_code == 302
    assert "Nothing is held back" in text_of(page("stream"))


@pytest.mark.parametrize(
    "changes", [{"threshold": "1.5"}, {"audit_share": "2"}, {"audit_size": "-1"}, {"base_rate": "0"}]
)
def test_what_cannot_be_set_is_refused_with_its_reason(
    page: Callable[..., Any], triage: Workflow, changes: dict[str, str]
):
    assert page("stream", **threshold_form("set", **changes)).status_code == 422
    assert settings.of(Workflow.objects.get(pk=triage.pk)) == settings.TriageSettings()


def test_many_pictures_are_filled_by_an_errand(
    page: Callable[..., Any],
    make_picture: Callable[..., Picture],
    triage: Workflow,
    monkeypatch: pytest.MonkeyPatch,
):
    from review.views.foils import stream

    monkeypatch.setattr(stream, "FEW_PICTURES", 0)
    make_picture()
    page("stream", **threshold_form("set", threshold=""))
    assert not triage.subjects.exists()
    work.execute(Errand.objects.get(kind=Errand.Kind.FILL).pk)
    assert triage.subjects.count() == 1


# -- Known pictures --------------------------------------------------------------------------------


def test_known_pictures_are_ordered_and_made_by_a_worker(
    page: Callable[..., Any], foil: Picture, triage: Workflow
):
    assert "There are no known images yet" in text_of(page("gold"))
    order = {"craters": "1", "look_alikes": "0", "blanks": "1", "practice": "0", "seed": "3"}
    assert page("gold", act="make", **order).status_code == 302
    assert "Known pictures are made" in text_of(page("gold"))
    work.execute(Errand.objects.get().pk)
    shown = text_of(page("gold"))
    assert "The last order made 2 of 2 known images." in shown
    assert shown.count("<image ") == 2
    assert shown.split('id="known"')[1].count("<circle ") == 1
    assert 'name="seed" value="4"' in shown


def test_an_order_is_suggested_that_can_be_met(page: Callable[..., Any], foil: Picture, foils: Campaign):
    """Where nobody has judged anything no picture is known to be empty, and people must begin somewhere."""
    Campaign.objects.filter(pk=foils.pk).update(synthetic=False)
    form = page("gold").context["form"]
    suggested = {name: form[name].value() for name in form.fields}
    assert (suggested["craters"], suggested["blanks"], suggested["practice"]) == (200, 0, 12)
    assert page("gold", act="make", **suggested).status_code == 302
    items = Order(**Errand.objects.get().question).items()
    assert [kind for kind, is_practice in items if is_practice] == ["crater"] * 6 + ["look_alike"] * 6


def test_an_order_that_cannot_be_met_says_why(page: Callable[..., Any]):
    order = {"craters": "1", "look_alikes": "0", "blanks": "0", "practice": "0", "seed": "1"}
    response = page("gold", act="make", **order)
    assert response.status_code == 422
    assert "add pictures first" in text_of(response)
    assert not Errand.objects.exists()


def test_one_can_be_withdrawn_and_restored(page: Callable[..., Any], make_gold: Callable[..., list[Gold]]):
    [known] = make_gold(1)
    assert page("gold", act="withdraw", subject=known.subject.uid).status_code == 302
    assert "None of these." in text_of(page("gold"))
    assert "Restore" in text_of(page("gold", "?show=withdrawn"))
    page("gold", act="restore", subject=known.subject.uid)
    known.refresh_from_db()
    assert known.withdrawn_at is None


def test_a_lead_sets_what_people_are_told(page: Callable[..., Any], triage: Workflow):
    told = {"feedback_share": "0.2", "practice_last": "4", "practice_right": "3", "consent_text": "Do you?"}
    assert page("gold", act="tell", **told).status_code == 302
    now = settings.of(Workflow.objects.get(pk=triage.pk))
    assert (now.feedback_share, now.practice_last, now.practice_right) == (0.2, 4, 3)
    assert (now.text, now.consent_edition) == ("Do you?", "2")


def test_a_test_that_nobody_passes_is_refused(page: Callable[..., Any], triage: Workflow):
    told = {"feedback_share": "0.2", "practice_last": "4", "practice_right": "5", "consent_text": ""}
    response = page("gold", act="tell", **told)
    assert response.status_code == 422
    assert "practice_right" in text_of(response)
    assert settings.of(Workflow.objects.get(pk=triage.pk)) == settings.TriageSettings()


@pytest.mark.parametrize("subject", ["nonsense", "00000000-0000-0000-0000-000000000000"])
def test_what_is_not_there_cannot_be_withdrawn(page: Callable[..., Any], subject: str):
    assert page("gold", act="withdraw", subject=subject).status_code == 404


@pytest.mark.parametrize(
    ("show", "n"), [("", 3), ("crater", 1), ("look_alike", 1), ("blank", 1), ("practice", 1), ("else", 3)]
)
def test_the_list_is_narrowed_by_kind(
    page: Callable[..., Any], make_gold: Callable[..., list[Gold]], show: str, n: int
):
    make_gold(1)
    make_gold(1, is_crater=False)
    make_gold(1, is_crater=False, origin=Gold.Origin.LOOK_ALIKE)
    make_gold(1, is_practice=True)
    assert text_of(page("gold", f"?show={show}")).count("<image ") == n


def test_a_lead_says_what_a_picture_shows(page: Callable[..., Any], foil: Picture, triage: Workflow):
    opened = text_of(page("gold_add", f"?picture={foil.name}"))
    assert reverse("review:foil_frame", args=[foil.uid, 0]) in opened
    said = {"picture": foil.name, "kind": "look_alike", "places": "10.5, 20\n30 40 0.8\n"}
    assert page("gold_add", **said).status_code == 302
    known = Gold.objects.get()
    assert known.origin == Gold.Origin.LOOK_ALIKE
    assert [place["diameter_um"] for place in known.places] == [None, 0.8]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"kind": "crater", "places": "here"}, "Line 1 is no place"),
        ({"kind": "crater", "places": ""}, "1 to 20 places"),
        ({"kind": "crater", "places": "500, 2"}, "outside of the picture of 96 × 80 pixels"),
        ({"kind": "maybe", "places": "1, 2"}, "valid choice"),
        ({"picture": "gone.tif", "kind": "blank"}, "No picture is called “gone.tif”."),
    ],
)
def test_a_word_that_does_not_fit_is_refused(
    page: Callable[..., Any], foil: Picture, said: dict[str, str], words: str
):
    response = page("gold_add", **{"picture": foil.name, **said})
    assert response.status_code == 422
    assert words in text_of(response)
    assert not Gold.objects.exists()


def test_noise_has_no_scenes_too_small(foils: Campaign, page: Callable[..., Any], triage: Workflow):
    """A picture on which no crater has room is named as the trouble, and nothing half made is left."""
    pictures.add_picture(
        campaign=foils,
        name="tiny.tif",
        frames=[np.full((32, 32), 9, np.uint8)],
        where=pictures.Where(nm_per_px=5.0),
    )
    order = {"craters": "1", "look_alikes": "0", "blanks": "0", "practice": "0", "seed": "1"}
    page("gold", act="make", **order)
    work.execute(Errand.objects.get().pk)
    assert "no room for a crater" in text_of(page("gold"))
    assert not Gold.objects.exists()


# -- What becomes of them by themselves --------------------------------------------------------------


def test_what_an_expert_keeps_of_a_candidate_becomes_known(
    lead: User,
    client_of: Callable[[User | None], Client],
    make_foil_subjects: Callable[..., list[Subject]],
):
    [subject] = make_foil_subjects(1)
    Subject.objects.update(outcome="candidate")
    form = {"uid": str(uuid4()), "method": "sem", "result": "look_alike", "places": "[]", "note": ""}
    url = reverse("review:foil_candidate", args=[subject.uid])
    for _time in range(2):
        assert client_of(lead).post(url, form).status_code == 302
    known = Gold.objects.get()
    assert (known.origin, known.is_crater) == (Gold.Origin.LOOK_ALIKE, False)
    assert known.subject != subject


def test_each_night_fills_the_queue_and_withdraws_what_is_worn(
    triage: Workflow,
    make_picture: Callable[..., Picture],
    make_gold: Callable[..., list[Gold]],
    make_judge: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(gold_watch, "MOST_PEOPLE", 0)
    monkeypatch.setattr(gold_watch, "LEAST_LEFT", 1)
    make_picture()
    worn, _fresh = make_gold(2)
    judge = make_judge("ada")
    Showing.objects.create(
        subject=worn.subject,
        participant=judge.participant,
        expires_at=timezone.now(),
        answered_at=timezone.now(),
    )
    errand = Errand.objects.create(workflow=triage, kind=Errand.Kind.RECKON, question={"even_if_same": True})
    work.execute(errand.pk)
    assert triage.subjects.filter(stratum="queue").count() == 1
    assert Gold.objects.get(withdrawn_at__isnull=False) == worn
