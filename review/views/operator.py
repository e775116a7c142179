"""The operator's page: who works, what waits, how much room is left. Staff only."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from annotate.access import authorise
from review.access import MATRIX
from review.services import watch


@never_cache
@require_GET
def operator(request: HttpRequest) -> HttpResponse:
    """The whole page."""
    authorise(request, matrix=MATRIX)
    return render(request, "review/operator.html", _context())


@never_cache
@require_GET
def operator_live(request: HttpRequest) -> HttpResponse:
    """What of it changes, asked for every few seconds."""
    authorise(request, matrix=MATRIX)
    return render(request, "review/partials/operator_live.html", _context())


def _context() -> dict[str, object]:
    return {
        "watched": watch.watched(),
        "media_root": settings.MEDIA_ROOT,
        "email_backend": settings.EMAIL_BACKEND,
        "failed_within_days": watch.FAILED_LATELY.days,
    }
