"""Known pictures: made, confirmed, named by hand, worn out."""

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from django.utils import timezone

from annotate.models import Campaign, User
from annotate.services.participants import participant_of
from mlcore.errors import InvalidInput
from mlcore.simulate.foils import APART, FoilParameters, draw_exposure, expose, make_scene
from review.models import (
    Classification,
    Confirmation,
    Errand,
    Gold,
    Picture,
    Showing,
    Subject,
    Workflow,
)
from review.services.foils import pictures
from review.services.foils.gold import gold, gold_making, gold_watch
from review.services.foils.gold.gold import Kind
from review.services.foils.gold.gold_making import Order
from review.services.foils.stream import stream

pytestmark = pytest.mark.django_db
SMALL = FoilParameters(width_px=96, height_px=80)
Made = list[Gold]


@pytest.fixture
def microscope(foils: Campaign) -> Campaign:
    """The campaign, as if a microscope had taken its pictures."""
    Campaign.objects.filter(pk=foils.pk).update(synthetic=False)
    foils.refresh_from_db()
    return foils


@pytest.fixture
def foil_pictures(foils: Campaign) -> Callable[..., list[Picture]]:
    """Pictures with ground to put craters into: foil_pictures(3, n_frames=2, bits=16)."""

    def make(n: int, *, n_frames: int = 1, bits: int = 8) -> list[Picture]:
        made = []
        for seed in range(n):
            grey = expose(make_scene(SMALL, seed), draw_exposure(seed), seed)
            frame = grey if bits == 8 else grey.astype(np.uint16) * 16
            picture, _new = pictures.add_picture(
                campaign=foils,
                name=f"{seed}.tif",
                frames=[np.roll(frame, at, axis=0) for at in range(n_frames)],
                where=pictures.Where(foil="C2", nm_per_px=50.0),
            )
            made.append(picture)
        return made

    return make


def make(workflow: Workflow, **order: int) -> tuple[Made, dict[str, object]]:
    """The order carried out at once."""
    wanted = Order(**{"craters": 0, "look_alikes": 0, "blanks": 0, "practice": 0, "seed": 1, **order})
    gold_making.check(workflow, wanted)
    errand = Errand.objects.create(
        workflow=workflow, kind=Errand.Kind.MAKE_GOLD, question=gold_making.question_of(wanted)
    )
    findings = gold_making.make(errand, lambda _done, _all: None)
    made = Gold.objects.filter(made_by__errand=str(errand.uid)).select_related("subject__picture")
    return list(made.order_by("pk")), findings


def retire_as_nothing(workflow: Workflow) -> None:
    stream.fill(workflow=workflow)
    workflow.subjects.update(outcome="nothing", retired_at=timezone.now())


def test_known_pictures_are_made_of_what_people_found_empty(
    microscope: Campaign, triage: Workflow, foil_pictures: Callable[..., list[Picture]]
):
    sources = foil_pictures(6)
    retire_as_nothing(triage)
    made, findings = make(triage, craters=2, look_alikes=2, blanks=2)
    assert findings == {"made": 6, "wanted": 6, "troubles": []}
    assert [gold.kind_of(one) for one in made] == [kind for kind in Kind for _time in range(2)]
    assert {one.made_by["background"] for one in made} == {str(source.uid) for source in sources}
    for one in made:
        assert one.subject.stratum == Subject.Stratum.GOLD
        assert one.subject.picture.nm_per_px == 50.0
        assert len(one.made_by["simulator"]) == 64
        assert one.made_by.get("family") != APART
        assert len(one.places) == (gold.kind_of(one) != Kind.BLANK)


def test_the_same_order_over_the_same_pictures_gives_the_same_ones(
    microscope: Campaign, triage: Workflow, foil_pictures: Callable[..., list[Picture]]
):
    foil_pictures(4)
    hashes = []
    for _time in range(2):
        made, _findings = make(triage, craters=2, look_alikes=1)
        hashes.append([one.subject.picture.sha256 for one in made])
        Subject.objects.filter(gold__isnull=False).delete()
        Picture.objects.filter(name__startswith="known").delete()
    assert hashes[0] == hashes[1]


def test_an_order_begun_again_makes_nothing_twice(
    microscope: Campaign, triage: Workflow, foil_pictures: Callable[..., list[Picture]]
):
    foil_pictures(3)
    made, _findings = make(triage, craters=3)
    errand = Errand.objects.get()
    lost = made[1].subject.picture
    made[1].subject.delete()
    lost.delete()
    assert gold_making.make(errand, lambda _done, _all: None)["made"] == 3
    assert Gold.objects.count() == 3
    assert Picture.objects.filter(sha256=lost.sha256).exists()


@pytest.mark.parametrize("bits", [8, 16])
def test_a_known_picture_has_the_depth_and_the_frames_of_its_ground(
    microscope: Campaign, triage: Workflow, foil_pictures: Callable[..., list[Picture]], bits: int
):
    foil_pictures(1, n_frames=3, bits=bits)
    [one], _findings = make(triage, craters=1)
    frames = gold.frames_of(one.subject.picture)
    assert len(frames) == 3
    assert one.subject.picture.frames.first().bits == bits
    assert frames[0].dtype == (np.uint8 if bits == 8 else np.uint16)


def test_pictures_that_may_hold_a_crater_are_no_ground(
    microscope: Campaign, triage: Workflow, foil_pictures: Callable[..., list[Picture]]
):
    suspect, clean = foil_pictures(2)
    stream.fill(workflow=triage)
    triage.subjects.filter(picture=suspect).update(outcome="candidate", retired_at=timezone.now())
    made, findings = make(triage, craters=2)
    assert [one.made_by["background"] for one in made] == [str(clean.uid)]
    assert findings["made"] == 1
    [trouble] = findings["troubles"]
    assert "No more pictures are left" in trouble


def test_what_nobody_found_empty_is_no_blank(
    microscope: Campaign, triage: Workflow, foil_pictures: Callable[..., list[Picture]]
):
    foil_pictures(3)
    with pytest.raises(InvalidInput, match="0 unused pictures are certain to be empty"):
        make(triage, blanks=1)


@pytest.mark.parametrize("order", [{}, {"craters": 5001}, {"craters": -1, "blanks": 3}])
def test_an_order_of_nothing_or_too_much_is_refused(triage: Workflow, order: dict[str, int]):
    with pytest.raises(InvalidInput, match=r"From 1 to 5,000"):
        make(triage, **order)


def test_a_campaign_without_pictures_is_told_to_add_some(triage: Workflow):
    with pytest.raises(InvalidInput, match="add pictures first"):
        make(triage, craters=1)


def test_simulated_campaigns_get_whole_scenes_whose_truth_is_known(
    triage: Workflow, foil_pictures: Callable[..., list[Picture]]
):
    foil_pictures(2, n_frames=2)
    made, findings = make(triage, craters=2, look_alikes=1, blanks=1)
    assert findings["made"] == 4
    assert {one.made_by["how"] for one in made} == {"scene"}
    assert all(one.subject.picture.synthetic for one in made)
    assert all(one.subject.picture.frames.count() == 2 for one in made)


def test_the_practice_set_is_balanced_and_can_be_seen(
    triage: Workflow, foil_pictures: Callable[..., list[Picture]]
):
    foil_pictures(1)
    made, _findings = make(triage, practice=12)
    assert all(one.is_practice and one.with_feedback for one in made)
    kinds = [gold.kind_of(one) for one in made]
    assert [kinds.count(kind) for kind in Kind] == [6, 3, 3]
    assert all(one.places[0]["diameter_um"] >= 0.8 for one in made if one.is_crater)


# -- By confirmation -------------------------------------------------------------------------------


@pytest.fixture
def confirm(triage: Workflow, lead: User) -> Callable[..., Confirmation]:
    def store(subject: Subject, result: str) -> Confirmation:
        return Confirmation.objects.create(
            subject=subject,
            by=participant_of(lead),
            method=Confirmation.Method.SEM,
            result=result,
            places=[{"x_px": 10.0, "y_px": 20.0, "diameter_um": 0.7}],
        )

    return store


@pytest.fixture
def judged(triage: Workflow, foil_pictures: Callable[..., list[Picture]], make_judge: Callable) -> Subject:
    """A subject that somebody has answered."""
    foil_pictures(1)
    stream.fill(workflow=triage)
    subject = triage.subjects.get()
    Showing.objects.create(
        subject=subject, participant=make_judge("ada").participant, expires_at=timezone.now()
    )
    return subject


@pytest.mark.parametrize(
    ("result", "origin", "kind"),
    [
        ("crater", Gold.Origin.CONFIRMED, Kind.CRATER),
        ("look_alike", Gold.Origin.LOOK_ALIKE, Kind.LOOK_ALIKE),
        ("nothing", Gold.Origin.CONFIRMED, Kind.BLANK),
    ],
)
def test_what_an_expert_found_becomes_known_on_a_copy(
    judged: Subject, confirm: Callable[..., Confirmation], result: str, origin: str, kind: Kind
):
    known = gold.from_confirmation(confirm(judged, result))
    assert known is not None
    assert (known.origin, gold.kind_of(known)) == (origin, kind)
    judged.refresh_from_db()
    assert judged.stratum == Subject.Stratum.QUEUE
    [own], [copied] = gold.frames_of(judged.picture), gold.frames_of(known.subject.picture)
    assert np.array_equal(copied, own[::-1])
    if kind != Kind.BLANK:
        assert known.places[0]["y_px"] == judged.picture.height_px - 20.0


def test_a_later_result_corrects_the_known_copy(judged: Subject, confirm: Callable[..., Confirmation]):
    first = confirm(judged, "crater")
    known = gold.from_confirmation(first)
    second = confirm(judged, "look_alike")
    corrected = gold.from_confirmation(second)
    assert corrected == known
    assert corrected is not None
    assert not corrected.is_crater
    assert gold.from_confirmation(first) is None
    assert gold.from_confirmation(confirm(judged, "unclear")) is None
    assert Gold.objects.get().withdrawn_at is not None


# -- By hand ---------------------------------------------------------------------------------------


def test_a_leads_word_makes_an_unseen_picture_known_itself(
    triage: Workflow, foil_pictures: Callable[..., list[Picture]], lead: User
):
    [picture] = foil_pictures(1)
    stream.fill(workflow=triage)
    known = gold.by_hand(
        workflow=triage,
        picture=picture,
        kind="crater",
        places=[{"x_px": 10.0, "y_px": 10.0, "diameter_um": None}],
        by=participant_of(lead),
    )
    assert known.origin == Gold.Origin.EXPERT
    assert known.subject.picture == picture
    assert triage.subjects.get().stratum == Subject.Stratum.GOLD


@pytest.mark.parametrize(
    ("kind", "places", "words"),
    [
        ("crater", [], "1 to 20 places, not 0"),
        ("look_alike", [{"x_px": 5.0, "y_px": 5.0}] * 21, "not 21"),
        ("crater", [{"x_px": 97.0, "y_px": 5.0}], "97, 5 px lies outside of the picture of 96 × 80"),
        ("crater", [{"x_px": 5.0, "y_px": 5.0, "diameter_um": 0.0}], "above 0"),
    ],
)
def test_places_that_do_not_fit_are_refused(
    triage: Workflow,
    foil_pictures: Callable[..., list[Picture]],
    lead: User,
    kind: str,
    places: list[gold.Place],
    words: str,
):
    [picture] = foil_pictures(1)
    with pytest.raises(InvalidInput, match=words):
        gold.by_hand(workflow=triage, picture=picture, kind=kind, places=places, by=participant_of(lead))
    assert not Gold.objects.exists()


def test_nothing_becomes_known_twice(
    triage: Workflow, foil_pictures: Callable[..., list[Picture]], lead: User
):
    [picture] = foil_pictures(1)
    stream.fill(workflow=triage)
    said = {"workflow": triage, "picture": picture, "kind": "blank", "places": [], "by": participant_of(lead)}
    gold.by_hand(**said)
    with pytest.raises(InvalidInput, match="known picture already"):
        gold.by_hand(**said)


# -- The stock -------------------------------------------------------------------------------------


def test_the_stock_is_counted_by_origin_kind_and_size(triage: Workflow, make_gold: Callable[..., Made]):
    make_gold(3)
    make_gold(2, is_crater=False)
    make_gold(1, is_crater=False, origin=Gold.Origin.LOOK_ALIKE, places=[{"x_px": 1, "y_px": 1}])
    make_gold(1, is_practice=True)
    gold.withdraw(make_gold(1)[0])
    craters, blanks, look_alikes = gold_watch.stock(triage)
    assert (craters.n_shown, craters.n_practice, craters.n_withdrawn) == (3, 1, 1)
    assert craters.by_diameter == [0, 0, 3, 0]
    assert (blanks.n_shown, look_alikes.n_shown, look_alikes.n_unmeasured) == (2, 1, 1)
    assert [one.n for one in gold_watch.enough(triage)] == [3, 1, 2]
    assert gold_watch.n_practice(triage) == 1


def answer(one: Gold, judge: object, said: str, marks: list[dict[str, float]] | None = None) -> None:
    Showing.objects.create(
        subject=one.subject,
        participant=judge.participant,
        expires_at=timezone.now(),
        answered_at=timezone.now(),
    )
    Classification.objects.create(
        uid=uuid4(),
        workflow=one.subject.workflow,
        subject=one.subject,
        participant=judge.participant,
        answer=said,
        payload={"marks": marks or []},
    )


def test_how_often_they_are_told_right_comes_with_its_interval(
    triage: Workflow, make_gold: Callable[..., Made], make_judge: Callable
):
    [crater] = make_gold(1)
    answer(crater, make_judge("a"), "crater", [{"x_px": 30, "y_px": 20}])
    answer(crater, make_judge("b"), "crater", [{"x_px": 60, "y_px": 45}])
    answer(crater, make_judge("c"), "nothing")
    answer(crater, make_judge("d"), "cannot_tell")
    [right] = gold_watch.rights(triage)
    assert (right.right, right.of) == (1, 3)
    assert right.low < 1 / 3 < right.high
    [seen] = gold_watch.seen([crater])
    assert (seen.n_people, seen.right, seen.of) == (4, 1, 3)


def test_what_half_of_the_people_have_seen_is_withdrawn(
    triage: Workflow, make_gold: Callable[..., Made], make_judge: Callable, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(gold_watch, "LEAST_LEFT", 1)
    worn, fresh, other = make_gold(3)
    judges = [make_judge(f"judge{n}") for n in range(10)]
    for judge in judges[:6]:
        answer(worn, judge, "nothing")
    for judge in judges[5:]:
        answer(fresh, judge, "nothing")
    assert gold_watch.rotate(triage) == 1
    assert Gold.objects.get(withdrawn_at__isnull=False) == worn
    assert gold_watch.rotate(triage) == 0
    gold.restore(worn)
    assert Gold.objects.filter(withdrawn_at=None).count() == 3
    assert other.withdrawn_at is None


def test_a_small_stock_is_never_withdrawn(
    triage: Workflow, make_gold: Callable[..., Made], make_judge: Callable
):
    [worn] = make_gold(1)
    for n in range(10):
        answer(worn, make_judge(f"judge{n}"), "nothing")
    assert gold_watch.rotate(triage) == 0


def test_files_of_known_pictures_lie_among_the_others(
    triage: Workflow, foil_pictures: Callable[..., list[Picture]], media: Path
):
    [plain] = foil_pictures(1)
    [one], _findings = make(triage, craters=1)
    folders = {
        Path(frame.path).parent.parent
        for picture in (plain, one.subject.picture)
        for frame in picture.frames.all()
    }
    assert len(folders) == 1
