"""manage.py import_foils: what an operator sees, and the exit that scripts see."""

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from annotate.models import Campaign
from annotate.services.storage import file_of
from review.models import Picture, PictureImport
from review.services.foils.intake import reading
from tests.review.foils.files import image, laid, tarred

pytestmark = pytest.mark.django_db
THREE = {f"I1061N_{n}.tif": image(n) for n in (1, 2, 3)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return laid(tmp_path / "sem", {**THREE, "notes.txt": b"Tuesday", "bad.tif": b"no image"})


def run(campaign: Campaign, *arguments: object) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("import_foils", str(campaign.uid), *map(str, arguments), stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_a_folder_comes_in_and_is_told(foils: Campaign, folder: Path, tmp_path: Path) -> None:
    refused = tmp_path / "refused.csv"
    out, err = run(foils, folder, "--pattern", "{foil}_*.tif", "--nm-per-px", 50, "--refused", refused)
    assert "4 files; 1 others lie beside them." in out
    assert "The pattern reads 3 of 4 names looked at:" in out
    assert "I1061N_1.tif: foil I1061N, 50 nm/px" in out
    assert "3 new pictures, 0 there already, 1 files refused." in out
    assert "refused: bad.tif: bad.tif is not an image" in err
    assert refused.read_text().startswith("file,reason\nbad.tif,")
    assert Picture.objects.filter(foil="I1061N", nm_per_px=50.0).count() == 3


def test_the_same_again_changes_nothing(foils: Campaign, folder: Path) -> None:
    run(foils, folder)
    out, _ = run(foils, folder)
    assert "0 new pictures, 3 there already, 1 files refused." in out
    assert Picture.objects.count() == 3


def test_a_preview_stores_nothing(foils: Campaign, folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("file,x_um\nI1061N_1,5\nnobody.tif,6\n")
    out, _ = run(foils, folder, "--preview", "--table", table)
    assert "I1061N_1.tif: x 5 µm" in out
    assert "1 of 2 rows of the table are used." in out
    assert "line 3: nobody.tif" in out
    assert "Nothing was stored" in out
    assert not Picture.objects.exists()
    assert not PictureImport.objects.exists()
    assert not list(file_of("foil-imports").glob("*"))


def test_an_archive_comes_in(foils: Campaign, tmp_path: Path) -> None:
    path = tmp_path / "all.tar.gz"
    path.write_bytes(tarred(THREE))
    assert "3 new pictures" in run(foils, path)[0]


def test_a_table_alone_corrects(foils: Campaign, folder: Path, tmp_path: Path) -> None:
    run(foils, folder)
    table = tmp_path / "table.csv"
    table.write_text("file,foil\nI1061N_2,NEW\n")
    assert "1 pictures corrected." in run(foils, "--table", table)[0]
    assert Picture.objects.get(foil="NEW").name == "I1061N_2.tif"


@pytest.mark.parametrize(
    ("files", "arguments", "words"),
    [
        ({}, [], "nothing in it"),
        ({"a.tif": b"no image"}, [], "No picture was taken in"),
        (THREE, ["--pattern", "{what}"], "there are {foil}"),
        (THREE, ["--nm-per-px", "0"], "cannot be"),
        (THREE, ["--table", "/nowhere.csv"], "nothing at"),
    ],
)
def test_what_fails_says_so_and_exits_with_1(
    files: dict[str, bytes], arguments: list[str], words: str, foils: Campaign, tmp_path: Path
) -> None:
    path = tmp_path / "sem"
    path.mkdir()
    with pytest.raises(CommandError, match=words) as failed:
        run(foils, laid(path, files), *arguments)
    assert failed.value.returncode == 1
    assert not Picture.objects.exists()


@pytest.mark.parametrize("uid", ["no-uid", "00000000-0000-4000-8000-000000000000"])
def test_a_campaign_that_is_none_is_refused(uid: str, db: None, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no campaign on foils"):
        call_command("import_foils", uid, str(tmp_path))


def test_a_batch_that_stops_is_told(
    foils: Campaign, folder: Path, monkeypatch: pytest.MonkeyPatch, settings: object
) -> None:
    settings.MIN_FREE_BYTES = 0
    monkeypatch.setattr(reading, "_read", lambda batch, until: 1 / 0)
    with pytest.raises(CommandError, match="ZeroDivisionError"):
        run(foils, folder)
