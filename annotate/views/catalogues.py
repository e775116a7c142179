"""Pages of catalogues: the list, an import with its report, one catalogue with its largest craters first."""

from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods

from annotate import access
from annotate.forms import CatalogueImportForm
from annotate.models import Campaign, Catalogue, Role, User
from annotate.services import catalogue_summary, catalogues
from annotate.services.upkeep import DELETABLE
from annotate.views.basemaps import name_of
from mlcore.errors import TektiteError

CRATERS_PER_PAGE = 25
REJECTED_SHOWN = 100


@require_GET
def catalogue_list(request: HttpRequest) -> HttpResponse:
    access.authorise(request)
    shown = access.catalogues_for(request.user).select_related("campaign", "created_by__user")
    shown = shown.annotate(n_features=Count("features")).order_by("-created_at")
    return render(request, "annotate/catalogue_list.html", {"catalogues": shown})


@require_http_methods(["GET", "POST"])
def catalogue_import(request: HttpRequest) -> HttpResponse:
    access.authorise(request)
    form = CatalogueImportForm(
        request.POST or None,
        request.FILES or None,
        campaigns=_led_by(request.user),
        initial={"campaign": request.GET.get("campaign")},
    )
    report: dict[str, object] = {}
    if request.method == "POST" and form.is_valid():
        try:
            made = _import(form, request)
        except TektiteError as error:
            report = _report_of_refused(form, error)
            form.add_error("file", error.message)
        else:
            return _tell(request, made)
    context = {"form": form, "report": report, "rejected": report.get("rejected", [])[:REJECTED_SHOWN]}
    return render(request, "annotate/catalogue_import.html", context, status=422 if form.errors else 200)


def _led_by(user: User) -> QuerySet[Campaign]:
    """The campaigns whose catalogues the user may add to."""
    if user.is_staff:
        return Campaign.objects.order_by("name")
    return Campaign.objects.filter(memberships__user=user, memberships__role=Role.LEAD).order_by("name")


def _import(form: CatalogueImportForm, request: HttpRequest) -> list[Catalogue]:
    given = form.cleaned_data
    return catalogues.import_craters(
        stream=given["file"],
        name=given["name"] or name_of(given["file"]),
        body=given["body"],
        campaign=given["campaign"],
        created_by=access.me(request),
        lon_positive=given["lon_positive"],
    )


def _report_of_refused(form: CatalogueImportForm, error: TektiteError) -> dict[str, object]:
    """Row by row why nothing was taken, where the file could be read at all."""
    if error.code != "no_rows":
        return {}
    given = form.cleaned_data
    table = catalogues.read_craters(
        stream=given["file"], body=given["body"], lon_positive=given["lon_positive"]
    )
    return table.report()


def _tell(request: HttpRequest, made: list[Catalogue]) -> HttpResponse:
    """To the catalogue with its report; to the first where each source gave one."""
    text = ngettext(
        "%(n)d catalogue is imported.", "%(n)d catalogues are imported, one for each source.", len(made)
    )
    messages.success(request, text % {"n": len(made)})
    return redirect("annotate:catalogue", made[0].uid)


@require_GET
def catalogue(request: HttpRequest, uid: UUID) -> HttpResponse:
    catalogue = access.get_catalogue(request, uid)
    craters = catalogue.features.order_by("-diameter_m", "pk").defer("geom")
    page = Paginator(craters, CRATERS_PER_PAGE).get_page(request.GET.get("page"))
    seen = access.catalogues_for(request.user)
    return render(
        request,
        "annotate/catalogue.html",
        {
            "catalogue": catalogue,
            "page": page,
            "has_names": any(crater.name for crater in page),
            "extent": catalogue_summary.extent(catalogue),
            "versions": seen.filter(body=catalogue.body, name=catalogue.name).order_by("-version"),
            "report": catalogue.report,
            "rejected": catalogue.report.get("rejected", [])[:REJECTED_SHOWN],
            "may_keep": access.may_keep_catalogue(request.user, catalogue),
            "may_delete": catalogue.origin in DELETABLE,
        },
    )
