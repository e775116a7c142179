"""Learning is refused where the disk has no room for it, and says so where it ran out meanwhile."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from annotate.models import Campaign, Catalogue
from mlcore.errors import NoRoom
from review.models import Dataset, ModelVersion, Run
from review.services import datasets, frozen, prediction, room, searching, training
from review.services.labels import REGION, gather

pytestmark = pytest.mark.django_db
Free = Callable[[int], None]


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Free:
    """Pretend that so much of the disk is free."""

    def pretend(n_bytes: int) -> None:
        found = SimpleNamespace(total=10**12, free=n_bytes, used=10**12 - n_bytes)
        monkeypatch.setattr("annotate.services.disk.shutil.disk_usage", lambda _: found)

    return pretend


@pytest.fixture
def wish(region: Campaign, truth: Catalogue) -> Callable[[], Run]:
    """Ask for a training on the region's list."""
    return lambda: training.request_training(
        campaign=region, requested_by=None, label_catalogues=[truth], searched=REGION
    )


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []


def test_it_works_where_there_is_room(wish: Callable[[], Run], free: Free):
    free(2 * room.TRAINING_BYTES)
    assert wish().state == Run.State.QUEUED


def test_a_training_without_room_is_refused_when_it_is_asked_for(wish: Callable[[], Run], free: Free):
    free(room.TRAINING_BYTES - 1)
    with pytest.raises(NoRoom, match="A training needs about"):
        wish()
    assert not Run.objects.exists()


def test_one_that_finds_no_room_when_it_begins_fails_in_words(wish: Callable[[], Run], free: Free):
    run = wish()
    free(10)
    assert training.execute(run.pk, "here:1") == []
    run.refresh_from_db()
    assert run.state == Run.State.FAILED
    assert "A training needs about 1.0 GB of disk" in run.error


def test_a_prediction_without_room_is_refused(make_version: Callable[..., ModelVersion], free: Free):
    version = make_version()
    free(10)
    with pytest.raises(NoRoom, match="A prediction needs about 200 MB"):
        prediction.request_prediction(model_version=version, requested_by=None)


def test_one_that_follows_a_promotion_waits_and_fails_in_words(
    make_version: Callable[..., ModelVersion], free: Free
):
    """So that a full disk undoes no training and no promotion."""
    version = make_version()
    free(10)
    run = prediction.request_prediction(model_version=version, requested_by=None, again=True)
    searching.execute(run.pk, "here:1")
    run.refresh_from_db()
    assert run.state == Run.State.FAILED
    assert "A prediction needs about 200 MB" in run.error


class TestDatasets:
    def freeze(self, region: Campaign, truth: Catalogue) -> Dataset:
        return datasets.freeze(campaign=region, created_by=None, label_catalogues=[truth], searched=REGION)

    def test_the_estimate_is_not_less_than_what_is_written(
        self, region: Campaign, truth: Catalogue, media: Path
    ):
        sources = gather(region, label_catalogues=[truth], searched=REGION)
        dataset = self.freeze(region, truth)
        written = sum(path.stat().st_size for path in files_in(frozen.folder_of(dataset)))
        assert written <= sum(map(room.dataset_bytes, sources))

    def test_labels_without_room_are_not_frozen(
        self, region: Campaign, truth: Catalogue, media: Path, free: Free
    ):
        free(10_000)
        with pytest.raises(NoRoom, match="Freezing the labels needs about"):
            self.freeze(region, truth)
        assert not files_in(media / "datasets")

    def test_a_disk_that_runs_full_leaves_nothing_half_frozen(
        self, region: Campaign, truth: Catalogue, media: Path, monkeypatch: pytest.MonkeyPatch
    ):
        save, saved = np.save, []

        def until_full(*arguments: object, **options: object) -> None:
            if len(saved) == 1:
                raise OSError(28, "No space left on device")
            saved.append(save(*arguments, **options))

        monkeypatch.setattr("mlcore.dataset.np.save", until_full)
        with pytest.raises(NoRoom, match="Freezing the labels stopped because the server's disk ran full"):
            self.freeze(region, truth)
        assert saved
        assert not files_in(media / "datasets")
        assert not Dataset.objects.exists()


def test_a_process_that_died_of_a_full_disk_is_not_said_to_be_broken():
    tail = ["Traceback (most recent call last):", "OSError: [Errno 28] No space left on device"]
    assert "the server's disk ran full" in room.explained("It ended with status 1.", tail)
    assert room.explained("It ended with status 1.", tail[:1]) == "It ended with status 1."


def test_an_export_that_fills_the_disk_leaves_no_half_file(
    truth: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def chunks() -> object:
        yield "lon,lat\n"
        raise OSError(28, "No space left on device")

    export = SimpleNamespace(count=1, chunks=chunks())
    writers = {".csv": lambda _: export}
    monkeypatch.setattr("annotate.management.commands.export_catalogue.WRITERS", writers)
    with pytest.raises(CommandError, match="stopped because the server's disk ran full"):
        call_command("export_catalogue", str(truth.uid), str(tmp_path / "craters.csv"))
    assert list(tmp_path.glob("craters*")) == []
