"""A campaign on pictures of foils, with subjects to judge and subjects whose answer is known."""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from django.test import Client

from annotate.models import Campaign, User
from annotate.services.campaigns import create_foil_campaign
from annotate.services.participants import participant_of
from mlcore.consensus.answers.swap import log_odds
from review.models import Classification, Gold, Judge, Picture, Subject, Workflow
from review.services import classifications
from review.services.foils import pictures
from review.services.foils.rules import rules
from tests.review.foils.browser import Browser

PRIOR = 0.04


@pytest.fixture
def foils(lead: User, media: Path) -> Campaign:
    """A public campaign on foils that `lead` leads."""
    return create_foil_campaign(
        name="Foil Test",
        created_by=participant_of(lead),
        visibility=Campaign.Visibility.PUBLIC,
        synthetic=True,
    )


@pytest.fixture
def triage(foils: Campaign) -> Workflow:
    return rules.workflow_of(foils)


@pytest.fixture
def make_picture(foils: Campaign) -> Callable[..., Picture]:
    """A small picture of noise, another one each time: make_picture(nm_per_px=50)."""
    seeds = count(1)

    def make(*, name: str = "", n_frames: int = 1, **where: object) -> Picture:
        seed = next(seeds)
        random = np.random.default_rng(seed)
        frames = [random.integers(60, 200, (48, 64), np.uint8) for _ in range(n_frames)]
        picture, _ = pictures.add_picture(
            campaign=foils,
            name=name or f"foil-{seed}.tif",
            frames=frames,
            where=pictures.Where(**where),
            synthetic=True,
        )
        return picture

    return make


@pytest.fixture
def make_foil_subjects(
    triage: Workflow, make_picture: Callable[..., Picture]
) -> Callable[..., list[Subject]]:
    """Pictures to judge: make_foil_subjects(3, probability=0.2)."""

    def make(n: int, *, probability: float = PRIOR, stratum: str = Subject.Stratum.QUEUE) -> list[Subject]:
        odds = log_odds(probability)
        return [
            Subject.objects.create(
                workflow=triage,
                picture=make_picture(),
                stratum=stratum,
                prior_log_odds=odds,
                log_odds=odds,
            )
            for _ in range(n)
        ]

    return make


@pytest.fixture
def make_gold(make_foil_subjects: Callable[..., list[Subject]]) -> Callable[..., list[Gold]]:
    """Known subjects: make_gold(3, is_crater=True, with_feedback=True)."""

    def make(n: int, *, is_crater: bool = True, **fields: object) -> list[Gold]:
        places = [{"x_px": 30.0, "y_px": 20.0, "diameter_um": 1.0}] if is_crater else []
        fields = {"origin": Gold.Origin.SYNTHETIC, "places": places, **fields}
        return [
            Gold.objects.create(subject=subject, is_crater=is_crater, **fields)
            for subject in make_foil_subjects(n, stratum=Subject.Stratum.GOLD)
        ]

    return make


@pytest.fixture
def make_judge(triage: Workflow, make_user: Callable[..., User]) -> Callable[..., Judge]:
    """Somebody who has agreed and passed the test: make_judge("ada", hits=9, craters=10)."""

    def make(username: str, **fields: object) -> Judge:
        now = triage.created_at
        return Judge.objects.create(
            workflow=triage,
            participant=participant_of(make_user(username)),
            **{"consent": "1", "consented_at": now, "passed_practice_at": now, **fields},
        )

    return make


@pytest.fixture
def browser_of(triage: Workflow, client_of: Callable[[User | None], Client]) -> Callable[..., Browser]:
    """browser_of(user); browser_of(None) for a visitor."""
    return lambda user: Browser(client_of(user), triage)


@pytest.fixture
def visitor(browser_of: Callable[..., Browser]) -> Browser:
    """A visitor who has agreed."""
    browser = browser_of(None)
    browser.start()
    return browser


@pytest.fixture
def say(triage: Workflow) -> Callable[..., Classification]:
    """Record an answer by the engine: say(judge, subject, "nothing")."""

    def give(judge: Judge, subject: Subject, answer: str, **fields: object) -> Classification:
        marks = fields.pop("marks", [{"x_px": 30.0, "y_px": 20.0}])
        return classifications.record(
            workflow=triage,
            subject=subject,
            participant=judge.participant,
            uid=uuid4(),
            answer=answer,
            payload={"marks": marks} if answer == "crater" else {},
            **fields,
        )

    return give
