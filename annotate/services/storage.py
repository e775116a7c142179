"""Files taken in: checked for size, stored below MEDIA_ROOT under our own names."""

import re
import shutil
from pathlib import Path, PurePath

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _

from mlcore.errors import InvalidInput

# What a raster may take on the disk once converted, in sizes of the source: the COG and what is derived.
_ROOM_FACTOR = 3


def file_of(relative_path: str) -> Path:
    """A stored file's place on the disk."""
    return Path(settings.MEDIA_ROOT) / relative_path


def size_of(path: Path | None) -> int:
    """In bytes.

    Raises:
        InvalidInput: There is no such file.
    """
    if path is None or not path.is_file():
        raise InvalidInput(
            _("There is no file at “%(path)s”; check the path.") % {"path": path}, code="no_file"
        )
    return path.stat().st_size


def check_size(given_name: str, size: int) -> None:
    """Refuse what is empty, larger than a basemap may be, or larger than the disk has room for.

    Raises:
        InvalidInput: The sentence says which.
    """
    if size == 0:
        raise InvalidInput(
            _("“%(name)s” is empty (0 bytes). Copy or export it again.") % {"name": given_name},
            code="empty_file",
        )
    if size > settings.MAX_UPLOAD_BYTES:
        raise InvalidInput(
            _("“%(name)s” has %(size).1f GB; at most %(limit).1f GB are taken. Cut it into parts.")
            % {"name": given_name, "size": size / 1e9, "limit": settings.MAX_UPLOAD_BYTES / 1e9},
            code="file_too_large",
        )
    media = Path(settings.MEDIA_ROOT)
    media.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(media).free
    if size * _ROOM_FACTOR > free:
        raise InvalidInput(
            _("“%(name)s” needs about %(need).1f GB of disk, and %(free).1f GB are left. Make room first.")
            % {"name": given_name, "need": size * _ROOM_FACTOR / 1e9, "free": free / 1e9},
            code="disk_full",
        )


def suffix_of(given_name: str) -> str:
    """The ending, which tells GDAL some formats apart; nothing else of the given name is used."""
    suffix = PurePath(given_name).suffix.lower()
    return suffix if re.fullmatch(r"\.[a-z0-9]{1,8}", suffix) else ""


def store(target: Path, path: Path | None, upload: UploadedFile | None) -> None:
    """Copy a file of the server's, or move one that came over the web."""
    if path is not None:
        shutil.copyfile(path, target)
    elif hasattr(upload, "temporary_file_path"):
        shutil.move(upload.temporary_file_path(), target)
        target.chmod(0o644)
    else:
        with target.open("wb") as file:
            for chunk in upload.chunks():
                file.write(chunk)
