"""Catalogues as files."""

from uuid import UUID

from django.http import HttpRequest, StreamingHttpResponse
from django.views.decorators.http import require_safe

from annotate import access
from annotate.models import Catalogue
from annotate.services import exports


@require_safe
def catalogue_csv(request: HttpRequest, uid: UUID) -> StreamingHttpResponse:
    catalogue = access.get_catalogue(request, uid)
    return _file(catalogue, exports.csv_lines(catalogue), "csv", "text/csv; charset=utf-8")


@require_safe
def catalogue_geojson(request: HttpRequest, uid: UUID) -> StreamingHttpResponse:
    catalogue = access.get_catalogue(request, uid)
    return _file(catalogue, exports.geojson_chunks(catalogue), "geojson", "application/geo+json")


def _file(
    catalogue: Catalogue, export: exports.Export, ending: str, content_type: str
) -> StreamingHttpResponse:
    response = StreamingHttpResponse(export.chunks, content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="{exports.file_name(catalogue, ending)}"'
    response["X-Feature-Count"] = str(export.count)
    return response
