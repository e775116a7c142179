"""What scientists get: candidates in their order, as a page and as a table, and confirmed craters."""

from collections.abc import Iterator
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST, require_safe

from annotate.access import LEADS, me, roles_in
from annotate.models import Campaign
from review import access
from review.models import Errand, Picture
from review.services.foils import errands
from review.services.foils.results import candidates, reckoning, tables, test_set
from review.services.foils.results.candidates import WHICH, Wish
from review.services.foils.rules import rules
from review.tasks import errand_task


@require_GET
def results(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Candidates by the newest reckoning, the most probable first."""
    campaign = access.get_results(request, uid)
    workflow, wish = rules.workflow_of(campaign), _wish(request)
    newest = reckoning.newest(workflow)
    page = candidates.page(newest, wish, after=request.GET.get("after", "")) if newest else None
    query = {"which": wish.which, "foil": wish.foil}
    context = _frame_of(request, campaign) | {
        "reckoning": newest,
        "page": page,
        "n": candidates.count(newest, wish) if newest else 0,
        "n_new": candidates.n_without_estimate(workflow, newest),
        "n_confirmed": test_set.confirmed(campaign).count(),
        "n_kept_to_test": test_set.confirmed(campaign)
        .filter(subject__picture__side=Picture.Side.TEST)
        .count(),
        "lists": WHICH.items(),
        "foils": candidates.foils(workflow),
        "wish": wish,
        "query": urlencode(query),
        "next_query": urlencode(query | {"after": page.after}) if page and page.after else "",
        "is_first": not request.GET.get("after"),
    }
    return render(request, "review/foils/results.html", context)


def _frame_of(request: HttpRequest, campaign: Campaign) -> dict[str, object]:
    """What the pages of results have in common."""
    return {
        "campaign": campaign,
        "errand": errands.latest(rules.workflow_of(campaign), Errand.Kind.RECKON),
        "leads": bool(roles_in(request.user, campaign) & LEADS),
    }


@require_safe
def results_csv(request: HttpRequest, uid: UUID) -> StreamingHttpResponse:
    """The list as the page has it, all of it."""
    campaign, wish = access.get_results(request, uid), _wish(request)
    newest = reckoning.newest(rules.workflow_of(campaign))
    return _file(campaign, f"candidates-{wish.which}", tables.candidates_csv(newest, wish))


@require_safe
def test_set_csv(request: HttpRequest, uid: UUID) -> StreamingHttpResponse:
    """Confirmed craters."""
    campaign = access.get_results(request, uid)
    return _file(campaign, "confirmed-craters", tables.test_set_csv(campaign))


@require_POST
def reckon(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Reckon now instead of in the coming night."""
    campaign = access.get_foils(request, uid)
    asked, is_new = reckoning.ask(rules.workflow_of(campaign), me(request))
    if is_new:
        errand_task.delay_on_commit(asked.pk)
    else:
        messages.info(request, _("It is being reckoned already."))
    back = "review:foil_statistics" if request.POST.get("back") == "statistics" else "review:foil_results"
    return redirect(back, campaign.uid)


def _wish(request: HttpRequest) -> Wish:
    which, foil = request.GET.get("which", ""), request.GET.get("foil", "").strip()[:100]
    return Wish(which or Wish.which, foil)


def _file(campaign: Campaign, name: str, lines: Iterator[str]) -> StreamingHttpResponse:
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    stem = slugify(campaign.name)[:60] or "foils"
    response["Content-Disposition"] = f'attachment; filename="{stem}-{name}.csv"'
    return response
