"""Pages of crater lists on their way in: the upload, what the list would look like, and its import."""

from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST, require_safe

from annotate import access
from annotate.forms import CatalogueImportForm, ConfirmImportForm, ReadAgainForm
from annotate.models import Campaign, CatalogueImport, Role, User
from annotate.services import imports
from annotate.tasks import import_list_task, look_through_list_task
from annotate.views.basemaps import name_of
from mlcore.errors import NotFound, TektiteError
from mlcore.formats.crater_survey import MAX_LISTED

REJECTED_PER_PAGE = 10
COLUMN_KINDS = ("lon", "lat", "diameter", "radius", "name", "source", "id", "system")
State = CatalogueImport.State


@require_http_methods(["GET", "POST"])
def catalogue_import(request: HttpRequest) -> HttpResponse:
    access.authorise(request)
    form = CatalogueImportForm(
        request.POST or None,
        request.FILES or None,
        campaigns=_led_by(request.user),
        initial={"campaign": request.GET.get("campaign")},
    )
    if request.method == "POST" and form.is_valid():
        try:
            waiting = _take_in(form, request)
        except TektiteError as error:
            form.add_error("file", error.message)
        else:
            return redirect("annotate:import_preview", waiting.uid)
    mine = access.imports_of(request).waiting().order_by("-created_at")
    context = {"form": form, "waiting": mine}
    return render(request, "annotate/catalogue_import.html", context, status=422 if form.errors else 200)


def _led_by(user: User) -> QuerySet[Campaign]:
    """The campaigns whose catalogues the user may add to."""
    on_maps = Campaign.objects.exclude(kind=Campaign.Kind.FOIL)
    if user.is_staff:
        return on_maps.order_by("name")
    return on_maps.filter(memberships__user=user, memberships__role=Role.LEAD).order_by("name")


def _take_in(form: CatalogueImportForm, request: HttpRequest) -> CatalogueImport:
    given = form.cleaned_data
    waiting = imports.take_in(
        upload=given["file"],
        name=given["name"] or name_of(given["file"]),
        body=given["body"],
        campaign=given["campaign"],
        longitude=given["longitude"],
        owner=access.me(request),
    )
    _have_looked_through(waiting)
    if waiting.state == State.FAILED:
        # Nothing to look at: the upload's own page says why.
        imports.discard(waiting)
        raise TektiteError(waiting.error)
    return waiting


def _have_looked_through(waiting: CatalogueImport) -> None:
    """At once, or by a worker where it takes long."""
    if imports.is_small(waiting):
        imports.look_through(waiting.pk)
        waiting.refresh_from_db()
    else:
        look_through_list_task.delay_on_commit(waiting.pk)


@require_GET
def import_preview(request: HttpRequest, uid: UUID) -> HttpResponse:
    waiting = access.get_import(request, uid)
    if waiting.state == State.DONE:
        return _to_catalogues(waiting)
    return _page(request, waiting, ConfirmImportForm(initial={"on_bad_rows": waiting.on_bad_rows}))


def _page(
    request: HttpRequest, waiting: CatalogueImport, form: ConfirmImportForm, status: int = 200
) -> HttpResponse:
    report = waiting.report
    reason, used = request.GET.get("reason", ""), report.get("columns", {})
    listed = [row for row in report.get("rejected", []) if not reason or row["code"] == reason]
    seen = access.catalogues_for(request.user)
    return render(
        request,
        "annotate/catalogue_import_preview.html",
        {
            "waiting": waiting,
            "report": report,
            "columns": [(kind, used[kind]) for kind in COLUMN_KINDS if kind in used],
            "form": form,
            "again": ReadAgainForm(initial={"longitude": waiting.longitude, "body": waiting.body}),
            "earlier": [one for one in imports.earlier(waiting) if seen.filter(pk=one.pk).exists()],
            "reason": reason,
            "reasons": _reasons(report),
            "page": Paginator(listed, REJECTED_PER_PAGE).get_page(request.GET.get("page")),
            "listed_at_most": MAX_LISTED,
            "n_done": imports.n_done(waiting),
        },
        status=status,
    )


def _reasons(report: dict[str, object]) -> list[dict[str, object]]:
    """Each kind of reason with its count and its first sentence, the most frequent first."""
    first = {row["code"]: row["reason"] for row in reversed(report.get("rejected", []))}
    counts = report.get("rejected_by_reason", {})
    return [{"code": code, "n": n, "example": first.get(code, code)} for code, n in counts.items()]


@require_GET
def import_status(request: HttpRequest, uid: UUID) -> HttpResponse:
    """How far the work is, asked for every other second; the page is loaded anew when it has ended."""
    waiting = access.get_import(request, uid)
    context = {"waiting": waiting, "n_done": imports.n_done(waiting)}
    response = render(request, "annotate/partials/import_status.html", context)
    if waiting.state not in (State.READING, State.IMPORTING):
        response["HX-Refresh"] = "true"
    return response


@require_POST
def import_again(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Look the same file through by another convention or body."""
    waiting = access.get_import(request, uid)
    form = ReadAgainForm(request.POST)
    if form.is_valid():
        imports.look_again(waiting, **form.cleaned_data)
        _have_looked_through(waiting)
    else:
        messages.error(request, _("Choose a body and a way of counting longitudes from the lists."))
    return redirect("annotate:import_preview", waiting.uid)


@require_POST
def import_confirm(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Import the list as it was shown; a second click finds it done."""
    waiting = access.get_import(request, uid)
    form = ConfirmImportForm(request.POST)
    if not form.is_valid():
        return _page(request, waiting, form, status=422)
    try:
        begun = imports.confirm(waiting, on_bad_rows=form.cleaned_data["on_bad_rows"])
    except TektiteError as error:
        form.add_error(None, error.message)
        return _page(request, waiting, form, status=422)
    if begun and imports.has_few_rows(waiting):
        imports.import_list(waiting.pk)
        waiting.refresh_from_db()
        if waiting.state == State.DONE:
            _tell(request, waiting)
    elif begun:
        import_list_task.delay_on_commit(waiting.pk)
    return redirect("annotate:import_preview", waiting.uid)


def _tell(request: HttpRequest, waiting: CatalogueImport) -> None:
    made = waiting.catalogues.count()
    text = ngettext(
        "%(n)d catalogue is imported.", "%(n)d catalogues are imported, one for each source.", made
    )
    messages.success(request, text % {"n": made})


def _to_catalogues(waiting: CatalogueImport) -> HttpResponse:
    """To the catalogue with its report; to the first where each source gave one."""
    first = waiting.catalogues.order_by("pk").first()
    return redirect("annotate:catalogue", first.uid) if first else redirect("annotate:catalogue_list")


@require_POST
def import_discard(request: HttpRequest, uid: UUID) -> HttpResponse:
    waiting = access.get_import(request, uid)
    imports.discard(waiting)
    messages.success(
        request, _("“%(file)s” is discarded; nothing was imported.") % {"file": waiting.file_name}
    )
    return redirect("annotate:catalogue_import")


@require_safe
def import_rejected(request: HttpRequest, uid: UUID) -> FileResponse:
    """The rows that were not taken, with line, reason and hint before the original columns."""
    waiting = access.get_import(request, uid)
    file = imports.rejected_file(waiting)
    if not file.exists():
        raise NotFound(_("There are no rejected rows of this list."))
    return FileResponse(
        file.open("rb"),
        as_attachment=True,
        filename="rejected_rows.csv",
        content_type="text/csv; charset=utf-8",
    )
