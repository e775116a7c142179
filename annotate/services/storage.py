"""Files taken in: checked for size, stored below MEDIA_ROOT under our own names."""

import re
import shutil
import tempfile
from pathlib import Path, PurePath

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _

from annotate.services.disk import disk_of, full_in_words, require_room
from mlcore.errors import InvalidInput

# What an upload may take on the disk in the end, in sizes of the file: itself, the COG and what is derived.
ROOM_FACTOR = 3


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


def largest_upload() -> int:
    """How many bytes a file may have that is sent now."""
    room = min(disk_of().room_bytes // ROOM_FACTOR, disk_of(_temporary()).room_bytes)
    return min(settings.MAX_UPLOAD_BYTES, room)


def check_size(given_name: str, size: int, *, arrived: bool = True) -> None:
    """Refuse what is empty, larger than a basemap may be, or larger than the disk has room for.

    Args:
        given_name: Of the file.
        size: In bytes.
        arrived: Whether it lies on our disk already.

    Raises:
        InvalidInput: It is empty or too large; the sentence says which.
        NoRoom: The disk would be nearly full.
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
    check_room(f"“{given_name}”", size, arrived=arrived)


def check_room(what: str, size: int, *, arrived: bool) -> None:
    """Refuse a file for which, or for what is made of it, there is no room.

    Raises:
        NoRoom: The sentence says how much there is.
    """
    require_room(size * (ROOM_FACTOR - arrived), what=what)
    if not arrived:
        require_room(size, what=what, folder=_temporary())


def suffix_of(given_name: str) -> str:
    """The ending, which tells GDAL some formats apart; nothing else of the given name is used."""
    suffix = PurePath(given_name).suffix.lower()
    return suffix if re.fullmatch(r"\.[a-z0-9]{1,8}", suffix) else ""


def _temporary() -> str:
    """Where uploads lie until they are complete."""
    return settings.FILE_UPLOAD_TEMP_DIR or tempfile.gettempdir()


def store(target: Path, path: Path | None, upload: UploadedFile | None) -> None:
    """Copy a file of the server's, or move one that came over the web.

    Raises:
        NoRoom: The disk ran full meanwhile; who calls it removes what is half done.
    """
    with full_in_words(_("Storing the file")):
        _store(target, path, upload)


def _store(target: Path, path: Path | None, upload: UploadedFile | None) -> None:
    if path is not None:
        shutil.copyfile(path, target)
    elif hasattr(upload, "temporary_file_path"):
        shutil.move(upload.temporary_file_path(), target)
        target.chmod(0o644)
    else:
        with target.open("wb") as file:
            for chunk in upload.chunks():
                file.write(chunk)
