"""The API of judging pictures of foils. A picture is reached by a showing alone, known or not.

Visitors need no CSRF token: pages of other sites can send neither JSON nor the session's cookie.
"""

from uuid import UUID

from django.http import HttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from annotate.services.storage import file_of
from mlcore.errors import NotFound
from review import access, answers
from review.models import Picture
from review.serializers import TriageAnswerIn, TriageStartIn, handed_out, progress_of, showing_out, state_out
from review.services.foils.judging import judging, pace

TRIAGE = ["Judging pictures of foils"]
# Files are rounded up to so many bytes a pixel, which hardly any image exceeds; those of huge ones to this.
PADDED_BYTES_PER_PX, PADDED_BYTES = 0.75, 2**20


@extend_schema(
    operation_id="triage_state", tags=TRIAGE, summary="Where the asker stands",
    responses=answers.TriageStateOut,
)  # fmt: skip
@api_view(["GET"])
def state(request: Request, uid: UUID) -> Response:
    """Consent, test or judging; nothing is handed out."""
    workflow = access.get_triage(request, uid)
    person = access.find_judge(request)
    return Response(state_out(workflow, person, judging.standing_of(workflow, person)))


@extend_schema(
    operation_id="triage_start", tags=TRIAGE, summary="Agree to what is recorded", request=TriageStartIn,
    responses=answers.TriageStateOut,
)  # fmt: skip
@api_view(["POST"])
def start(request: Request, uid: UUID) -> Response:
    """Agree to an edition of the text. Who is not signed in becomes a visitor, known by the session."""
    workflow = access.get_triage(request, uid)
    shape = TriageStartIn(data=request.data)
    shape.is_valid(raise_exception=True)
    judging.refuse_other_edition(workflow, shape.validated_data["consent"])
    person = access.begin_judging(request)
    standing = judging.start(workflow=workflow, person=person, consent=shape.validated_data["consent"])
    return Response(state_out(workflow, person, standing))


@extend_schema(
    operation_id="triage_next", tags=TRIAGE, summary="Get pictures to judge", request=None,
    responses=answers.HandedOut,
)  # fmt: skip
@api_view(["POST"])
def next_showings(request: Request, uid: UUID) -> Response:
    """All that is open to the asker, topped up to three; asking again gives the same."""
    workflow = access.get_triage(request, uid)
    person = access.get_judge(request)
    network = access.network_of(request) if person.is_anonymous else ""
    return Response(handed_out(judging.hand_out(workflow=workflow, person=person, network=network)))


@extend_schema(
    operation_id="triage_answer", tags=TRIAGE, summary="Judge a picture", request=TriageAnswerIn,
    responses={201: answers.AnsweredOut},
)  # fmt: skip
@api_view(["POST"])
def answer(request: Request, uid: UUID) -> Response:
    """Store an answer and hand out what comes next. Sent again under its uid, it changes nothing."""
    workflow = access.get_triage(request, uid)
    person = access.get_judge(request)
    pace.of_answers(person.participant.pk)
    shape = TriageAnswerIn(data=request.data)
    shape.is_valid(raise_exception=True)
    network = access.network_of(request) if person.is_anonymous else ""
    given = judging.answer(workflow=workflow, person=person, network=network, **shape.validated_data)
    stored = given.classification
    return Response(
        {
            "classification": {
                "uid": str(stored.uid),
                "showing": str(given.showing.uid),
                "answer": stored.answer,
                "marks": stored.payload.get("marks", []),
                "at": stored.created_at.isoformat(),
            },
            "feedback": given.feedback,
            **handed_out(given.handed),
        },
        status=201,
    )


@extend_schema(
    operation_id="triage_back", tags=TRIAGE, summary="Take the last answer back", request=None,
    responses=answers.ReturnedOut,
)  # fmt: skip
@api_view(["POST"])
def back(request: Request, uid: UUID) -> Response:
    """Take the asker's last answer back, up to ten, and show its picture again."""
    workflow = access.get_triage(request, uid)
    returned = judging.back(workflow=workflow, person=access.get_judge(request))
    previous = returned.previous
    return Response(
        {
            "showing": showing_out(returned.showing),
            "previous": {"answer": previous.answer, "marks": previous.payload.get("marks", [])},
            "progress": progress_of(returned.progress),
        }
    )


@extend_schema(
    operation_id="showing_frame", tags=TRIAGE, summary="See a picture",
    responses={(200, "image/jpeg"): OpenApiTypes.BINARY},
)  # fmt: skip
@api_view(["GET"])
def frame(request: Request, uid: UUID, number: int) -> HttpResponse:
    """One image of a picture shown to the asker: 0 is the first, more of them differ in focus."""
    shown = access.get_frame(request, uid, number)
    try:
        content = file_of(shown.shown_path).read_bytes()
    except FileNotFoundError:
        raise NotFound(
            _("The file of this picture is missing on the server; the operator has to restore it.")
        ) from None
    # No name and no date, which would tell known pictures from others, and no size: a large crater makes a
    # smaller file. Decoders stop at the image's end.
    padded = content.ljust(_padded(len(content), shown.picture), b"\0")
    response = HttpResponse(padded, content_type="image/jpeg")
    response["Cache-Control"] = "private, max-age=3600"
    return response


def _padded(n_bytes: int, picture: Picture) -> int:
    """The size in which so many bytes of a picture are sent."""
    unit = min(PADDED_BYTES, max(1, int(PADDED_BYTES_PER_PX * picture.width_px * picture.height_px)))
    return -(-n_bytes // unit) * unit
