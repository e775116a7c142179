"""Asking for an errand from a page: a row, and a message to the workers once it is committed."""

from django.http import HttpRequest

from annotate.access import me
from review.models import Errand, Workflow
from review.services.foils import errands
from review.tasks import errand_task


def ask(request: HttpRequest, workflow: Workflow, kind: Errand.Kind, question: dict[str, object]) -> None:
    """Have it done; what is under way already is not asked twice."""
    errand, is_new = errands.ask(workflow=workflow, kind=kind, question=question, by=me(request))
    if is_new:
        errand_task.delay_on_commit(errand.pk)
