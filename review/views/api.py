"""The API of review. Each view fetches and authorises in one call, calls one service, answers a shape."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from annotate.access import me
from annotate.models import Campaign
from mlcore.errors import InvalidInput, NotFound
from review import access, answers, tasks
from review.models import ModelVersion, Run, Subject
from review.serializers import (
    ClassificationIn,
    RunIn,
    classification_out,
    next_out,
    progress_out,
    run_out,
    subject_out,
)
from review.services import classifications, cutouts, prediction, registry, runs, training, versions
from review.services.foils.network import scoring

JUDGING, RUNS = ["Judging"], ["Runs and models"]


@extend_schema(
    operation_id="next_subject", tags=JUDGING, summary="Get a subject to judge", request=None,
    responses=answers.NextOut,
)  # fmt: skip
@api_view(["POST"])
def next_subject(request: Request, uid: UUID) -> Response:
    """Hand out the next subject."""
    workflow = access.get_desk(request, uid)
    as_reviewer = access.is_reviewer(request, workflow.campaign)
    return Response(next_out(workflow, me(request), as_reviewer=as_reviewer))


@extend_schema(
    operation_id="classify", tags=JUDGING, summary="Give an answer", request=ClassificationIn,
    responses={201: answers.ClassifiedOut},
)  # fmt: skip
@api_view(["POST"])
def classify(request: Request, uid: UUID) -> Response:
    """Record an answer and hand out the next subject."""
    workflow = access.get_desk(request, uid)
    as_reviewer = access.is_reviewer(request, workflow.campaign)
    shape = ClassificationIn(data=request.data)
    shape.is_valid(raise_exception=True)
    answer = shape.validated_data
    subject = Subject.objects.filter(workflow=workflow, uid=answer.pop("subject")).first()
    if subject is None:
        raise NotFound(_("This workflow has no such subject; ask for the next one."))
    classification = classifications.record(
        workflow=workflow, subject=subject, participant=me(request), as_reviewer=as_reviewer, **answer
    )
    out = next_out(workflow, me(request), as_reviewer=as_reviewer)
    return Response(
        {
            "classification": classification_out(classification),
            "next": out["subject"],
            "reason": out["reason"],
            "progress": out["progress"],
        },
        status=201,
    )


@extend_schema(
    operation_id="take_back", tags=JUDGING, summary="Take the last answer back", request=None,
    responses=answers.BackOut,
)  # fmt: skip
@api_view(["POST"])
def back(request: Request, uid: UUID) -> Response:
    """Take the asker's last answer back and show its subject again."""
    workflow = access.get_desk(request, uid)
    subject = classifications.take_back(workflow=workflow, participant=me(request))
    return Response(
        {
            "subject": subject_out(subject, as_reviewer=access.is_reviewer(request, workflow.campaign)),
            "progress": progress_out(workflow, me(request)),
        }
    )


@extend_schema(
    operation_id="cutout", tags=JUDGING, summary="See a subject",
    parameters=[OpenApiParameter("layer", UUID, description="One of its layers; the first where not given.")],
    responses={(200, "image/jpeg"): OpenApiTypes.BINARY, (200, "image/png"): OpenApiTypes.BINARY},
)  # fmt: skip
@api_view(["GET"])
def cutout(request: Request, uid: UUID) -> HttpResponse:
    """The picture of a subject in one layer."""
    subject = access.get_subject(request, uid)
    image = cutouts.image(subject, layer=request.query_params.get("layer"))
    response = HttpResponse(image.content, content_type=image.content_type)
    response["Cache-Control"] = "private, max-age=86400"
    return response


@extend_schema(
    operation_id="run", tags=RUNS, summary="Follow a run",
    parameters=[OpenApiParameter("after", int, description="The id of the last event the asker has.")],
    responses=answers.RunOut,
)  # fmt: skip
@api_view(["GET"])
def run(request: Request, uid: UUID) -> Response:
    """A run and the events since the last one the asker has."""
    after = request.query_params.get("after", "0")
    if not (after.isascii() and after.isdecimal() and len(after) < 19):
        raise InvalidInput(_("after is the id of an event, a whole number."), code="bad_after")
    return Response(run_out(access.get_run(request, uid), after=int(after)))


@extend_schema(
    operation_id="start_run", tags=RUNS, summary="Start a training or a search", request=RunIn,
    responses={201: answers.RunOut},
)  # fmt: skip
@api_view(["POST"])
def start_run(request: Request, uid: UUID) -> Response:
    """Start a training or a search for a campaign: of its elevation model, or of its pictures."""
    campaign = access.get_campaign(request, uid)
    shape = RunIn(data=request.data)
    shape.is_valid(raise_exception=True)
    wish = shape.validated_data
    wish["system"] = wish["system"] or training.system_of(campaign)
    start = _train if wish["verb"] == Run.Verb.TRAIN else SEARCHES[campaign.kind]
    started = start(request, campaign, wish)
    tasks.enqueue(started)
    return Response(run_out(started), status=201)


def _train(request: Request, campaign: Campaign, wish: dict[str, Any]) -> Run:
    material = {}
    if campaign.kind == Campaign.Kind.CRATER:
        material = {
            "label_catalogues": access.find_catalogues(request, wish["label_catalogues"]),
            "searched": wish["searched"],
        }
    return training.request_training(
        campaign=campaign,
        system=wish["system"],
        preset=wish["preset"],
        requested_by=me(request),
        start_from=access.find_model_version(request, wish["start_from"]),
        **material,
    )


def _predict(request: Request, campaign: Campaign, wish: dict[str, Any]) -> Run:
    return prediction.request_prediction(
        campaign=campaign,
        model_version=_version(request, campaign, wish),
        basemap=access.find_basemap(request, wish["basemap"]),
        requested_by=me(request),
    )


def _score(request: Request, campaign: Campaign, wish: dict[str, Any]) -> Run:
    return scoring.request_scoring(
        campaign=campaign,
        model_version=_version(request, campaign, wish),
        requested_by=me(request),
        only_new=wish["only_new"],
    )


def _version(request: Request, campaign: Campaign, wish: dict[str, Any]) -> ModelVersion | None:
    """The one that is named, else the current one."""
    named = access.find_model_version(request, wish["model_version"])
    return named or versions.current(campaign, wish["system"])


# What a campaign of each kind has its machines look through.
SEARCHES = {Campaign.Kind.CRATER: _predict, Campaign.Kind.FOIL: _score}


@extend_schema(
    operation_id="cancel_run", tags=RUNS, summary="Cancel a run", request=None, responses=answers.RunOut
)  # fmt: skip
@api_view(["POST"])
def cancel_run(request: Request, uid: UUID) -> Response:
    """Ask a run to stop."""
    return Response(run_out(runs.cancel(run=access.get_run(request, uid), by=me(request))))


@extend_schema(
    operation_id="promote", tags=RUNS, summary="Make a model version current", request=None,
    responses=answers.PromotedOut,
)  # fmt: skip
@api_view(["POST"])
def promote(request: Request, uid: UUID) -> Response:
    """Make a version the current one; it searches the campaign's elevation model, or pictures, at once."""
    version = access.get_model_version(request, uid)
    predicting = registry.promote(version=version, by=me(request))
    if predicting:
        tasks.enqueue(predicting)
    version.refresh_from_db()
    return Response(
        {
            "uid": str(version.uid),
            "number": version.number,
            "is_current": version.is_current,
            "prediction": str(predicting.uid) if predicting else None,
        }
    )
