"""Uploads are refused by their headers, before a byte is read; the page says beforehand what is taken."""

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.handlers.wsgi import WSGIRequest
from django.test import Client
from django.test.client import FakePayload
from django.urls import reverse
from pytest_django import Settings

from annotate.models import Basemap, User

pytestmark = pytest.mark.django_db
GB = 10**9


class Unread(FakePayload):
    """A body that nobody may read."""

    def read(self, size: int | None = None, /) -> bytes:
        raise AssertionError("the refusal needs no byte of the body")


@pytest.fixture
def announce(client_of: Callable[[User | None], Client]) -> Callable[..., object]:
    """Announce an upload of so many bytes and send none: announce(user, 5 * GB)."""

    def send(user: User | None, n_bytes: int, name: str = "annotate:basemap_new") -> object:
        return client_of(user).generic(
            "POST",
            reverse(name),
            b"some",
            content_type="multipart/form-data; boundary=x",
            **{"CONTENT_LENGTH": str(n_bytes), "wsgi.input": Unread(b"")},
        )

    return send


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Pretend that so much of every disk is free."""

    def pretend(n_bytes: int) -> None:
        found = SimpleNamespace(total=1000 * GB, free=n_bytes, used=1000 * GB - n_bytes)
        monkeypatch.setattr("annotate.services.disk.shutil.disk_usage", lambda _: found)

    return pretend


def sentence(answer: object) -> str:
    """What the refusal says."""
    return re.search(r'<p role="alert">(.*?)</p>', answer.content.decode(), re.DOTALL).group(1)


def test_what_is_too_large_is_refused_unread(announce: Callable[..., object], lead: User, settings: Settings):
    settings.MAX_UPLOAD_BYTES = 2 * GB
    answer = announce(lead, 5 * GB)
    assert answer.status_code == 413
    assert "has 5.0 GB, and at most 2.0 GB are taken" in sentence(answer)
    assert "add_basemap" in sentence(answer)


def test_a_file_from_nobody_is_refused_unread(announce: Callable[..., object]):
    """Otherwise anybody could fill the disk, since the check of the form reads the whole of it."""
    answer = announce(None, GB)
    assert answer.status_code == 302
    assert "/accounts/login/" in answer.url


def test_one_without_room_is_refused_unread(
    announce: Callable[..., object], free: Callable[[int], None], lead: User, settings: Settings
):
    settings.MIN_FREE_BYTES = 2 * GB
    free(4 * GB)
    answer = announce(lead, GB)
    assert answer.status_code == 507
    assert "Your file needs about 3.0 GB of disk, and the server has room for 2.0 GB" in sentence(answer)


def test_crater_lists_are_held_to_it_too(
    announce: Callable[..., object], free: Callable[[int], None], lead: User
):
    free(0)
    assert announce(lead, GB, "annotate:catalogue_import").status_code == 507


def test_a_small_form_passes(client_of: Callable[[User | None], Client], lead: User):
    answer = client_of(lead).post(
        reverse("annotate:basemap_new"), {"body": "moon", "file": SimpleUploadedFile("x.tif", b"no raster")}
    )
    assert answer.status_code == 422


def test_the_page_says_how_large_a_file_may_be(
    client_of: Callable[[User | None], Client], free: Callable[[int], None], lead: User, settings: Settings
):
    page = reverse("annotate:basemap_new")
    settings.MAX_UPLOAD_BYTES = 8 * GB
    free(900 * GB)
    shown = client_of(lead).get(page).content.decode()
    assert "a file may have up to 8.0 GB" in shown
    assert f'data-largest="{8 * GB}"' in shown
    free(6 * GB)
    assert "a file may have up to 2.0 GB" in client_of(lead).get(page).content.decode()


def test_the_page_says_when_nothing_is_taken(
    client_of: Callable[[User | None], Client], free: Callable[[int], None], lead: User
):
    free(0)
    shown = client_of(lead).get(reverse("annotate:basemap_new")).content.decode()
    assert "nearly full, so nothing can be uploaded now" in shown
    assert re.search(r'<button class="button primary" type="submit" disabled>', shown)


def test_a_real_disk_that_fills_while_the_file_arrives_keeps_nothing_of_it(
    client_of: Callable[[User | None], Client], lead: User, settings: Settings, small_disk: Path, media: Path
):
    settings.FILE_UPLOAD_TEMP_DIR = str(small_disk)
    # Others write meanwhile, so what was asked beforehand was wrong.
    settings.MIN_FREE_BYTES = -GB
    client = client_of(lead)
    client.raise_request_exception = False
    large = SimpleUploadedFile("x.tif", bytes(4_000_000))
    answer = client.post(reverse("annotate:basemap_new"), {"body": "moon", "file": large})
    assert answer.status_code == 507
    assert "nothing of it is kept" in sentence(answer)
    assert list(small_disk.iterdir()) == []
    assert [path for path in media.rglob("*") if path.is_file()] == []


def test_a_disk_that_fills_while_the_file_arrives_is_told(
    client_of: Callable[[User | None], Client], lead: User, monkeypatch: pytest.MonkeyPatch
):
    def full(request: WSGIRequest) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(WSGIRequest, "_load_post_and_files", full)
    client = client_of(lead)
    client.raise_request_exception = False
    answer = client.post(reverse("annotate:basemap_new"), {"file": SimpleUploadedFile("x.tif", b"x")})
    assert answer.status_code == 507
    assert "The server's disk has no room left".replace("'", "&#x27;") in sentence(answer)
    assert not Basemap.objects.exists()
