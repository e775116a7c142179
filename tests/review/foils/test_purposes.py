"""What pictures are for: those that teach the network are kept, and nobody is ever asked about one."""

import io
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from annotate.models import Campaign, User
from annotate.services.participants import participant_of
from mlcore.errors import InvalidInput
from review.models import Classification, Gold, Picture, Showing, Subject, Workflow
from review.services.foils import pictures, sample, summary
from review.services.foils import settings as triage_settings
from review.services.foils.gold import gold, gold_sources
from review.services.foils.intake import intake, picture_list, purposes, reading
from review.services.foils.intake.picture_list import Search
from review.services.foils.network import cut_outs
from review.services.foils.stream import audit, score_calibration, scores, stream, threshold
from tests.review.foils.browser import Browser
from tests.review.foils.files import bring, image, laid, look, noise

pytestmark = pytest.mark.django_db
Purpose = Picture.Purpose
UNSEARCHED = [Purpose.REFERENCE, Purpose.BLANK]

rows = st.tuples(st.sampled_from(Purpose.values), st.none() | st.floats(0, 1) | st.floats(0, 0.02))


def asked_about() -> set[str]:
    """What pictures are for that are subjects, or were shown or judged."""
    return {
        *Subject.objects.values_list("picture__purpose", flat=True),
        *Showing.objects.values_list("subject__picture__purpose", flat=True),
        *Classification.objects.values_list("subject__picture__purpose", flat=True),
    }


def keep(campaign: Campaign, given_rows: list[tuple[str, float | None]]) -> list[Picture]:
    """Pictures without files, each for something and with a score or none."""
    return Picture.objects.bulk_create(
        Picture(
            campaign=campaign,
            name=f"{at}.tif",
            width_px=64,
            height_px=48,
            sha256=uuid4().hex * 2,
            side="train",
            purpose=purpose,
            score_raw=score,
        )
        for at, (purpose, score) in enumerate(given_rows)
    )


def send_scores(campaign: Campaign, text: str, *, is_calibrated: bool = False) -> scores.Report:
    upload = SimpleUploadedFile("scores.csv", text.encode())
    one = scores.take_in(campaign=campaign, requested_by=None, is_calibrated=is_calibrated, upload=upload)
    assert scores.read(one.pk)
    one.refresh_from_db()
    report = scores.report_of(one)
    assert report is not None
    return report


# -- The proof: whatever pictures, scores and thresholds there are ---------------------------------


@given(
    st.lists(rows, max_size=25),
    st.lists(st.none() | st.floats(0.001, 0.9), min_size=1, max_size=3),
    st.integers(0, 12),
)
@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_filling_never_asks_about_what_teaches(
    triage: Workflow,
    given_rows: list[tuple[str, float | None]],
    thresholds: list[float | None],
    size: int,
):
    Subject.objects.all().delete()
    Picture.objects.all().delete()
    keep(triage.campaign, given_rows)
    searched = [score for purpose, score in given_rows if purpose == Purpose.SURVEY]
    for value in thresholds:
        triage_settings.change(workflow=triage, threshold=value, audit_size=size)
        foreseen = threshold.preview(triage, value, audit_size=size)
        assert foreseen.n_to_people + foreseen.n_held_back == len(searched)
        stream.fill(workflow=triage)
        assert asked_about() <= {Purpose.SURVEY}
        below = [score for score in searched if value is not None and score is not None and score < value]
        assert sum(one.n_pictures for one in triage.audit_strata.all()) == len(below)
    assert sum(bar.n for bar in threshold.histogram(triage)) == sum(one is not None for one in searched)


@pytest.mark.parametrize("purpose", UNSEARCHED)
def test_nothing_that_teaches_is_ever_shown(foils: Campaign, visitor: Browser, purpose: str):
    bring(foils, {f"shot-{n}.tif": image(n) for n in range(4)}, purpose=purpose)
    handed = visitor.next()
    assert handed["showings"] == []
    bring(foils, {f"foil-{n}.tif": image(10 + n) for n in range(2)})
    while handed := visitor.next()["showings"]:
        visitor.answer(handed[0])
    assert Classification.objects.count() == 2
    assert asked_about() == {Purpose.SURVEY}


# -- Through import ---------------------------------------------------------------------------------


@pytest.mark.parametrize("purpose", Purpose.values)
def test_pictures_come_in_for_what_was_said(foils: Campaign, triage: Workflow, purpose: str):
    bring(foils, {"a.tif": image(1), "b.tif": image(2)}, purpose=purpose)
    assert set(Picture.objects.values_list("name", "purpose")) == {("a.tif", purpose), ("b.tif", purpose)}
    assert triage.subjects.count() == (2 if purpose == Purpose.SURVEY else 0)


def test_what_they_are_for_can_be_changed_before_they_are_read(foils: Campaign, triage: Workflow):
    batch = look(foils, {"a.tif": image(1)})
    intake.change(batch, pattern="", pages="focus", nm_per_px=None, purpose="blank")
    batch.refresh_from_db()
    assert batch.purpose == "blank"


def test_a_picture_that_is_there_already_stays_for_what_it_was(foils: Campaign, triage: Workflow):
    bring(foils, {"a.tif": image(1)})
    bring(foils, {"b.tif": image(2)}, purpose="reference")
    batch = bring(foils, {"a.tif": image(1), "b.tif": image(2), "c.tif": image(3)}, purpose="reference")
    assert (batch.n_pictures, batch.n_known_already, batch.n_other_purpose) == (1, 2, 1)
    assert list(Picture.objects.order_by("name").values_list("purpose", flat=True)) == [
        "survey",
        "reference",
        "reference",
    ]
    batch = bring(foils, {"b.tif": image(2)})
    assert (batch.n_other_purpose, triage.subjects.count()) == (1, 1)


def test_the_form_asks_what_they_are_for_and_the_page_says_it(
    client_of: Callable[[User | None], Client], lead: User, foils: Campaign
):
    browser = client_of(lead)
    bring(foils, {"a.tif": image(1)})
    file = SimpleUploadedFile("shot.tif", image(1))
    sent = browser.post(
        reverse("review:foil_import", args=[foils.uid]),
        {"files": [file], "pages": "focus", "purpose": "reference"},
    )
    page = browser.get(sent.url).content.decode()
    assert "Craters are cut out of them" in page
    batch = foils.picture_imports.order_by("pk").last()
    browser.post(sent.url, {"pattern": "", "pages": "focus", "purpose": "blank"})
    assert "without a crater. No volunteer sees them" in browser.get(sent.url).content.decode()
    browser.post(sent.url, {"pattern": "", "pages": "focus", "purpose": "reference"})
    intake.confirm(batch)
    reading.read(batch.pk)
    page = browser.get(sent.url).content.decode()
    assert "brought in for something else than reference, and stays so" in page


def test_the_command_says_it_too(foils: Campaign, triage: Workflow, tmp_path: Path):
    folder = laid(tmp_path / "shots", {"a.tif": image(1), "b.tif": image(2)})
    call_command("import_foils", str(foils.uid), str(folder), "--purpose", "reference", stdout=io.StringIO())
    assert Picture.objects.reference().count() == 2
    out = io.StringIO()
    call_command("import_foils", str(foils.uid), str(folder), "--purpose", "blank", stdout=out)
    assert "2 of those there already are for something else than blank and stay so." in out.getvalue()
    assert triage.subjects.count() == 0


# -- Scores, numbers, known pictures, samples --------------------------------------------------------


def test_scores_reach_the_survey_alone(foils: Campaign):
    keep(foils, [("survey", None), ("reference", None), ("blank", None), ("survey", None)])
    report = send_scores(foils, "name,score\n0.tif,0.5\n1.tif,0.6\n2.tif,0.7\n")
    assert (report.n_taken, report.unknown.n, report.n_without) == (1, 2, 1)
    assert dict(Picture.objects.values_list("name", "score_raw")) == {
        "0.tif": 0.5,
        "1.tif": None,
        "2.tif": None,
        "3.tif": None,
    }


def test_a_name_that_a_reference_picture_shares_is_the_surveys(foils: Campaign):
    for purpose in Purpose.values:
        keep(foils, [(purpose, None)])
    report = send_scores(foils, "name,score\n0.tif,0.5\n")
    assert (report.n_taken, report.several.n) == (1, 0)
    assert Picture.objects.get(score_raw=0.5).purpose == "survey"


def test_a_calibration_gives_probabilities_to_the_survey_alone(
    foils: Campaign, triage: Workflow, make_gold: Callable[..., list[Gold]]
):
    least = score_calibration.LEAST_OF_EACH
    known = [*make_gold(least), *make_gold(least, is_crater=False)]
    for at, one in enumerate(known):
        Picture.objects.filter(pk=one.subject.picture_id).update(score_raw=0.9 - 0.005 * at)
    keep(foils, [(purpose, 0.5) for purpose in Purpose.values])
    assert score_calibration.refresh(foils)
    scored = Picture.objects.filter(name__in=("0.tif", "1.tif", "2.tif")).exclude(score=None)
    assert [picture.purpose for picture in scored] == ["survey"]


def test_the_audit_is_planned_without_them(foils: Campaign, triage: Workflow):
    keep(foils, [(purpose, 0.005) for purpose in Purpose.values for _ in range(3)])
    assert sum(part.n_pictures for part in audit.parts(triage, 0.01, 100)) == 3


def test_the_numbers_that_anyone_reads_leave_them_out(foils: Campaign, make_picture: Callable[..., Picture]):
    make_picture()
    keep(foils, [("reference", None), ("blank", None)])
    assert summary.of(foils).pictures == 1
    assert sample.of(foils) is None


@pytest.mark.parametrize("purpose", UNSEARCHED)
def test_they_are_neither_known_pictures_nor_ground_for_them(
    foils: Campaign, triage: Workflow, lead: User, purpose: str
):
    bring(foils, {"shot.tif": image(1)}, purpose=purpose)
    picture = Picture.objects.get()
    assert not gold_sources.unused(triage).exists()
    words = {"workflow": triage, "by": participant_of(lead)}
    with pytest.raises(InvalidInput, match="to teach the network"):
        gold.by_hand(picture=picture, kind="blank", places=[], **words)
    # The same pixels as another picture's copy are that picture.
    with pytest.raises(InvalidInput, match="to teach the network"):
        gold.add(
            workflow=triage,
            frames=[noise(1)],
            like=picture,
            is_crater=False,
            origin=Gold.Origin.EXPERT,
            places=[],
            made_by={},
            synthetic=False,
        )
    assert not Subject.objects.exists()


def test_a_lead_finds_none_of_them_for_a_known_picture(
    client_of: Callable[[User | None], Client], lead: User, foils: Campaign
):
    bring(foils, {"shot.tif": image(1)}, purpose="reference")
    page = client_of(lead).get(reverse("review:foil_gold_add", args=[foils.uid]), {"picture": "shot.tif"})
    assert page.status_code == 422 and "No picture is called" in page.content.decode()


def test_a_campaign_with_nothing_else_waits_for_its_first_picture(
    client_of: Callable[[User | None], Client], lead: User, foils: Campaign
):
    bring(foils, {"shot.tif": image(1)}, purpose="reference")
    assert "There are no pictures yet" in client_of(lead).get(reverse("review:home")).content.decode()


# -- Changed afterwards --------------------------------------------------------------------------------


def purposes_of(campaign: Campaign) -> dict[str, str]:
    return dict(campaign.pictures.values_list("name", "purpose"))


def test_a_batch_brought_in_for_the_wrong_thing_is_put_right(foils: Campaign, triage: Workflow):
    bring(foils, {"shot-1.tif": image(1), "shot-2.tif": image(2), "foil.tif": image(3)})
    Picture.objects.update(score_raw=0.5, score=0.5)
    changed = purposes.change(campaign=foils, search=Search(words="shot"), purpose="reference")
    assert (changed.n, changed.n_staying) == (2, 0)
    assert purposes_of(foils) == {"shot-1.tif": "reference", "shot-2.tif": "reference", "foil.tif": "survey"}
    assert [subject.picture.name for subject in triage.subjects.all()] == ["foil.tif"]
    assert Picture.objects.filter(score_raw=0.5).count() == 1
    assert picture_list.figures(foils)["reference"] == 2
    changed = purposes.change(campaign=foils, search=Search(purpose="reference"), purpose="survey")
    assert (changed.n, triage.subjects.count()) == (2, 3)


def test_what_was_shown_or_cut_stays_what_it_was(
    foils: Campaign, triage: Workflow, visitor: Browser, lead: User
):
    bring(foils, {"a.tif": image(1)})
    visitor.next()
    bring(foils, {"b.tif": image(2)})
    bring(foils, {"c.tif": image(3)}, purpose="reference")
    square = [[5, 5], [25, 5], [25, 25], [5, 25]]
    shot = Picture.objects.get(name="c.tif")
    cut = cut_outs.cut(uid=uuid4(), picture=shot, polygon=square, by=participant_of(lead))
    changed = purposes.change(campaign=foils, search=Search(words=".tif"), purpose="blank")
    assert (changed.n, changed.n_staying) == (1, 2)
    assert purposes_of(foils) == {"a.tif": "survey", "b.tif": "blank", "c.tif": "reference"}
    assert asked_about() == {Purpose.SURVEY}
    cut_outs.withdraw(cut, by=participant_of(lead))
    assert purposes.change(campaign=foils, search=Search(words="c"), purpose="blank").n == 1


def test_known_pictures_are_not_among_those_found(
    foils: Campaign, triage: Workflow, make_gold: Callable[..., list[Gold]]
):
    make_gold(1)
    changed = purposes.change(campaign=foils, search=Search(words="foil"), purpose="blank")
    assert (changed.n, changed.n_staying, asked_about()) == (0, 0, {Purpose.SURVEY})


def test_not_everything_is_changed_at_once(foils: Campaign, monkeypatch: pytest.MonkeyPatch):
    keep(foils, [("survey", None)] * 3)
    monkeypatch.setattr(purposes, "MOST_AT_ONCE", 2)
    for search, purpose, words in (
        (Search(), "blank", "Search for a name"),
        (Search(words="tif"), "fun", "nothing is called"),
        (Search(words="tif"), "blank", "More than 2 pictures"),
    ):
        with pytest.raises(InvalidInput, match=words):
            purposes.change(campaign=foils, search=search, purpose=purpose)
    assert set(purposes_of(foils).values()) == {"survey"}


def test_leads_change_it_on_the_images_page(
    client_of: Callable[[User | None], Client], lead: User, foils: Campaign
):
    bring(foils, {"shot.tif": image(1)})
    browser, url = client_of(lead), reverse("review:foil_images", args=[foils.uid])
    assert "Change what all pictures" not in browser.get(url).content.decode()
    assert "Change what all pictures" in browser.get(url, {"q": "shot"}).content.decode()
    page = browser.post(url, {"q": "shot", "to": "reference"}, follow=True).content.decode()
    assert "1 picture is reference now." in page
    page = browser.post(url, {"to": "survey"}, follow=True).content.decode()
    assert "Search for a name" in page


# -- The images page ----------------------------------------------------------------------------------


def test_leads_see_what_each_picture_is_for(
    client_of: Callable[[User | None], Client], lead: User, foils: Campaign
):
    for seed, purpose in enumerate(Purpose.values, 1):
        bring(foils, {f"{purpose}.tif": image(seed)}, purpose=purpose)
    browser, url = client_of(lead), reverse("review:foil_images", args=[foils.uid])
    page = browser.get(url).content.decode()
    assert all(f"{purpose}.tif" in page for purpose in Purpose.values)
    assert picture_list.figures(foils) == {
        "all": 3, "reference": 1, "blank": 1, "foils": 0, "placed": 0, "scaled": 0,
    }  # fmt: skip
    page = browser.get(url, {"purpose": "reference"}).content.decode()
    assert "reference.tif" in page and "blank.tif" not in page and "survey.tif" not in page
    assert browser.get(url, {"purpose": "nonsense"}).status_code == 200


def test_a_picture_without_a_word_is_for_the_survey(foils: Campaign):
    picture, _new = pictures.add_picture(
        campaign=foils, name="a.tif", frames=[noise(1)], where=pictures.Where()
    )
    assert picture.purpose == Purpose.SURVEY
    assert list(foils.pictures.survey()) == [picture]
    assert not foils.pictures.reference() and not foils.pictures.blank()
