"""Whatever dies while pictures come in: the next worker goes on, and counts are those of what is there."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from annotate.models import Campaign
from annotate.services import liveness
from review.models import IncomingFile, Picture, PictureImport
from review.services.foils import pictures
from review.services.foils.intake import incoming, intake, reading
from tests.review.foils.files import image, look, zipped

pytestmark = pytest.mark.django_db
State = PictureImport.State
TEN = {f"{n}.tif": image(n) for n in range(8)} | {"8 as 0.tif": image(0), "bad.tif": b"no image"}


class Killed(BaseException):
    """As if the process were gone."""


@pytest.fixture
def confirmed(foils: Campaign) -> PictureImport:
    """Ten files: eight pictures, one of them twice, and one that is none."""
    batch = look(foils, {"ten.zip": zipped(TEN)})
    intake.confirm(batch)
    return batch


@pytest.fixture
def kill_at(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have the worker die at the n-th call of a function: kill_at(reading, "add_picture", 4)."""

    def plant(module: object, name: str, n: int, error: BaseException | None = None) -> None:
        real, calls = getattr(module, name), []

        def dying(*args: object, **kwargs: object) -> object:
            calls.append(1)
            if len(calls) == n:
                raise error or Killed
            return real(*args, **kwargs)

        monkeypatch.setattr(module, name, dying)

    return plant


def lose(batch: PictureImport) -> list[PictureImport]:
    """What beat finds once the dead worker's heartbeat has grown old."""
    long_ago = timezone.now() - 2 * liveness.LOST_AFTER
    PictureImport.objects.filter(pk=batch.pk).update(heartbeat_at=long_ago)
    return intake.tend()


def ended(batch: PictureImport) -> tuple[str, int, int, int, int]:
    batch.refresh_from_db()
    return batch.state, batch.n_read, batch.n_pictures, batch.n_known_already, batch.n_refused


WHOLE = (State.DONE, 10, 8, 1, 1)


@pytest.mark.parametrize(
    ("module", "name", "n"),
    [
        (reading, "add_picture", 1),
        (reading, "add_picture", 5),
        (reading, "add_picture", 9),
        (reading, "_keep", 4),
        (pictures, "_write", 6),
        (intake, "mine", 7),
    ],
)
def test_a_killed_worker_changes_no_count(
    module: object, name: str, n: int, confirmed: PictureImport, kill_at: Callable[..., None]
) -> None:
    kill_at(module, name, n)
    with pytest.raises(Killed):
        reading.read(confirmed.pk, "host:1")
    confirmed.refresh_from_db()
    assert confirmed.state == State.READING
    assert confirmed.n_read < 10
    assert confirmed.n_pictures == Picture.objects.count()
    assert not reading.read(confirmed.pk, "host:2"), "while it counts as alive nobody takes it over"
    assert [batch.pk for batch in lose(confirmed)] == [confirmed.pk]
    reading.read(confirmed.pk, "host:2")
    assert ended(confirmed) == WHOLE
    assert Picture.objects.count() == 8


def test_a_worker_given_up_for_lost_writes_nothing_more(
    confirmed: PictureImport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was only cut off, and comes back at a file that another has read meanwhile."""
    real, overtaken = reading.disk_of, []

    def slow() -> object:
        if not overtaken:
            overtaken.append(True)
            PictureImport.objects.filter(pk=confirmed.pk).update(state=State.QUEUED, worker="")
            reading.read(confirmed.pk, "host:2")
        return real()

    monkeypatch.setattr(reading, "disk_of", slow)
    assert not reading.read(confirmed.pk, "host:1")
    assert ended(confirmed) == WHOLE


def test_a_large_batch_is_read_in_slices(confirmed: PictureImport) -> None:
    assert reading.read(confirmed.pk, slice_s=0.0)
    confirmed.refresh_from_db()
    assert (confirmed.state, confirmed.worker) == (State.QUEUED, "")
    assert not reading.read(confirmed.pk)
    assert ended(confirmed) == WHOLE


def test_chunks_of_the_list_lose_and_split_nothing(foils: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "CHUNK", 4)
    files = {f"{p}/{focus}.tif": image(10 * p + focus) for p in range(5) for focus in (1, 2, 3)}
    batch = look(foils, {"series.zip": zipped(files)}, pattern="{focus}.tif")
    intake.confirm(batch)
    reading.read(batch.pk)
    assert ended(batch) == (State.DONE, 15, 5, 0, 0)
    assert {picture.frames.count() for picture in Picture.objects.all()} == {3}


def test_a_file_at_which_workers_die_is_refused_in_the_end(
    confirmed: PictureImport, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = reading.decoding.pictures_of

    def deadly(batch: PictureImport, files: list[IncomingFile]) -> object:
        if files[0].name == "3.tif":
            raise Killed
        return real(batch, files)

    monkeypatch.setattr(reading.decoding, "pictures_of", deadly)
    deaths = 0
    while confirmed.state != State.DONE:
        try:
            reading.read(confirmed.pk, "host:1")
        except Killed:
            deaths += 1
            lose(confirmed)
        confirmed.refresh_from_db()
    assert deaths == reading.MOST_TRIES
    assert "ended the worker 3 times" in confirmed.refused.get(name="3.tif").reason
    assert ended(confirmed) == (State.DONE, 10, 7, 1, 2)


def test_whoever_ends_a_command_lets_a_worker_go_on(
    confirmed: PictureImport, kill_at: Callable[..., None]
) -> None:
    kill_at(reading, "add_picture", 3, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        reading.read(confirmed.pk)
    confirmed.refresh_from_db()
    assert confirmed.state == State.QUEUED
    reading.read(confirmed.pk)
    assert ended(confirmed) == WHOLE


def test_a_stopped_batch_keeps_what_is_in_and_goes_on(
    confirmed: PictureImport, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, seen = reading.disk_of, []

    def stopped() -> object:
        seen.append(1)
        if len(seen) == 4:
            intake.stop(confirmed)
        return real()

    monkeypatch.setattr(reading, "disk_of", stopped)
    reading.read(confirmed.pk)
    assert ended(confirmed) == (State.FAILED, 3, 3, 0, 0)
    assert intake.go_on(confirmed)
    reading.read(confirmed.pk)
    assert ended(confirmed) == WHOLE


def test_looking_through_begins_anew_when_its_worker_dies(
    foils: Campaign, kill_at: Callable[..., None]
) -> None:
    batch = look(foils, {"a.tif": image(1)})
    intake.discard(batch)
    kill_at(incoming, "list_files", 1)
    with pytest.raises(Killed):
        look(foils, {"ten.zip": zipped(TEN)})
    batch = PictureImport.objects.get()
    assert batch.state == State.LISTING
    assert [one.pk for one in lose(batch)] == [batch.pk]
    intake.look_through(batch.pk)
    batch.refresh_from_db()
    assert (batch.state, batch.n_files) == (State.UPLOADED, 10)


def test_looking_through_ends_after_many_deaths(foils: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = look(foils, {"a.tif": image(1)})
    PictureImport.objects.filter(pk=batch.pk).update(
        state=State.LISTING, worker="host:1", attempt=intake.MOST_LOSSES
    )
    assert lose(batch) == []
    batch.refresh_from_db()
    assert batch.state == State.FAILED
    assert "lost 5 times" in batch.error


def test_a_lost_message_is_sent_again(confirmed: PictureImport) -> None:
    assert intake.tend() == []
    PictureImport.objects.update(enqueued_at=timezone.now() - timedelta(minutes=2))
    assert [batch.pk for batch in intake.tend()] == [confirmed.pk]
    assert intake.tend() == []


def test_what_nobody_confirms_is_forgotten_after_a_week(foils: Campaign) -> None:
    batch = look(foils, {"a.tif": image(1)})
    assert intake.tend() == []
    PictureImport.objects.update(created_at=timezone.now() - timedelta(days=8))
    intake.tend()
    assert not PictureImport.objects.exists()
    assert not incoming.folder_of(batch).exists()


def test_what_is_discarded_while_it_is_unpacked_leaves_nothing(
    foils: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = incoming.lay_out

    def discarded(batch: PictureImport, sent: list[tuple[Path, str]]) -> object:
        laid = real(batch, sent)
        intake.discard(PictureImport.objects.get(pk=batch.pk))
        incoming.folder_of(batch).mkdir(parents=True)
        return laid

    monkeypatch.setattr(incoming, "lay_out", discarded)
    with pytest.raises(PictureImport.DoesNotExist):
        look(foils, {"a.tif": image(1)})
    assert not any((Path(incoming.file_of("foil-imports"))).iterdir())
