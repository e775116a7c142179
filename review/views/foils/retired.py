"""What has left the queue, why, and the way back."""

from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from annotate.access import me
from mlcore.errors import InvalidInput, NotFound, TektiteError
from review import access
from review.forms.rules import ReopenForm, RetiredFilter
from review.models import Errand, Subject, Workflow
from review.services.foils import errands
from review.services.foils.rules import retiring
from review.services.foils.rules.rules import workflow_of
from review.views.foils.asking import ask

SHOWN = 40


@require_http_methods(["GET", "POST"])
def retired(request: HttpRequest, uid: UUID) -> HttpResponse:
    """GET: the list. POST: one of it (`subject`), or all of one rule and outcome, come back."""
    workflow = workflow_of(access.get_foils(request, uid))
    wanted = RetiredFilter(request.GET)
    chosen = wanted.cleaned_data if wanted.is_valid() else {"outcome": "", "rule": None}
    form = ReopenForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            _reopen(request, workflow, form, chosen)
        except TektiteError as error:
            form.add_error(None, error.message)
        else:
            return redirect(f"{request.path}?{urlencode({k: v for k, v in chosen.items() if v})}")
    found = retiring.retired(workflow, **chosen)
    return render(
        request,
        "review/foils/retired.html",
        {
            "campaign": workflow.campaign,
            "errand": errands.latest(workflow, Errand.Kind.REOPEN),
            "filter": wanted,
            "chosen": chosen,
            "query": urlencode({k: v for k, v in chosen.items() if v}),
            "form": form,
            "page": Paginator(found, SHOWN).get_page(request.GET.get("page")),
        },
        status=422 if form.errors else 200,
    )


def _reopen(request: HttpRequest, workflow: Workflow, form: ReopenForm, chosen: dict[str, object]) -> None:
    given = form.cleaned_data
    if name := request.POST.get("subject"):
        try:
            subject = Subject.objects.filter(workflow=workflow, uid=UUID(name)).first()
        except ValueError:
            subject = None
        if subject is None:
            raise NotFound(_("There is no such picture in this campaign."))
        retiring.reopen(subject=subject, further=given["further"], why=given["why"], by=me(request))
        messages.success(request, _("The picture is in the queue again."))
        return
    if not chosen["outcome"] or not chosen["rule"]:
        raise InvalidInput(
            _("Choose one rule and one outcome first: these pictures then come back together.")
        )
    retiring.check_reopening(given["further"], given["why"])
    ask(request, workflow, Errand.Kind.REOPEN, {**chosen, **given})
