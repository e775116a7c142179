"""The front page of a campaign on foils: what there is, and how far it has been judged."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from review import access
from review.services.foils import summary
from review.services.foils.words import OUTCOMES
from review.views.foils.steps import next_step


@require_GET
def hub(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Numbers for everybody who may see the campaign; the tabs are for its leads."""
    campaign = access.get_foils(request, uid)
    found = summary.of(campaign)
    return render(
        request,
        "review/foils/hub.html",
        {
            "campaign": campaign,
            "step": next_step(access.find_judge(request), access.roles_in(request.user, campaign), campaign),
            "summary": found,
            "outcomes": [(OUTCOMES[outcome], n) for outcome, n in found.retired.items()],
        },
    )
