"""The triage page: one picture at a time before anybody who would help, and the tutorial's pictures."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from annotate.access import authorise
from annotate.models import Campaign
from review import access
from review.models import Workflow
from review.services.foils.judging import tutorial
from review.services.foils.rules import rules

A_DAY_S = 86_400


@require_GET
def triage(request: HttpRequest, uid: UUID) -> HttpResponse:
    """The page; its script asks for pictures, so that looking at it hands out nothing and makes nobody."""
    campaign = access.get_foils(request, uid)
    return render(
        request,
        "review/foils/triage.html",
        {
            "campaign": campaign,
            "lessons": [(lesson, tutorial.draw(lesson.key)) for lesson in tutorial.LESSONS],
            "width_px": tutorial.WIDTH_PX,
            "height_px": tutorial.HEIGHT_PX,
            "config": _config(request, campaign, rules.workflow_of(campaign)),
        },
    )


@require_GET
def lesson(request: HttpRequest, key: str) -> HttpResponse:
    """A picture of the tutorial; the same for everybody, and made by the simulator."""
    authorise(request, matrix=access.MATRIX)
    response = HttpResponse(tutorial.draw(key).content, content_type="image/jpeg")
    response["Cache-Control"] = f"private, max-age={A_DAY_S}"
    return response


def _config(request: HttpRequest, campaign: Campaign, workflow: Workflow) -> dict[str, object]:
    """What the script needs to know: addresses, whose page it is, and what to say when there is nothing."""
    person = access.find_judge(request)
    return {
        "workflow": str(workflow.uid),
        "participant": str(person.participant.uid) if person else "",
        "urls": {
            "state": reverse("review:api_triage", args=[workflow.uid]),
            "start": reverse("review:api_triage_start", args=[workflow.uid]),
            "next": reverse("review:api_triage_next", args=[workflow.uid]),
            "answers": reverse("review:api_triage_answers", args=[workflow.uid]),
            "back": reverse("review:api_triage_back", args=[workflow.uid]),
        },
        "nothing": {
            "finished": {
                "title": _("You have finished what there is"),
                "text": _(
                    "You have judged every picture of “%(name)s” that still needs somebody. Thank you. "
                    "When new pictures come in, they will be here."
                )
                % {"name": campaign.name},
            },
            "waiting": {
                "title": _("Others are at it"),
                "text": _(
                    "The pictures left are before other people just now. This page looks again every half "
                    "minute."
                ),
            },
            "none": {
                "title": _("No pictures yet"),
                "text": _("Nobody has brought pictures into “%(name)s” so far. Come back another day.")
                % {"name": campaign.name},
            },
        },
    }
