"""The cast and the ground of all tests."""

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from django.conf import settings as django_settings
from django.test import Client
from pytest_django import Settings

from annotate.models import User

REAL_DATA = Path(django_settings.BASE_DIR).parent / "shared" / "data"
# What drives a browser, kills processes or waits for a clock: on a busy machine it would be measured instead.
ALONE = ("tests/browser/", "tests/faults/")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--part",
        choices=["all", "together", "alone"],
        default="all",
        help="only tests that may run beside each other, or only those that want the machine for themselves",
    )


def pytest_configure() -> None:
    # WhiteNoise warns about a missing folder, and warnings are errors here.
    Path(django_settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if item.nodeid.startswith(ALONE):
            item.add_marker(pytest.mark.alone)
    part = config.getoption("part")
    if part != "all":
        chosen = [item for item in items if bool(item.get_closest_marker("alone")) == (part == "alone")]
        config.hook.pytest_deselected(items=[item for item in items if item not in set(chosen)])
        items[:] = chosen
    if part == "together":
        # A long file that is begun last would keep one process busy while the others have nothing left to do.
        long_files = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: item.path not in long_files)


@pytest.fixture(autouse=True)
def plain_surroundings(settings: Settings) -> None:
    """Fast passwords, no mail, and pages over http; tests of safety start processes of their own."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    settings.SECURE_SSL_REDIRECT = False
    # However full the disk of this machine is; tests of limits set their own.
    settings.MIN_FREE_BYTES = 0
    # What one test counts or keeps is not there in the next, nor in another run beside this one.
    settings.CACHES = {"default": {**settings.CACHES["default"], "KEY_PREFIX": f"test-{uuid4()}"}}


@pytest.fixture
def media(tmp_path: Path, settings: Settings) -> Path:
    """An empty MEDIA_ROOT."""
    folder = tmp_path / "media"
    folder.mkdir()
    settings.MEDIA_ROOT = str(folder)
    return folder


@pytest.fixture
def make_user(db: None) -> Callable[..., User]:
    """Make somebody with a sign-in: make_user("ada"), make_user("root", is_staff=True)."""

    def make(username: str, **fields: object) -> User:
        return User.objects.create_user(
            username, f"{username}@example.org", "correct horse battery", **fields
        )

    return make


@pytest.fixture
def lead(make_user: Callable[..., User]) -> User:
    return make_user("lead")


@pytest.fixture
def annotator(make_user: Callable[..., User]) -> User:
    return make_user("annotator")


@pytest.fixture
def reviewer(make_user: Callable[..., User]) -> User:
    return make_user("reviewer")


@pytest.fixture
def stranger(make_user: Callable[..., User]) -> User:
    """Signed in, and a member of nothing."""
    return make_user("stranger")


@pytest.fixture
def staff(make_user: Callable[..., User]) -> User:
    return make_user("staff", is_staff=True, is_superuser=True)


@pytest.fixture
def client_of() -> Callable[[User | None], Client]:
    """A browser's client, signed in as the user, or as nobody."""

    def sign_in(user: User | None) -> Client:
        client = Client()
        if user is not None:
            client.force_login(user)
        return client

    return sign_in


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A real disk of two megabytes, where this machine lets us have one."""
    with tempfile.TemporaryDirectory(prefix="tektite-disk-") as folder:
        mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder]
        if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
            pytest.skip("a small disk cannot be mounted here: that needs root.")
        yield Path(folder)
        subprocess.run(["umount", "--lazy", folder], check=True)
