"""What people bring by mistake or on purpose: an honest sentence each, and the rest comes in."""

import io
import os
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from annotate.models import Campaign
from annotate.services.storage import file_of
from mlcore.errors import InvalidInput, NoRoom
from review.models import IncomingFile, Picture, PictureImport
from review.services.foils.intake import decoding, incoming, intake, reading, sending
from tests.review.foils.files import bring, encoded, image, laid, look, noise, tarred, upload, zipped

pytestmark = pytest.mark.django_db
State = PictureImport.State


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def huge() -> bytes:
    """A PNG of a few bytes that says it has 60,000 × 60,000 pixels."""
    small = saved(Image.new("L", (40, 40)), "PNG")
    header = small[12:16] + (60_000).to_bytes(4) * 2 + small[24:29]
    return small[:12] + header + zlib.crc32(header).to_bytes(4) + small[33:]


COLOURS = np.random.default_rng(1).integers(0, 255, (40, 40, 3), np.uint8)
BAD = {
    "no image": (b"These are words.", "is not an image of a kind read here"),
    "empty": (b"", "is not an image"),
    "half a TIFF": (image(1)[:900], "is damaged"),
    "half a PNG": (encoded(noise(1), kind="PNG")[:900], "is damaged"),
    "noise behind a head": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4, "is not an image|is damaged"),
    "one pixel": (encoded(np.zeros((1, 1), np.uint8)), "1 × 1 px; a picture has at least"),
    "60,000 pixels": (huge(), "is too large: at most 50,000 px a side"),
    "a long strip": (saved(Image.new("1", (60_000, 40)), "TIFF", compression="group4"), "is too large"),
    "colour": (encoded(COLOURS, kind="PNG"), "is in colour"),
    "CMYK": (saved(Image.fromarray(COLOURS).convert("CMYK"), "TIFF"), "CMYK"),
    "a GIF": (encoded(noise(1), noise(2), kind="GIF"), "is not an image of a kind read here"),
    "an animated PNG": (encoded(noise(1), noise(2), kind="PNG"), "is animated"),
    "floats": (saved(Image.new("F", (40, 40)), "TIFF"), "pixels of a kind not read here"),
    "an archive": (zipped({"a.tif": image(1)}), "is an archive inside another"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_file_costs_no_other(what: str, foils: Campaign) -> None:
    content, words = BAD[what]
    batch = bring(foils, {"all.zip": zipped({"bad.tif": content, "good.tif": image(5)})})
    assert batch.state == State.DONE
    assert (batch.n_files, batch.n_read, batch.n_pictures, batch.n_refused) == (2, 2, 1, 1)
    [refused] = batch.refused.all()
    assert refused.name == "bad.tif"
    assert refused.reason.startswith("bad.tif")
    assert refused.reason.endswith(".")
    assert any(part in refused.reason for part in words.split("|")), refused.reason


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", image(1)),
        ("a.jpg", encoded(noise(1), kind="PNG")),
        ("a", image(1)),
        ("a.TIFF.bak", image(1)),
        ("grey.png", encoded(np.stack([noise(1)] * 3, axis=2), kind="PNG")),
        ("deep.png", encoded(noise(1, dtype=np.uint16), kind="PNG")),
    ],
)
def test_the_content_decides_and_not_the_name(name: str, content: bytes, foils: Campaign) -> None:
    assert bring(foils, {"all.zip": zipped({name: content})}).n_pictures == 1


def test_what_a_camera_writes_beside_the_pixels_is_not_kept(foils: Campaign) -> None:
    exif = Image.Exif()
    exif[0x010E] = "crater at 12/30 by Ada"
    content = saved(Image.fromarray(noise(1)), "TIFF", exif=exif, description="crater at 12/30 by Ada")
    bring(foils, {"ada-crater.tif": content})
    frame = Picture.objects.get().frames.get()
    for path in (frame.path, frame.shown_path, frame.thumbnail_path):
        assert b"Ada" not in file_of(path).read_bytes()
        assert "crater" not in path
        with Image.open(file_of(path)) as kept:
            assert not kept.getexif()


def bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.tif", bytes(40_000_000))
    return out.getvalue()


def linked() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        member = tarfile.TarInfo("shadow.tif")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/shadow"
        archive.addfile(member)
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (zipped({"../../up.tif": image(1)}), "points out of the archive"),
        (tarred({"/etc/passwd.tif": image(1)}), "is an absolute path"),
        (tarred({"a.tif": image(1)})[:200], "is damaged"),
        (bomb(), "times its size"),
        (linked(), "is a link, a device"),
    ],
    ids=["climbing", "absolute", "cut short", "bomb", "link"],
)
def test_a_bad_archive_is_refused_whole_and_the_files_beside_it_come_in(
    content: bytes, words: str, foils: Campaign
) -> None:
    good_first = {"good.tif": image(5), "bad.zip": content, "also.zip": zipped({"x.tif": image(6)})}
    batch = bring(foils, good_first)
    assert (batch.n_files, batch.n_read, batch.n_pictures, batch.n_refused) == (3, 3, 2, 1)
    [refused] = batch.refused.all()
    assert refused.name == "bad.zip"
    assert words in refused.reason


def test_nothing_of_a_bad_archive_is_left(foils: Campaign) -> None:
    batch = look(foils, {"bad.zip": zipped({"a.tif": image(1), "../up.tif": image(2)}), "b.tif": image(3)})
    assert sorted(path.name for path in incoming.root_of(batch).rglob("*")) == ["b.tif"]


def test_files_of_one_name_sent_together_both_come_in(foils: Campaign) -> None:
    batch = sending.take_in(
        campaign=foils, requested_by=None, uploads=[upload("a.tif", image(1)), upload("a.tif", image(2))]
    )
    intake.look_through(batch.pk)
    assert set(batch.incoming.values_list("name", flat=True)) == {"a.tif", "a (2).tif"}


def test_what_a_browser_calls_a_file_leads_nowhere(foils: Campaign, media: Path) -> None:
    batch = sending.take_in(
        campaign=foils, requested_by=None, uploads=[upload("..\\..\\x\0y\n<b>.tif", image(1))]
    )
    intake.look_through(batch.pk)
    [name] = batch.incoming.values_list("name", flat=True)
    assert name == "x y <b>.tif"
    batch.refresh_from_db()
    assert (incoming.root_of(batch) / name).is_file()
    assert media in (incoming.folder_of(batch)).parents


def test_a_name_too_long_for_a_disk_is_cut(foils: Campaign) -> None:
    assert bring(foils, {"ü" * 199: image(1)}).n_pictures == 1


def test_names_that_cannot_be_kept_are_refused(foils: Campaign, tmp_path: Path) -> None:
    folder = laid(tmp_path / "sem", {"good.tif": image(1), f"{'d' * 200}/{'n' * 120}.tif": image(2)})
    (Path(os.fsdecode(os.fsencode(folder) + b"/\xff\xfe.tif"))).write_bytes(image(3))
    batch = bring(foils, folder)
    assert (batch.n_files, batch.n_read, batch.n_pictures, batch.n_refused) == (3, 3, 1, 2)
    reasons = " ".join(batch.refused.values_list("reason", flat=True))
    assert "at most 300 fit" in reasons
    assert "not written in UTF-8" in reasons


def test_files_that_vanish_meanwhile_are_refused(foils: Campaign, tmp_path: Path) -> None:
    folder = laid(tmp_path / "sem", {"a.tif": image(1), "b.tif": image(2)})
    batch = look(foils, folder)
    (folder / "a.tif").unlink()
    intake.confirm(batch)
    reading.read(batch.pk)
    assert "not there any more" in batch.refused.get().reason
    assert Picture.objects.count() == 1


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"1.tif": image(1), "2.tif": image(2)[:900]}, "2.tif is damaged"),
        ({"1.tif": image(1), "2.tif": encoded(noise(2, shape=(50, 40)))}, "have one size"),
    ],
)
def test_a_series_comes_whole_or_not_at_all(files: dict[str, bytes], words: str, foils: Campaign) -> None:
    batch = bring(foils, {"all.zip": zipped({**files, "x.tif": image(9)})}, pattern="{focus}.tif")
    assert (batch.n_read, batch.n_pictures, batch.n_refused) == (3, 1, 2)
    assert all(words in reason for reason in batch.refused.values_list("reason", flat=True))


def test_a_series_has_limits(foils: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "MOST_PIXELS_OF_SERIES", 5_000)
    batch = bring(foils, {"stack.tif": encoded(*(noise(n) for n in range(4)))})
    assert "at most 200 images and 5,000 px in all" in batch.refused.get().reason


def test_an_image_beyond_what_people_look_at_is_refused(
    foils: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "MOST_PIXELS", 1_999)
    batch = bring(foils, {"a.tif": image(1)})
    assert "at most 50,000 px a side and 1,999 px in all" in batch.refused.get().reason


def test_pages_before_a_torn_one_stay(foils: Campaign) -> None:
    stack = encoded(*(noise(n) for n in (1, 2, 3)))
    batch = bring(foils, {"stack.tif": stack[: len(stack) * 3 // 4]}, pages="pictures")
    assert (batch.n_read, batch.n_refused) == (1, 1)
    assert batch.n_pictures == Picture.objects.count()


@pytest.mark.parametrize(
    ("pattern", "name", "words"),
    [
        ("{nm_per_px}.tif", "9999999999.tif", "A pixel of"),
        ("{x_um}.tif", f"{'9' * 90}.tif", "stage position x"),
        ("{foil}.tif", f"{'f' * 110}.tif", "at most 100 fit"),
    ],
)
def test_a_name_that_says_what_cannot_be_is_refused(
    pattern: str, name: str, words: str, foils: Campaign
) -> None:
    batch = bring(foils, {name: image(1), "b.tif": image(2)}, pattern=pattern)
    assert words in batch.refused.get().reason
    assert batch.n_pictures == 1


def test_a_decoder_that_fails_oddly_costs_one_file(foils: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    real = decoding.read_pictures

    def odd(path: Path, **options: object) -> object:
        if path.name == "odd.tif":
            raise ZeroDivisionError
        return real(path, **options)

    monkeypatch.setattr(decoding, "read_pictures", odd)
    batch = bring(foils, {"odd.tif": image(1), "a.tif": image(2)})
    assert "odd.tif cannot be read (ZeroDivisionError)" in batch.refused.get().reason
    assert batch.n_pictures == 1


def test_a_full_disk_stops_the_batch_and_it_goes_on_later(
    foils: Campaign, monkeypatch: pytest.MonkeyPatch, settings: object
) -> None:
    batch = look(foils, {"a.tif": image(1)})
    intake.confirm(batch)
    settings.MIN_FREE_BYTES = 2**60
    reading.read(batch.pk)
    batch.refresh_from_db()
    assert batch.state == State.FAILED
    assert "disk is nearly full" in batch.error
    settings.MIN_FREE_BYTES = 0
    assert intake.go_on(batch)
    reading.read(batch.pk)
    assert Picture.objects.count() == 1


def test_an_upload_without_room_is_refused(foils: Campaign, settings: object) -> None:
    settings.MIN_FREE_BYTES = 2**60
    with pytest.raises(NoRoom):
        look(foils, {"a.tif": image(1)})
    assert not PictureImport.objects.exists()


def test_a_path_that_is_not_there_is_refused(foils: Campaign, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="nothing at"):
        look(foils, tmp_path / "nowhere")


@pytest.mark.parametrize("table", ["", "words only", "file,score\na.tif,1\n", "\x00\x01\x02" * 200])
def test_a_table_that_is_none_is_refused(table: str, foils: Campaign) -> None:
    batch = sending.take_in(campaign=foils, requested_by=None, uploads=[upload("a.tif", image(1))])
    if not table:
        with pytest.raises(InvalidInput, match="empty"):
            sending.keep_table(batch, upload("t.csv", b""))
        return
    sending.keep_table(batch, upload("t.csv", table.encode()))
    intake.look_through(batch.pk)
    batch.refresh_from_db()
    assert batch.state == State.FAILED
    assert batch.error
    assert not IncomingFile.objects.exists()
