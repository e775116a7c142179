"""What a batch holds: its archives unpacked, its folder walked, each file a row before any is read.

Memory does not grow with the number of files but by the names of one archive: rows stream into the database,
which also keeps them in order and finds the files of a series.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from django.db import connection
from django.utils.translation import gettext as _

from annotate.services.disk import disk_of, full_in_words
from annotate.services.storage import file_of
from mlcore.errors import InvalidInput
from mlcore.formats.archive_names import is_litter
from mlcore.formats.archives import Limits, kind_of, open_archive
from review.models import IncomingFile, PictureImport
from review.services.foils.intake import refusals

MOST_FILES = 1_000_000
LARGEST_FILE_BYTES = 4 * 1024**3
LONGEST_NAME = IncomingFile._meta.get_field("name").max_length
# What microscopes and people put beside images; unless their content says that they are images after all.
BESIDE = (
    *(".txt", ".csv", ".tsv", ".xml", ".json", ".yaml", ".yml", ".hdr", ".ini", ".log", ".md", ".html"),
    *(".htm", ".pdf", ".xls", ".xlsx", ".doc", ".docx", ".db", ".lnk", ".py", ".m"),
)
_IMAGE_HEADS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"\x89PNG", b"\xff\xd8\xff", b"BM", b"GIF8")
_CHUNK_BYTES = 1024**2
_COPY = "COPY review_incomingfile (batch_id, name, place, focus, foil, has_row, result, tries) FROM STDIN"


def folder_of(batch: PictureImport) -> Path:
    """Where what belongs to a batch lies until it is read."""
    return file_of(f"foil-imports/{batch.uid}")


def sent_of(batch: PictureImport) -> Path:
    """Uploads as they came, under our own names: 0, 1, 2 …"""
    return folder_of(batch) / "sent"


def table_of(batch: PictureImport) -> Path:
    """The table, where there is one."""
    return folder_of(batch) / "table"


def root_of(batch: PictureImport) -> Path:
    """The folder below which the batch's files lie."""
    return folder_of(batch) / batch.path if batch.is_ours else Path(batch.path)


def lay_out(batch: PictureImport, sent: list[tuple[Path, str]]) -> list[tuple[str, str]]:
    """Make a batch's own folder of its files: archives unpacked, other files linked.

    Args:
        batch: One that is ours; whatever an attempt before has laid out is thrown away.
        sent: Files and their given names.

    Returns:
        Archives that are refused, each with the reason; nothing of them is left.

    Raises:
        NoRoom: The disk has run full.
    """
    root = folder_of(batch) / "files"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    refused = []
    for path, name in sent:
        if kind_of(path) is None:
            _link(path, _free(root, name))
            continue
        # Of several archives each keeps to itself.
        target = root if len(sent) == 1 else _free(root, name.partition(".")[0] or name)
        try:
            _unpack(path, target, name)
        except InvalidInput as refusal:
            shutil.rmtree(target, ignore_errors=True)
            refused.append((name, refusal.message))
    root.mkdir(exist_ok=True)
    batch.path = str(_inmost(root).relative_to(folder_of(batch)))
    return refused


def _free(root: Path, name: str) -> Path:
    """A path of this name, or of one like it, that nothing has yet."""
    target, number = root / name, 1
    while target.exists():
        number += 1
        target = root / f"{Path(name).stem} ({number}){Path(name).suffix}"
    return target


def _link(path: Path, target: Path) -> None:
    with full_in_words(_("Storing the file")):
        try:
            os.link(path.resolve(), target)
        except OSError:
            shutil.copyfile(path, target)


def _unpack(path: Path, folder: Path, name: str) -> None:
    room = disk_of().room_bytes
    limits = Limits(members=MOST_FILES, member_bytes=min(LARGEST_FILE_BYTES, room), total_bytes=room)
    with (
        full_in_words(_("Unpacking “%(name)s”") % {"name": name}),
        open_archive(path, limits, name=name) as members,
    ):
        for member in members:
            target = folder / member.name
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as file:
                shutil.copyfileobj(member.stream, file, _CHUNK_BYTES)


def _inmost(root: Path) -> Path:
    """Below folders that hold nothing but one folder, as archives often do: their names say nothing."""
    while len(inside := list(root.iterdir())) == 1 and inside[0].is_dir():
        root = inside[0]
    return root


def list_files(batch: PictureImport) -> None:
    """Make a row of each file; what cannot be one is refused in words. Counts are set on the batch.

    Raises:
        InvalidInput: There are more than MOST_FILES.
    """
    batch.incoming.all().delete()
    batch.n_beside = n_files = 0
    refused = []
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        for name, reason in _walk(root_of(batch), batch):
            n_files += 1
            if n_files > MOST_FILES:
                raise InvalidInput(
                    _("“%(name)s” holds more than %(n)s files. Bring them in parts.")
                    % {"name": batch.file_name, "n": f"{MOST_FILES:,}"},
                    code="too_many_files",
                )
            if reason := reason or _unfit(name):
                refused.append((name, reason))
            else:
                copy.write_row((batch.pk, name, name, 0, "", False, "", 0))
    refusals.refuse(batch, refused)
    # Archives that could not be unpacked are files too.
    batch.n_files, batch.n_read = n_files - len(refused) + batch.n_refused, batch.n_refused


def _walk(root: Path, batch: PictureImport) -> Iterator[tuple[str, str]]:
    """Names of files below the folder, with /, each folder in the order of its names; why one is not read."""
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(root / folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            yield folder, _("The folder cannot be read (%(reason)s).") % {"reason": error.strerror}
            continue
        deeper = []
        for entry in entries:
            name = f"{folder}{entry.name}"
            if is_litter(name) or entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                deeper.append(f"{name}/")
            elif entry.is_file():
                if _lies_beside(Path(entry.path)):
                    batch.n_beside += 1
                else:
                    yield name, ""
        folders += reversed(deeper)


def _lies_beside(path: Path) -> bool:
    if not path.name.lower().endswith(BESIDE):
        return False
    try:
        with path.open("rb") as file:
            return not file.read(4).startswith(_IMAGE_HEADS)
    except OSError:
        return True


def _unfit(name: str) -> str:
    """Why a file of this name cannot be taken in; empty where it can."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return _("Its name is not written in UTF-8; rename it.")
    if len(name) > LONGEST_NAME:
        return _("Its name with its folders has %(n)d characters, and at most %(limit)d fit; shorten it.") % {
            "n": len(name),
            "limit": LONGEST_NAME,
        }
    return ""


def check_folder(path: Path) -> None:
    """Refuse a path of the server's that cannot be read.

    Raises:
        InvalidInput: It is not there, or not for us to read.
    """
    if not path.exists():
        raise InvalidInput(_("There is nothing at “%(path)s”; check the path.") % {"path": path})
    if not os.access(path, os.R_OK | (os.X_OK if path.is_dir() else 0)):
        raise InvalidInput(
            _("“%(path)s” may not be read by the user under whom this runs; change its permissions.")
            % {"path": path}
        )
