"""Home and profile: what waits for me, and what became of what I did."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from annotate.access import DRAWERS, authorise, me, roles_in
from annotate.models import Campaign, Membership, Role
from annotate.services import overview
from annotate.services.participants import participant_of
from annotate.views.steps import Step, next_step
from review.access import MATRIX, find_judge
from review.services import records
from review.services.foils.people import people
from review.views.foils import steps

# What is open in each of them is counted, so only the latest are shown.
MOST_ON_HOME = 12


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """The landing page for those not signed in; for others their campaigns and the next step."""
    authorise(request, matrix=MATRIX)
    seen = overview.with_progress(Campaign.objects.visible_to(request.user)).order_by("-created_at")
    seen = seen.prefetch_related("layers__basemap")
    if not request.user.is_authenticated:
        campaigns = [(campaign, _step_of_guest(request, campaign)) for campaign in seen[:MOST_ON_HOME]]
        at_once = next((step for _campaign, step in campaigns if step), None)
        return render(request, "review/landing.html", {"campaigns": campaigns, "at_once": at_once})
    is_member = Membership.objects.filter(user=request.user).values("campaign")
    mine = list(seen.filter(pk__in=is_member)[:MOST_ON_HOME])
    own = [(campaign, _step_in(request, campaign)) for campaign in mine]
    to_do = [(campaign, step) for campaign, step in own if step.url]
    return render(
        request,
        "review/home.html",
        {
            "first": max(to_do, key=lambda one: one[1].is_begun, default=None),
            "mine": own,
            "others": [
                (campaign, _step_of_guest(request, campaign))
                for campaign in seen.exclude(pk__in=is_member)[:MOST_ON_HOME]
            ],
            "runs": records.active_runs(mine),
        },
    )


def _step_in(request: HttpRequest, campaign: Campaign) -> Step:
    roles = roles_in(request.user, campaign)
    if campaign.kind == Campaign.Kind.FOIL:
        return steps.next_step(find_judge(request), roles, campaign)
    waiting = records.waiting_in(campaign, participant_of(request.user)) if roles & DRAWERS else 0
    return next_step(request.user, roles, campaign, proposals_waiting=waiting)


def _step_of_guest(request: HttpRequest, campaign: Campaign) -> Step | None:
    """What somebody can do who is no member: on maps nothing yet, pictures of foils anyone judges."""
    if campaign.kind != Campaign.Kind.FOIL or not campaign.pictures.survey().exists():
        return None
    return steps.next_step(find_judge(request), frozenset(), campaign)


@require_GET
def profile(request: HttpRequest) -> HttpResponse:
    """My record: seen by nobody else."""
    authorise(request, matrix=MATRIX)
    participant = me(request)
    memberships = Membership.objects.filter(user=request.user).select_related("campaign")
    roles: dict[Campaign, list[str]] = {}
    for membership in memberships.order_by("-campaign__created_at", "pk"):
        roles.setdefault(membership.campaign, []).append(Role(membership.role).label)
    drawn = overview.records_of(participant)
    return render(
        request,
        "review/profile.html",
        {
            "roles": roles,
            "drawn": drawn,
            "judged": records.answers_of(participant),
            "triaged": people.own_records(participant),
            "n_visits": sum(record.visits for record in drawn),
            "n_marks": sum(record.marks for record in drawn),
            "n_confirmed": sum(record.confirmed for record in drawn),
        },
    )
