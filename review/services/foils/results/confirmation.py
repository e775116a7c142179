"""What experts find at the microscope. Append-only: the latest result of a subject counts, all are kept."""

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from annotate.models import Participant
from mlcore.errors import Conflict, InvalidInput
from review.models import Confirmation, Picture, Subject
from review.services.foils import spots as places
from review.services.foils.spots import Spot

LONGEST_NOTE = 2000


def confirm(
    *,
    uid: UUID,
    subject: Subject,
    by: Participant,
    method: str,
    result: str,
    spots: Sequence[Spot],
    note: str = "",
) -> Confirmation:
    """Record a result; the same uid again changes nothing and answers the same.

    Raises:
        InvalidInput: A method, result or place that cannot be, or a crater without a place.
        Conflict: The uid was used for another subject.
    """
    check(subject.picture, method=method, result=result, spots=spots, note=note)
    with transaction.atomic():
        # One at a time of each subject, so that a form sent twice is stored once.
        Subject.objects.select_for_update(no_key=True).get(pk=subject.pk)
        known = Confirmation.objects.filter(uid=uid).first()
        if known is not None:
            if (known.subject_id, known.by_id) != (subject.pk, by.pk):
                raise Conflict(_("This form was sent for another picture already; load the page again."))
            return known
        return Confirmation.objects.create(
            uid=uid,
            subject=subject,
            by=by,
            method=method,
            result=result,
            places=[spot.to_json() for spot in spots],
            note=note.strip(),
        )


def check(picture: Picture, *, method: str, result: str, spots: Sequence[Spot], note: str) -> None:
    """Refuse what cannot be, in a sentence."""
    if method not in Confirmation.Method.values:
        raise InvalidInput(_("Choose the method by which it was looked at."), code="method")
    if result not in Confirmation.Result.values:
        raise InvalidInput(_("Choose what was found."), code="result")
    if result == Confirmation.Result.CRATER and not spots:
        raise InvalidInput(_("Click the crater in the picture: a crater has a place."), code="places")
    if result in (Confirmation.Result.NOTHING, Confirmation.Result.UNCLEAR) and spots:
        raise InvalidInput(
            _(
                "Where nothing is, or nothing is decided, there is no place; remove it, or choose another "
                "result."
            ),
            code="places",
        )
    if len(spots) > places.MOST:
        raise InvalidInput(_("At most %d places are kept of one picture.") % places.MOST, code="places")
    if len(note) > LONGEST_NOTE:
        raise InvalidInput(_("A note has at most %d characters.") % LONGEST_NOTE, code="note")
    if method == Confirmation.Method.OTHER and not note.strip():
        raise InvalidInput(_("Name the other method in the note."), code="note")
    for spot in spots:
        places.check(spot, picture)
