"""The pictures of a campaign on foils, for its leads: a grid to look through, and the images themselves."""

from uuid import UUID

from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_safe

from annotate.services.storage import file_of
from mlcore.errors import NotFound
from review import access
from review.models import Picture, PictureImport
from review.services.foils.intake import picture_list
from review.services.foils.words import PURPOSES
from review.views.foils.paging import key_in

UNDER_WAY = 5


@require_GET
def foil_images(request: HttpRequest, uid: UUID) -> HttpResponse:
    campaign = access.get_foils(request, uid)
    words, foil = request.GET.get("q", "").strip()[:100], request.GET.get("foil", "").strip()[:100]
    purpose = request.GET.get("purpose", "")
    page = picture_list.page_of(
        campaign,
        words=words,
        foil=foil,
        purpose=purpose if purpose in Picture.Purpose.values else "",
        before=key_in(request, "before"),
        after=key_in(request, "after"),
    )
    batches = campaign.picture_imports.exclude(state=PictureImport.State.DONE).order_by("-pk")
    return render(
        request,
        "review/foils/images.html",
        {
            "campaign": campaign,
            "page": page,
            "words": words,
            "foil": foil,
            "purpose": purpose,
            "purposes": [(value, PURPOSES[value]) for value in Picture.Purpose],
            "figures": picture_list.figures(campaign),
            "under_way": batches[:UNDER_WAY],
        },
    )


@require_safe
def frame(request: HttpRequest, uid: UUID, number: int) -> FileResponse:
    """A frame as judges see it."""
    shown = access.get_picture_frame(request, uid, number)
    try:
        response = FileResponse(file_of(shown.shown_path).open("rb"), content_type="image/jpeg")
    except FileNotFoundError as error:
        raise NotFound(
            _("The picture's file is missing on the server; its operator can restore it from a backup.")
        ) from error
    response["Cache-Control"] = "private, max-age=3600"
    return response
