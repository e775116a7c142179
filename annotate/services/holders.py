"""Who holds which tile of a campaign, and how a lead takes one out of somebody's hands."""

from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from annotate.models import Campaign, Participant, Visit
from annotate.services import leases
from mlcore.errors import Conflict, NotFound


def held_in(campaign: Campaign) -> QuerySet[Visit]:
    """Leased visits with `n_marks` and `is_over` (ran out, place not yet taken), the oldest first."""
    return (
        Visit.objects.filter(tile__campaign=campaign, state=Visit.State.LEASED)
        .select_related("tile", "participant__user")
        .annotate(
            n_marks=Count("marks", filter=Q(marks__deleted_at=None)),
            is_over=Q(lease_expires_at__lte=timezone.now()),
        )
        .order_by("leased_at", "pk")
    )


@transaction.atomic
def release(*, campaign: Campaign, visit: Visit | None, by: Participant, reason: str = "") -> Visit:
    """Free the tile for others; the marks stay, and their author is told when the page next asks.

    Raises:
        NotFound: The campaign has no such visit.
        Conflict: It was submitted in the meantime.
    """
    if visit is None or visit.tile.campaign_id != campaign.pk:
        raise NotFound(_("Nobody holds this tile here; look at the list again."))
    locked = leases.lock(visit)
    if locked.state == Visit.State.SUBMITTED:
        raise Conflict(
            _("%(who)s has submitted tile %(number)d in the meantime: there is nothing to release.")
            % {"who": locked.participant, "number": locked.tile.number},
            code="submitted",
        )
    if locked.state == Visit.State.RETURNED:
        return locked
    return leases.end(locked, Visit.Ending.RELEASED, reason, by)
