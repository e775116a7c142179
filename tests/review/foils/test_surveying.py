"""Simulated surveys in campaigns: synthetic, scored, queued, and the same whenever they are asked for."""

import csv
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from annotate.models import Campaign
from review.management.commands import simulate_foils
from review.models import Subject
from review.services.foils import surveying
from review.services.foils.rules import rules

pytestmark = pytest.mark.django_db


def simulate(campaign: Campaign, n: int, **options: object) -> str:
    out = StringIO()
    call_command("simulate_foils", str(campaign.uid), images=n, stdout=out, **options)
    return out.getvalue()


def test_it_works(foils: Campaign, tmp_path: Path):
    truth = tmp_path / "truth.csv"
    said = simulate(foils, 4, crater_share=0.9, truth=truth)
    pictures = list(foils.pictures.order_by("name"))
    assert "4 synthetic pictures were added" in said
    assert all(picture.synthetic and picture.score is not None for picture in pictures)
    assert {picture.nm_per_px for picture in pictures} == {50.0}
    assert pictures[0].foil == "simulated foil 1" and pictures[1].x_um > pictures[0].x_um
    shown = Subject.objects.filter(workflow=rules.workflow_of(foils))
    assert shown.count() == sum(picture.score >= 0.01 for picture in pictures)
    with truth.open() as file:
        craters = list(csv.DictReader(file))
    assert craters and {row["name"] for row in craters} <= {picture.name for picture in pictures}


def test_a_larger_survey_goes_on_from_a_smaller_one(foils: Campaign):
    simulate(foils, 2)
    before = list(foils.pictures.order_by("name").values_list("sha256", "score"))
    assert "1 synthetic pictures were added" in simulate(foils, 3)
    assert list(foils.pictures.order_by("name").values_list("sha256", "score"))[:2] == before
    assert "0 synthetic pictures were added" in simulate(foils, 3)


def test_what_was_left_without_a_score_gets_the_same_one(foils: Campaign):
    simulate(foils, 2, crater_share=0.5)
    scored = dict(foils.pictures.values_list("name", "score"))
    foils.pictures.filter(name=surveying.name_of(1, 2)).update(score=None, score_raw=None)
    simulate(foils, 2, crater_share=0.5)
    assert dict(foils.pictures.values_list("name", "score")) == scored


def test_real_campaigns_are_kept_from_simulated_pictures(foils: Campaign):
    foils.synthetic = False
    foils.save()
    with pytest.raises(CommandError, match="marked as synthetic"):
        simulate(foils, 1)
    assert not foils.pictures.exists()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"images": 0}, "1 to 500,000 pictures, not 0"),
        ({"images": 1, "crater_share": 2.0}, "between 0 and 1"),
    ],
)
def test_impossible_surveys_are_refused(foils: Campaign, given: dict[str, object], sentence: str):
    with pytest.raises(CommandError, match=sentence):
        call_command("simulate_foils", str(foils.uid), stdout=StringIO(), **given)


@pytest.mark.parametrize("uid", ["nonsense", "00000000-0000-0000-0000-000000000000"])
def test_a_campaign_that_is_none_is_named_so(uid: str):
    with pytest.raises(CommandError, match="no campaign on foils"):
        call_command("simulate_foils", uid, stdout=StringIO())


def test_progress_is_told(foils: Campaign, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(simulate_foils, "TOLD_EVERY", 2)
    assert "2 of 3 pictures" in simulate(foils, 3)
