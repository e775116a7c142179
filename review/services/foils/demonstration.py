"""The demonstration of foil triage: a small simulated survey, judged in part by people who are simulated.

All that is there has come about as it would with real people: pictures, scores and known pictures by their
services, answers through the recording engine, retirements by a rule, a reckoning, results of an expert. Each
step looks for what it would make and goes on from there, so loading twice ends with the same.
"""

from dataclasses import dataclass
from uuid import UUID, uuid5

import numpy as np
from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from annotate.models import Campaign, Participant
from annotate.services import campaigns
from mlcore.consensus.answers.stopping import Outcome, StoppingRule
from mlcore.simulate.foil_survey import Place, SurveyParameters
from mlcore.simulate.foils import Crater, LookAlike
from mlcore.simulate.judges import BLANK, EASY, HARD, LOOKALIKE, CrowdParameters, Images, People, make_people
from review.models import (
    Classification,
    Confirmation,
    Errand,
    Gold,
    Judge,
    Picture,
    Showing,
    Subject,
    Workflow,
)
from review.services.foils import settings, surveying
from review.services.foils.gold import gold, gold_making
from review.services.foils.gold.gold_making import Order
from review.services.foils.judging import judging
from review.services.foils.judging.selves import Person
from review.services.foils.network import shots
from review.services.foils.network.shots import Shots
from review.services.foils.results import confirmation, figures, reckoning
from review.services.foils.rules import rules
from review.services.foils.spots import Spot
from review.services.foils.stream import stream

Answer = Classification.Answer

SEED = 4
N_PICTURES = 120
SURVEY = SurveyParameters(crater_share=0.12, apart_share=0.2, series_share=0.04, places_per_foil=60)
# With this seed each side of the split has cut-outs, and blanks enough to choose a threshold and measure it.
SHOTS = Shots(foil=SURVEY.foil, seed=43, n_shots=14, n_cut=12, n_blanks=150)
AUDIT_SIZE = 10
KNOWN = Order(craters=10, look_alikes=4, blanks=8, practice=10, seed=SEED)
# Few people and few pictures: by the usual rule none would be judged enough.
RULE = StoppingRule(min_votes=2, max_votes=7, accept=0.9, reject=5e-3, practised_people=1, practised_after=5)
CROWD = CrowdParameters(n_people=7, bad_share=0.15)
# Answers of each, the test of the tutorial included; few do most, as everywhere.
ANSWERS = (75, 65, 55, 50, 40, 30, 20)
CANNOT_TELL_SHARE = 0.03
N_CONFIRMED = 3
_ANSWERS = UUID("5f0f4b3e-6a0b-4f0e-9a2d-3f1f5f0f7b64")
_CONFIRMATIONS = UUID("b7f6c1de-1b5d-4c1e-8f43-0d9f7c7b9a10")


@dataclass(frozen=True)
class Seen:
    """What a simulated volunteer has before them: how hard it is, and where there is something."""

    kind: int
    things: tuple[tuple[float, float], ...]


def load(lead: Participant) -> Campaign:
    """Load what is missing of the demonstration that this person leads."""
    campaign = _campaign(lead)
    places = surveying.add_survey(campaign=campaign, parameters=SURVEY, seed=SEED, n=N_PICTURES)
    surveying.add_scores(campaign=campaign, parameters=SURVEY, seed=SEED, known=places, requested_by=lead)
    shots.add(campaign, SHOTS, lead)
    workflow = rules.workflow_of(campaign)
    _set_up(workflow, lead)
    _make_known(workflow, lead)
    if reckoning.newest(workflow) is None:
        _Volunteers(workflow, places).judge()
        figures.draw(reckoning.reckon(workflow))
    return campaign


def confirm(campaign: Campaign, expert: Participant) -> None:
    """Let an expert have looked at the most probable candidates."""
    workflow = rules.workflow_of(campaign)
    if Confirmation.objects.filter(subject__workflow=workflow).exists():
        return
    candidates = (
        workflow.subjects.filter(outcome=Outcome.CANDIDATE).exclude(stratum=Subject.Stratum.GOLD)
    ).select_related("picture")
    for subject in candidates.order_by("-log_odds", "pk")[:N_CONFIRMED]:
        place = surveying.place_of(SURVEY, subject.picture.name)
        things: tuple[Crater | LookAlike, ...] = place.craters or place.lookalikes
        result = Confirmation.Result.CRATER if place.craters else Confirmation.Result.LOOK_ALIKE
        made = confirmation.confirm(
            uid=uuid5(_CONFIRMATIONS, str(subject.uid)),
            subject=subject,
            by=expert,
            method=Confirmation.Method.SEM,
            result=result if things else Confirmation.Result.NOTHING,
            spots=[_spot(subject.picture, thing) for thing in things],
            note=_("Simulated: nobody has looked at this place."),
        )
        gold.from_confirmation(made)


def _campaign(lead: Participant) -> Campaign:
    known = Campaign.objects.filter(kind=Campaign.Kind.FOIL, synthetic=True, created_by=lead)
    return known.order_by("pk").first() or campaigns.create_foil_campaign(
        name=_("Foil demonstration (synthetic)"),
        created_by=lead,
        visibility=Campaign.Visibility.PUBLIC,
        instructions=_(
            "Is there an impact crater? Every picture here is made by a simulator, and the first answers are "
            "those of simulated people: try it out as you like."
        ),
        synthetic=True,
    )


def _set_up(workflow: Workflow, lead: Participant) -> None:
    """Once: what a lead has set since stays."""
    if rules.current(workflow).number == 1:
        settings.change(workflow=workflow, audit_size=AUDIT_SIZE)
        rules.set_rule(
            workflow=workflow,
            rule=RULE,
            why=_("A demonstration has few people and few pictures."),
            by=lead,
        )
    stream.fill(workflow=workflow)


def _make_known(workflow: Workflow, lead: Participant) -> None:
    """Once: an order that was begun is gone on with, whatever later versions would order."""
    orders = workflow.errands.filter(kind=Errand.Kind.MAKE_GOLD).order_by("pk")
    errand = orders.first() or workflow.errands.create(
        kind=Errand.Kind.MAKE_GOLD, question=gold_making.question_of(KNOWN), asked_by=lead
    )
    if errand.state == Errand.State.DONE:
        return
    findings = gold_making.make(errand, lambda n_done, n_all: None)
    Errand.objects.filter(pk=errand.pk).update(state=Errand.State.DONE, findings=findings, ended_at=Now())


class _Volunteers:
    """Simulated people, who see craters as those of mlcore.simulate.judges do."""

    def __init__(self, workflow: Workflow, places: dict[str, Place]) -> None:
        self.workflow = workflow
        self.places = places
        self.people: People = make_people(CROWD, SEED)

    def judge(self) -> None:
        """Let each answer as much as it does; those who have begun go on."""
        for number, n_answers in enumerate(ANSWERS):
            participant, _is_new = Participant.objects.get_or_create(
                pseudonym=_("simulated judge %d") % (number + 1)
            )
            self._judge(number, Person(participant, (participant,)), n_answers)

    def _judge(self, number: int, person: Person, n_answers: int) -> None:
        edition = settings.of(self.workflow).consent_edition
        judging.start(workflow=self.workflow, person=person, consent=edition)
        judge = Judge.objects.get(workflow=self.workflow, participant=person.participant)
        handed = judging.hand_out(workflow=self.workflow, person=person)
        # One transaction for all of them: hundreds of commits would take longer than the rest.
        with transaction.atomic():
            for _step in range(judge.n_answers, n_answers):
                if not handed.showings:
                    return
                handed = self._answer(number, person, handed.showings[0], handed.standing.stage)

    def _answer(self, number: int, person: Person, showing: Showing, stage: str) -> judging.Handed:
        subject = showing.subject
        random = np.random.default_rng((SEED, number, *subject.picture.sha256.encode()[:8]))
        seen = self._seen(subject)
        answer = self._said(number, seen, stage, random)
        marks = [_mark(subject.picture, seen, random)] if answer == Answer.CRATER else []
        return judging.answer(
            workflow=self.workflow,
            person=person,
            uid=uuid5(_ANSWERS, f"{showing.uid} {showing.round}"),
            showing=showing.uid,
            answer=answer,
            marks=marks,
            duration_ms=int(random.gamma(4.0, 900.0)) + 700,
        ).handed

    def _said(self, number: int, seen: Seen, stage: str, random: np.random.Generator) -> Answer:
        if random.random() < CANNOT_TELL_SHARE:
            return Answer.CANNOT_TELL
        if stage == judging.PRACTICE:
            # Everybody tries while they learn.
            chance = 0.9 if seen.kind in (EASY, HARD) else 0.1
        else:
            means = (0.0, CROWD.lookalike_logit, 0.0, -CROWD.hard_logit)
            image = Images(np.array([seen.kind]), np.array([means[seen.kind]]), np.zeros(1))
            chance = float(self.people.chance_of_calling(image, number)[0])
        return Answer.CRATER if random.random() < chance else Answer.NOTHING

    def _seen(self, subject: Subject) -> Seen:
        known = Gold.objects.filter(subject=subject).first()
        if known is not None:
            kind = EASY if known.is_crater else LOOKALIKE if known.places else BLANK
            return Seen(kind, tuple((place["x_px"], place["y_px"]) for place in known.places))
        name = subject.picture.name
        if name not in self.places:
            self.places[name] = surveying.place_of(SURVEY, name)
        place = self.places[name]
        things: tuple[Crater | LookAlike, ...] = place.craters or place.lookalikes
        return Seen(place.kind, tuple((thing.x_px, thing.y_px) for thing in things))


def _mark(picture: Picture, seen: Seen, random: np.random.Generator) -> dict[str, float]:
    """A click near a crater or what looks like one; anywhere where there is neither."""
    size = np.array([picture.width_px, picture.height_px])
    if seen.things:
        x_px, y_px = random.normal(seen.things[int(random.integers(len(seen.things)))], 3.0)
    else:
        x_px, y_px = random.uniform(0.1, 0.9, 2) * size
    x_px, y_px = _inside(picture, float(x_px), float(y_px))
    return {"x_px": x_px, "y_px": y_px}


def _spot(picture: Picture, thing: Crater | LookAlike) -> Spot:
    return Spot(*_inside(picture, thing.x_px, thing.y_px), thing.diameter_um)


def _inside(picture: Picture, x_px: float, y_px: float) -> tuple[float, float]:
    return (
        round(min(max(x_px, 0.0), picture.width_px), 1),
        round(min(max(y_px, 0.0), picture.height_px), 1),
    )
