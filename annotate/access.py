"""Who may do what with campaigns, tiles, marks, basemaps and catalogues: one matrix, as data.

A view fetches and authorises in one call, `get_campaign(request, uid)` and its siblings. The
permission is looked up under the URL's own name and method, so a URL without a row lets nobody in,
and the test that walks every URL × role reads the same rows.
"""

from collections.abc import Mapping
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _

from annotate.models import (
    Basemap,
    Campaign,
    Catalogue,
    CatalogueImport,
    Feature,
    Mark,
    Membership,
    Participant,
    Role,
    User,
    Visit,
)
from annotate.models.basemap import BasemapQuerySet
from annotate.models.catalogue_import import CatalogueImportQuerySet
from annotate.services.participants import participant_of
from mlcore.errors import Conflict, NotAllowed, NotFound

# Besides the roles of a campaign: anyone at all, anyone signed in, and the site's staff. On an
# object of a private campaign the first two mean its members only.
ANYONE = "anyone"
SIGNED_IN = "signed_in"
STAFF = "staff"

Permission = frozenset[str]
Matrix = Mapping[str, Mapping[str, Permission]]

MEMBERS: Permission = frozenset(Role.values)
DRAWERS: Permission = frozenset({Role.ANNOTATOR, Role.REVIEWER, Role.LEAD})
LEADS: Permission = frozenset({Role.LEAD})
READERS: Permission = frozenset({ANYONE}) | MEMBERS
PEOPLE: Permission = frozenset({SIGNED_IN}) | MEMBERS
STAFF_ONLY: Permission = frozenset({STAFF})

# {URL name: {method: who}}. Staff may do everything; HEAD counts as GET.
MATRIX: Matrix = {
    "annotate:campaign_list": {"GET": READERS},
    "annotate:campaign_new": {"GET": PEOPLE, "POST": PEOPLE},
    "annotate:campaign_new_tiles": {"GET": PEOPLE},
    "annotate:campaign_new_foils": {"GET": PEOPLE, "POST": PEOPLE},
    "annotate:campaign": {"GET": READERS},
    "annotate:campaign_settings": {"GET": LEADS, "POST": LEADS},
    "annotate:campaign_members": {"GET": LEADS, "POST": LEADS},
    "annotate:campaign_tiles": {"GET": LEADS, "POST": LEADS},
    "annotate:campaign_join": {"POST": PEOPLE},
    "annotate:sign_out_everywhere": {"POST": PEOPLE},
    "annotate:label": {"GET": DRAWERS},
    "annotate:basemap_list": {"GET": READERS},
    "annotate:basemap_new": {"GET": PEOPLE, "POST": PEOPLE},
    "annotate:basemap": {"GET": READERS},
    "annotate:basemap_status": {"GET": READERS},
    "annotate:basemap_tile": {"GET": READERS},
    "annotate:basemap_retry": {"POST": PEOPLE},
    "annotate:basemap_rename": {"POST": PEOPLE},
    "annotate:basemap_delete": {"POST": PEOPLE},
    "annotate:catalogue_list": {"GET": READERS},
    "annotate:catalogue_import": {"GET": PEOPLE, "POST": PEOPLE},
    "annotate:import_preview": {"GET": PEOPLE},
    "annotate:import_status": {"GET": PEOPLE},
    "annotate:import_again": {"POST": PEOPLE},
    "annotate:import_confirm": {"POST": PEOPLE},
    "annotate:import_discard": {"POST": PEOPLE},
    "annotate:import_rejected": {"GET": PEOPLE},
    "annotate:catalogue": {"GET": READERS},
    "annotate:catalogue_rename": {"POST": PEOPLE},
    "annotate:catalogue_delete": {"POST": PEOPLE},
    "annotate:catalogue_csv": {"GET": READERS},
    "annotate:catalogue_geojson": {"GET": READERS},
    "annotate:map_tile": {"GET": READERS},
    "annotate:api_tile_next": {"POST": DRAWERS},
    "annotate:api_visit": {"GET": DRAWERS},
    "annotate:api_visit_submit": {"POST": DRAWERS},
    "annotate:api_visit_reopen": {"POST": DRAWERS},
    "annotate:api_visit_return": {"POST": DRAWERS},
    "annotate:api_visit_extend": {"POST": DRAWERS},
    "annotate:api_marks": {"POST": DRAWERS},
    "annotate:api_mark": {"PATCH": DRAWERS, "DELETE": DRAWERS},
    "annotate:api_mark_restore": {"POST": DRAWERS},
    "annotate:api_view": {"PUT": DRAWERS},
    "annotate:api_features": {"GET": READERS},
    "annotate:api_catalogue_features": {"GET": READERS},
    "annotate:api_basemap": {"GET": READERS},
    "annotate:api_basemap_value": {"GET": READERS},
}

# Blindness: nobody who draws may see what others found before the result stands. These roles see
# catalogues made from marks or by models at any time; a watching role counts only for somebody who
# is not an annotator too. Everybody else waits until every tile of the campaign is settled.
SIGHTED: Permission = frozenset({Role.REVIEWER, Role.LEAD, STAFF})
WATCHING: Permission = frozenset({Role.READER, Role.PANELIST, Role.CHAIR})


class SignInNeeded(NotAllowed):
    """The asker is not signed in: pages redirect to the sign-in, the API answers 401."""

    code = "sign_in"


class OtherPerson(Conflict):
    """A page that one person opened asks while another is signed in."""

    code = "other_person"


class MembershipNeeded(NotAllowed):
    """The asker is no member of a public campaign, and would be allowed after joining it.

    Args:
        campaign: Which.
    """

    def __init__(self, campaign: Campaign) -> None:
        super().__init__(_("This is for members of “%(name)s”: join it first.") % {"name": campaign.name})
        self.campaign = campaign


def permission_of(request: HttpRequest, matrix: Matrix) -> Permission:
    """The row of this request's URL and method; empty, so nobody, where there is none."""
    name = request.resolver_match.view_name if request.resolver_match else ""
    method = "GET" if request.method in ("HEAD", "OPTIONS") else str(request.method)
    return matrix.get(name, {}).get(method, frozenset())


def roles_in(user: User, campaign: Campaign | None) -> frozenset[str]:
    """What the user is to the campaign (or to the site, without one)."""
    roles: set[str] = set()
    public = campaign is None or campaign.visibility == Campaign.Visibility.PUBLIC
    if public:
        roles.add(ANYONE)
    if not user.is_authenticated:
        return frozenset(roles)
    if public:
        roles.add(SIGNED_IN)
    if user.is_staff:
        roles |= {ANYONE, SIGNED_IN, STAFF, *Role.values}
    if campaign is not None:
        roles |= set(Membership.objects.filter(campaign=campaign, user=user).values_list("role", flat=True))
    return frozenset(roles)


def is_blind(user: User, campaign: Campaign) -> bool:
    """Whether what others found in the campaign, people or models, is still hidden from the user."""
    roles = roles_in(user, campaign)
    if roles & SIGHTED or (roles & WATCHING and Role.ANNOTATOR not in roles):
        return False
    return campaign.tiles.open().exists()


def refuse_blind(user: User, campaign: Campaign) -> None:
    """Refuse those who must not see yet what others found.

    Raises:
        NotAllowed: See is_blind.
    """
    if is_blind(user, campaign):
        raise NotAllowed(
            _(
                "What others found opens when every tile of “%(name)s” is settled "
                "(%(settled)d of %(tiles)d so far): until then everyone draws by their own eyes."
            )
            % {
                "name": campaign.name,
                "settled": campaign.tiles.settled().count(),
                "tiles": campaign.tiles.count(),
            },
            code="blind",
        )


def authorise(request: HttpRequest, campaign: Campaign | None = None, *, matrix: Matrix = MATRIX) -> None:
    """Refuse unless the asker's roles meet the URL's row.

    Raises:
        NotFound: The campaign is private and the asker no member: its existence stays unsaid.
        SignInNeeded: Somebody signed in might be allowed.
        MembershipNeeded: Whoever joins the public campaign may do this.
        NotAllowed: The asker sees the campaign but may not do this.
        OtherPerson: See refuse_other_person.
    """
    refuse_other_person(request)
    permission = permission_of(request, matrix)
    if ANYONE in permission and (campaign is None or campaign.visibility == Campaign.Visibility.PUBLIC):
        return
    roles = roles_in(request.user, campaign)
    if roles & permission:
        return
    if not request.user.is_authenticated:
        raise SignInNeeded(_("Sign in to do this."))
    if campaign is not None and not roles:
        raise NotFound(_("There is nothing at this address, or it is not open to you."))
    if campaign is None:
        raise NotAllowed(_("Only the site's staff may do this."))
    if Role.ANNOTATOR in permission_of(request, matrix) and not roles & MEMBERS:
        raise MembershipNeeded(campaign)
    raise NotAllowed(
        _("Your role in “%(name)s” does not allow this; ask one of its leads.") % {"name": campaign.name}
    )


def refuse_other_person(request: HttpRequest) -> None:
    """A page names whose it is; what it sends must not be done under the name of whoever signed in since.

    Raises:
        OtherPerson: Somebody else is signed in.
    """
    owner = request.headers.get("X-Participant")
    if not owner or not request.user.is_authenticated:
        return
    participant = participant_of(request.user)
    if owner != str(participant.uid) and owner not in map(str, _earlier_selves(participant)):
        raise OtherPerson(
            _("You are signed in as %(name)s, but this page belongs to somebody else; sign in as them.")
            % {"name": request.user.get_username()}
        )


def _earlier_selves(participant: Participant) -> QuerySet[Participant, UUID]:
    """The uids of who they were before they signed in."""
    return participant.earlier_selves.values_list("uid", flat=True)


def get_campaign(request: HttpRequest, uid: UUID, *, matrix: Matrix = MATRIX) -> Campaign:
    """The campaign, if the asker may do with it what this URL does."""
    campaign = Campaign.objects.filter(uid=uid).first()
    if campaign is None:
        raise NotFound(_("There is no campaign at this address."))
    authorise(request, campaign, matrix=matrix)
    return campaign


def get_map_campaign(request: HttpRequest, uid: UUID, *, matrix: Matrix = MATRIX) -> Campaign:
    """The campaign, if the asker may do this with it and it is one on a map.

    Raises:
        NotFound: It is one on pictures of foils, which have neither tiles nor basemaps.
    """
    campaign = get_campaign(request, uid, matrix=matrix)
    if campaign.kind == Campaign.Kind.FOIL:
        raise NotFound(
            _("“%(name)s” has pictures of foils and no map; its pictures are judged on a page of their own.")
            % {"name": campaign.name}
        )
    return campaign


def get_visit(request: HttpRequest, uid: UUID) -> Visit:
    """The asker's own visit; nobody else's, whatever the role."""
    visit = Visit.objects.select_related("tile__campaign", "participant").filter(uid=uid).first()
    if visit is None:
        raise NotFound(_("There is no visit at this address."))
    if visit.participant.user_id == request.user.pk:
        # Whose page it is is asked next: the answer is here already.
        request.user.participant = visit.participant
    authorise(request, visit.tile.campaign)
    if visit.participant.user_id != request.user.pk:
        raise NotFound(_("There is no visit of yours at this address."))
    return visit


def get_mark(request: HttpRequest, uid: UUID) -> Mark:
    """The asker's own mark; nobody else's, whatever the role."""
    mark = Mark.objects.select_related("visit__tile__campaign", "visit__participant").filter(uid=uid).first()
    if mark is None:
        raise NotFound(_("There is no mark at this address."))
    authorise(request, mark.visit.tile.campaign)
    if mark.visit.participant.user_id != request.user.pk:
        raise NotFound(_("There is no mark of yours at this address."))
    return mark


def basemaps_for(user: User) -> BasemapQuerySet:
    """The basemaps that the user added and those of campaigns open to the user; staff see all."""
    if user.is_authenticated and user.is_staff:
        return Basemap.objects.all()
    campaigns = Campaign.objects.visible_to(user)
    seen = (
        Q(campaigns__in=campaigns)
        | Q(derived__campaigns__in=campaigns)
        | Q(derived_from__campaigns__in=campaigns)
    )
    if user.is_authenticated:
        seen |= Q(added_by__user=user) | Q(derived_from__added_by__user=user)
    return Basemap.objects.filter(pk__in=Basemap.objects.filter(seen).values("pk"))


def catalogues_for(user: User) -> QuerySet[Catalogue]:
    """Those of no campaign and of campaigns open to the user, less what is_blind hides."""
    campaigns = Campaign.objects.visible_to(user)
    mapped = campaigns.filter(catalogues__isnull=False).distinct()
    blind = [campaign.pk for campaign in mapped if is_blind(user, campaign)]
    return Catalogue.objects.filter(Q(campaign=None) | Q(campaign__in=campaigns.values("pk"))).exclude(
        ~Q(origin=Catalogue.Origin.IMPORTED), campaign__in=blind
    )


def get_basemap(request: HttpRequest, uid: UUID) -> Basemap:
    """A basemap the asker added, or one of a campaign the asker may see; staff see all."""
    basemap = Basemap.objects.filter(uid=uid).first()
    if basemap is None:
        raise NotFound(_("There is no basemap at this address."))
    user = request.user
    if basemaps_for(user).filter(pk=basemap.pk).exists():
        authorise(request)
        return basemap
    if not user.is_authenticated:
        raise SignInNeeded(_("Sign in to see this basemap."))
    raise NotFound(_("There is no basemap at this address, or it is not open to you."))


def may_keep_basemap(user: User, basemap: Basemap) -> bool:
    """Whether the user may rename and delete it: who added it, and staff."""
    return user.is_staff or (user.is_authenticated and basemap.added_by == participant_of(user))


def get_basemap_to_keep(request: HttpRequest, uid: UUID) -> Basemap:
    """A basemap that the asker may rename and delete.

    Raises:
        NotAllowed: Somebody else added it.
    """
    basemap = get_basemap(request, uid)
    if not may_keep_basemap(request.user, basemap):
        raise NotAllowed(_("Only who added a basemap, and the site's staff, may rename or delete it."))
    return basemap


def may_keep_catalogue(user: User, catalogue: Catalogue) -> bool:
    """Whether the user may rename and delete it: who made it, leads of its campaign, and staff."""
    if user.is_staff:
        return True
    is_maker = user.is_authenticated and catalogue.created_by == participant_of(user)
    return is_maker or (catalogue.campaign is not None and bool(roles_in(user, catalogue.campaign) & LEADS))


def get_catalogue_to_keep(request: HttpRequest, uid: UUID) -> Catalogue:
    """A catalogue that the asker may rename and delete.

    Raises:
        NotAllowed: It is neither the asker's nor of a campaign that the asker leads.
    """
    catalogue = get_catalogue(request, uid)
    if not may_keep_catalogue(request.user, catalogue):
        raise NotAllowed(
            _("Only who made a catalogue, leads of its campaign and the site's staff may change it.")
        )
    return catalogue


def get_catalogue(request: HttpRequest, uid: UUID) -> Catalogue:
    """A catalogue of a campaign the asker may see, or one that belongs to no campaign.

    Raises:
        NotAllowed: It was made from marks or by a model, and the asker must not see it yet.
    """
    catalogue = Catalogue.objects.select_related("campaign").filter(uid=uid).first()
    if catalogue is None:
        raise NotFound(_("There is no catalogue at this address."))
    authorise(request, catalogue.campaign)
    if catalogue.campaign is not None and catalogue.origin != Catalogue.Origin.IMPORTED:
        refuse_blind(request.user, catalogue.campaign)
    return catalogue


def imports_of(request: HttpRequest) -> CatalogueImportQuerySet:
    """The asker's own crater lists on their way in."""
    return me(request).catalogue_imports.all()


def get_import(request: HttpRequest, uid: UUID) -> CatalogueImport:
    """A crater list that the asker uploaded; nobody else's, whatever the role.

    Raises:
        NotFound: There is none, or its owner no longer leads the campaign that it was meant for.
    """
    authorise(request)
    waiting = imports_of(request).select_related("campaign", "owner").filter(uid=uid).first()
    if waiting is None or not _may_import_into(request.user, waiting.campaign):
        raise NotFound(_("There is no crater list of yours at this address; it may have been forgotten."))
    return waiting


def _may_import_into(user: User, campaign: Campaign | None) -> bool:
    return campaign is None or bool(roles_in(user, campaign) & LEADS)


def overlays_for(user: User, campaign: Campaign) -> QuerySet[Catalogue]:
    """The campaign's catalogues, and lists of everybody's that reach into its region; none for the blind."""
    if is_blind(user, campaign):
        return Catalogue.objects.none()
    here = Feature.objects.filter(catalogue=OuterRef("pk"), geom__bboverlaps=campaign.region)
    lists = Q(campaign=None, body=campaign.body) & Exists(here)
    return Catalogue.objects.filter(Q(campaign=campaign) | lists).order_by("pk")


def get_overlay(request: HttpRequest, campaign: Campaign, uid: str) -> Catalogue:
    """One of overlays_for, by its uid as given in a query."""
    refuse_blind(request.user, campaign)
    try:
        return overlays_for(request.user, campaign).get(uid=UUID(uid))
    except (ValueError, Catalogue.DoesNotExist):
        raise NotFound(_("This campaign has no such catalogue.")) from None


def me(request: HttpRequest) -> Participant:
    """The participant who is asking.

    Raises:
        SignInNeeded: Nobody is signed in.
    """
    if not request.user.is_authenticated:
        raise SignInNeeded(_("Sign in to do this."))
    return participant_of(request.user)
