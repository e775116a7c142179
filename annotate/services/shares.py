"""How much of the server one person may take, so that nobody's mistake stops the others."""

from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from annotate.models import Basemap, Participant
from annotate.services.disk import in_words
from annotate.services.storage import file_of
from mlcore.errors import Conflict, NoRoom

MAX_WAITING = 10


def check_share(person: Participant | None, given_name: str, size: int) -> None:
    """Refuse another basemap of somebody who has many in the queue or much on the disk; staff may.

    Raises:
        Conflict: MAX_WAITING of theirs wait for their conversion.
        NoRoom: They would have more than MAX_BYTES_PER_PERSON.
    """
    if person is None or (person.user is not None and person.user.is_staff):
        return
    mine = Basemap.objects.filter(added_by=person)
    if mine.originals().filter(state=Basemap.State.UPLOADED).count() >= MAX_WAITING:
        raise Conflict(
            _("%(n)d basemaps of yours wait to be converted. Send “%(name)s” when some of them are ready.")
            % {"n": MAX_WAITING, "name": given_name},
            code="too_many_waiting",
        )
    taken = sum(_bytes_in(f"basemaps/{uid}") for uid in mine.values_list("uid", flat=True))
    if taken + size > settings.MAX_BYTES_PER_PERSON:
        raise NoRoom(
            _(
                "Your basemaps take %(taken)s and may take %(limit)s, so “%(name)s” (%(size)s) is too much. "
                "Delete some that you no longer need, or ask whoever runs this site (MAX_BYTES_PER_PERSON)."
            )
            % {
                "taken": in_words(taken),
                "limit": in_words(settings.MAX_BYTES_PER_PERSON),
                "name": given_name,
                "size": in_words(size),
            },
            code="share_full",
        )


def _bytes_in(relative_path: str) -> int:
    """What a folder holds, whatever becomes of its files meanwhile."""
    return sum(_size(path) for path in file_of(relative_path).rglob("*"))


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size if path.is_file() else 0
    except FileNotFoundError:
        return 0
