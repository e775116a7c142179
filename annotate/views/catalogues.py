"""Pages of catalogues: the list, one catalogue with its report and with its largest craters first."""

from uuid import UUID

from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from annotate import access
from annotate.services import catalogue_summary
from annotate.services.upkeep import DELETABLE

CRATERS_PER_PAGE = 25
REJECTED_SHOWN = 100


@require_GET
def catalogue_list(request: HttpRequest) -> HttpResponse:
    access.authorise(request)
    shown = access.catalogues_for(request.user).select_related("campaign", "created_by__user")
    shown = shown.annotate(n_features=Count("features")).order_by("-created_at")
    return render(request, "annotate/catalogue_list.html", {"catalogues": shown})


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
