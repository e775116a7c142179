"""Pages of campaigns: the list, a new one, its overview, settings and people, and the way to the map."""

from collections import Counter
from uuid import UUID

from django.contrib import messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from annotate import access
from annotate.forms import (
    CampaignForm,
    CampaignSettingsForm,
    FoilCampaignForm,
    FoilSettingsForm,
    MemberForm,
    RemovalForm,
    TilesForm,
)
from annotate.models import Campaign, Membership, Role, User
from annotate.services import campaigns, members, overview, workbench
from annotate.services.participants import participant_of
from annotate.tasks import settle_due_tiles_task
from annotate.views.steps import next_step
from mlcore.errors import TektiteError

CHANGES_SHOWN = 50
TILE_STATES = {
    "settled": gettext_lazy("settled"),
    "mine": gettext_lazy("searched by me"),
    "begun": gettext_lazy("searched by somebody"),
    "open": gettext_lazy("not searched yet"),
}


@require_GET
def campaign_list(request: HttpRequest) -> HttpResponse:
    access.authorise(request)
    seen = overview.with_progress(Campaign.objects.visible_to(request.user)).order_by("-created_at")
    seen = seen.prefetch_related("layers__basemap")
    mine = set(mine_of(request.user).values_list("pk", flat=True))
    return render(
        request,
        "annotate/campaign_list.html",
        {
            "mine": [campaign for campaign in seen if campaign.pk in mine],
            "others": [campaign for campaign in seen if campaign.pk not in mine],
        },
    )


def mine_of(user: User) -> QuerySet[Campaign]:
    """The campaigns of which the user is a member."""
    if not user.is_authenticated:
        return Campaign.objects.none()
    return Campaign.objects.filter(memberships__user=user).distinct()


@require_http_methods(["GET", "POST"])
def campaign_new(request: HttpRequest) -> HttpResponse:
    access.authorise(request)
    choice = access.basemaps_for(request.user).ready().originals().order_by("body", "name")
    choice = choice.prefetch_related("derived")
    chosen = request.GET.get("basemap")
    form = CampaignForm(request.POST or None, basemaps=choice, initial={"grid_basemap": chosen})
    if request.method == "POST" and form.is_valid():
        try:
            campaign = _create(form, request.user)
        except TektiteError as error:
            form.add_error(None, error.message)
        else:
            messages.success(request, _("“%(name)s” has begun.") % {"name": campaign.name})
            return redirect("annotate:campaign", campaign.uid)
    status = 422 if form.errors else 200
    return render(
        request, "annotate/campaign_new.html", {"form": form, "has_basemaps": choice.exists()}, status=status
    )


def _create(form: CampaignForm, user: User) -> Campaign:
    given = form.cleaned_data
    basemaps = form.basemaps()
    return campaigns.create_campaign(
        name=given["name"],
        body=basemaps[0].body,
        basemaps=basemaps,
        region=form.region(),
        tile_size_px=given["tile_size_px"],
        overlap=given["tile_overlap_px"],
        redundancy=given["redundancy"],
        min_diameter_m=given["min_diameter_m"],
        lease_minutes=given["lease_minutes"],
        visibility=given["visibility"],
        instructions=given["instructions"],
        created_by=participant_of(user),
    )


@require_http_methods(["GET", "POST"])
def campaign_new_foils(request: HttpRequest) -> HttpResponse:
    """A campaign on pictures of foils: it needs no basemap; its pictures come in afterwards."""
    access.authorise(request)
    form = FoilCampaignForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            campaign = campaigns.create_foil_campaign(
                created_by=participant_of(request.user), **form.cleaned_data
            )
        except TektiteError as error:
            form.add_error(None, error.message)
        else:
            messages.success(
                request, _("“%(name)s” has begun. Bring in its pictures next.") % {"name": campaign.name}
            )
            return redirect("annotate:campaign", campaign.uid)
    status = 422 if form.errors else 200
    return render(request, "annotate/campaign_new_foils.html", {"form": form}, status=status)


@require_GET
def campaign_new_tiles(request: HttpRequest) -> HttpResponse:
    """How many tiles the form as filled in so far would lay: a sentence for htmx to put beside it."""
    access.authorise(request)
    form = TilesForm(request.GET, basemaps=access.basemaps_for(request.user).ready().originals())
    context: dict[str, object] = {}
    if form.is_valid():
        try:
            context = _planned(form)
        except TektiteError as error:
            context = {"refusal": error.message}
    return render(request, "annotate/partials/tiles_planned.html", context)


def _planned(form: TilesForm) -> dict[str, object]:
    basemap, size_px = form.cleaned_data["grid_basemap"], form.cleaned_data["tile_size_px"]
    cells = campaigns.plan_tiles(basemap=basemap, tile_size_px=size_px, region=form.region())
    return {
        "basemap": basemap,
        "tiles": [
            overview.TileState(cell.x_px, cell.y_px, cell.width_px, cell.height_px, "planned")
            for cell in cells
        ],
        "n_tiles": len(cells),
        "n_visits": len(cells) * (form.cleaned_data["redundancy"] or 1),
        "edge_m": size_px * basemap.resolution_m_per_px,
    }


@require_GET
def campaign(request: HttpRequest, uid: UUID) -> HttpResponse:
    if access.get_campaign(request, uid).kind == Campaign.Kind.FOIL:
        return redirect("review:foils", uid)
    campaign = (
        overview.with_progress(Campaign.objects.filter(uid=uid)).prefetch_related("layers__basemap").get()
    )
    roles = access.roles_in(request.user, campaign)
    me = participant_of(request.user) if request.user.is_authenticated else None
    tiles = overview.tile_states(campaign, me)
    counts = Counter(tile.state for tile in tiles)
    people = people_of(campaign)
    return render(
        request,
        "annotate/campaign.html",
        {
            "campaign": campaign,
            "step": next_step(request.user, roles, campaign),
            "tiles": tiles,
            "legend": [
                (state, label, counts[state]) for state, label in TILE_STATES.items() if counts[state]
            ],
            "is_blind": access.is_blind(request.user, campaign),
            "catalogues": access.catalogues_for(request.user)
            .filter(campaign=campaign)
            .annotate(n_features=Count("features"))
            .order_by("origin", "-version"),
            # Outsiders see who answers for the campaign; members see each other.
            "people": [p for p in people if roles & access.MEMBERS or Role.LEAD.label in p["roles"]],
            "n_people": len(people),
        },
    )


def people_of(campaign: Campaign) -> list[dict[str, object]]:
    """Members by name, each with the roles held."""
    roles: dict[User, list[Role]] = {}
    for membership in (
        Membership.objects.filter(campaign=campaign).select_related("user").order_by("user__username", "pk")
    ):
        roles.setdefault(membership.user, []).append(Role(membership.role))
    return [
        {"name": user.get_username(), "uid": user.uid, "held": held, "roles": [role.label for role in held]}
        for user, held in roles.items()
    ]


@require_POST
def campaign_join(request: HttpRequest, uid: UUID) -> HttpResponse:
    campaign = access.get_campaign(request, uid)
    members.join(campaign=campaign, user=request.user)
    messages.success(request, _("You are now an annotator of “%(name)s”.") % {"name": campaign.name})
    return redirect("annotate:campaign", campaign.uid)


@require_http_methods(["GET", "POST"])
def campaign_settings(request: HttpRequest, uid: UUID) -> HttpResponse:
    campaign = access.get_campaign(request, uid)
    kind = FoilSettingsForm if campaign.kind == Campaign.Kind.FOIL else CampaignSettingsForm
    form = kind(request.POST or None, initial=_settings_of(campaign))
    if request.method == "POST" and form.is_valid():
        try:
            # A foil's form asks for less: what concerns tiles stays as it is.
            campaigns.update_campaign(campaign=campaign, **_numbers_of(campaign) | form.cleaned_data)
            settle_due_tiles_task.delay_on_commit()
        except TektiteError as error:
            form.add_error(None, error.message)
        else:
            messages.success(request, _("Saved."))
            return redirect("annotate:campaign_settings", campaign.uid)
    context = {"campaign": campaign, "form": form}
    return render(request, "annotate/campaign_settings.html", context, status=422 if form.errors else 200)


def _numbers_of(campaign: Campaign) -> dict[str, object]:
    return {name: getattr(campaign, name) for name in ("redundancy", "min_diameter_m", "lease_minutes")}


def _settings_of(campaign: Campaign) -> dict[str, object]:
    given = {name: getattr(campaign, name) for name in CampaignSettingsForm.base_fields}
    return {**given, "min_diameter_m": f"{campaign.min_diameter_m:.15g}"}


@require_http_methods(["GET", "POST"])
def campaign_members(request: HttpRequest, uid: UUID) -> HttpResponse:
    """People and their roles; a POST adds a role, or takes one away when it says `remove`."""
    campaign = access.get_campaign(request, uid)
    removing = "remove" in request.POST
    form = MemberForm(request.POST if request.method == "POST" and not removing else None)
    try:
        if removing:
            return _remove_member(request, campaign)
        if request.method == "POST" and form.is_valid():
            return _add_member(request, campaign, form)
    except TektiteError as error:
        if removing:
            messages.error(request, error.message)
            return redirect("annotate:campaign_members", campaign.uid)
        form.add_error("who", error.message)
    context = {
        "campaign": campaign,
        "people": people_of(campaign),
        "form": form,
        "changes": members.changes_in(campaign)[:CHANGES_SHOWN],
    }
    return render(request, "annotate/campaign_members.html", context, status=422 if form.errors else 200)


def _add_member(request: HttpRequest, campaign: Campaign, form: MemberForm) -> HttpResponse:
    membership = members.add_member(
        campaign=campaign, who=form.cleaned_data["who"], role=form.cleaned_data["role"], by=request.user
    )
    messages.success(
        request,
        _("%(name)s is now %(role)s here.")
        % {"name": membership.user.get_username(), "role": Role(membership.role).label.lower()},
    )
    return redirect("annotate:campaign_members", campaign.uid)


def _remove_member(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    form = RemovalForm(request.POST)
    is_whole = form.is_valid()
    user = User.objects.filter(uid=form.cleaned_data["remove"]).first() if is_whole else None
    members.remove_member(campaign=campaign, user=user, role=request.POST.get("role", ""), by=request.user)
    messages.success(request, _("The role is taken away; every mark made in it stays."))
    return redirect("annotate:campaign_members", campaign.uid)


@never_cache  # a page from the browser's memory would bring back a tile and marks of long ago
@require_GET
def label(request: HttpRequest, uid: UUID) -> HttpResponse:
    """The map workbench; everything on it comes from its one JSON block and the API."""
    campaign = access.get_map_campaign(request, uid)
    config = workbench.config_for(
        campaign=campaign,
        participant=access.me(request),
        overlays=access.overlays_for(request.user, campaign),
    )
    return render(request, "annotate/label.html", {"campaign": campaign, "config": config})
