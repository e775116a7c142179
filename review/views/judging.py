"""The review desk: one proposal at a time, most instructive first."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from annotate.access import me
from annotate.models import Campaign
from mlcore.bodies import get_body
from review import access
from review.models import Classification, Workflow
from review.services import lessons
from review.services.policies import candidates


@require_GET
def review(request: HttpRequest, uid: UUID) -> HttpResponse:
    """The desk; its script asks for the first subject, so that looking at the page leases nothing."""
    campaign = access.get_map_campaign(request, uid)
    workflow = candidates.workflow_of(campaign)
    as_reviewer = access.is_reviewer(request, campaign)
    return render(
        request,
        "review/review.html",
        {
            "campaign": campaign,
            "as_reviewer": as_reviewer,
            "lessons": lessons.since_current(campaign) if as_reviewer else None,
            "reasons": Classification.RejectReason.choices,
            "config": {**_config(campaign, workflow), "participant": str(me(request).uid)},
        },
    )


def _config(campaign: Campaign, workflow: Workflow) -> dict[str, object]:
    body = get_body(campaign.body)
    return {
        "body": {"name": body.name, "title": body.title, "radius_m": body.radius_m},
        "urls": {
            "next": reverse("review:api_next", args=[workflow.uid]),
            "answer": reverse("review:api_classifications", args=[workflow.uid]),
            "back": reverse("review:api_back", args=[workflow.uid]),
        },
        "reasons": [{"key": key, "title": str(title)} for key, title in Classification.RejectReason.choices],
        "nothing": {
            "finished": {
                "title": _("All judged"),
                "text": _(
                    "You have judged every proposal there is. Thank you: the next model learns from it once "
                    "a lead presses Train."
                ),
            },
            "waiting": {
                "title": _("Others are at it"),
                "text": _(
                    "The proposals left are with other judges just now; load this page again in some minutes."
                ),
            },
            "none": {
                "title": _("No proposals yet"),
                "text": _(
                    "No model has proposed anything here. A lead starts one under Models and runs: train, "
                    "promote, and it predicts."
                ),
            },
        },
    }
