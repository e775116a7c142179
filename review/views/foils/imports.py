"""Bringing in pictures of foils: the upload, what it would become, its reading; a table for known ones."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST, require_safe

from annotate.access import me
from annotate.models import Campaign
from annotate.services.storage import largest_upload
from mlcore.errors import TektiteError
from review import access
from review.forms.foil_import import BatchForm, CorrectionForm, FilesForm
from review.models import PictureImport
from review.services.foils.intake import intake, places, preview, refusals, sending
from review.tasks import look_through_pictures_task, read_pictures_task

State = PictureImport.State
BATCHES_SHOWN = 30
REFUSED_SHOWN = 20


@require_http_methods(["GET", "POST"])
def foil_import(request: HttpRequest, uid: UUID) -> HttpResponse:
    campaign = access.get_foils(request, uid)
    form = FilesForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            batch = sending.take_in(
                campaign=campaign,
                requested_by=me(request),
                uploads=given["files"],
                table=given["table"],
                pattern=given["pattern"],
                pages=given["pages"],
                nm_per_px=given["nm_per_px"],
                purpose=given["purpose"],
            )
            _have_looked_through(batch)
        except TektiteError as error:
            form.add_error(None, error.message)
        else:
            return redirect("review:foil_batch", batch.uid)
    return _import_page(request, campaign, form, CorrectionForm())


@require_POST
def correction(request: HttpRequest, uid: UUID) -> HttpResponse:
    """A table for pictures that are there: first it is shown what it would change."""
    campaign = access.get_foils(request, uid)
    form = CorrectionForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            batch = sending.take_in(
                campaign=campaign, requested_by=me(request), table=form.cleaned_data["correction"]
            )
            _have_looked_through(batch)
        except TektiteError as error:
            form.add_error("correction", error.message)
        else:
            return redirect("review:foil_batch", batch.uid)
    return _import_page(request, campaign, FilesForm(), form)


def _import_page(
    request: HttpRequest, campaign: Campaign, form: FilesForm, table: CorrectionForm
) -> HttpResponse:
    return render(
        request,
        "review/foils/import.html",
        {
            "campaign": campaign,
            "form": form,
            "correction": table,
            "largest_bytes": largest_upload(),
            "most_files": sending.MOST_UPLOADS,
            "batches": campaign.picture_imports.order_by("-pk")[:BATCHES_SHOWN],
        },
        status=422 if form.errors or table.errors else 200,
    )


def _have_looked_through(batch: PictureImport) -> None:
    """At once, or by a worker where it takes long.

    Raises:
        TektiteError: Nothing can be taken in; nothing is kept of it.
    """
    if not sending.is_small(batch):
        look_through_pictures_task.delay_on_commit(batch.pk)
        return
    intake.look_through(batch.pk)
    batch.refresh_from_db()
    reason = batch.error
    if batch.state == State.UPLOADED and (batch.n_files or 0) <= batch.n_refused:
        first = batch.refused.order_by("pk").first()
        reason = first.reason if first else _("There is no image in it.")
    if reason:
        intake.discard(batch)
        raise TektiteError(reason)


@require_http_methods(["GET", "POST"])
def batch(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Where a batch is; while it waits for its confirmation, a POST has it understood otherwise."""
    batch = access.get_batch(request, uid)
    form = BatchForm(
        request.POST if request.method == "POST" else None,
        request.FILES or None,
        initial={name: getattr(batch, name) for name in ("pattern", "nm_per_px", "pages", "purpose")},
    )
    if request.method == "POST" and form.is_valid():
        try:
            intake.change(batch, **form.cleaned_data)
        except TektiteError as error:
            form.add_error(None, error.message)
        else:
            return redirect("review:foil_batch", batch.uid)
    waits = batch.state == State.UPLOADED
    return render(
        request,
        "review/foils/batch.html",
        {
            "campaign": batch.campaign,
            "batch": batch,
            "form": form,
            "preview": preview.of(batch) if waits and not batch.is_correction else None,
            "report": places.report_of(batch),
            "n_left": (batch.n_files or 0) - batch.n_refused,
            "refused": batch.refused.order_by("pk")[:REFUSED_SHOWN],
            "is_silent": intake.is_silent(batch),
        },
        status=422 if form.errors else 200,
    )


@require_GET
def status(request: HttpRequest, uid: UUID) -> HttpResponse:
    """How far the work is, asked for every other second; the page is loaded anew when it has ended."""
    batch = access.get_batch(request, uid)
    context = {"batch": batch, "is_silent": intake.is_silent(batch)}
    response = render(request, "review/foils/partials/batch_status.html", context)
    if batch.state not in (State.LISTING, State.QUEUED, State.READING):
        response["HX-Refresh"] = "true"
    return response


@require_POST
def confirm(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Have the batch read as it was shown; a second click finds it begun."""
    batch = access.get_batch(request, uid)
    if intake.confirm(batch):
        read_pictures_task.delay_on_commit(batch.pk)
    return redirect("review:foil_batch", batch.uid)


@require_POST
def stop(request: HttpRequest, uid: UUID) -> HttpResponse:
    batch = access.get_batch(request, uid)
    intake.stop(batch)
    return redirect("review:foil_batch", batch.uid)


@require_POST
def go_on(request: HttpRequest, uid: UUID) -> HttpResponse:
    batch = access.get_batch(request, uid)
    is_listed = intake.go_on(batch)
    (read_pictures_task if is_listed else look_through_pictures_task).delay_on_commit(batch.pk)
    return redirect("review:foil_batch", batch.uid)


@require_POST
def discard(request: HttpRequest, uid: UUID) -> HttpResponse:
    batch = access.get_batch(request, uid)
    intake.discard(batch)
    messages.success(request, _("“%(name)s” is discarded.") % {"name": batch.file_name})
    return redirect("review:foil_import", batch.campaign.uid)


@require_safe
def refused(request: HttpRequest, uid: UUID) -> StreamingHttpResponse:
    """The files that were not taken in, each with its reason."""
    batch = access.get_batch(request, uid)
    response = StreamingHttpResponse(refusals.lines(batch), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="refused_files.csv"'
    return response
