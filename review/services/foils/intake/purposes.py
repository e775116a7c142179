"""What pictures are for, changed afterwards: test shots that were brought in as pictures to be searched.

What somebody has been shown, or has cut a crater out of, stays what it was.
"""

from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _

from annotate.models import Campaign
from mlcore.errors import InvalidInput
from review.models import CutOut, Picture, Subject, Workflow
from review.services.foils.intake import picture_list, sending
from review.services.foils.intake.picture_list import Search
from review.services.foils.rules import rules
from review.services.foils.stream import audit, stream

MOST_AT_ONCE = 5000


@dataclass(frozen=True)
class Changed:
    """How many pictures are for something else now, and how many of those found had to stay."""

    n: int
    n_staying: int


@transaction.atomic
def change(*, campaign: Campaign, search: Search, purpose: str) -> Changed:
    """Have pictures be for something else, and bring the queue into line.

    Args:
        campaign: Whose pictures.
        search: Which of them; not all at once.
        purpose: Of Picture.Purpose.

    Raises:
        InvalidInput: There is no such purpose, nothing was searched for, or too much is found.
    """
    sending.check_purpose(purpose)
    if not search:
        raise InvalidInput(
            _("Search for a name, a foil or a purpose first; then say what these pictures are for.")
        )
    # As fill does it: whatever it adds meanwhile would be asked about.
    workflow = Workflow.objects.select_for_update(no_key=True).get(pk=rules.workflow_of(campaign).pk)
    found = list(
        search.of(campaign).exclude(purpose=purpose).values_list("pk", flat=True)[: MOST_AT_ONCE + 1]
    )
    if len(found) > MOST_AT_ONCE:
        raise InvalidInput(
            _("More than %(most)s pictures are found; search more closely and change them in parts.")
            % {"most": f"{MOST_AT_ONCE:,}"}
        )
    if purpose != Picture.Purpose.SURVEY:
        with connection.cursor() as cursor:
            given = {"workflow": workflow.pk, "pictures": found}
            audit.drop_unseen(cursor, "s.stratum <> 'gold' AND p.id = ANY(%(pictures)s)", given)
    asked_about = Subject.objects.filter(picture=OuterRef("pk"))
    cut = CutOut.objects.filter(picture=OuterRef("pk"), withdrawn_at__isnull=True)
    free = Picture.objects.filter(~Exists(asked_about), ~Exists(cut), pk__in=found)
    n = free.update(purpose=purpose, score_raw=None, score=None)
    stream.fill(workflow=workflow)
    picture_list.forget_figures(campaign)
    return Changed(n, len(found) - n)
