"""How far results can be trusted: completeness, specificity, reliability and the audit, drawn and told."""

from uuid import UUID

from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_safe

from annotate.access import LEADS, roles_in
from mlcore.errors import Conflict, NotFound
from review import access
from review.models import Errand, Gold, Reckoning
from review.services.foils import errands
from review.services.foils.results import audited, figures, reckoning
from review.services.foils.rules import rules


@require_GET
def statistics(request: HttpRequest, uid: UUID) -> HttpResponse:
    """The newest reckoning's findings, and the audit as it stands at this moment."""
    campaign = access.get_results(request, uid)
    workflow = rules.workflow_of(campaign)
    newest = reckoning.newest(workflow)
    return render(
        request,
        "review/foils/statistics.html",
        {
            "campaign": campaign,
            "leads": bool(roles_in(request.user, campaign) & LEADS),
            "errand": errands.latest(workflow, Errand.Kind.RECKON),
            "reckoning": newest,
            "found": newest.findings if newest else {},
            "completeness": _by_origin(newest, "completeness"),
            "specificity": _by_origin(newest, "specificity"),
            "figures": figures.available(newest) if newest else [],
            "audit": audited.of(workflow),
        },
    )


@require_safe
def figure(request: HttpRequest, uid: UUID, name: str, kind: str) -> FileResponse:
    """A figure of the newest reckoning, as SVG or PDF."""
    campaign = access.get_results(request, uid)
    if name not in figures.NAMES or kind not in figures.KINDS:
        raise NotFound(_("There is no figure of this name."))
    newest = reckoning.newest(rules.workflow_of(campaign))
    if newest is None or not figures.path_of(newest, name, kind).is_file():
        raise Conflict(_("This figure is drawn with the next reckoning that has numbers for it."))
    response = FileResponse(figures.path_of(newest, name, kind).open("rb"), content_type=figures.KINDS[kind])
    response["Content-Disposition"] = f'inline; filename="{name}-{newest.created_at:%Y-%m-%d}.{kind}"'
    response["Cache-Control"] = "private, no-cache"
    return response


def _by_origin(newest: Reckoning | None, name: str) -> list[tuple[str, list[dict[str, object]]]]:
    """Rows under the words for their origin; origins stand apart."""
    rows = newest.findings[name] if newest else []
    return [
        (str(Gold.Origin(origin).label), [row for row in rows if row["origin"] == origin])
        for origin in Gold.Origin.values
        if any(row["origin"] == origin for row in rows)
    ]
