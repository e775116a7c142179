"""Small acts on basemaps and catalogues: another name, or away with it."""

from collections.abc import Callable
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from annotate import access
from annotate.services import upkeep
from mlcore.errors import TektiteError


def _told(request: HttpRequest, act: Callable[[], object], done: str) -> bool:
    """Whether the act was done; either way the next page says so."""
    try:
        act()
    except TektiteError as error:
        messages.error(request, error.message)
        return False
    messages.success(request, done)
    return True


@require_POST
def basemap_rename(request: HttpRequest, uid: UUID) -> HttpResponse:
    basemap = access.get_basemap_to_keep(request, uid)
    _told(request, lambda: upkeep.rename_basemap(basemap, request.POST.get("name", "")), _("Renamed."))
    return redirect("annotate:basemap", uid)


@require_POST
def basemap_delete(request: HttpRequest, uid: UUID) -> HttpResponse:
    basemap = access.get_basemap_to_keep(request, uid)
    done = _("“%(name)s” is deleted.") % {"name": basemap.name}
    gone = _told(request, lambda: upkeep.delete_basemap(basemap, asked_by=request.user), done)
    return redirect("annotate:basemap_list") if gone else redirect("annotate:basemap", uid)


@require_POST
def catalogue_rename(request: HttpRequest, uid: UUID) -> HttpResponse:
    catalogue = access.get_catalogue_to_keep(request, uid)
    _told(request, lambda: upkeep.rename_catalogue(catalogue, request.POST.get("name", "")), _("Renamed."))
    return redirect("annotate:catalogue", uid)


@require_POST
def catalogue_delete(request: HttpRequest, uid: UUID) -> HttpResponse:
    catalogue = access.get_catalogue_to_keep(request, uid)
    done = _("“%(name)s” is deleted.") % {"name": catalogue}
    gone = _told(request, lambda: upkeep.delete_catalogue(catalogue, asked_by=request.user), done)
    return redirect("annotate:catalogue_list") if gone else redirect("annotate:catalogue", uid)
