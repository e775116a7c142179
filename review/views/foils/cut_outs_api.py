"""The API of cutting craters out of pictures. Each is sent under its maker's identifier, and kept once."""

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from annotate.access import me
from review import access, answers
from review.serializers import CutOutIn, cut_out_out
from review.services.foils.network import cut_out_list, cut_outs

CUTTING = ["Cutting craters out of pictures of foils"]


@extend_schema(
    methods=["GET"], operation_id="cut_outs_list", tags=CUTTING, summary="What is cut out of a picture",
    responses=answers.CutOutsOut,
)  # fmt: skip
@extend_schema(
    methods=["POST"], operation_id="cut_outs_add", tags=CUTTING, summary="Cut a crater out",
    request=CutOutIn, responses={201: answers.CutOutOut},
)  # fmt: skip
@api_view(["GET", "POST"])
def cut_outs_of(request: Request, uid: UUID) -> Response:
    """All that was cut out of the picture, withdrawn ones too. What is sent again changes nothing."""
    picture = access.get_picture(request, uid)
    if request.method == "GET":
        found = cut_out_list.of(picture.campaign).filter(picture=picture).order_by("pk")
        return Response({"cut_outs": [cut_out_out(one) for one in found]})
    shape = CutOutIn(data=request.data)
    shape.is_valid(raise_exception=True)
    given = dict(shape.validated_data)
    mends = access.find_cut_out(request, given.pop("mends"))
    kept = cut_outs.cut(picture=picture, by=me(request), mends=mends, **given)
    return Response(cut_out_out(kept), status=201)


@extend_schema(
    operation_id="cut_out_withdraw", tags=CUTTING, summary="Withdraw a cut-out", request=None,
    responses=answers.CutOutOut,
)  # fmt: skip
@api_view(["POST"])
def withdraw(request: Request, uid: UUID) -> Response:
    """Trainings learn of it no more; asked again, nothing changes."""
    return Response(cut_out_out(cut_outs.withdraw(access.get_cut_out(request, uid), by=me(request))))


@extend_schema(
    operation_id="cut_out_restore", tags=CUTTING, summary="Have a withdrawn cut-out teach again",
    request=None, responses=answers.CutOutOut,
)  # fmt: skip
@api_view(["POST"])
def restore(request: Request, uid: UUID) -> Response:
    """Trainings learn of it again."""
    return Response(cut_out_out(cut_outs.restore(access.get_cut_out(request, uid))))
