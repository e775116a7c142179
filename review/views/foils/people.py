"""Who judges a triage, for its leads: pseudonyms, skills with their uncertainty, and whose answers weigh."""

from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from annotate.access import me
from mlcore.errors import NotFound, TektiteError
from review import access
from review.forms.people import DecisionForm
from review.models import Errand, Judge, Workflow
from review.services.foils import errands
from review.services.foils.ground import ground_of
from review.services.foils.people import people as people_service
from review.services.foils.people import suspects
from review.services.foils.rules.rules import workflow_of
from review.views.foils.asking import ask

SHOWN = 50


@require_http_methods(["GET", "POST"])
def people(request: HttpRequest, uid: UUID) -> HttpResponse:
    """GET: the list. POST: one judge's answers are set aside or weigh again."""
    workflow = workflow_of(access.get_foils(request, uid))
    form = DecisionForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            _decide(request, workflow, form)
        except TektiteError as error:
            form.add_error(None, error.message)
        else:
            return redirect(request.get_full_path())
    is_set_aside = request.GET.get("show") == "set_aside"
    page = Paginator(people_service.judges(workflow, is_set_aside=is_set_aside), SHOWN).get_page(
        request.GET.get("page")
    )
    population = ground_of(workflow).population
    return render(
        request,
        "review/foils/people.html",
        {
            "campaign": workflow.campaign,
            "errand": errands.latest(workflow, Errand.Kind.WEIGH_AGAIN),
            "form": form,
            "page": page,
            "people": [people_service.person(judge, population) for judge in page],
            "n_set_aside": people_service.judges(workflow, is_set_aside=True).count(),
            "only_set_aside": is_set_aside,
            "population": population,
            "fewest": people_service.FEWEST_TO_SHOW,
        },
        status=422 if form.errors else 200,
    )


def _decide(request: HttpRequest, workflow: Workflow, form: DecisionForm) -> None:
    given = form.cleaned_data
    judge = Judge.objects.filter(workflow=workflow, participant__uid=given["judge"]).first()
    if judge is None:
        raise NotFound(_("Nobody of that name judges here."))
    if given["act"] == "set_aside":
        suspects.set_aside(judge=judge, why=given["why"], by=me(request))
        messages.success(request, _("These answers weigh nothing from now on. None is deleted."))
    else:
        suspects.count_again(judge=judge, why=given["why"], by=me(request))
        messages.success(request, _("These answers weigh again."))
    # Each decision asks anew: what an earlier one has under way may have passed some pictures already.
    question = {"judge": judge.pk, "step": judge.quarantines.latest("pk").pk}
    ask(request, workflow, Errand.Kind.WEIGH_AGAIN, question)
