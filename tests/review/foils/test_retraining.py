"""The loop of the foils, closed: what volunteers reject teaches the next version, in real processes.

Simulated foil of 50 nm per pixel. Experts have cut craters out of test shots; among the survey are pits,
hollows without a rim, which no version has met. The first version takes them for craters; volunteers reject
those of the training side, and of the others nobody ever says a word.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from numpy.typing import NDArray

from annotate.models import Campaign, User
from annotate.services.participants import participant_of
from mlcore.foil_classifier.dataset import BLANK, LOOK_ALIKE, FoilDataset
from mlcore.formats.pictures import Grey
from mlcore.simulate import foil_gold
from mlcore.simulate.foils import SHOWN, Crater, FoilParameters, draw_exposure, expose, make_scene
from review.models import CutOut, Judge, ModelVersion, Picture, Run, Subject, Workflow
from review.services import frozen, registry, searching, training
from review.services.foils import pictures

pytestmark = [pytest.mark.django_db, pytest.mark.slow, pytest.mark.timeout(900)]

UM_PER_PX = 0.05
SIZE = (96, 128)
# How many test shots, and how much blank foil, lie on which side: not left to the hash of simulated pixels.
SHOTS = {"train": 14, "validation": 2, "test": 2}
BLANKS = {"train": 24, "validation": 4, "test": 4}
N_PITS, N_CRATERS = 16, 10
# Bounded by steps, not by seconds: a busy machine takes longer and learns the same.
FIRST = {
    "steps_1": 200, "rate_1": 2e-3, "batch_1": 16, "crop_1_px": 64, "steps_2": 20, "rate_2": 5e-4,
    "batch_2": 8, "crop_2_px": list(SIZE), "size_px": [14, 60], "mine_every": 0,
}  # fmt: skip
SECOND = FIRST | {"steps_1": 0, "steps_2": 200, "rate_2": 2e-3, "hard_share": 0.5}


def foil(seed: int, families: tuple = (), size: tuple[int, int] = SIZE) -> tuple[Grey, list[Crater]]:
    parameters = FoilParameters(width_px=size[1], height_px=size[0], pits=0, dust=0.3)
    scene = make_scene(parameters, seed, families)
    return expose(scene, draw_exposure(seed), seed), list(scene.craters)


def pitted(seed: int) -> Grey:
    thing = foil_gold.draw_pit(SIZE, UM_PER_PX, seed, smallest_um=1.6)
    return foil_gold.paste([foil(seed)[0]], thing, um_per_px=UM_PER_PX, seed=seed)[0]


@pytest.fixture
def keep(foils: Campaign) -> Callable[..., Picture]:
    """A picture of the campaign: keep("pit-3", grey, side="train", purpose="blank")."""

    def one(name: str, grey: Grey, *, side: str, **fields: object) -> Picture:
        where = pictures.Where(nm_per_px=1000.0 * UM_PER_PX)
        picture, _ = pictures.add_picture(
            campaign=foils, name=name, frames=[grey], where=where, synthetic=True, **fields
        )
        picture.side = side
        picture.save()
        return picture

    return one


def sides(wanted: dict[str, int]) -> list[str]:
    return [side for side, n in wanted.items() for _ in range(n)]


@pytest.fixture
def ground(keep: Callable[..., Picture], lead: User) -> None:
    """Test shots with a crater cut out of each, and blank foil."""
    shots = (foil(1000 + n, (SHOWN[n % len(SHOWN)],), (160, 160)) for n in range(1000))
    # Larger ones would not fit on the blanks.
    small = ((grey, crater) for grey, [crater] in shots if crater.diameter_um < 2.4)
    for side, (grey, crater) in zip(sides(SHOTS), small, strict=False):
        picture = keep("shot.tif", grey, side=side, purpose=Picture.Purpose.REFERENCE)
        reach_px = 0.75 * crater.diameter_um / UM_PER_PX
        angles = 2 * np.pi * np.arange(24) / 24
        rim = np.stack([crater.x_px + reach_px * np.cos(angles), crater.y_px + reach_px * np.sin(angles)], 1)
        CutOut.objects.create(
            picture=picture, polygon=rim.tolist(), diameter_px=2 * reach_px, by=participant_of(lead)
        )
    for number, side in enumerate(sides(BLANKS)):
        keep(f"blank-{number}", foil(3000 + number)[0], side=side, purpose=Picture.Purpose.BLANK)


@dataclass(frozen=True)
class Survey:
    """What nobody has looked at yet: pits that people will see, others, and pictures with a crater."""

    seen: list[Picture]
    unseen: list[Picture]
    craters: list[Picture]


@pytest.fixture
def survey(keep: Callable[..., Picture]) -> Survey:
    def pits(first: int, side: str) -> list[Picture]:
        return [keep(f"pit-{n}", pitted(n), side=side) for n in range(first, first + N_PITS)]

    def crater(number: int) -> Picture:
        grey, _ = foil(9000 + number, (SHOWN[number % len(SHOWN)],))
        return keep(f"crater-{number}", grey, side="test")

    return Survey(pits(7000, "train"), pits(8000, "test"), [crater(number) for number in range(N_CRATERS)])


def execute(run: Run) -> list[Run]:
    """What a worker does with a run."""
    work = training.execute if run.verb == Run.Verb.TRAIN else searching.execute
    following = work(run.pk, "worker")
    run.refresh_from_db()
    assert run.state == Run.State.FINISHED, run.error
    return following


def scores_of(chosen: list[Picture]) -> NDArray[np.float64]:
    found = dict(Picture.objects.filter(pk__in=[one.pk for one in chosen]).values_list("pk", "score_raw"))
    return np.array([found[one.pk] for one in chosen])


def test_what_volunteers_reject_scores_lower_where_nobody_has_looked(
    foils: Campaign,
    triage: Workflow,
    ground: None,
    survey: Survey,
    make_judge: Callable[..., Judge],
    say: Callable,
    client_of: Callable[[User], Client],
    lead: User,
):
    owner, seen = participant_of(lead), survey.seen
    first_run = training.request_training(
        campaign=foils, system="foil_classifier", requested_by=owner, overrides=FIRST, promote=True
    )
    [scoring] = execute(first_run)
    execute(scoring)
    first = ModelVersion.objects.get(is_current=True)
    before, craters_before = scores_of(survey.unseen), scores_of(survey.craters)
    assert np.median(before) > 0.5, "the first version must take pits for craters"
    assert (scores_of(seen) >= 0.01).all(), "above the threshold, so people are shown them"

    judges = [make_judge(name, blanks=50, passes=49, craters=50, hits=45) for name in ("ada", "bob", "cy")]
    triage.rules.update(settings={"reject": 1e-3, "practised_after": 10})
    for subject in Subject.objects.filter(workflow=triage, picture__in=seen).select_related("picture"):
        for judge in judges:
            say(judge, subject, "nothing")
    assert Subject.objects.filter(workflow=triage, outcome="nothing").count() == len(seen)

    page = client_of(lead).get(reverse("review:foil_network", args=[foils.uid])).content.decode()
    assert f"<b>{len(seen)} look-alikes</b> rejected since version 1" in page
    # The page's press; only the number of steps is the test's.
    pressed = client_of(lead).post(
        reverse("review:api_runs", args=[foils.uid]),
        {"verb": "train", "preset": "quick", "start_from": str(first.uid)},
        content_type="application/json",
    )
    assert pressed.status_code == 201, pressed.content
    second_run = Run.objects.get(uid=pressed.json()["uid"])
    second_run.config["overrides"] = SECOND
    second_run.save()
    assert execute(second_run) == []

    second = ModelVersion.objects.get(run=second_run)
    assert second.card["initial_weights"].startswith("continued from a model trained on dataset")
    taught = FoilDataset(frozen.folder_of(second_run.dataset))
    assert {entry.picture_sha256 for entry in taught.of(LOOK_ALIKE, "train")} == {p.sha256 for p in seen}
    assert not {p.sha256 for p in survey.unseen} & {entry.picture_sha256 for entry in taught.entries}
    assert first.run.dataset.counts[LOOK_ALIKE] == {"train": 0, "validation": 0, "test": 0}
    assert first.run.dataset.counts[BLANK] == second_run.dataset.counts[BLANK]
    assert second.card["compared_with"]["number"] == 1
    assert second.card["notes"][0].startswith("Synthetic:")

    execute(registry.promote(version=second, by=owner))
    after, craters_after = scores_of(survey.unseen), scores_of(survey.craters)
    fall = before - after
    assert (fall > 0).mean() >= 0.75
    # Processors round differently, so each learns a little otherwise: how far beyond chance it falls counts.
    assert fall.mean() > 2.5 * fall.std(ddof=1) / np.sqrt(len(fall))
    # Not because it calls less of anything a crater.
    assert craters_after.mean() - after.mean() > craters_before.mean() - before.mean()
