"""The page of stopping rules: a form, what it would do and would have done, and what stood before."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from annotate.access import me
from mlcore.consensus.answers.stopping import Outcome, StoppingRule
from mlcore.errors import TektiteError
from review import access
from review.forms.rules import NewRuleForm
from review.models import Errand, Workflow
from review.services.foils import errands
from review.services.foils.rules import rule_preview
from review.services.foils.rules import rules as rules_service
from review.services.foils.words import OUTCOMES, SETTINGS
from review.views.foils.asking import ask


@require_http_methods(["GET", "POST"])
def rules(request: HttpRequest, uid: UUID) -> HttpResponse:
    """GET: the rule that stands. POST `act`: preview, replay on the log, or let it stand from now on."""
    workflow = rules_service.workflow_of(access.get_foils(request, uid))
    standing = rules_service.current(workflow)
    act = request.POST.get("act", "")
    form = NewRuleForm(request.POST or None, initial=standing.rule.to_json())
    if act in ("preview", "replay"):
        form.fields["why"].required = False
    preview = None
    is_valid = form.is_valid()
    form.fields["why"].required = True
    if request.method == "POST" and is_valid:
        if act == "preview":
            preview = rule_preview.preview(workflow, form.rule())
        elif act == "replay":
            ask(request, workflow, Errand.Kind.REPLAY, {"settings": form.rule().to_json()})
            return redirect(f"{request.path}#replay")
        else:
            try:
                _set(request, workflow, form)
            except TektiteError as error:
                form.add_error(None, error.message)
            else:
                return redirect(request.path)
    context = _context(workflow) | {"form": form, "standing": standing, "preview": preview}
    return render(request, "review/foils/rules.html", context, status=422 if form.errors else 200)


def _set(request: HttpRequest, workflow: Workflow, form: NewRuleForm) -> None:
    version = rules_service.set_rule(
        workflow=workflow, rule=form.rule(), why=form.cleaned_data["why"], by=me(request)
    )
    question = {"rule": version.number, "opens_again": form.cleaned_data["opens_again"]}
    ask(request, workflow, Errand.Kind.APPLY_RULE, question)
    messages.success(request, _("Rule %(number)d stands from now on.") % {"number": version.number})


def _context(workflow: Workflow) -> dict[str, object]:
    replay = errands.latest(workflow, Errand.Kind.REPLAY)
    return {
        "campaign": workflow.campaign,
        "errand": errands.latest(workflow, Errand.Kind.APPLY_RULE),
        "replay": replay,
        "replayed": _replayed(replay) if replay and replay.findings else None,
        "history": [
            {
                "stood": stood,
                "changed": [(SETTINGS[name], before, after) for name, before, after in stood.changed],
                "retired": [(OUTCOMES[outcome], n) for outcome, n in stood.retired.items() if n],
            }
            for stood in rules_service.history(workflow)
        ],
        "outcomes": OUTCOMES,
    }


def _replayed(errand: Errand) -> dict[str, object]:
    """What a replay found, in the order in which it is read."""
    found, rule = errand.findings, StoppingRule.from_json(errand.question["settings"])
    names = [(outcome.value, OUTCOMES[outcome]) for outcome in Outcome]
    happened, used = found["votes"]
    return {
        **found,
        "settings": [(SETTINGS[name], value) for name, value in rule.to_json().items()],
        "rows": [(label, *found["outcomes"][value]) for value, label in [*names, ("", _("still open"))]],
        "votes_happened": happened,
        "votes_used": used,
        "votes_saved": happened - used,
    }
