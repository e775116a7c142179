"""The command line does what the pages do, and refuses in the same words."""

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from annotate.models import Basemap, Campaign, Catalogue, User
from tests.data import rasters

pytestmark = pytest.mark.django_db


def run(*arguments: object, **options: object) -> str:
    out = io.StringIO()
    call_command(*map(str, arguments), stdout=out, **options)
    return out.getvalue().strip()


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    return rasters.write(tmp_path / "grey_image.tif", rasters.noise(200, 200, dtype="uint8"))


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    path = tmp_path / "some_craters.csv"
    path.write_text("lon,lat,diam_km\n1,1,5\n1,95,5\n")
    return path


def test_a_basemap_a_campaign_a_list_and_out_again(
    media: Path, picture: Path, listed: Path, lead: User, tmp_path: Path
) -> None:
    uid = run("add_basemap", picture, "--body", "moon", "--here")
    assert Basemap.objects.get(uid=uid).name == "grey image"
    assert Basemap.objects.get(uid=uid).state == Basemap.State.READY
    told = run(
        "create_campaign", "Trial", "--basemap", uid, "--lead", "lead", "--tile-size", 100, "--overlap", 8
    )
    campaign = Campaign.objects.get()
    assert told == f"{campaign.uid}  Trial: 4 tiles"
    told = run("import_craters", listed, "--body", "moon", "--campaign", campaign.uid)
    catalogue = Catalogue.objects.get()
    assert "some craters v1: 1 craters" in told
    assert "line 3: Latitude 95" in told
    assert "1 taken, 1 refused." in told
    for ending in ("csv", "geojson"):
        file = tmp_path / f"out.{ending}"
        assert run("export_catalogue", catalogue.uid, file).startswith("1 features")
        assert file.stat().st_size > 20


def test_without_here_a_worker_converts(
    media: Path, picture: Path, django_capture_on_commit_callbacks: object
) -> None:
    with django_capture_on_commit_callbacks() as enqueued:
        uid = run("add_basemap", picture, "--body", "moon")
    assert len(enqueued) == 1
    assert Basemap.objects.get(uid=uid).state == Basemap.State.UPLOADED


@pytest.mark.parametrize(
    "arguments",
    [
        ("add_basemap", "absent.tif", "--body", "moon"),
        ("import_craters", "absent.csv", "--body", "moon"),
        ("export_catalogue", "9d2cf6d0-52a0-4c6e-9b53-3f3a4b1d1f00", "x.csv"),
        ("export_catalogue", "nonsense", "x.csv"),
        ("export_catalogue", "9d2cf6d0-52a0-4c6e-9b53-3f3a4b1d1f00", "x.xls"),
        ("create_campaign", "Trial", "--basemap", "nonsense", "--lead", "lead"),
    ],
)
def test_refusals_are_sentences(media: Path, arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match=r"\.$"):
        run(*arguments)


def test_a_list_that_must_be_whole(listed: Path) -> None:
    with pytest.raises(CommandError, match="Line 3"):
        run("import_craters", listed, "--body", "moon", on_bad_rows="stop")
    with pytest.raises(CommandError, match="no campaign"):
        run("import_craters", listed, "--body", "moon", campaign="nonsense")


def test_a_failed_conversion_ends_with_its_reason(
    media: Path, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("annotate.services.conversions.cog.convert_to_cog", lambda *_, **__: 1 / 0)
    with pytest.raises(CommandError, match="ZeroDivisionError"):
        run("add_basemap", picture, "--body", "moon", "--here")
