"""The picture on a campaign's card."""

from uuid import UUID

from django.http import FileResponse, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.templatetags.static import static
from django.views.decorators.http import require_safe

from annotate.services.storage import file_of
from review import access
from review.services.foils import sample as samples

DRAWING = "img/foil.svg"


@require_safe
def sample(request: HttpRequest, uid: UUID) -> HttpResponseBase:
    """One that has been judged enough; a drawing where there is none, or its file is gone."""
    path = samples.of(access.get_foils(request, uid))
    if path is None or not file_of(path).is_file():
        return redirect(static(DRAWING))
    response = FileResponse(file_of(path).open("rb"), content_type="image/jpeg")
    response["Cache-Control"] = f"private, max-age={samples.KEPT_S}"
    return response
