"""A campaign with proposals to judge, made without rasters; those that need one make it themselves."""

from collections.abc import Callable
from uuid import uuid4

import pytest

from annotate.models import Campaign, Catalogue, Membership, Participant, Role, User
from annotate.services.features import add_features
from annotate.services.participants import participant_of
from annotate.services.shapes import stamped
from mlcore.geodesy import rim_polygon
from review.models import Classification, Subject, Workflow
from review.services import classifications
from review.services.policies import candidates

MOON_M = 1_737_400.0


@pytest.fixture
def campaign(lead: User) -> Campaign:
    """A public campaign on the Moon that `lead` leads; no tiles, no layers."""
    made = Campaign.objects.create(
        name="Mare Test",
        body="moon",
        visibility=Campaign.Visibility.PUBLIC,
        created_by=participant_of(lead),
        grid={"resolution_m_per_px": 100.0},
        region=stamped(rim_polygon(10.0, 5.0, 200_000.0, MOON_M)),
    )
    Membership.objects.create(campaign=made, user=lead, role=Role.LEAD)
    return made


@pytest.fixture
def workflow(campaign: Campaign) -> Workflow:
    return candidates.workflow_of(campaign)


@pytest.fixture
def person(db: None) -> Callable[[str], Participant]:
    """A participant without a sign-in: person("ada")."""

    def make(name: str) -> Participant:
        return Participant.objects.get_or_create(pseudonym=name)[0]

    return make


@pytest.fixture
def make_subjects(campaign: Campaign, workflow: Workflow) -> Callable[..., list[Subject]]:
    """Proposals in a row, the first of the highest priority: make_subjects(3)."""

    def make(n: int, *, wanted: int = 1) -> list[Subject]:
        catalogue = Catalogue.objects.create(
            name=f"predicted {uuid4()}",
            body="moon",
            campaign=campaign,
            origin=Catalogue.Origin.PREDICTED,
        )
        rows = [
            {"lon": 10.0 + 0.1 * i, "lat": 5.0, "diameter_m": 2000.0, "score": 0.6, "uncertainty": 0.3}
            for i in range(n)
        ]
        return [
            Subject.objects.create(
                workflow=workflow, feature=feature, priority=1 - i / n, wanted=wanted, why="uncertain"
            )
            for i, feature in enumerate(add_features(catalogue, rows))
        ]

    return make


Answer = Callable[..., Classification]


@pytest.fixture
def answer(workflow: Workflow) -> Answer:
    """Record an answer as a reviewer: answer(subject, participant, "accept")."""

    def give(subject: Subject, participant: Participant, what: str, **fields: object) -> Classification:
        fields = {"uid": uuid4(), "as_reviewer": True, "reason": "ridge" if what == "reject" else ""} | fields
        return classifications.record(
            workflow=workflow, subject=subject, participant=participant, answer=what, **fields
        )

    return give
