"""Pictures made small, for those who lead and review; judges reach pictures by showings alone."""

from uuid import UUID

from django.http import FileResponse, HttpRequest
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from annotate.services.storage import file_of
from mlcore.errors import NotFound
from review import access


@require_safe
def thumbnail(request: HttpRequest, uid: UUID) -> FileResponse:
    """The first of a picture's frames; it never changes."""
    frame = access.get_picture(request, uid).frames.first()
    if frame is None:
        raise NotFound(_("This picture has no image any more."))
    try:
        response = FileResponse(file_of(frame.thumbnail_path).open("rb"), content_type="image/jpeg")
    except FileNotFoundError:
        raise NotFound(
            _("The file of this picture is missing on the server; the operator has to restore it.")
        ) from None
    response["Cache-Control"] = "private, max-age=86400, immutable"
    return response
