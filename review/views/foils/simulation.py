"""The simulator: what a rule would take and find with this triage's own people, before it stands."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from mlcore.consensus.answers.stopping import StoppingRule
from review import access
from review.forms.rules import RuleForm
from review.models import Errand
from review.services.foils import errands, plots
from review.services.foils.rules import rules as rules_service
from review.services.foils.rules.simulation import FEWEST_PEOPLE, PRACTISED_AFTER
from review.services.foils.words import SETTINGS
from review.views.foils.asking import ask


@require_http_methods(["GET", "POST"])
def simulation(request: HttpRequest, uid: UUID) -> HttpResponse:
    """GET: the last one. POST: simulate these settings."""
    workflow = rules_service.workflow_of(access.get_foils(request, uid))
    last = errands.latest(workflow, Errand.Kind.SIMULATION)
    settings = last.question["settings"] if last else rules_service.current(workflow).settings
    form = RuleForm(request.POST or None, initial=StoppingRule.from_json(settings).to_json())
    if request.method == "POST" and form.is_valid():
        ask(request, workflow, Errand.Kind.SIMULATION, {"settings": form.rule().to_json()})
        return redirect(request.path)
    found = last.findings if last else {}
    return render(
        request,
        "review/foils/simulation.html",
        {
            "campaign": workflow.campaign,
            "form": form,
            "names": list(SETTINGS),
            "errand": last,
            "found": found,
            "curve": plots.votes_against_completeness(found["points"]) if found else None,
            "fewest_people": FEWEST_PEOPLE,
            "practised_after": PRACTISED_AFTER,
        },
        status=422 if form.errors else 200,
    )
