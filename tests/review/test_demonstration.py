"""The demonstration: synthetic, labelled so, and the same however often it is loaded."""

import stat
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.urls import reverse

from annotate.models import Basemap, Campaign, Catalogue, Feature, Mark, Participant, User, Visit
from annotate.services.participants import participant_of
from mlcore.simulate.foil_survey import SurveyParameters
from mlcore.simulate.foils import FoilParameters
from mlcore.simulate.terrain import TerrainParameters
from review.management.commands import load_demo
from review.models import (
    Classification,
    Confirmation,
    CutOut,
    Gold,
    Judge,
    Picture,
    Reckoning,
    Retirement,
    RuleVersion,
    Run,
    Showing,
    Subject,
)
from review.services import demonstration
from review.services.foils import demonstration as foil_demonstration
from review.services.foils.gold.gold_making import Order
from review.services.foils.network import cut_outs, learning
from review.services.foils.network.shots import Shots

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module", autouse=True)
def no_world_is_left() -> Iterator[None]:
    demonstration._world.cache_clear()
    yield
    demonstration._world.cache_clear()


@pytest.fixture(autouse=True)
def small(media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four tiles instead of 36, and a few small pictures."""
    monkeypatch.setattr(demonstration, "WORLD", TerrainParameters(size_px=512))
    monkeypatch.setattr(demonstration, "VISITS", (3, 3, 2))
    survey = SurveyParameters(foil=FoilParameters(width_px=128, height_px=96, pits=0.3), crater_share=0.4)
    monkeypatch.setattr(foil_demonstration, "SURVEY", survey)
    monkeypatch.setattr(foil_demonstration, "N_PICTURES", 12)
    monkeypatch.setattr(foil_demonstration, "KNOWN", Order(2, 1, 2, practice=4, seed=1))
    shots = Shots(survey.foil, seed=9, n_shots=5, n_cut=4, n_blanks=3)
    monkeypatch.setattr(foil_demonstration, "SHOTS", shots)
    monkeypatch.setattr(foil_demonstration, "ANSWERS", (22, 18, 14))


def test_it_works():
    demo = demonstration.load()
    campaign = demo.campaign
    assert campaign.tiles.count() == 4
    assert campaign.tiles.settled().count() == 2
    (consensus,) = campaign.catalogues.filter(origin=Catalogue.Origin.CONSENSUS)
    (truth,) = campaign.catalogues.filter(origin=Catalogue.Origin.IMPORTED)
    confirmed = consensus.features.filter(status=Feature.Status.CONFIRMED).count()
    # Half of the region is settled, and the volunteers miss some and invent some.
    assert 0.25 < confirmed / truth.features.count() < 0.75
    says_synthetic(campaign)
    have_passwords(demo.passwords)

    before = rows()
    again = demonstration.load()
    assert again.passwords == {}
    assert rows() == before


def test_what_an_older_version_ordered_is_not_ordered_again(lead: User, monkeypatch: pytest.MonkeyPatch):
    foil_demonstration.load(participant_of(lead))
    before = rows()
    monkeypatch.setattr(foil_demonstration, "KNOWN", Order(3, 1, 2, practice=4, seed=2))
    foil_demonstration.load(participant_of(lead))
    assert rows() == before


def rows() -> list[int]:
    drawn = (Mark, Visit, Feature, Basemap, Catalogue, User)
    judged = (
        Picture,
        CutOut,
        Subject,
        Gold,
        RuleVersion,
        Judge,
        Showing,
        Classification,
        Retirement,
        Reckoning,
    )
    return [model.objects.count() for model in (*drawn, *judged, Confirmation)]


def test_pictures_of_foils_are_judged_in_part():
    demonstration.load()
    campaign = Campaign.objects.get(kind=Campaign.Kind.FOIL)
    assert (campaign.synthetic, campaign.visibility) == (True, Campaign.Visibility.PUBLIC)
    assert not campaign.pictures.filter(synthetic=False).exists()
    judges = Judge.objects.filter(workflow__campaign=campaign)
    assert all(judge.n_answers and "simulated" in judge.participant.pseudonym for judge in judges)
    assert Showing.objects.filter(answered_at__isnull=False).count() == Classification.objects.count()
    # Not all: somebody is to judge the rest.
    subjects = Subject.objects.filter(workflow__campaign=campaign).exclude(stratum=Subject.Stratum.GOLD)
    retired = set(subjects.exclude(outcome="").values_list("pk", flat=True))
    assert retired and subjects.filter(outcome="").exists()
    assert set(Retirement.objects.values_list("subject", flat=True)) == retired
    (reckoning,) = Reckoning.objects.all()
    assert reckoning.estimates.exists()
    found = Confirmation.objects.filter(subject__outcome="candidate")
    assert found.exists() and all("Simulated" in one.note for one in found)


def test_a_lead_can_train_the_network_at_once(lead: User):
    campaign = foil_demonstration.load(participant_of(lead))
    learning.check(campaign)
    shots, blanks = campaign.pictures.reference(), campaign.pictures.blank()
    assert (shots.count(), blanks.count()) == (5, 3)
    assert all(picture.synthetic and "simulated" in picture.foil for picture in [*shots, *blanks])
    # One is left for the lead to cut out.
    cut = CutOut.objects.filter(withdrawn_at=None)
    assert {one.picture for one in cut} < set(shots) and cut.count() == 4
    assert {one.diameter_px > cut_outs.SMALLEST_PX for one in cut} == {True}
    # Nobody judges them.
    assert not Subject.objects.exclude(picture__purpose=Picture.Purpose.SURVEY).exists()


def test_a_cut_out_that_the_lead_withdrew_stays_withdrawn(lead: User):
    by = participant_of(lead)
    foil_demonstration.load(by)
    cut_outs.withdraw(CutOut.objects.first(), by=by)
    foil_demonstration.load(by)
    assert CutOut.objects.filter(withdrawn_at=None).count() == CutOut.objects.count() - 1 == 3


def test_simulated_people_who_were_interrupted_go_on(lead: User, monkeypatch: pytest.MonkeyPatch):
    answer = foil_demonstration.judging.answer
    given: list[str] = []

    def interrupted(**given_answer: object) -> object:
        if len(given) == 30:
            raise KeyboardInterrupt
        given.append(str(given_answer["uid"]))
        return answer(**given_answer)

    monkeypatch.setattr(foil_demonstration.judging, "answer", interrupted)
    with pytest.raises(KeyboardInterrupt):
        foil_demonstration.load(participant_of(lead))
    monkeypatch.setattr(foil_demonstration.judging, "answer", answer)
    n_begun = Classification.objects.count()
    assert 0 < n_begun <= 30
    foil_demonstration.load(participant_of(lead))
    assert Classification.objects.count() > n_begun
    assert Reckoning.objects.count() == 1
    before = rows()
    foil_demonstration.load(participant_of(lead))
    assert rows() == before


def says_synthetic(campaign: Campaign) -> None:
    assert campaign.synthetic
    assert campaign.layers.count() == 4
    assert not Basemap.objects.filter(synthetic=False).exists()
    assert not campaign.catalogues.filter(synthetic=False).exists()
    drew = Participant.objects.filter(visits__isnull=False).distinct()
    assert all(person.user is None and "simulated" in person.pseudonym for person in drew)


def have_passwords(passwords: dict[str, str]) -> None:
    assert set(passwords) == set(demonstration.CAST)
    assert len(set(passwords.values())) == len(passwords)
    assert all(User.objects.get(username=name).check_password(word) for name, word in passwords.items())
    assert list(User.objects.filter(is_staff=True).values_list("username", flat=True)) == ["staff"]


def test_an_interrupted_load_goes_on_where_it_stopped(monkeypatch: pytest.MonkeyPatch):
    submit = demonstration.leases.submit

    def interrupted(visit: Visit, empty: bool) -> Visit:
        if Visit.objects.submitted().count() == 4:
            raise KeyboardInterrupt
        return submit(visit, empty)

    # The pictures of foils are there; they have interruptions of their own.
    monkeypatch.setattr(foil_demonstration, "ANSWERS", (8, 8))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(demonstration.leases, "submit", interrupted)
        demonstration.load()
    campaign = demonstration.load().campaign
    assert Visit.objects.submitted().count() == 8
    assert campaign.tiles.settled().count() == 2
    assert not Visit.objects.filter(state=Visit.State.LEASED).exists()


def test_the_command_keeps_the_sign_ins_for_the_owner_and_trains_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    sent: list[Run] = []
    monkeypatch.setattr(load_demo, "enqueue", sent.append)
    sign_ins = tmp_path / "sign-ins.txt"
    call_command("load_demo", sign_ins=sign_ins, train=True, stdout=StringIO())
    text = sign_ins.read_text()
    assert stat.S_IMODE(sign_ins.stat().st_mode) == 0o600
    assert "synthetic" in text and all(name in text for name in demonstration.CAST)
    assert reverse("review:foil_network", args=[Campaign.objects.get(kind="foil").uid]) in text
    (run,) = sent
    assert f"runs/{run.uid}/" in text
    assert (run.verb, run.config["preset"], run.config["promote"]) == (Run.Verb.TRAIN, "quick", True)
    call_command("load_demo", sign_ins=sign_ins, train=True, stdout=StringIO())
    assert sent == [run]
