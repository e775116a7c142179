"""Pictures sent: uploads kept under names of ours, and what may be sent at all."""

import shutil
from collections.abc import Sequence
from pathlib import Path, PurePath

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db.models import F, Sum
from django.utils.translation import gettext as _

from annotate.models import Campaign, Participant
from annotate.services.disk import in_words
from annotate.services.names import clean_label
from annotate.services.storage import check_size, store
from mlcore.errors import Conflict, InvalidInput, NoRoom
from mlcore.formats.foil_names import NamePattern, Place
from mlcore.formats.foil_places import check_place
from review.models import Frame, Picture, PictureImport
from review.services.foils.intake import incoming

State = PictureImport.State
# Up to this an upload is looked through while its sender waits: about a second.
SMALL_BYTES = 20_000_000
# Each is an open file while it comes; settings.DATA_UPLOAD_MAX_NUMBER_FILES lets the table come too.
MOST_UPLOADS = 200
# As file systems have it, with room for a number.
LONGEST_NAME_BYTES = 240
MOST_WAITING = 20


def take_in(
    *,
    campaign: Campaign,
    requested_by: Participant | None,
    uploads: Sequence[UploadedFile] = (),
    path: Path | None = None,
    table: UploadedFile | Path | None = None,
    pattern: str = "",
    pages: str = PictureImport.Pages.FOCUS,
    nm_per_px: float | None = None,
    purpose: str = Picture.Purpose.SURVEY,
) -> PictureImport:
    """Keep pictures to be looked through; the caller does that, or enqueues it where they are many.

    Args:
        campaign: One on foils.
        requested_by: Who brings them.
        uploads: Images and archives that came over the web; or
        path: a folder of the server's, which is read where it lies, or a file of it. With neither, the
            table corrects pictures that are there.
        table: File names with foil, stage position and size of a pixel.
        pattern: How file names are read; may be given later.
        pages: What the pages of a TIFF stack are, of PictureImport.Pages.
        nm_per_px: Of pictures of which neither table nor name says it.
        purpose: What they are for, of Picture.Purpose.

    Raises:
        InvalidInput: Something is empty, too large or not there.
        NoRoom: The disk has no room for it, or its sender has taken their share.
        Conflict: Too many batches of the campaign wait.
    """
    check_settings(pattern, pages, nm_per_px, purpose)
    if not uploads and path is None and table is None:
        raise InvalidInput(_("Choose at least one image, archive or table."), code="no_file")
    if campaign.picture_imports.filter(state__in=(State.LISTING, State.UPLOADED)).count() >= MOST_WAITING:
        raise Conflict(
            _("%(n)d batches of this campaign wait to be confirmed. Confirm or discard one of them first.")
            % {"n": MOST_WAITING},
            code="too_many_waiting",
        )
    names = _names_of(uploads)
    _check_share(requested_by, sum(upload.size or 0 for upload in uploads))
    is_folder = path is not None and path.is_dir()
    if path is not None:
        incoming.check_folder(path)
    batch = PictureImport(
        campaign=campaign,
        requested_by=requested_by,
        file_name=_title(names, path, table),
        path=str(path.absolute()) if path is not None and is_folder else "files",
        is_ours=not is_folder,
        is_correction=not uploads and path is None,
        pattern=pattern.strip(),
        pages=pages,
        nm_per_px=nm_per_px,
        purpose=purpose,
        synthetic=campaign.synthetic,
    )
    try:
        _store_sent(batch, uploads, path, names)
        if table is not None:
            keep_table(batch, table)
        batch.save()
    except BaseException:
        shutil.rmtree(incoming.folder_of(batch), ignore_errors=True)
        raise
    return batch


def _store_sent(
    batch: PictureImport, uploads: Sequence[UploadedFile], path: Path | None, names: list[str]
) -> None:
    """Put what was sent into the batch's folder; a folder of the server's stays where it is."""
    sent = incoming.sent_of(batch)
    sent.mkdir(parents=True)
    for number, upload in enumerate(uploads):
        store(sent / str(number), None, upload)
    if path is not None and batch.is_ours:
        # Read where it lies, once: what comes of it is ours.
        (sent / "0").symlink_to(path.absolute())
        names = [_plain(path.name)]
    batch.table = {**batch.table, "sent": names}


def _names_of(uploads: Sequence[UploadedFile]) -> list[str]:
    """What uploads are called, each checked for its size."""
    if len(uploads) > MOST_UPLOADS:
        raise InvalidInput(
            _("You chose %(n)d files; at most %(limit)d are taken at once. Pack them as .zip or .tar.")
            % {"n": len(uploads), "limit": MOST_UPLOADS},
            code="too_many_files",
        )
    names = [_plain(upload.name) for upload in uploads]
    for name, upload in zip(names, uploads, strict=True):
        check_size(name, upload.size or 0)
    return names


def _plain(given: object) -> str:
    """The last part of a name that came from elsewhere, fit to be a file's below ours."""
    last = PurePath(str(given).replace("\\", "/")).name
    kept = clean_label(last).lstrip(". ").encode()[:LONGEST_NAME_BYTES].decode(errors="ignore")
    return kept or _("unnamed")


def _title(names: list[str], path: Path | None, table: UploadedFile | Path | None) -> str:
    """What the batch is called on pages."""
    if path is not None:
        return clean_label(path.absolute().name) or str(path)
    if names:
        more = _(" and %(n)d more") % {"n": len(names) - 1} if len(names) > 1 else ""
        return f"{names[0]}{more}"
    return _plain(getattr(table, "name", ""))


def keep_table(batch: PictureImport, table: UploadedFile | Path) -> None:
    """Keep the batch's table in place of the one before; its row is saved by the caller."""
    name = _plain(table.name)
    if isinstance(table, Path):
        incoming.check_folder(table)
        size = table.stat().st_size
    else:
        size = table.size or 0
    check_size(name, size)
    target = incoming.table_of(batch)
    target.unlink(missing_ok=True)
    store(target, table if isinstance(table, Path) else None, None if isinstance(table, Path) else table)
    batch.table = {**batch.table, "file_name": name, "report": None}


def check_settings(pattern: str, pages: str, nm_per_px: float | None, purpose: str) -> None:
    """Refuse what cannot be used.

    Raises:
        InvalidInput: The sentence says what and why.
    """
    if pattern.strip():
        NamePattern(pattern)
    check_place(Place(nm_per_px=nm_per_px))
    if pages not in PictureImport.Pages.values:
        raise InvalidInput(_("The pages of a stack are either one place in focus, or pictures each."))
    check_purpose(purpose)


def check_purpose(purpose: str) -> None:
    """Refuse what pictures cannot be for.

    Raises:
        InvalidInput: The sentence says what they can be for.
    """
    if purpose not in Picture.Purpose.values:
        raise InvalidInput(
            _("Pictures are for the survey, for reference or blank; nothing is called “%(purpose)s”.")
            % {"purpose": purpose}
        )


def _check_share(person: Participant | None, size: int) -> None:
    """Refuse more than a person may have on the disk; staff may, and so may commands."""
    if person is None or (person.user is not None and person.user.is_staff):
        return
    in_pictures = (
        Frame.objects.filter(picture__campaign__created_by=person).aggregate(
            n=Sum(F("picture__width_px") * F("picture__height_px") * F("bits") / 8)
        )["n"]
        or 0
    )
    if in_pictures + size > settings.MAX_BYTES_PER_PERSON:
        raise NoRoom(
            _(
                "The pictures of your campaigns take %(taken)s and may take %(limit)s, so %(size)s more are "
                "too much. Ask whoever runs this site (MAX_BYTES_PER_PERSON)."
            )
            % {
                "taken": in_words(in_pictures),
                "limit": in_words(settings.MAX_BYTES_PER_PERSON),
                "size": in_words(size),
            },
            code="share_full",
        )


def is_small(batch: PictureImport) -> bool:
    """Whether its sender can wait while it is looked through."""
    sent = [*incoming.sent_of(batch).iterdir(), incoming.table_of(batch)]
    return batch.is_ours and sum(path.stat().st_size for path in sent if path.exists()) <= SMALL_BYTES
