"""Known pictures cannot be told from others: not by what is sent, how it is named, how large it is, or when.

Each test asks the judging API as a browser does and sorts what came by what only the database knows.
"""

import io
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from annotate.models import Campaign
from mlcore.simulate.foils import FoilParameters, draw_exposure, expose, make_scene
from review.models import Errand, Frame, Gold, Judge, Showing, Subject, Workflow
from review.services.foils import pictures
from review.services.foils import settings as triage_settings
from review.services.foils.gold import gold_making
from review.services.foils.gold.gold_making import Order
from review.services.foils.stream import stream

pytestmark = pytest.mark.django_db
LITTLE = FoilParameters(width_px=96, height_px=64)
GOLD, QUEUE = Subject.Stratum.GOLD, Subject.Stratum.QUEUE


@pytest.fixture(autouse=True)
def _no_limit_of_pace(settings: Any) -> None:
    settings.FOIL_ANSWERS_PER_MINUTE = 100_000


@pytest.fixture
def survey(foils: Campaign, triage: Workflow) -> Callable[..., Workflow]:
    """A triage of pictures that a microscope took, with known ones made of them: survey(40, craters=6)."""

    def make(n: int, *, bits: int = 8, n_frames: int = 1, **order: int) -> Workflow:
        Campaign.objects.filter(pk=foils.pk).update(synthetic=False)
        for seed in range(n):
            grey = expose(make_scene(LITTLE, seed), draw_exposure(seed), seed)
            frame = grey if bits == 8 else grey.astype(np.uint16) * 257
            pictures.add_picture(
                campaign=foils,
                name=f"secret-{seed}.tif",
                frames=[np.roll(frame, at, axis=1) for at in range(n_frames)],
                where=pictures.Where(foil="secret", nm_per_px=50.0),
            )
        stream.fill(workflow=triage)
        wanted = Order(**{"craters": 0, "look_alikes": 0, "blanks": 0, "practice": 0, "seed": 1, **order})
        grounds = list(triage.subjects.order_by("pk").values_list("pk", flat=True)[: wanted.n])
        triage.subjects.filter(pk__in=grounds).update(outcome="nothing", retired_at=timezone.now())
        errand = Errand.objects.create(
            workflow=Workflow.objects.get(pk=triage.pk),
            kind=Errand.Kind.MAKE_GOLD,
            question=gold_making.question_of(wanted),
        )
        assert gold_making.make(errand, lambda _done, _all: None)["made"] == wanted.n
        return triage

    return make


class Visitor:
    """A browser that judges, and keeps what it was sent."""

    def __init__(self, workflow: Workflow) -> None:
        self.client, self.workflow = Client(), workflow
        edition = self.client.get(self._url("")).json()["consent"]["edition"]
        self.post("start", {"consent": edition})

    def _url(self, name: str) -> str:
        return reverse(f"review:api_triage{name}", args=[self.workflow.uid])

    def post(self, name: str, body: dict[str, Any] | None = None) -> Any:
        return self.client.post(self._url(f"_{name}"), body or {}, content_type="application/json")

    def next(self) -> list[dict[str, Any]]:
        return self.post("next").json()["showings"]

    def answer(self, showing: dict[str, Any], answer: str = "nothing") -> Any:
        marks = [{"x_px": 5.0, "y_px": 5.0}] if answer == "crater" else []
        body = {"uid": str(uuid4()), "showing": showing["uid"], "answer": answer, "marks": marks}
        return self.post("answers", body)


def stratum_of(showing: dict[str, Any]) -> str:
    """What only the database knows."""
    return Subject.objects.get(showings__uid=showing["uid"]).stratum


def shape_of(value: Any) -> Any:
    """A JSON value without what it says: its names, their order and their types."""
    if isinstance(value, dict):
        return [(key, shape_of(one)) for key, one in value.items()]
    if isinstance(value, list):
        return [shape_of(one) for one in value]
    return type(value).__name__


def by_stratum(seen: list[tuple[str, Any]]) -> dict[str, set[Any]]:
    found: dict[str, set[Any]] = {GOLD: set(), QUEUE: set()}
    for stratum, what in seen:
        found[stratum].add(what)
    assert all(found.values()), "both kinds have to have come"
    return found


def walk(visitor: Visitor, least: int) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Showings one by one until so many of each kind came: kind, how many of it before, and the showing.

    Whoever walks answers each. Which kind comes is drawn by lot: among sixty unknown pictures too few known
    ones come once in a million times where four are wanted, among eighty where five are.
    """
    n_seen = {GOLD: 0, QUEUE: 0}
    while min(n_seen.values()) < least:
        showing = visitor.next()[0]
        stratum = stratum_of(showing)
        yield stratum, n_seen[stratum], showing
        n_seen[stratum] += 1


@pytest.mark.parametrize(("bits", "n_frames"), [(8, 1), (16, 2)])
def test_nothing_sent_before_the_answer_tells_them_apart(
    survey: Callable[..., Workflow], bits: int, n_frames: int
):
    workflow = survey(70, bits=bits, n_frames=n_frames, craters=4, look_alikes=3, blanks=3)
    triage_settings.change(workflow=workflow, feedback_share=1.0)
    visitor = Visitor(workflow)
    sent: list[tuple[str, Any]] = []
    for stratum, _n, showing in walk(visitor, 4):
        assert UUID(showing["uid"]).version == 4
        sent.append(
            (stratum, ("showing", repr(shape_of(showing)), showing["width_px"], showing["nm_per_px"]))
        )
        for frame in showing["frames"]:
            sent.append((stratum, ("url", re.sub(showing["uid"], "UID", frame["url"]))))
            response = visitor.client.get(frame["url"])
            content = b"".join(response)
            headers = {**response.headers, "X-Request-ID": "each its own"}
            sent.append((stratum, ("headers", repr(sorted(headers.items())))))
            image = Image.open(io.BytesIO(content))
            about = (image.format, image.mode, image.size, sorted(image.info.items()), image.quantization)
            sent.append((stratum, ("image", repr(about))))
            assert not image.getexif()
            assert b"secret" not in content
        assert visitor.answer(showing).status_code == 201
    found = by_stratum(sent)
    assert found[GOLD] == found[QUEUE]


def test_no_answer_carries_a_name_or_a_place_on_the_disk(survey: Callable[..., Workflow]):
    workflow = survey(24, craters=6)
    triage_settings.change(workflow=workflow, feedback_share=0.0)
    visitor = Visitor(workflow)
    for _at in range(12):
        response = visitor.post("next")
        text = response.content.decode() + repr(response.headers)
        given = visitor.answer(response.json()["showings"][0])
        assert given.status_code == 201
        text += given.content.decode()
        for told in ("secret", "known-", "foils/", ".png", ".jpg", "gold", "stratum", "synthetic"):
            assert told not in text
        for frame in Frame.objects.all()[:5]:
            assert frame.sha256[:12] not in text


def test_the_order_of_identifiers_says_nothing(survey: Callable[..., Workflow]):
    """Random in every bit that is free: neither sorted by time nor by kind."""
    workflow = survey(86, craters=6)
    visitor = Visitor(workflow)
    for _stratum, _n, showing in walk(visitor, 5):
        visitor.answer(showing)
    shown = list(Showing.objects.order_by("pk").values_list("uid", flat=True))
    firsts = [uid.int >> 64 for uid in shown]
    assert firsts != sorted(firsts)
    assert len({uid.hex[:4] for uid in shown}) > len(shown) - 3


def kinds_of(queries: CaptureQueriesContext) -> tuple[str, ...]:
    """What was asked of the database: verbs and tables, without values and without how many of them."""
    asked = []
    for query in queries.captured_queries:
        sql = query["sql"]
        if sql.startswith(("SAVEPOINT", "RELEASE")):
            sql = sql.split()[0]
        tables = re.findall(r'(?:FROM|INTO|UPDATE|JOIN) "?(\w+)"?', sql)
        asked.append(" ".join([sql.split()[0], *tables]))
    return tuple(asked)


def test_the_database_is_asked_the_same_whichever_kind_it_is(survey: Callable[..., Workflow]):
    """Statements of an answer, of what is handed out after it, and of its picture: nothing to be timed."""
    workflow = survey(72, craters=6, look_alikes=3, blanks=3)
    triage_settings.change(workflow=workflow, feedback_share=0.0)
    visitor = Visitor(workflow)
    asked: list[tuple[str, Any]] = []
    for stratum, n, showing in walk(visitor, 4):
        with CaptureQueriesContext(connection) as queries:
            b"".join(visitor.client.get(showing["frames"][0]["url"]))
        asked.append((stratum, ("frame", kinds_of(queries))))
        said = ("nothing", "crater", "cannot_tell")[n % 3]
        with CaptureQueriesContext(connection) as queries:
            assert visitor.answer(showing, said).status_code == 201
        asked.append((stratum, (said, kinds_of(queries))))
    found = by_stratum(asked)
    assert found[GOLD] == found[QUEUE]


def test_handing_out_asks_the_same_whatever_it_draws(survey: Callable[..., Workflow]):
    workflow = survey(24, craters=6)
    visitor = Visitor(workflow)
    # The first time somebody is let in without a test.
    visitor.next()
    asked = set()
    strata = set()
    for _at in range(12):
        Showing.objects.all().delete()
        with CaptureQueriesContext(connection) as queries:
            handed = visitor.next()
        strata.add(tuple(sorted(stratum_of(one) for one in handed)))
        asked.add(kinds_of(queries))
    assert len(strata) > 1
    assert len(asked) == 1


def sizes_of(workflow: Workflow, visitor: Visitor, subjects: Any) -> np.ndarray:
    """(bytes, width, height) of what judges are sent."""
    participant = Judge.objects.get(workflow=workflow).participant
    sizes = []
    for subject in subjects.select_related("picture").order_by("pk"):
        shown = Showing.objects.create(
            subject=subject, participant=participant, expires_at=timezone.now() + timedelta(hours=1)
        )
        response = visitor.client.get(reverse("review:api_showing_frame", args=[shown.uid, 0]))
        assert response.status_code == 200
        sizes.append((len(response.content), subject.picture.width_px, subject.picture.height_px))
    return np.array(sizes, float)


def test_the_size_of_the_file_gives_nothing_away(survey: Callable[..., Workflow]):
    """Whoever sorts by bytes, width and height is right as often as a coin.

    The best cut on one half of the pictures is tried on the other half, and the sizes are compared by
    Mann and Whitney's test. Files on the disk do differ: a large crater makes a smaller one.
    """
    from scipy.stats import mannwhitneyu

    workflow = survey(200, craters=40, look_alikes=15, blanks=15)
    visitor = Visitor(workflow)
    others = sizes_of(workflow, visitor, workflow.subjects.filter(stratum=QUEUE, retired_at=None))
    known = sizes_of(workflow, visitor, workflow.subjects.filter(stratum=GOLD))
    assert len(others) + len(known) >= 200
    assert np.unique(np.vstack([others, known])[:, 1:], axis=0).shape[0] == 1
    assert mannwhitneyu(others[:, 0], known[:, 0]).pvalue > 0.01
    halves = [(others[at::2, 0], known[at::2, 0]) for at in (0, 1)]
    told = [_share_told(*halves[at], *halves[1 - at]) for at in (0, 1)]
    # Two standard deviations of a coin thrown for each of them.
    assert np.mean(told) < 0.5 + 2.0 * 0.5 / np.sqrt(len(others) + len(known))


def _share_told(
    others: np.ndarray, known: np.ndarray, new_others: np.ndarray, new_known: np.ndarray
) -> float:
    """Of new pictures, the share told by the cut and direction that do best on others; kinds weigh alike."""
    cuts = np.sort(np.concatenate([others, known]))
    above = np.array([((known > cut).mean() + (others <= cut).mean()) / 2 for cut in cuts])
    best = int(np.argmax(np.abs(above - 0.5)))
    told = ((new_known > cuts[best]).mean() + (new_others <= cuts[best]).mean()) / 2
    return float(told if above[best] >= 0.5 else 1.0 - told)


def test_only_what_may_tell_its_answer_ever_does(survey: Callable[..., Workflow]):
    workflow = survey(20, craters=5)
    triage_settings.change(workflow=workflow, feedback_share=1.0)
    Gold.objects.update(with_feedback=False)
    visitor = Visitor(workflow)
    for _at in range(8):
        assert visitor.answer(visitor.next()[0]).json()["feedback"] is None
