"""The last resort: a mistake of ours, or a disk that is full, in words and with the request's id."""

import sys

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from annotate.services.disk import is_full


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500: asks neither the database nor the session, since these may be what is broken."""
    full = is_full(sys.exc_info()[1])
    status = 507 if full else 500
    request_id = getattr(request, "request_id", "")
    message = _full() if full else _("Something went wrong on our side; what you had saved is safe.")
    if request.path.startswith("/api/"):
        tell = _("%(message)s If it stays, tell whoever runs this site this id: %(id)s.")
        body = {
            "code": "disk_full" if full else "server_error",
            "message": tell % {"message": message, "id": request_id},
            "request_id": request_id,
        }
        return JsonResponse(body, status=status)
    context = {"request_id": request_id, "status": status, "full": full, "message": message}
    return HttpResponse(render_to_string("500.html", context), status=status)


def _full() -> str:
    return _(
        "The server's disk has no room left, so this could not be stored; nothing of it is kept and nothing "
        "older is lost. Tell whoever runs this site to make room, then send it again."
    )
