"""A site with work of every kind on it, made by the services: what a backup has to bring back whole."""

from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore

from annotate.models import Basemap, Campaign, Catalogue, Mark, Participant, Role, User, Visit
from annotate.services import basemaps, consensus, conversions, leases, marks, preferences
from annotate.services.campaigns import create_campaign, create_foil_campaign
from annotate.services.features import add_features
from annotate.services.participants import participant_of
from mlcore import api
from mlcore.artifact import write_artifact
from mlcore.consensus.answers.stopping import StoppingRule
from mlcore.simulate.foil_survey import SurveyParameters
from mlcore.simulate.foils import FoilParameters
from review.models import Dataset, Errand, Judge, ModelVersion, Run, RunEvent, Subject
from review.services import classifications, registry, runs
from review.services.foils import errands, settings, surveying
from review.services.foils.gold import gold_making
from review.services.foils.judging import judging, selves
from review.services.foils.people import suspects
from review.services.foils.results import confirmation, reckoning
from review.services.foils.rules import rules
from review.services.foils.stream import stream
from review.services.foils.work import WORKS
from review.services.policies import candidates
from tests.annotate.builders import join, place
from tests.data import rasters

SEARCHED = 2
DIAMETER_M = 6000.0


@dataclass(frozen=True)
class LivingSite:
    """What was made, and the cookie of an annotator who is signed in."""

    campaign: Campaign
    elevation: Basemap
    annotator: Participant
    session: str


def build(folder: Path) -> LivingSite:
    """Make it in the present database and MEDIA_ROOT; folder is for work files."""
    lead, reviewer, annotator, *volunteers = (
        User.objects.create_user(name, password=None)
        for name in ("lead", "reviewer", "annotator", "volunteer1", "volunteer2")
    )
    campaign, elevation = _campaign(folder, participant_of(lead))
    for volunteer in volunteers:
        _search(campaign, join(campaign, volunteer))
    for tile in campaign.tiles.all()[:SEARCHED]:
        consensus.settle_tile(tile)
    _learn(campaign, elevation, participant_of(lead))
    _judge(campaign, join(campaign, reviewer, Role.REVIEWER))
    _triage(participant_of(lead))
    person = join(campaign, annotator)
    view = preferences.view_of(campaign=campaign, participant=person)
    preferences.keep_view(campaign=campaign, participant=person, view=view)
    return LivingSite(campaign, elevation, person, _sign_in(annotator))


def take_tile(site: LivingSite) -> Visit:
    """Lease a tile to the annotator."""
    visit = leases.hand_out(campaign=site.campaign, participant=site.annotator)
    assert visit is not None
    return visit


def draw(visit: Visit, number: int = 0) -> Mark:
    """A mark in the tile, elsewhere for each number up to 10,000."""
    tile = visit.tile
    lon, lat = place(tile.campaign, tile.x_px + 14 + number % 100, tile.y_px + 14 + number // 100)
    return marks.draw(visit=visit, uid=uuid4(), lon=lon, lat=lat, diameter_m=DIAMETER_M)


def _campaign(folder: Path, lead: Participant) -> tuple[Campaign, Basemap]:
    path = rasters.write(folder / "hills.tif", rasters.hills(256, 256))
    elevation = basemaps.add_basemap(
        name="Hills", body="moon", path=path, kind="elevation", synthetic=True, added_by=lead
    )
    conversions.convert(elevation.pk)
    elevation.refresh_from_db()
    assert elevation.state == Basemap.State.READY, elevation.error
    campaign = create_campaign(
        name="Living campaign",
        body="moon",
        basemaps=[elevation],
        created_by=lead,
        tile_size_px=128,
        overlap=16,
        redundancy=2,
        visibility=Campaign.Visibility.PUBLIC,
    )
    return campaign, elevation


def _search(campaign: Campaign, volunteer: Participant) -> None:
    """Draw four circles on each of the first tiles, change one and delete one."""
    for _number in range(SEARCHED):
        visit = leases.hand_out(campaign=campaign, participant=volunteer)
        drawn = [draw(visit, number) for number in (1515, 1585, 8515, 8585)]
        changed = {"lon": drawn[0].lon, "lat": drawn[0].lat, "diameter_m": 1.1 * DIAMETER_M}
        marks.change(mark=drawn[0], version=1, **changed)
        marks.delete(mark=drawn[1], version=1)
        leases.submit(visit, empty=False)


def _learn(campaign: Campaign, elevation: Basemap, lead: Participant) -> None:
    """A training that left a version, and a prediction with it that waits, with its windows."""
    run = runs.create(campaign=campaign, system="crater_detector", verb=Run.Verb.TRAIN, requested_by=lead)
    run = runs.claim(run.pk, "a worker")
    uid = uuid4()
    frozen = runs.folder_of(run).parents[2] / "datasets" / str(uid)
    (frozen / "arrays").mkdir(parents=True)
    (frozen / "manifest.json").write_text("{}")
    (frozen / "arrays/00000_side.npy").write_bytes(bytes(1000))
    run.dataset = Dataset.objects.create(
        uid=uid,
        campaign=campaign,
        system="crater_detector",
        sha256="0" * 64,
        path=f"datasets/{uid}",
        created_by=lead,
    )
    run.save()
    RunEvent.objects.create(run=run, attempt=1, kind=RunEvent.Kind.LOG, payload={"message": "Learning."})
    write_artifact(
        runs.folder_of(run) / api.ARTIFACT_FOLDER,
        api.ModelCard.example(),
        lambda path: path.write_bytes(b"w"),
    )
    (runs.folder_of(run) / "log.txt").write_text("a line\n")
    registry.promote(version=registry.adopt(run), by=lead)
    waiting = Run.objects.get(verb=Run.Verb.PREDICT)
    assert waiting.windows.exists()
    assert ModelVersion.objects.get().is_current


def _judge(campaign: Campaign, reviewer: Participant) -> None:
    """Two proposals, one of them judged and settled."""
    catalogue = Catalogue.objects.create(
        name="Proposals", body="moon", campaign=campaign, origin=Catalogue.Origin.PREDICTED
    )
    lon, lat = place(campaign, 128, 128)
    rows = [
        {"lon": lon + 0.1 * n, "lat": lat, "diameter_m": DIAMETER_M, "score": 0.6, "uncertainty": 0.3}
        for n in range(2)
    ]
    workflow = candidates.workflow_of(campaign)
    subjects = [
        Subject.objects.create(workflow=workflow, feature=feature, why="uncertain")
        for feature in add_features(catalogue, rows)
    ]
    classifications.record(
        workflow=workflow,
        subject=subjects[0],
        participant=reviewer,
        uid=uuid4(),
        answer="accept",
        as_reviewer=True,
    )


def _triage(lead: Participant) -> None:
    """Pictures of foils, one a focus series, answered by a visitor, retired, reckoned, one confirmed."""
    campaign = create_foil_campaign(
        name="Living foils", created_by=lead, visibility=Campaign.Visibility.PUBLIC, synthetic=True
    )
    workflow = rules.workflow_of(campaign)
    rule = StoppingRule(min_votes=1, max_votes=2, reject=0.5, practised_people=0)
    rules.set_rule(workflow=workflow, rule=rule, why="A living site has few people.", by=lead)
    survey = SurveyParameters(
        foil=FoilParameters(width_px=128, height_px=96), crater_share=0.5, series_share=0.5
    )
    surveying.add_survey(campaign=campaign, parameters=survey, seed=1, n=4)
    surveying.add_scores(campaign=campaign, parameters=survey, seed=1, known={}, requested_by=lead)
    stream.fill(workflow=workflow)
    errand, _is_new = errands.ask(
        workflow=workflow,
        kind=Errand.Kind.MAKE_GOLD,
        question=gold_making.question_of(gold_making.Order(1, 0, 0, practice=0, seed=1)),
        by=lead,
    )
    errands.execute(errand.pk, WORKS)
    visitor = selves.begin_anonymous()
    judging.start(workflow=workflow, person=visitor, consent=settings.of(workflow).consent_edition)
    handed = judging.hand_out(workflow=workflow, person=visitor)
    while handed.showings:
        handed = judging.answer(
            workflow=workflow,
            person=visitor,
            uid=uuid4(),
            showing=handed.showings[0].uid,
            answer="crater",
            marks=[{"x_px": 40.0, "y_px": 40.0}],
            duration_ms=3000,
        ).handed
    reckoning.reckon(workflow)
    confirmation.confirm(
        uid=uuid4(),
        subject=workflow.subjects.exclude(outcome="").first(),
        by=lead,
        method="sem",
        result="nothing",
        spots=[],
    )
    judge = Judge.objects.get(workflow=workflow)
    suspects.set_aside(judge=judge, why="Says crater always.", by=lead)


def _sign_in(user: User) -> str:
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return session.session_key
