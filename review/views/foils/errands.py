"""An errand under way, as it is asked for anew every two seconds by the page that asked for it."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from review import access
from review.services.foils import errands


@never_cache
@require_GET
def errand(request: HttpRequest, uid: UUID) -> HttpResponse:
    """How far it is; once it has ended the whole page is loaded anew, with what was found."""
    asked = access.get_errand(request, uid)
    response = render(
        request,
        "review/foils/partials/errand.html",
        {"errand": asked, "is_silent": errands.is_silent(asked)},
    )
    if not asked.is_under_way:
        response["HX-Refresh"] = "true"
    return response
