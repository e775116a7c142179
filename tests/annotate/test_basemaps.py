"""Rasters are taken in under our own names, converted with progress, and refused without a trace."""

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile
from django.utils import timezone
from pytest_django import Settings

from annotate.models import Basemap
from annotate.services import basemaps, conversions, liveness
from mlcore.errors import InvalidInput, NoRoom
from mlcore.raster import cog, derive
from tests.data import rasters

pytestmark = pytest.mark.django_db


@pytest.fixture
def terrain(tmp_path: Path) -> Path:
    return rasters.write(tmp_path / "dem.tif", rasters.hills(300, 280), unit="m")


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    return rasters.write(tmp_path / "image.tif", rasters.noise(200, 200, dtype="uint8"))


def convert(basemap: Basemap) -> Basemap:
    conversions.convert(basemap.pk)
    basemap.refresh_from_db()
    return basemap


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


class TestAdding:
    def test_it_works(self, media: Path, terrain: Path) -> None:
        basemap = basemaps.add_basemap(path=terrain, name="Hills", body="moon", sun_altitude_deg=30.0)
        assert (basemap.kind, basemap.state) == (Basemap.Kind.ELEVATION, Basemap.State.UPLOADED)
        assert (basemap.width_px, basemap.height_px, basemap.sun_incidence_deg) == (280, 300, 60.0)
        assert basemap.bounds == pytest.approx([10.0, 2.0, 12.8, 5.0])
        assert files_in(media) == [f"basemaps/{basemap.uid}/source.tif"]

    def test_an_image_is_told_from_an_elevation_model(self, media: Path, picture: Path) -> None:
        assert basemaps.add_basemap(path=picture, name="Grey", body="moon").kind == Basemap.Kind.IMAGE

    def test_uploads_are_moved_under_our_own_name(self, media: Path, terrain: Path) -> None:
        upload = TemporaryUploadedFile("../../etc/cron.d/x;rm -rf.TIF", "image/tiff", 0, None)
        upload.write(terrain.read_bytes())
        upload.seek(0)
        upload.size = terrain.stat().st_size
        basemap = basemaps.add_basemap(upload=upload, name="Up", body="moon")
        upload.close()
        assert files_in(media) == [f"basemaps/{basemap.uid}/source.tif"]

    @pytest.mark.parametrize(
        ("name", "content", "code"),
        [
            ("nothing.tif", b"", "empty_file"),
            ("text.tif", b"lon,lat\n1,2\n", "not_a_raster"),
            ("cut.tif", None, "truncated"),
        ],
    )
    def test_what_is_no_raster_is_refused_without_a_trace(
        self, media: Path, terrain: Path, name: str, content: bytes | None, code: str
    ) -> None:
        content = terrain.read_bytes()[:5000] if content is None else content
        with pytest.raises(InvalidInput) as refusal:
            basemaps.add_basemap(upload=SimpleUploadedFile(name, content), name="Up", body="moon")
        assert refusal.value.code == code
        assert name in refusal.value.message
        assert files_in(media) == []
        assert list((media / "basemaps").glob("*")) == [] if (media / "basemaps").exists() else True
        assert not Basemap.objects.exists()

    def test_a_raster_of_earth_is_not_the_moon(self, media: Path, tmp_path: Path) -> None:
        earth = rasters.write(tmp_path / "earth.tif", rasters.hills(64, 64), crs=rasters.EARTH)
        with pytest.raises(InvalidInput):
            basemaps.add_basemap(path=earth, name="Earth", body="moon")
        assert files_in(media) == []

    def test_limits_are_named(self, media: Path, terrain: Path, settings: Settings) -> None:
        settings.MAX_UPLOAD_BYTES = 1000
        with pytest.raises(InvalidInput, match="at most") as refusal:
            basemaps.add_basemap(path=terrain, name="Hills", body="moon")
        assert refusal.value.code == "file_too_large"

    def test_a_full_disk_is_said_beforehand(
        self, media: Path, terrain: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(
            "annotate.services.disk.shutil.disk_usage", lambda _: SimpleNamespace(total=1000, free=10)
        )
        with pytest.raises(NoRoom) as refusal:
            basemaps.add_basemap(path=terrain, name="Hills", body="moon")
        assert refusal.value.code == "disk_full"

    @pytest.mark.parametrize("name", ["", "a\nb", "<b>bold</b>", "../up", "a\\b", "x" * 201, "\u202egnp"])
    def test_names_are_one_clean_line(self, media: Path, terrain: Path, name: str) -> None:
        with pytest.raises(InvalidInput):
            basemaps.add_basemap(path=terrain, name=name, body="moon")
        assert files_in(media) == []

    @pytest.mark.parametrize(
        ("wrong", "code"),
        [
            ({"kind": "slope"}, "bad_kind"),
            ({"sun_azimuth_deg": 400.0}, "bad_sun"),
            ({"sun_altitude_deg": float("nan")}, "bad_sun"),
            ({"body": "krypton"}, "unknown_body"),
        ],
    )
    def test_the_rest_is_checked_too(
        self, media: Path, terrain: Path, wrong: dict[str, object], code: str
    ) -> None:
        with pytest.raises(InvalidInput) as refusal:
            basemaps.add_basemap(**{"path": terrain, "name": "Hills", "body": "moon", **wrong})
        assert refusal.value.code == code


class TestConversion:
    def test_an_elevation_model_gives_three_layers(self, media: Path, terrain: Path) -> None:
        basemap = convert(
            basemaps.add_basemap(
                path=terrain, name="Hills", body="moon", sun_azimuth_deg=270.0, sun_altitude_deg=20.0
            )
        )
        assert (basemap.state, basemap.progress, basemap.error) == (Basemap.State.READY, 1.0, "")
        assert basemap.statistics[0]["min"] < basemap.statistics[0]["p50"] < basemap.statistics[0]["max"]
        layers = {layer.kind: layer for layer in basemap.derived.all()}
        assert set(layers) == set(conversions.DERIVED_KINDS)
        shade = layers[Basemap.Kind.HILLSHADE]
        assert (shade.sun_azimuth_deg, shade.sun_incidence_deg) == (270.0, 70.0)
        assert all(layer.state == Basemap.State.READY and layer.progress == 1.0 for layer in layers.values())
        assert all(basemaps.grid_from(layer) == basemaps.grid_from(basemap) for layer in layers.values())

    def test_an_image_gives_none(self, media: Path, picture: Path) -> None:
        basemap = convert(basemaps.add_basemap(path=picture, name="Grey", body="moon"))
        assert basemap.state == Basemap.State.READY
        assert not basemap.derived.exists()

    def test_the_same_task_twice_does_it_once(self, media: Path, terrain: Path) -> None:
        basemap = convert(basemaps.add_basemap(path=terrain, name="Hills", body="moon"))
        written = basemaps.cog_file(basemap).stat().st_mtime_ns
        convert(basemap)
        assert basemaps.cog_file(basemap).stat().st_mtime_ns == written
        assert basemap.derived.count() == 3

    def test_progress_grows(self, media: Path, terrain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        basemap = basemaps.add_basemap(path=terrain, name="Hills", body="moon")
        seen = []
        real = cog.statistics

        def look(path: Path) -> list[dict[str, float]]:
            seen.append(Basemap.objects.get(pk=basemap.pk).progress)
            return real(path)

        monkeypatch.setattr(cog, "statistics", look)
        convert(basemap)
        assert seen == sorted(seen)
        assert len(seen) == 4
        assert 0.1 < seen[0] < 0.3 and seen[-1] > 0.7

    def test_a_failure_keeps_its_reason_and_may_be_tried_again(
        self, media: Path, terrain: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        basemap = basemaps.add_basemap(path=terrain, name="Hills", body="moon")
        with monkeypatch.context() as broken:
            broken.setattr(cog, "convert_to_cog", lambda *_, **__: 1 / 0)
            convert(basemap)
        assert basemap.state == Basemap.State.FAILED
        assert "ZeroDivisionError" in basemap.error
        assert files_in(media) == [f"basemaps/{basemap.uid}/source.tif"]
        conversions.ask_again(basemap)
        basemap.refresh_from_db()
        assert (basemap.state, basemap.error) == (Basemap.State.UPLOADED, "")
        assert convert(basemap).state == Basemap.State.READY

    def test_a_layer_that_cannot_be_derived_does_not_stop_the_rest(self, media: Path, tmp_path: Path) -> None:
        y, x = np.mgrid[:64, :64].astype(np.float32)
        ramp = rasters.write(
            tmp_path / "ramp.tif", x * 3 + y, crs=rasters.MAP, transform=rasters.north_up(0, 0, 100)
        )
        basemap = convert(basemaps.add_basemap(path=ramp, name="Ramp", body="moon", kind="elevation"))
        assert basemap.state == Basemap.State.READY
        failed = basemap.derived.filter(state=Basemap.State.FAILED)
        assert all(layer.error and not layer.cog_path for layer in failed)

    def test_values_are_read_where_somebody_points(self, media: Path, terrain: Path) -> None:
        basemap = basemaps.add_basemap(path=terrain, name="Hills", body="moon")
        with pytest.raises(InvalidInput):
            basemaps.value_at(basemap, 11.0, 4.0)
        convert(basemap)
        heights = rasters.hills(300, 280)
        assert basemaps.value_at(basemap, 11.005, 3.995) == pytest.approx(heights[100, 100], abs=1e-3)
        assert basemaps.value_at(basemap, -170.0, 3.995) is None


class TestLostConversions:
    @pytest.fixture(autouse=True)
    def a_database_that_has_listened(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The tests' server may have been started a moment ago; then nobody would be given up."""
        monkeypatch.setattr(liveness, "database_has_listened", lambda: True)

    @pytest.fixture
    def lost(self, media: Path, terrain: Path, monkeypatch: pytest.MonkeyPatch) -> Basemap:
        """A conversion whose worker was killed while it derived the second layer."""
        basemap = basemaps.add_basemap(path=terrain, name="Hills", body="moon")
        real = derive.derive_file

        def dies(*given: object, kind: str, **more: object) -> None:
            if kind == Basemap.Kind.SLOPE:
                (media / f"basemaps/{basemap.uid}/.cog-killed").mkdir()
                raise SystemExit
            real(*given, kind=kind, **more)

        with monkeypatch.context() as killed, pytest.raises(SystemExit):
            killed.setattr(conversions, "derive_file", dies)
            conversions.convert(basemap.pk, "host:1")
        basemap.refresh_from_db()
        return basemap

    def test_it_waits_again_and_goes_on_after_what_is_whole(self, media: Path, lost: Basemap) -> None:
        assert (lost.state, lost.attempt, lost.progress) == (Basemap.State.CONVERTING, 1, 0.5)
        assert not conversions.is_silent(lost)
        assert conversions.requeue() == []
        fall_silent(lost)
        assert conversions.is_silent(lost)
        assert conversions.requeue() == [lost]
        assert conversions.requeue() == []
        whole = [basemaps.cog_file(one).stat().st_mtime_ns for one in (lost, lost.derived.get(state="ready"))]
        done = convert(lost)
        assert (done.state, done.attempt, done.progress) == (Basemap.State.READY, 2, 1.0)
        assert set(lost.derived.values_list("state", flat=True)) == {Basemap.State.READY}
        shade = lost.derived.get(kind=Basemap.Kind.HILLSHADE)
        assert [basemaps.cog_file(one).stat().st_mtime_ns for one in (done, shade)] == whole
        assert not any(".cog-" in name for name in map(str, media.rglob("*")))

    def test_after_the_third_loss_it_fails_with_a_sentence_and_may_be_tried_again(
        self, lost: Basemap
    ) -> None:
        for losses in range(1, conversions.MAX_SETBACKS + 1):
            fall_silent(lost)
            again = conversions.requeue()
            assert again == ([lost] if losses < conversions.MAX_SETBACKS else [])
            Basemap.objects.filter(pk__in=[one.pk for one in again]).update(state=Basemap.State.CONVERTING)
        lost.refresh_from_db()
        assert lost.state == Basemap.State.FAILED
        assert "lost 3 times while it converted" in lost.error
        assert not lost.derived.filter(state=Basemap.State.CONVERTING).exists()
        conversions.ask_again(lost)
        assert convert(lost).state == Basemap.State.READY

    def test_who_was_given_up_for_lost_changes_nothing(
        self, media: Path, terrain: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        basemap = basemaps.add_basemap(path=terrain, name="Hills", body="moon")
        real = cog.convert_to_cog

        def stalls(source: Path, target: Path, **more: object) -> None:
            fall_silent(basemap)
            conversions.requeue()
            monkeypatch.setattr(cog, "convert_to_cog", real)
            assert convert(basemap).state == Basemap.State.READY
            real(source, target, **more)

        monkeypatch.setattr(cog, "convert_to_cog", stalls)
        conversions.convert(basemap.pk)
        basemap.refresh_from_db()
        assert (basemap.state, basemap.attempt, basemap.error) == (Basemap.State.READY, 2, "")
        assert basemaps.cog_file(basemap).is_file()

    def test_a_lost_message_is_sent_again(self, media: Path, terrain: Path) -> None:
        basemap = basemaps.add_basemap(path=terrain, name="Hills", body="moon")
        assert conversions.requeue() == []
        Basemap.objects.update(enqueued_at=timezone.now() - timedelta(seconds=61))
        assert conversions.requeue() == [basemap]
        assert conversions.requeue() == []

    def test_a_host_converts_one_at_a_time_and_the_next_waits(
        self, media: Path, lost: Basemap, picture: Path
    ) -> None:
        second = basemaps.add_basemap(path=picture, name="Grey", body="moon")
        assert not conversions.convert(second.pk, "host:2")
        assert list(conversions.waiting()) == [second]
        assert conversions.convert(second.pk, "another:2")

    def test_what_is_being_converted_is_left_to_its_worker(self, lost: Basemap) -> None:
        assert not conversions.convert(lost.pk)
        lost.refresh_from_db()
        assert lost.attempt == 1


def fall_silent(basemap: Basemap) -> None:
    Basemap.objects.filter(pk=basemap.pk).update(heartbeat_at=timezone.now() - timedelta(minutes=2))
