"""Pictures on their way in: archives, folders and stacks, read as their names and a table say."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from annotate.models import Campaign
from annotate.services.storage import file_of
from mlcore.errors import Conflict, InvalidInput
from review.models import IncomingFile, Picture, PictureImport, Subject
from review.services.foils.intake import decoding, incoming, intake, reading, sending
from tests.review.foils.files import (
    bring,
    encoded,
    image,
    laid,
    look,
    noise,
    tarred,
    upload,
    zipped,
)

pytestmark = pytest.mark.django_db
State = PictureImport.State
THREE = {f"I1061N_{n}_x{n}0.tif": image(n) for n in (1, 2, 3)}
UNCHANGED = {"pattern": "", "pages": "focus", "nm_per_px": None, "purpose": "survey"}


def counts(batch: PictureImport) -> tuple[int | None, int, int, int, int]:
    return batch.n_files, batch.n_read, batch.n_pictures, batch.n_known_already, batch.n_refused


@pytest.mark.parametrize(
    "sent",
    [
        THREE,
        {"all.zip": zipped(THREE)},
        {"all.tar.gz": tarred(THREE)},
        {"all.tar": tarred(THREE, mode="w:")},
        {"wrapped.zip": zipped({f"export/foil/{name}": content for name, content in THREE.items()})},
    ],
    ids=["files", "zip", "tar.gz", "tar", "zip with a folder"],
)
def test_pictures_come_in_however_they_are_packed(sent: dict[str, bytes], foils: Campaign) -> None:
    batch = bring(foils, sent)
    assert batch.state == State.DONE
    assert counts(batch) == (3, 3, 3, 0, 0)
    assert sorted(Picture.objects.values_list("name", flat=True)) == sorted(THREE)
    assert not incoming.folder_of(batch).exists()
    assert not IncomingFile.objects.exists()


def test_a_folder_of_the_server_is_read_where_it_lies(foils: Campaign, tmp_path: Path) -> None:
    folder = laid(tmp_path / "sem", {"a/1.tif": image(1), "b/1.tif": image(2), "b/c/2.tif": image(3)})
    batch = bring(foils, folder)
    assert counts(batch) == (3, 3, 3, 0, 0)
    assert set(Picture.objects.values_list("name", flat=True)) == {"a/1.tif", "b/1.tif", "b/c/2.tif"}
    assert len(list(folder.rglob("*.tif"))) == 3


def test_an_archive_of_the_server_stays_where_it_is(foils: Campaign, tmp_path: Path) -> None:
    path = tmp_path / "all.tar.gz"
    path.write_bytes(tarred(THREE))
    assert counts(bring(foils, path)) == (3, 3, 3, 0, 0)
    assert path.exists()


def test_pictures_can_be_judged_as_soon_as_they_are_in(foils: Campaign) -> None:
    bring(foils, THREE)
    assert Subject.objects.filter(workflow__campaign=foils, stratum=Subject.Stratum.QUEUE).count() == 3


def test_names_say_where_pictures_were_taken(foils: Campaign) -> None:
    bring(foils, THREE, pattern="{foil}_*_x{x_um}.tif", nm_per_px=50.0)
    assert sorted(Picture.objects.values_list("foil", "x_um", "y_um", "nm_per_px")) == [
        ("I1061N", 10.0, None, 50.0),
        ("I1061N", 20.0, None, 50.0),
        ("I1061N", 30.0, None, 50.0),
    ]


def test_a_table_says_more_and_otherwise_than_names(foils: Campaign) -> None:
    table = "file,foil,x_um,nm_per_px,score\nI1061N_1_x10.tif,C2052N,,25,0.9\ni1061n_2_X20,,7.5,,0.1\n"
    batch = bring(foils, THREE, pattern="{foil}_*_x{x_um}.tif", nm_per_px=50.0, table=table)
    assert batch.table["report"]["n_used"] == 2
    assert sorted(Picture.objects.values_list("foil", "x_um", "nm_per_px")) == [
        ("C2052N", 10.0, 25.0),
        ("I1061N", 7.5, 50.0),
        ("I1061N", 30.0, 50.0),
    ]
    assert not Picture.objects.filter(score__isnull=False).exists()


@pytest.mark.parametrize(
    "names",
    [
        ["z1_a.tif", "z2_a.tif", "z10_a.tif", "z1_b.tif"],
        ["s/1_a.TIF", "s/2_a.tif", "s/10_a.tif", "s/1_b.tif"],
    ],
)
def test_a_focus_series_is_one_picture_in_the_order_of_its_focus(names: list[str], foils: Campaign) -> None:
    pages = {name: noise(seed) for seed, name in enumerate(names)}
    batch = bring(
        foils,
        {"all.zip": zipped({name: encoded(page) for name, page in pages.items()} | {"x/y.tif": image(99)})},
        pattern="*{focus}_*.tif" if names[0][0] == "z" else "{focus}_*.tif",
    )
    assert counts(batch)[1:3] == (5, 3)
    series = Picture.objects.get(name=names[0])
    shades = [_pixels(frame.path) for frame in series.frames.all()]
    assert [np.array_equal(shade, pages[name]) for shade, name in zip(shades, names[:3], strict=True)] == [
        True
    ] * 3


def _pixels(path: str) -> np.ndarray:
    with Image.open(file_of(path)) as image:
        return np.asarray(image)


def test_series_in_two_folders_stay_apart(foils: Campaign) -> None:
    files = {f"{place}/z{n}.tif": image(10 * n + k) for k, place in enumerate("ab") for n in (1, 2)}
    bring(foils, {"all.zip": zipped(files)}, pattern="z{focus}.tif")
    assert [picture.frames.count() for picture in Picture.objects.all()] == [2, 2]


@pytest.mark.parametrize(
    ("pages", "pictures", "frames"),
    [(PictureImport.Pages.FOCUS, 1, 3), (PictureImport.Pages.PICTURES, 3, 1)],
)
def test_a_stack_is_one_place_or_a_picture_a_page(
    pages: str, pictures: int, frames: int, foils: Campaign
) -> None:
    stack = encoded(*(noise(n, dtype=np.uint16) for n in (1, 2, 3)))
    batch = bring(foils, {"stack.tif": stack}, pages=pages)
    assert counts(batch) == (1, 1, pictures, 0, 0)
    assert {picture.frames.count() for picture in Picture.objects.all()} == {frames}
    assert Picture.objects.filter(name="stack.tif").count() == 1


def test_what_is_there_already_is_not_taken_twice(foils: Campaign) -> None:
    bring(foils, THREE)
    copies = {
        "other name.png": encoded(noise(1), kind="PNG"),
        "I1061N_2_x20.tif": image(2),
        "n.tif": image(9),
    }
    batch = bring(foils, {"again.zip": zipped({**copies, "n copy.tif": image(9)})})
    assert counts(batch) == (4, 4, 1, 3, 0)
    assert Picture.objects.count() == 4


def test_bringing_pictures_again_restores_lost_files(foils: Campaign) -> None:
    bring(foils, THREE)
    frames = [picture.frames.get() for picture in Picture.objects.order_by("name")]
    kept = file_of(frames[0].path).read_bytes()
    file_of(frames[0].path).unlink()
    file_of(frames[1].thumbnail_path).write_bytes(b"")
    assert counts(bring(foils, THREE)) == (3, 3, 0, 3, 0)
    assert file_of(frames[0].path).read_bytes() == kept
    assert file_of(frames[1].thumbnail_path).stat().st_size > 0


def test_what_lies_beside_images_is_passed_over(foils: Campaign) -> None:
    beside = {"notes.txt": b"Tuesday", "a.xml": b"<a/>", ".DS_Store": b"x", "__MACOSX/a.tif": b"x"}
    batch = bring(foils, {"all.zip": zipped({**THREE, **beside, "image.txt": image(7)})})
    assert counts(batch) == (4, 4, 4, 0, 0)
    assert batch.n_beside == 2


def test_nothing_is_read_before_it_is_confirmed(foils: Campaign) -> None:
    batch = look(foils, THREE)
    assert batch.state == State.UPLOADED
    assert not reading.read(batch.pk)
    assert not Picture.objects.exists()


def test_what_names_and_table_mean_can_be_changed_before(foils: Campaign) -> None:
    batch = look(foils, THREE, table="file,x_um\nnobody.tif,4\n")
    assert batch.table["report"]["unknown"] == {"n": 1, "examples": ["line 2: nobody.tif"]}
    intake.change(
        batch,
        pattern="{foil}_*.tif",
        pages="pictures",
        nm_per_px=20.0,
        purpose="survey",
        table=upload("b.csv", b"file,x_um\nI1061N_1_x10.tif,4\n"),
    )
    assert intake.confirm(batch)
    reading.read(batch.pk)
    assert set(Picture.objects.values_list("foil", "x_um", "nm_per_px")) == {
        ("I1061N", 4.0, 20.0),
        ("I1061N", None, 20.0),
    }


def test_a_bad_change_leaves_the_batch_as_it_was(foils: Campaign) -> None:
    batch = look(foils, THREE, table="file,x_um\nI1061N_1_x10.tif,4\n")
    for change in (
        {"pattern": "{nothing}"},
        {"nm_per_px": -1.0},
        {"pages": "leaves"},
        {"purpose": "fun"},
        {"table": upload("b.csv", b"\x00\x01" * 100)},
        {"table": upload("b.csv", b"file,score\na.tif,4\n")},
    ):
        with pytest.raises(InvalidInput):
            intake.change(batch, **{**UNCHANGED, **change})
    batch.refresh_from_db()
    assert (batch.state, batch.pattern, batch.table["report"]["n_used"]) == (State.UPLOADED, "", 1)


def test_a_pattern_that_makes_one_series_of_everything_can_be_mended(
    foils: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "MOST_FRAMES", 2)
    batch = bring(foils, {f"{n}_a.tif": image(n) for n in (1, 2, 3)}, pattern="{focus}_a.tif")
    assert batch.state == State.UPLOADED
    assert "would be one focus series" in batch.error
    intake.change(batch, **UNCHANGED)
    intake.confirm(batch)
    reading.read(batch.pk)
    assert Picture.objects.count() == 3


def test_a_second_click_begins_nothing(foils: Campaign) -> None:
    batch = look(foils, THREE)
    assert intake.confirm(batch)
    assert not intake.confirm(batch)


def test_what_was_read_cannot_be_discarded_and_what_waits_can(foils: Campaign) -> None:
    batch = bring(foils, THREE)
    with pytest.raises(Conflict):
        intake.discard(batch)
    waiting = look(foils, THREE)
    intake.discard(waiting)
    assert not incoming.folder_of(waiting).exists()
    assert not PictureImport.objects.filter(pk=waiting.pk).exists()


def test_too_many_batches_do_not_wait(foils: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "MOST_WAITING", 1)
    look(foils, THREE)
    with pytest.raises(Conflict, match="wait to be confirmed"):
        look(foils, THREE)


def test_a_person_has_a_share_of_the_disk(foils: Campaign, settings: object) -> None:
    bring(foils, THREE)
    settings.MAX_BYTES_PER_PERSON = 3 * 40 * 50 + 100
    with pytest.raises(Exception, match="MAX_BYTES_PER_PERSON"):
        sending.take_in(campaign=foils, requested_by=foils.created_by, uploads=[upload("a.tif", image(4))])


def test_a_table_alone_corrects_pictures_that_are_there(foils: Campaign) -> None:
    bring(foils, {"all.zip": zipped({f"s/{name}": content for name, content in THREE.items()})})
    table = (
        "file,foil,y_um,nm_per_px\nI1061N_1_x10.tif,NEW,-5,\ni1061n_2_x20,,,30\nnobody.tif,,,1\n"
        "I1061N_1_x10.tif,TWICE,1,1\nI1061N_3_x30.tif,,,zero\n"
    )
    Picture.objects.update(foil="OLD", nm_per_px=10.0)
    batch = sending.take_in(campaign=foils, requested_by=None, table=upload("fix.csv", table.encode()))
    intake.look_through(batch.pk)
    assert set(Picture.objects.values_list("foil", flat=True)) == {"OLD"}
    batch.refresh_from_db()
    intake.confirm(batch)
    reading.read(batch.pk)
    batch.refresh_from_db()
    assert (batch.state, batch.n_files, batch.n_pictures) == (State.DONE, 5, 2)
    report = batch.table["report"]
    assert [report[kind]["n"] for kind in ("unknown", "twice", "unreadable", "several")] == [1, 1, 1, 0]
    assert sorted(Picture.objects.values_list("foil", "y_um", "nm_per_px")) == [
        ("NEW", -5.0, 10.0),
        ("OLD", None, 10.0),
        ("OLD", None, 30.0),
    ]


def test_a_row_that_may_mean_two_files_is_not_guessed(foils: Campaign) -> None:
    files = {"all.zip": zipped({"a/1.tif": image(1), "b/1.tif": image(2), "b/2.tif": image(3)})}
    batch = look(foils, files, table="file,x_um\n1.tif,3\nb/1.tif,4\n2,5\n")
    report = batch.table["report"]
    assert (report["n_used"], report["several"]["n"]) == (2, 1)
    assert dict(batch.incoming.values_list("name", "x_um")) == {
        "a/1.tif": None,
        "b/1.tif": 4.0,
        "b/2.tif": 5.0,
    }
