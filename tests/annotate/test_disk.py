"""Room on the disk: what would fill it is refused before it begins, and a disk that runs full is told."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from annotate.models import Basemap, User
from annotate.services import basemaps, conversions, disk, shares, storage
from annotate.services.participants import participant_of
from mlcore.errors import Conflict, NoRoom
from mlcore.raster import cog
from tests.data import rasters

GB = 10**9
Usage = Callable[[int, int], None]


@pytest.fixture
def usage(monkeypatch: pytest.MonkeyPatch) -> Usage:
    """Pretend that every disk has this size and so much free: usage(total, free)."""

    def pretend(total: int, free: int) -> None:
        found = SimpleNamespace(total=total, free=free, used=total - free)
        monkeypatch.setattr("annotate.services.disk.shutil.disk_usage", lambda _: found)

    return pretend


class TestRoom:
    def test_it_works(self, usage: Usage, settings: Settings):
        settings.MIN_FREE_BYTES = 2 * GB
        usage(100 * GB, 12 * GB)
        assert disk.disk_of().room_bytes == 10 * GB
        disk.require_room(10 * GB, what="The conversion")

    def test_what_would_eat_into_the_reserve_is_refused(self, usage: Usage, settings: Settings):
        settings.MIN_FREE_BYTES = 2 * GB
        usage(100 * GB, 12 * GB)
        with pytest.raises(NoRoom) as refusal:
            disk.require_room(10 * GB + 1, what="The conversion of “Gassendi”")
        assert refusal.value.message.startswith("The conversion of “Gassendi” needs about 10.0 GB of disk")
        assert "room for 10.0 GB (2.0 GB are kept free" in refusal.value.message
        assert refusal.value.code == "disk_full"

    @pytest.mark.parametrize(("total", "reserve"), [(20 * GB, GB), (10_000 * GB, 2 * 1024**3)])
    def test_the_reserve_is_measured_by_the_disk_unless_it_is_set(
        self, usage: Usage, settings: Settings, total: int, reserve: int
    ):
        settings.MIN_FREE_BYTES = None
        usage(total, total)
        assert disk.disk_of().reserve_bytes == reserve

    def test_a_folder_that_is_not_there_yet_lies_on_the_disk_above_it(self, tmp_path: Path):
        assert disk.disk_of(tmp_path / "not" / "yet").total_bytes == disk.disk_of(tmp_path).total_bytes

    @given(st.integers(0, 10**15), st.integers(0, 10**15))
    def test_there_is_never_less_than_no_room(self, free: int, reserve: int):
        found = disk.Disk(10**15, free, reserve)
        assert 0 <= found.room_bytes <= free
        assert found.is_nearly_full == (found.room_bytes == 0)


class TestUploads:
    def test_the_largest_is_what_limit_and_disk_allow(self, usage: Usage, settings: Settings):
        settings.MAX_UPLOAD_BYTES = 8 * GB
        usage(100 * GB, 90 * GB)
        assert storage.largest_upload() == 8 * GB
        usage(100 * GB, 9 * GB)
        assert storage.largest_upload() == 3 * GB
        settings.MIN_FREE_BYTES = 9 * GB
        assert storage.largest_upload() == 0

    def test_one_that_was_let_in_is_not_counted_twice(self, usage: Usage):
        usage(100 * GB, 9 * GB)
        storage.check_size("moon.tif", 3 * GB, arrived=False)
        usage(100 * GB, 6 * GB)
        storage.check_size("moon.tif", 3 * GB, arrived=True)
        with pytest.raises(NoRoom, match="needs about"):
            storage.check_size("moon.tif", 3 * GB, arrived=False)

    def test_storing_on_a_disk_that_runs_full_is_told_in_words(self, small_disk: Path, tmp_path: Path):
        (tmp_path / "large.tif").write_bytes(bytes(3_000_000))
        with pytest.raises(NoRoom, match="Storing the file stopped because the server's disk ran full"):
            storage.store(small_disk / "source.tif", tmp_path / "large.tif", None)


@pytest.mark.django_db
class TestShares:
    @pytest.fixture
    def raster(self, tmp_path: Path) -> Path:
        return rasters.write(tmp_path / "hills.tif", rasters.hills(64, 64))

    def test_somebody_with_much_on_the_disk_is_told_how_much(
        self, media: Path, raster: Path, lead: User, settings: Settings
    ):
        me = participant_of(lead)
        settings.MAX_BYTES_PER_PERSON = raster.stat().st_size + 100
        basemaps.add_basemap(path=raster, name="First", body="moon", added_by=me)
        with pytest.raises(NoRoom, match="Delete some that you no longer need") as refusal:
            basemaps.add_basemap(path=raster, name="Second", body="moon", added_by=me)
        assert refusal.value.code == "share_full"
        assert Basemap.objects.count() == 1

    def test_somebody_with_many_in_the_queue_waits(self, media: Path, lead: User):
        me = participant_of(lead)
        for n in range(shares.MAX_WAITING):
            Basemap.objects.create(name=f"Map {n}", body="moon", added_by=me)
        with pytest.raises(Conflict, match="10 basemaps of yours wait to be converted"):
            shares.check_share(me, "hills.tif", 1)
        Basemap.objects.filter(name="Map 3").update(state=Basemap.State.READY)
        shares.check_share(me, "hills.tif", 1)

    def test_others_do_not_suffer_for_it(self, media: Path, lead: User, stranger: User, settings: Settings):
        settings.MAX_BYTES_PER_PERSON = 10
        with pytest.raises(NoRoom):
            shares.check_share(participant_of(lead), "hills.tif", 11)
        shares.check_share(participant_of(stranger), "hills.tif", 10)

    def test_staff_and_commands_are_free(self, media: Path, staff: User, settings: Settings):
        settings.MAX_BYTES_PER_PERSON = 0
        shares.check_share(participant_of(staff), "hills.tif", GB)
        shares.check_share(None, "hills.tif", GB)


@pytest.mark.django_db
class TestConversions:
    @pytest.fixture
    def waiting(self, media: Path, tmp_path: Path) -> Basemap:
        """An elevation model whose files are stored and wait to be converted."""
        heights = rasters.hills(512, 512)
        path = rasters.write(tmp_path / "hills.tif", heights)
        return basemaps.add_basemap(path=path, name="Hills", body="moon", kind="elevation")

    def test_one_for_which_there_is_no_room_is_not_begun(self, waiting: Basemap, usage: Usage):
        usage(GB, 1_000_000)
        conversions.convert(waiting.pk)
        waiting.refresh_from_db()
        assert waiting.state == Basemap.State.FAILED
        assert waiting.error.startswith("The conversion of “Hills” needs about")
        assert "then try again" in waiting.error

    def test_one_whose_disk_runs_full_leaves_nothing_half_done(
        self, waiting: Basemap, small_disk: Path, settings: Settings
    ):
        """On a real disk: estimates may be wrong, and others write meanwhile."""
        source = storage.file_of(waiting.source_path)
        settings.MEDIA_ROOT = str(small_disk)
        moved = storage.file_of(waiting.source_path)
        moved.parent.mkdir(parents=True)
        moved.write_bytes(source.read_bytes())
        settings.MIN_FREE_BYTES = -GB
        conversions.convert(waiting.pk)
        waiting.refresh_from_db()
        assert waiting.state == Basemap.State.FAILED
        assert "disk ran full while 'Hills' was converted" in waiting.error
        assert [path.name for path in small_disk.rglob("*") if path.is_file()] == ["source.tif"]

    def test_the_estimate_is_not_less_than_what_is_written(self, media: Path, tmp_path: Path):
        """Noise compresses worst of all."""
        noise = np.random.default_rng(5).integers(1, 255, (1, 700, 900), dtype=np.uint8)
        path = rasters.write(tmp_path / "noise.tif", noise[0])
        added = basemaps.add_basemap(path=path, name="Noise", body="moon", kind="image")
        conversions.convert(added.pk)
        added.refresh_from_db()
        assert added.state == Basemap.State.READY
        assert basemaps.cog_file(added).stat().st_size <= cog.work_bytes(path)
