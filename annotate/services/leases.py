"""Handing out tiles under a lease, and taking visits back.

A tile has as many places as the campaign's redundancy. A submitted visit keeps a place for good, a
leased one until its lease runs out; that is looked at when somebody asks, never by a timer.

Locks are taken in one order, participant, campaign, tile, visit, so that nobody waits in a circle.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, Exists, F, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from annotate.models import Campaign, Participant, Tile, Visit
from annotate.models.tile import is_holding, was_taken_away
from annotate.services import consensus
from annotate.services.names import clean_label
from mlcore.errors import Conflict, NotAllowed

# More people than this at the same moment wait for each other where they could have gone on.
_LOOKED_AT = 64


@transaction.atomic
def hand_out(*, campaign: Campaign, participant: Participant) -> Visit | None:
    """The participant's tile to work on: their own leased one if there is any, else a new one.

    Returns:
        None where nothing is free for this person; why_nothing says why.
    """
    # One hand-out at a time per person: a double click must not lease two tiles.
    Participant.objects.select_for_update(no_key=True).get(pk=participant.pk)
    return _resumed(campaign, participant) or _fresh(campaign, participant)


def _resumed(campaign: Campaign, participant: Participant) -> Visit | None:
    """The visit last begun, with its lease renewed; those whose place is gone are closed."""
    mine = Visit.objects.filter(tile__campaign=campaign, participant=participant, state=Visit.State.LEASED)
    leased = mine.select_related("tile__campaign").order_by("-leased_at", "-pk")
    for visit in leased:
        visit.participant = participant
        locked = lock(visit)
        if _has_place(locked):
            return _renew(locked)
        end(locked, Visit.Ending.RAN_OUT)
    return None


def _fresh(campaign: Campaign, participant: Participant) -> Visit | None:
    """A visit to a tile with a free place: a new one, else one that was once taken from the person."""
    unlocked = Tile.objects.select_for_update(skip_locked=True, no_key=True).open()
    for tile_pk, had_before in _in_order(campaign, participant):
        tile = unlocked.filter(pk=tile_pk).first()
        if tile is not None and _has_room(tile, campaign):
            return _begun(tile, participant, campaign, had_before=had_before)
    return _last_place(campaign, participant)


def _has_room(tile: Tile, campaign: Campaign) -> bool:
    """Whether the locked tile has a place left: those counted before it was locked may be gone."""
    return tile.settled_at is None and tile.visits.holding().count() < campaign.redundancy


def _last_place(campaign: Campaign, participant: Participant) -> Visit | None:
    """Looks at every tile, and waits for those that others have locked: they may have a second place."""
    full: set[int] = set()
    while True:
        free = open_to(campaign, participant).exclude(pk__in=full)
        tile = free.select_for_update(of=("self",), no_key=True).first()
        if tile is None:
            return None
        if _has_room(tile, campaign):
            had_before = tile.visits.filter(participant=participant).exists()
            return _begun(tile, participant, campaign, had_before=had_before)
        full.add(tile.pk)


def _in_order(campaign: Campaign, participant: Participant) -> Iterator[tuple[int, bool]]:
    """Tiles of open_to in its order, some dozens, each with whether the person had it before.

    Counted from the visits: of the tiles that nobody has begun, thousands in a young campaign, only the
    first are looked at, and those only when they are needed. A tile begun between the two looks is missed.
    """
    places = (
        Visit.objects.filter(tile__campaign=campaign, tile__settled_at=None)
        .values("tile")
        .annotate(
            n_submitted=Count("pk", filter=Q(state=Visit.State.SUBMITTED)),
            n_holding=Count("pk", filter=is_holding()),
            n_mine=Count("pk", filter=Q(participant=participant)),
            n_taken=Count("pk", filter=Q(participant=participant) & was_taken_away()),
        )
        .filter(n_holding__lt=campaign.redundancy, n_mine=F("n_taken"))
        .order_by("n_taken", "-n_submitted", "-n_holding", "tile__number")
        .values_list("n_taken", "n_holding", "tile__number", "tile")[:_LOOKED_AT]
    )
    begun = list(places)
    yield from ((tile, False) for taken, holding, _number, tile in begun if holding and not taken)
    nobodys = campaign.tiles.open().filter(~Exists(Visit.objects.filter(tile=OuterRef("pk"))))
    untouched = [
        *nobodys.order_by("number").values_list("number", "pk")[:_LOOKED_AT],
        *((number, tile) for taken, holding, number, tile in begun if not holding and not taken),
    ]
    yield from ((tile, False) for _number, tile in sorted(untouched))
    yield from ((tile, True) for taken, _holding, _number, tile in begun if taken)


def _begun(tile: Tile, participant: Participant, campaign: Campaign, *, had_before: bool) -> Visit:
    """The person's visit to the locked tile, leased; with all marks of it where there was one before."""
    lease = {
        "state": Visit.State.LEASED,
        "ending": "",
        "return_reason": "",
        "released_by": None,
        "leased_at": timezone.now(),
        "lease_expires_at": _lease_end(campaign),
    }
    tile.campaign = campaign
    if not had_before:
        return Visit.objects.create(tile=tile, participant=participant, **lease)
    tile.visits.filter(participant=participant).update(**lease)
    return tile.visits.select_related("tile__campaign").get(participant=participant)


def open_to(campaign: Campaign, participant: Participant) -> QuerySet[Tile]:
    """Tiles with a place left for the person, in the order of handing out.

    What the person submitted or gave back does not come again; what was taken away comes last.
    """
    mine = Visit.objects.filter(tile=OuterRef("pk"), participant=participant)
    tiles = _with_free_places(campaign).annotate(was_taken_away=Exists(mine.taken_away()))
    return tiles.exclude(Exists(mine), was_taken_away=False).order_by("was_taken_away", *tiles.query.order_by)


def _with_free_places(campaign: Campaign) -> QuerySet[Tile]:
    """Open tiles with a place left: those nearest to being settled first, then in reading order."""
    here = Visit.objects.filter(tile=OuterRef("pk")).order_by().values("tile").annotate(n=Count("pk"))
    return (
        campaign.tiles.open()
        .annotate(
            n_holding=Coalesce(Subquery(here.holding().values("n"), output_field=IntegerField()), 0),
            n_submitted=Coalesce(Subquery(here.submitted().values("n"), output_field=IntegerField()), 0),
        )
        .filter(n_holding__lt=campaign.redundancy)
        .order_by("-n_submitted", "-n_holding", "number")
    )


def why_nothing(*, campaign: Campaign, participant: Participant) -> str:
    """Say "waiting" where others hold tiles that may come back to this person, else "finished"."""
    mine = Visit.objects.filter(participant=participant).exclude(pk__in=Visit.objects.taken_away())
    unseen = campaign.tiles.open().exclude(visits__in=mine)
    here = Visit.objects.filter(tile=OuterRef("pk")).order_by().values("tile").annotate(n=Count("pk"))
    wanting = unseen.annotate(
        n_submitted=Coalesce(Subquery(here.submitted().values("n"), output_field=IntegerField()), 0)
    ).filter(n_submitted__lt=campaign.redundancy)
    return "waiting" if wanting.exists() else "finished"


def lock(visit: Visit) -> Visit:
    """The visit as it stands now, its tile locked, then itself; to be called in a transaction.

    What never changes hands, its campaign and whose it is, is taken over and not read once more.
    """
    tile = Tile.objects.select_for_update(no_key=True).get(pk=visit.tile_id)
    locked = Visit.objects.select_for_update(no_key=True).get(pk=visit.pk)
    tile.campaign = visit.tile.campaign
    locked.tile, locked.participant = tile, visit.participant
    return locked


def hold(visit: Visit) -> None:
    """Make sure that the locked visit may be written to, renewing a lease that has run out or soon will.

    Raises:
        Conflict: It was submitted or returned, or its lease ran out and others took the place.
    """
    if visit.state == Visit.State.SUBMITTED:
        raise Conflict(
            _("Tile %(number)d is submitted; undo that first to change it.") % {"number": visit.tile.number},
            code="submitted",
        )
    if visit.state == Visit.State.RETURNED:
        raise _why_returned(visit)
    if not _has_place(visit):
        raise _lease_lost(visit)
    if visit.lease_expires_at - timezone.now() < _lease(visit.tile.campaign) / 2:
        _renew(visit)


def _why_returned(visit: Visit) -> Conflict:
    if visit.ending == Visit.Ending.RAN_OUT:
        return _lease_lost(visit)
    if visit.ending == Visit.Ending.RELEASED:
        return Conflict(
            _(
                "Tile %(number)d was released by %(who)s (%(why)s). What you had saved on it is kept; "
                "ask for the next tile."
            )
            % {
                "number": visit.tile.number,
                "who": visit.released_by or _("a lead"),
                "why": visit.return_reason or _("no reason given"),
            },
            code="released",
        )
    return Conflict(
        _("Tile %(number)d was given back; ask for the next one.") % {"number": visit.tile.number},
        code="returned",
    )


def _lease_lost(visit: Visit) -> Conflict:
    # How long ago, not when: the server does not know the reader's time of day.
    return Conflict(
        _(
            "Your lease of tile %(number)d ran out %(ago)s ago and its places are taken by others. "
            "What was saved is kept; ask for the next tile."
        )
        % {"number": visit.tile.number, "ago": timesince(visit.lease_expires_at)},
        code="lease_lost",
    )


@transaction.atomic
def extend(visit: Visit) -> Visit:
    """The visit with a full lease from now on."""
    locked = lock(visit)
    hold(locked)
    return _renew(locked)


@transaction.atomic
def give_back(visit: Visit, reason: str) -> Visit:
    """Return the tile undone; somebody else will get it, this person never again."""
    locked = lock(visit)
    if locked.state == Visit.State.SUBMITTED:
        raise Conflict(
            _("Tile %(number)d is submitted; undo that first.") % {"number": locked.tile.number},
            code="submitted",
        )
    return end(locked, Visit.Ending.GIVEN_BACK, reason)


def end(visit: Visit, ending: Visit.Ending, reason: str = "", by: Participant | None = None) -> Visit:
    """The locked visit, returned; its marks stay with it."""
    visit.state = Visit.State.RETURNED
    visit.ending = ending
    visit.return_reason = clean_label(reason)
    visit.released_by = by
    visit.save(update_fields=["state", "ending", "return_reason", "released_by"])
    return visit


@transaction.atomic
def submit(visit: Visit, empty: bool) -> Visit:
    """Say that the tile was searched. Submitting again answers the same.

    Raises:
        Conflict: It is called empty though marks stand on it; or the place was lost.
    """
    locked = lock(visit)
    if locked.state == Visit.State.SUBMITTED:
        return locked
    hold(locked)
    n_marks = locked.marks.standing().count()
    if empty and n_marks:
        raise Conflict(
            _(
                "Tile %(number)d has %(n)d marks and cannot be submitted as empty. "
                "Delete them, or submit it as searched."
            )
            % {"number": locked.tile.number, "n": n_marks},
            code="not_empty",
        )
    locked.state = Visit.State.SUBMITTED
    locked.submitted_at = timezone.now()
    locked.searched_empty = n_marks == 0
    locked.save(update_fields=["state", "submitted_at", "searched_empty"])
    return locked


@transaction.atomic
def reopen(visit: Visit) -> Visit:
    """Undo a submission: the visit is leased again, and its tile unsettled if need be.

    A next tile on which nothing has been drawn yet goes back untouched, so that it can come again.

    Raises:
        NotAllowed: The campaign is finished and its consensus open to all: a change now would not be blind.
        Conflict: The visit was returned.
    """
    Participant.objects.select_for_update(no_key=True).get(pk=visit.participant_id)
    consensus.lock_campaign(visit.tile.campaign_id)
    locked = lock(visit)
    if locked.state == Visit.State.LEASED:
        return locked
    if locked.state == Visit.State.RETURNED:
        raise Conflict(
            _("Tile %(number)d was given back and cannot be reopened.") % {"number": locked.tile.number},
            code="returned",
        )
    campaign = locked.tile.campaign
    if campaign.redundancy > 1 and not campaign.tiles.open().exists():
        raise NotAllowed(
            _("Every tile of “%(name)s” is settled and the result is open to all: visits stay as they are.")
            % {"name": campaign.name},
            code="finished",
        )
    if locked.tile.settled_at is not None:
        consensus.unsettle_tile(locked.tile)
    _forget_untouched(campaign, locked.participant_id)
    locked.state = Visit.State.LEASED
    locked.submitted_at = None
    locked.searched_empty = False
    locked.leased_at = timezone.now()
    locked.save(update_fields=["state", "submitted_at", "searched_empty", "leased_at"])
    return _renew(locked)


def _forget_untouched(campaign: Campaign, participant_pk: int) -> None:
    """Drop the person's leased visits without a single mark."""
    leased = Visit.objects.filter(
        tile__campaign=campaign, participant=participant_pk, state=Visit.State.LEASED
    )
    # Locked first, looked at after: a mark that is being drawn now must be seen.
    waiting = list(leased.select_for_update(of=("self",)).values_list("pk", flat=True))
    Visit.objects.filter(pk__in=waiting, marks__isnull=True).delete()


def _has_place(visit: Visit) -> bool:
    """Whether the leased visit still has its place: unexpired, or nobody else took it."""
    if visit.lease_expires_at > timezone.now():
        return True
    tile = visit.tile
    others = tile.visits.holding().exclude(pk=visit.pk).count()
    return tile.settled_at is None and others < tile.campaign.redundancy


def _renew(visit: Visit) -> Visit:
    visit.lease_expires_at = _lease_end(visit.tile.campaign)
    visit.save(update_fields=["lease_expires_at"])
    return visit


def _lease(campaign: Campaign) -> timedelta:
    return timedelta(minutes=campaign.lease_minutes)


def _lease_end(campaign: Campaign) -> datetime:
    return timezone.now() + _lease(campaign)
