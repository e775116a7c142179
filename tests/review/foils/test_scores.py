"""Files of scores: what is taken, what is left out and told, and when scores become probabilities."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from mlcore.consensus.answers.swap import log_odds
from review.models import Picture, ScoreImport, Workflow
from review.services.foils.stream import score_calibration, scores, stream

pytestmark = pytest.mark.django_db
MakePicture = Callable[..., Picture]


@pytest.fixture
def give(triage: Workflow, tmp_path: Path) -> Callable[..., ScoreImport]:
    """Read rows as a file of scores: give("a.tif,0.5", calibrated=True)."""

    def read(*rows: str, header: str = "name,score", calibrated: bool = False) -> ScoreImport:
        path = tmp_path / "scores.csv"
        path.write_text("\n".join([header, *rows]))
        one = scores.take_in(campaign=triage.campaign, requested_by=None, is_calibrated=calibrated, path=path)
        scores.read(one.pk)
        one.refresh_from_db()
        return one

    return read


def score_of(name: str) -> tuple[float | None, float | None]:
    picture = Picture.objects.get(name=name)
    return picture.score_raw, picture.score


def test_a_file_gives_pictures_their_scores(make_picture: MakePicture, give: Callable[..., ScoreImport]):
    make_picture(name="a.tif")
    b = make_picture(name="b.tif")
    make_picture(name="c.tif")
    done = give("a.tif,,0.25", f",{b.sha256},0.5", header="name,sha256,score")
    assert done.state == ScoreImport.State.DONE
    assert (score_of("a.tif"), score_of("b.tif"), score_of("c.tif")) == (
        (0.25, None),
        (0.5, None),
        (None, None),
    )
    report = scores.report_of(done)
    assert report is not None
    assert (report.n_rows, report.n_taken, report.n_without) == (2, 2, 1)


def test_calibrated_scores_are_probabilities_at_once(
    make_picture: MakePicture, give: Callable[..., ScoreImport], triage: Workflow
):
    make_picture(name="a.tif")
    give("a.tif,0.25", calibrated=True)
    assert score_of("a.tif") == (0.25, 0.25)
    stream.fill(workflow=triage)
    assert triage.subjects.get().log_odds == pytest.approx(log_odds(0.25))


def test_rows_that_cannot_be_used_are_counted_and_shown(
    make_picture: MakePicture, give: Callable[..., ScoreImport]
):
    make_picture(name="a.tif")
    make_picture(name="same.tif")
    make_picture(name="same.tif")
    done = give("a.tif,0.1", "a.tif,0.9", "gone.tif,0.5", "same.tif,0.5", "a.tif,7", "a.tif,x")
    report = scores.report_of(done)
    assert report is not None
    counts = [
        p.n for p in (report.twice, report.unknown, report.several, report.out_of_range, report.unreadable)
    ]
    assert counts == [1, 1, 1, 1, 1]
    assert score_of("a.tif") == (0.1, None)
    told = dict(report.sentences())
    assert told["Rows that name no picture of this campaign’s survey: 1. Check names, or name by hash."] == [
        "line 4: gone.tif"
    ]


def test_pictures_of_other_campaigns_are_not_touched(
    make_picture: MakePicture, give: Callable[..., ScoreImport]
):
    from annotate.models import Campaign

    other = make_picture(name="a.tif")
    mine = other.campaign
    elsewhere = Campaign.objects.get(pk=mine.pk)
    elsewhere.pk, elsewhere.uid = None, "0" * 32
    elsewhere._state.adding = True
    elsewhere.save()
    Picture.objects.filter(pk=other.pk).update(campaign=elsewhere)
    report = scores.report_of(give("a.tif,0.5"))
    assert report is not None
    assert report.unknown.n == 1
    assert score_of("a.tif") == (None, None)


def test_a_file_that_is_no_table_fails_in_words_and_changes_nothing(
    make_picture: MakePicture, give: Callable[..., ScoreImport]
):
    make_picture(name="a.tif")
    failed = give("a.tif,0.5", header="x,y")
    assert failed.state == ScoreImport.State.FAILED
    assert "The first line must name the columns" in failed.error
    assert score_of("a.tif") == (None, None)


def test_raw_scores_do_not_stand_beside_calibrated_ones(
    make_picture: MakePicture, give: Callable[..., ScoreImport]
):
    make_picture(name="a.tif")
    make_picture(name="b.tif")
    give("a.tif,0.5", calibrated=True)
    failed = give("b.tif,0.5")
    assert failed.state == ScoreImport.State.FAILED
    assert "1 pictures have calibrated scores" in failed.error
    assert give("a.tif,0.3", "b.tif,0.5").state == ScoreImport.State.DONE
    assert score_of("a.tif") == (0.3, None)


def test_a_file_is_read_once(make_picture: MakePicture, give: Callable[..., ScoreImport], media: Path):
    make_picture(name="a.tif")
    done = give("a.tif,0.5")
    assert scores.read(done.pk) is False
    assert not list((media / "foil-scores").iterdir())


def test_enough_known_pictures_turn_scores_into_probabilities(
    make_picture: MakePicture,
    make_gold: Callable[..., list[object]],
    give: Callable[..., ScoreImport],
    triage: Workflow,
):
    make_picture(name="low.tif")
    make_picture(name="high.tif")
    for is_crater, base in ((True, 0.3), (False, 0.05)):
        golds = make_gold(50, is_crater=is_crater)
        for at, gold in enumerate(golds):
            Picture.objects.filter(pk=gold.subject.picture_id).update(score_raw=base + at / 120)
    give("low.tif,0.01", "high.tif,0.95")
    kept = score_calibration.standing(triage.__class__.objects.get(pk=triage.pk))
    assert kept is not None
    assert (kept["n_craters"], kept["n_others"], kept["from_microscope"]) == (50, 50, False)
    low, high = score_of("low.tif")[1], score_of("high.tif")[1]
    assert low is not None
    assert high is not None
    # Even odds among known pictures are at about 0.38; on foils, where craters are rare, far above it.
    even = 1 / (1 + np.exp(kept["intercept"] / kept["slope"]))
    assert 0.5 < even < 0.8
    assert low < 0.001 < 0.5 < high


def test_too_few_known_pictures_leave_a_ranking(
    make_picture: MakePicture, make_gold: Callable[..., list[object]], give: Callable[..., ScoreImport]
):
    make_picture(name="a.tif")
    for gold in make_gold(60):
        Picture.objects.filter(pk=gold.subject.picture_id).update(score_raw=0.9)
    give("a.tif,0.4")
    assert score_of("a.tif") == (0.4, None)


def test_the_command_does_all_of_it(make_picture: MakePicture, triage: Workflow, tmp_path: Path):
    make_picture(name="a.tif")
    path = tmp_path / "s.csv"
    path.write_text("name,score\na.tif,0.5\n")
    out = StringIO()
    call_command("import_foil_scores", str(triage.campaign.uid), str(path), stdout=out)
    assert "1 of 1 rows gave a picture its score." in out.getvalue()
    assert "1 pictures came into the queue." in out.getvalue()
    assert triage.subjects.count() == 1


@pytest.mark.parametrize("uid", ["nonsense", "00000000-0000-0000-0000-000000000000"])
def test_the_command_refuses_what_is_no_campaign(uid: str, tmp_path: Path):
    with pytest.raises(CommandError, match="no campaign"):
        call_command("import_foil_scores", uid, str(tmp_path))


def test_the_command_refuses_a_file_that_is_not_there(triage: Workflow):
    with pytest.raises(CommandError, match="no file"):
        call_command("import_foil_scores", str(triage.campaign.uid), "/nowhere/scores.csv")
