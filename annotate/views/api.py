"""The JSON API under /api/v1/: shape checked, object fetched and authorised, one service called."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from annotate import access, answers, serializers
from annotate.models import Basemap, Campaign
from annotate.services import consensus, leases, marks, preferences, workbench
from annotate.services.basemaps import missing_file, value_at
from annotate.services.features import in_view, read_bbox
from annotate.tasks import settle_tile_task
from mlcore.errors import InvalidInput


def _given(kind: type[Serializer], data: Any) -> dict[str, Any]:
    """The checked fields of what was sent."""
    serializer = kind(data=data)
    serializer.is_valid(raise_exception=True)
    return serializer.validated_data


VISITS, MARKS, LAYERS = ["Tiles and visits"], ["Marks"], ["Basemaps and catalogues"]
BBOX = OpenApiParameter(
    "bbox", str, description="west,south,east,north in degrees; west greater than east crosses ±180°."
)
LIMIT = OpenApiParameter(
    "limit", int, description="At most so many features; 1000 where not given, 5000 at most."
)


@extend_schema(
    operation_id="next_tile", tags=VISITS, summary="Get a tile to work on", request=None,
    responses=answers.NextTileOut,
)  # fmt: skip
@api_view(["POST"])
def tile_next(request: Request, uid: UUID) -> Response:
    """The asker's own leased tile if there is one, else a new one under a lease."""
    campaign = access.get_map_campaign(request, uid)
    return Response(workbench.next_tile(campaign=campaign, participant=access.me(request)))


@extend_schema(
    operation_id="visit", tags=VISITS, summary="See one's own visit", responses=answers.VisitOut
)  # fmt: skip
@api_view(["GET"])
def visit(request: Request, uid: UUID) -> Response:
    """Nobody else's, whatever the role."""
    return Response(workbench.visit_json(access.get_visit(request, uid)))


@extend_schema(
    operation_id="submit_visit", tags=VISITS, summary="Say that a tile is searched",
    request=serializers.SubmitSerializer, responses=answers.SubmittedOut,
)  # fmt: skip
@api_view(["POST"])
def visit_submit(request: Request, uid: UUID) -> Response:
    """Submitting again answers the same. The next tile comes with the answer."""
    visit = access.get_visit(request, uid)
    empty = _given(serializers.SubmitSerializer, request.data)["empty"]
    with transaction.atomic():
        submitted = leases.submit(visit, empty)
        if consensus.is_due(submitted.tile):
            settle_tile_task.delay_on_commit(submitted.tile_id)
    following = workbench.next_tile(campaign=submitted.tile.campaign, participant=submitted.participant)
    return Response(
        {
            "submitted": workbench.visit_json(submitted, following["progress"]["tiles"]),
            "next": following["visit"],
            "reason": following["reason"],
            "progress": following["progress"],
        }
    )


@extend_schema(
    operation_id="reopen_visit", tags=VISITS, summary="Undo a submission", request=None,
    responses=answers.VisitOut,
)  # fmt: skip
@api_view(["POST"])
def visit_reopen(request: Request, uid: UUID) -> Response:
    """Not any more once every tile of the campaign is settled."""
    return Response(workbench.visit_json(leases.reopen(access.get_visit(request, uid))))


@extend_schema(
    operation_id="return_visit", tags=VISITS, summary="Give a tile back undone",
    request=serializers.ReturnSerializer, responses=OpenApiTypes.OBJECT,
)  # fmt: skip
@api_view(["POST"])
def visit_return(request: Request, uid: UUID) -> Response:
    """Somebody else will get it; the asker never again. The answer is an empty object."""
    visit = access.get_visit(request, uid)
    leases.give_back(visit, _given(serializers.ReturnSerializer, request.data)["reason"])
    return Response({})


@extend_schema(
    operation_id="extend_visit", tags=VISITS, summary="Renew a lease", request=None,
    responses=answers.VisitOut,
)  # fmt: skip
@api_view(["POST"])
def visit_extend(request: Request, uid: UUID) -> Response:
    """Refused where it has run out and others took the place."""
    return Response(workbench.visit_json(leases.extend(access.get_visit(request, uid))))


@extend_schema(
    operation_id="draw_mark", tags=MARKS, summary="Draw a mark", request=serializers.DrawSerializer,
    responses={201: answers.MarkOut, 200: answers.MarkOut},
)  # fmt: skip
@api_view(["POST"])
def visit_marks(request: Request, uid: UUID) -> Response:
    """201 with the new mark, 200 with the stored one where its uid is already there."""
    visit = access.get_visit(request, uid)
    given = _given(serializers.DrawSerializer, request.data)
    given["basemap"] = _layer(visit.tile.campaign, given["basemap"])
    mark = marks.draw(visit=visit, **given)
    return Response(marks.as_json(mark), status=200 if mark.is_repeat else 201)


def _layer(campaign: Campaign, uid: UUID | None) -> Basemap | None:
    if uid is None:
        return None
    layer = campaign.layers.select_related("basemap").filter(basemap__uid=uid).first()
    if layer is None:
        raise InvalidInput(_("This layer is not one of the campaign's."), code="unknown_layer")
    return layer.basemap


@extend_schema(
    methods=["PATCH"], operation_id="change_mark", tags=MARKS, summary="Change one's own mark",
    request=serializers.ChangeSerializer, responses=answers.MarkOut,
)  # fmt: skip
@extend_schema(
    methods=["DELETE"], operation_id="delete_mark", tags=MARKS, summary="Delete one's own mark",
    parameters=[serializers.VersionSerializer], responses={200: answers.MarkOut},
)  # fmt: skip
@api_view(["PATCH", "DELETE"])
def mark(request: Request, uid: UUID) -> Response:
    """The version is the one the asker last saw; a conflict answers with the mark as it stands."""
    mark = access.get_mark(request, uid)
    if request.method == "DELETE":
        version = _given(serializers.VersionSerializer, request.query_params)["version"]
        return Response(marks.as_json(marks.delete(mark=mark, version=version)))
    return Response(
        marks.as_json(marks.change(mark=mark, **_given(serializers.ChangeSerializer, request.data)))
    )


@extend_schema(
    operation_id="restore_mark", tags=MARKS, summary="Bring a deleted mark back",
    request=serializers.VersionSerializer, responses=answers.MarkOut,
)  # fmt: skip
@api_view(["POST"])
def mark_restore(request: Request, uid: UUID) -> Response:
    """It comes back as it was."""
    mark = access.get_mark(request, uid)
    version = _given(serializers.VersionSerializer, request.data)["version"]
    return Response(marks.as_json(marks.restore(mark=mark, version=version)))


@extend_schema(
    operation_id="keep_view", tags=LAYERS, summary="Keep one's layer and contrast",
    request=serializers.ViewSerializer, responses=answers.ViewOut,
)  # fmt: skip
@api_view(["PUT"])
def view(request: Request, uid: UUID) -> Response:
    """The next tile is shown in it."""
    campaign = access.get_map_campaign(request, uid)
    wanted = _given(serializers.ViewSerializer, request.data)
    return Response(preferences.keep_view(campaign=campaign, participant=access.me(request), view=wanted))


@extend_schema(
    operation_id="campaign_features", tags=LAYERS, summary="See a catalogue over a campaign's imagery",
    parameters=[
        OpenApiParameter("catalogue", UUID, required=True, description="One that the campaign shows."),
        BBOX, LIMIT,
    ],
    responses=answers.FeaturesOut,
)  # fmt: skip
@api_view(["GET"])
def features(request: Request, uid: UUID) -> Response:
    """A catalogue over the campaign's imagery: only for those who do not draw blind here."""
    campaign = access.get_map_campaign(request, uid)
    catalogue = access.get_overlay(request, campaign, request.query_params.get("catalogue", ""))
    return Response(in_view(catalogue, *_window(request)))


@extend_schema(
    operation_id="catalogue_features", tags=LAYERS, summary="Get features of a catalogue",
    parameters=[BBOX, LIMIT], responses=answers.FeaturesOut,
)  # fmt: skip
@api_view(["GET"])
def catalogue_features(request: Request, uid: UUID) -> Response:
    """Those whose rims meet the box, the largest first."""
    return Response(in_view(access.get_catalogue(request, uid), *_window(request)))


def _window(request: Request) -> tuple[tuple[float, float, float, float], int]:
    bbox = read_bbox(request.query_params.get("bbox", "-180,-90,180,90"))
    limit = request.query_params.get("limit", "1000")
    if not (limit.isascii() and limit.isdecimal() and len(limit) < 9):
        raise InvalidInput(_("limit is a whole number of features, for example 500."), code="bad_limit")
    return bbox, int(limit)


@extend_schema(
    operation_id="basemap", tags=LAYERS, summary="See how far a conversion is", responses=answers.BasemapOut
)  # fmt: skip
@api_view(["GET"])
def basemap(request: Request, uid: UUID) -> Response:
    """A basemap and its state."""
    basemap = access.get_basemap(request, uid)
    return Response(
        {
            "uid": str(basemap.uid),
            "name": basemap.name,
            "state": basemap.state,
            "progress": basemap.progress,
            "error": basemap.error or missing_file(basemap),
        }
    )


@extend_schema(
    operation_id="basemap_value", tags=LAYERS, summary="Read a basemap's value at a place",
    parameters=[
        OpenApiParameter("lon", float, required=True, description="Degrees, east-positive."),
        OpenApiParameter("lat", float, required=True, description="Degrees."),
    ],
    responses=answers.ValueOut,
)  # fmt: skip
@api_view(["GET"])
def basemap_value(request: Request, uid: UUID) -> Response:
    """Of the pixel there, in the basemap's unit."""
    basemap = access.get_basemap(request, uid)
    try:
        lon, lat = (float(request.query_params.get(name, "")) for name in ("lon", "lat"))
    except ValueError:
        raise InvalidInput(_("lon and lat are numbers in degrees."), code="bad_place") from None
    return Response({"value": value_at(basemap, lon, lat), "unit": workbench.unit_of(basemap)})
