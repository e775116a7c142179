"""What this installation is made of, and how much room it has: facts for the operator's page."""

import json
import platform
import subprocess
import tomllib
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import django
import rasterio
from django.conf import settings
from django.db import connection
from django.utils.dateparse import parse_datetime
from django.utils.timezone import make_aware

CONSOLE_MAIL = "django.core.mail.backends.console.EmailBackend"


@dataclass(frozen=True)
class Backup:
    """The last one that ended well."""

    at: datetime
    path: str
    bytes: int


@lru_cache
def code_version() -> str:
    """The commit that runs here; the version of the project where it is no checkout."""
    root = Path(settings.BASE_DIR)
    if (root / ".git").exists():
        # Whoever runs the site need not own the checkout.
        command = ["git", "-c", "safe.directory=*", "-C", str(root), "rev-parse", "--short=10", "HEAD"]
        try:
            found = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
        except (OSError, subprocess.SubprocessError):
            pass
        else:
            return found.stdout.strip()
    if settings.TEKTITE_VERSION:
        return settings.TEKTITE_VERSION
    return tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]


def versions() -> dict[str, str]:
    """Of Tektite and of what it stands on."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version'), PostGIS_Lib_Version()")
        postgresql, postgis = cursor.fetchone()
    return {
        "Tektite": code_version(),
        "Django": django.get_version(),
        "Python": platform.python_version(),
        "Celery": version("celery"),
        "GDAL": rasterio.__gdal_version__,
        "PostgreSQL": postgresql.split()[0],
        "PostGIS": postgis,
    }


def database_bytes() -> int:
    """What the database takes on its disk."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        return int(cursor.fetchone()[0])


def database_folder() -> Path | None:
    """Where the server keeps its data, if it says so and that is a disk of this machine."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT CASE WHEN pg_has_role('pg_read_all_settings', 'MEMBER') "
            "THEN current_setting('data_directory') END, inet_server_addr() IS NULL"
        )
        folder, is_local = cursor.fetchone()
    if folder is None or not is_local:
        return None
    # Nobody else may look into the data, but its disk is that of the folder around it.
    return next((path for path in (Path(folder), *Path(folder).parents) if _can_be_asked(path)), None)


def last_backup() -> Backup | None:
    """As bin/backup has noted it; None where there was none, or the note cannot be read."""
    try:
        note = json.loads(Path(settings.BACKUP_STAMP).read_text())
        at = parse_datetime(note["at"])
        if at is None:
            return None
        return Backup(
            at=at if at.tzinfo else make_aware(at), path=str(note["path"]), bytes=int(note["bytes"])
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def mail_goes_nowhere() -> bool:
    """Whether mails, among them those that let people reset a password, only go to the log."""
    return settings.EMAIL_BACKEND == CONSOLE_MAIL


def _can_be_asked(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False
