"""Pages of basemaps: the list, an upload, one basemap with its conversion and its picture."""

from pathlib import PurePath
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from annotate import access
from annotate.forms import BasemapForm
from annotate.models import Basemap, Campaign
from annotate.services import basemaps, conversions, storage
from annotate.services.names import clean_label
from annotate.tasks import convert_basemap_task
from mlcore.errors import NotAllowed, TektiteError


@require_GET
def basemap_list(request: HttpRequest) -> HttpResponse:
    access.authorise(request)
    shown = access.basemaps_for(request.user).originals().order_by("-created_at").prefetch_related("derived")
    return render(request, "annotate/basemap_list.html", {"basemaps": shown})


@require_http_methods(["GET", "POST"])
def basemap_new(request: HttpRequest) -> HttpResponse:
    access.authorise(request)
    form = BasemapForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        try:
            basemap = _add(form, request)
        except TektiteError as error:
            form.add_error("file", error.message)
        else:
            convert_basemap_task.delay_on_commit(basemap.pk)
            return redirect("annotate:basemap", basemap.uid)
    context = {"form": form, "largest_bytes": storage.largest_upload()}
    return render(request, "annotate/basemap_new.html", context, status=422 if form.errors else 200)


def _add(form: BasemapForm, request: HttpRequest) -> Basemap:
    given = form.cleaned_data
    return basemaps.add_basemap(
        upload=given["file"],
        name=given["name"] or name_of(given["file"]),
        body=given["body"],
        kind=given["kind"] or None,
        added_by=access.me(request),
        sun_azimuth_deg=given["sun_azimuth_deg"],
        sun_altitude_deg=given["sun_altitude_deg"],
    )


def name_of(upload: UploadedFile) -> str:
    """A name made of the file's own, without its ending."""
    stem = PurePath(str(upload.name)).stem.replace("_", " ")
    return clean_label(stem.translate(str.maketrans("", "", "<>/\\"))) or _("unnamed")


@require_GET
def basemap(request: HttpRequest, uid: UUID) -> HttpResponse:
    basemap = access.get_basemap(request, uid)
    above = access.basemaps_for(request.user).filter(derived=basemap).first()
    return render(
        request,
        "annotate/basemap.html",
        {
            "basemap": basemap,
            "silent": conversions.is_silent(basemap),
            "derived": basemap.derived.order_by("pk"),
            "campaigns": Campaign.objects.visible_to(request.user).filter(basemaps=basemap),
            "may_retry": _may_retry(request, basemap),
            "may_keep": basemap.derived_from_id is None and access.may_keep_basemap(request.user, basemap),
            "source": above,
        },
    )


def _may_retry(request: HttpRequest, basemap: Basemap) -> bool:
    mine = request.user.is_authenticated and basemap.added_by == access.me(request)
    failed = basemap.state == Basemap.State.FAILED and basemap.derived_from_id is None
    return failed and (mine or request.user.is_staff)


@require_GET
def basemap_status(request: HttpRequest, uid: UUID) -> HttpResponse:
    """How far the conversion is, asked for every other second; the page is loaded anew when it has ended."""
    basemap = access.get_basemap(request, uid)
    response = render(
        request,
        "annotate/partials/basemap_status.html",
        {"basemap": basemap, "silent": conversions.is_silent(basemap)},
    )
    if basemap.state in (Basemap.State.READY, Basemap.State.FAILED):
        response["HX-Refresh"] = "true"
    return response


@require_POST
def basemap_retry(request: HttpRequest, uid: UUID) -> HttpResponse:
    basemap = access.get_basemap(request, uid)
    if not _may_retry(request, basemap):
        raise NotAllowed(_("Only who added a basemap may convert it again, and only when that has failed."))
    conversions.ask_again(basemap)
    convert_basemap_task.delay_on_commit(basemap.pk)
    return redirect("annotate:basemap", basemap.uid)
