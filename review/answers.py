"""What the API of review gives out, as its description says it; see annotate.answers."""

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from annotate.models import Basemap
from review.models import Classification, Run, RunEvent
from review.services.classifications import GIVEN
from review.services.policies import triage

REASONS = ["waiting", "finished", "none"]
ANSWERS = [(value, label) for value, label in Classification.Answer.choices if value in GIVEN]


class ProgressOut(serializers.Serializer):
    """How far the asker is."""

    done = serializers.IntegerField()
    waiting = serializers.IntegerField()
    per_minute = serializers.FloatField()


class LayerOut(serializers.Serializer):
    uid = serializers.UUIDField()
    name = serializers.CharField()
    title = serializers.CharField()
    kind = serializers.ChoiceField(Basemap.Kind.choices)
    url = serializers.CharField(help_text="Of the picture in this layer.")


class CutoutOut(serializers.Serializer):
    """The pictures of a subject, and the proposed rim in their pixels."""

    url = serializers.CharField()
    layers = LayerOut(many=True)
    width_m = serializers.FloatField()
    size_px = serializers.IntegerField()
    ring = serializers.ListField(
        child=serializers.ListField(child=serializers.FloatField(), min_length=2, max_length=2)
    )


class ProfileOut(serializers.Serializer):
    """Elevation from west to east through the centre."""

    distance_m = serializers.ListField(child=serializers.FloatField())
    elevation_m = serializers.ListField(child=serializers.FloatField(allow_null=True))


class NearestOut(serializers.Serializer):
    name = serializers.CharField(allow_blank=True)
    distance_m = serializers.FloatField()


class ModelOut(serializers.Serializer):
    system = serializers.CharField()
    number = serializers.IntegerField()


class SubjectOut(serializers.Serializer):
    """What is to be judged. To those who are not reviewers, what would bias them is null or empty."""

    uid = serializers.UUIDField()
    lon = serializers.FloatField()
    lat = serializers.FloatField()
    diameter_m = serializers.FloatField()
    score = serializers.FloatField(allow_null=True)
    uncertainty = serializers.FloatField(allow_null=True)
    why = serializers.CharField(allow_blank=True)
    nearest = NearestOut(allow_null=True)
    cutout = CutoutOut()
    profile = ProfileOut(allow_null=True)
    model = ModelOut(allow_null=True)


class NextOut(serializers.Serializer):
    """The next subject, or why there is none."""

    subject = SubjectOut(allow_null=True)
    reason = serializers.ChoiceField(REASONS, allow_null=True)
    progress = ProgressOut()


class ClassificationOut(serializers.Serializer):
    """The asker's own answer, as stored."""

    uid = serializers.UUIDField()
    subject = serializers.UUIDField()
    answer = serializers.ChoiceField(ANSWERS)
    reason = serializers.CharField(allow_blank=True)
    payload = serializers.DictField(help_text="Of a corrected rim: lon, lat, diameter_m.")
    edit = serializers.IntegerField(help_text="0 for the first answer; each correction is one more.")
    at = serializers.DateTimeField()


class ClassifiedOut(serializers.Serializer):
    """The stored answer, and the next subject."""

    classification = ClassificationOut()
    next = SubjectOut(allow_null=True)
    reason = serializers.ChoiceField(REASONS, allow_null=True)
    progress = ProgressOut()


class BackOut(serializers.Serializer):
    """The subject whose answer was taken back."""

    subject = SubjectOut()
    progress = ProgressOut()


@extend_schema_field(
    {"type": "object", "additionalProperties": {}, "description": "message, or name, step and value."}
)
class EventPayloadOut(serializers.JSONField):
    """A line of the log, or a point of a curve."""


class EventOut(serializers.Serializer):
    id = serializers.IntegerField()
    kind = serializers.ChoiceField(RunEvent.Kind.choices)
    payload = EventPayloadOut()
    at = serializers.DateTimeField()


class DatasetOut(serializers.Serializer):
    sha256 = serializers.CharField()
    counts = serializers.DictField()


class VersionOut(serializers.Serializer):
    """A model version with its card."""

    uid = serializers.UUIDField()
    number = serializers.IntegerField()
    is_current = serializers.BooleanField()
    card = serializers.DictField(help_text="Classes, thresholds, metrics per split, dataset, code, seed.")


class RunOut(serializers.Serializer):
    """A run and its events since the one asked for."""

    uid = serializers.UUIDField()
    url = serializers.CharField(help_text="Its page.")
    number = serializers.IntegerField()
    verb = serializers.ChoiceField(Run.Verb.choices)
    system = serializers.CharField()
    state = serializers.ChoiceField(Run.State.choices)
    state_title = serializers.CharField()
    attempt = serializers.IntegerField()
    progress = serializers.FloatField(help_text="0 to 1.")
    stage = serializers.CharField(allow_blank=True)
    eta_s = serializers.FloatField(allow_null=True)
    error = serializers.CharField(allow_blank=True)
    worker = serializers.CharField(allow_blank=True)
    heartbeat_at = serializers.DateTimeField(allow_null=True)
    trouble = serializers.CharField(allow_blank=True, help_text="What keeps it from getting on.")
    events = EventOut(many=True)
    dataset = DatasetOut(allow_null=True)
    version = VersionOut(allow_null=True)
    catalogue = serializers.UUIDField(allow_null=True)


class PromotedOut(serializers.Serializer):
    """The version that is current now, and the search that it begins, where there is anything to search."""

    uid = serializers.UUIDField()
    number = serializers.IntegerField()
    is_current = serializers.BooleanField()
    prediction = serializers.UUIDField(allow_null=True)


STAGES = ["consent", "practice", "judging"]
TRIAGE_ANSWERS = [(answer.value, answer.label) for answer in triage.ANSWERS]


class ConsentOut(serializers.Serializer):
    """What is recorded; agreed to by its edition."""

    edition = serializers.CharField()
    text = serializers.CharField()


class PersonOut(serializers.Serializer):
    uid = serializers.UUIDField(
        help_text="Sent as X-Participant, it keeps a page's answers from another's name."
    )
    pseudonym = serializers.CharField()
    is_anonymous = serializers.BooleanField()


class PracticeOut(serializers.Serializer):
    """The test: of the latest answers, `last` at most, so many were right of so many needed."""

    right = serializers.IntegerField()
    answered = serializers.IntegerField()
    needed = serializers.IntegerField()
    last = serializers.IntegerField()


class KnownOut(serializers.Serializer):
    """Of known pictures whose answer was told: the right ones, of all but "cannot tell"."""

    right = serializers.IntegerField()
    of = serializers.IntegerField()


class TriageProgressOut(serializers.Serializer):
    answered = serializers.IntegerField(help_text="Pictures on which an answer of the asker stands.")
    today = serializers.IntegerField(help_text="Pictures first judged today, UTC.")
    effort = serializers.IntegerField(help_text="Never falls.")
    open = serializers.IntegerField(help_text="About how many pictures still wait for the asker.")
    undo = serializers.IntegerField(help_text="How many answers can be taken back now.")
    known = KnownOut(allow_null=True)


class TriageStateOut(serializers.Serializer):
    """Where the asker stands; person is null before anybody is known."""

    stage = serializers.ChoiceField(STAGES)
    consent = ConsentOut()
    person = PersonOut(allow_null=True)
    practice = PracticeOut(allow_null=True)
    progress = TriageProgressOut(allow_null=True)


class FrameOut(serializers.Serializer):
    url = serializers.CharField()


class ShowingOut(serializers.Serializer):
    """A picture before the asker; images of one picture differ in focus."""

    uid = serializers.UUIDField()
    width_px = serializers.IntegerField()
    height_px = serializers.IntegerField()
    nm_per_px = serializers.FloatField(allow_null=True)
    frames = FrameOut(many=True)


class HandedOut(serializers.Serializer):
    """All that is open to the asker, the oldest first, or why nothing is."""

    showings = ShowingOut(many=True)
    reason = serializers.ChoiceField(REASONS, allow_null=True)
    stage = serializers.ChoiceField(STAGES)
    practice = PracticeOut(allow_null=True)
    progress = TriageProgressOut()


class ClickOut(serializers.Serializer):
    """A place in pixels of the picture: x to the right, y down."""

    x_px = serializers.FloatField()
    y_px = serializers.FloatField()


class TriageAnswerOut(serializers.Serializer):
    """The asker's own answer, as stored."""

    uid = serializers.UUIDField()
    showing = serializers.UUIDField()
    answer = serializers.ChoiceField(TRIAGE_ANSWERS)
    marks = ClickOut(many=True)
    at = serializers.DateTimeField()


class KnownPlaceOut(ClickOut):
    diameter_um = serializers.FloatField(allow_null=True)


class FeedbackOut(serializers.Serializer):
    """What is known of the picture that was just judged."""

    is_crater = serializers.BooleanField()
    was_right = serializers.BooleanField()
    places = KnownPlaceOut(many=True)
    text = serializers.CharField()


class AnsweredOut(HandedOut):
    """The stored answer, what is known of its picture where that is told, and what comes next."""

    classification = TriageAnswerOut()
    feedback = FeedbackOut(allow_null=True)


class CutOutOut(serializers.Serializer):
    """A crater cut out of a picture."""

    uid = serializers.UUIDField()
    picture = serializers.UUIDField()
    frame = serializers.IntegerField(help_text="Of the focus series, from 0.")
    polygon = serializers.ListField(
        child=serializers.ListField(child=serializers.FloatField(), min_length=2, max_length=2),
        help_text="[x_px, y_px] in the frame's pixels, x to the right, y down; open, as it was drawn.",
    )
    diameter_px = serializers.FloatField(help_text="Of the circle of the polygon's area.")
    diameter_um = serializers.FloatField(allow_null=True)
    by = serializers.CharField(allow_null=True)
    at = serializers.DateTimeField()
    withdrawn_by = serializers.CharField(allow_null=True)
    withdrawn_at = serializers.DateTimeField(allow_null=True)
    url = serializers.CharField(help_text="Of its small picture, with alpha.")
    withdraw_url = serializers.CharField()
    restore_url = serializers.CharField()


class CutOutsOut(serializers.Serializer):
    cut_outs = CutOutOut(many=True)


class PreviousOut(serializers.Serializer):
    """The answer that was taken back."""

    answer = serializers.ChoiceField(TRIAGE_ANSWERS)
    marks = ClickOut(many=True)


class ReturnedOut(serializers.Serializer):
    """The picture whose answer was taken back."""

    showing = ShowingOut()
    previous = PreviousOut()
    progress = TriageProgressOut()
