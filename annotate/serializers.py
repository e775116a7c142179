"""What the API takes in: shapes and types. What the values may be is the services' business."""

from math import isfinite

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from annotate.services.names import clean_label

MAX_VIEW_ENTRIES = 20


@extend_schema_field({"type": "number"})
class NumberField(serializers.Field):
    """A finite JSON number; text that looks like one is refused, since it hides a client's mistake."""

    default_error_messages = {
        "not_a_number": _("must be a number, not {kind}."),
        "not_finite": _("must be a finite number."),
    }

    def to_internal_value(self, data: object) -> float:
        if isinstance(data, bool) or not isinstance(data, int | float):
            self.fail("not_a_number", kind=type(data).__name__)
        try:
            value = float(data)
        except OverflowError:
            value = float("inf")
        if not isfinite(value):
            self.fail("not_finite")
        return value

    def to_representation(self, value: float) -> float:
        return value


class RimPointsField(serializers.ListField):
    """The three [longitude, latitude] clicked."""

    child = serializers.ListField(child=NumberField(), min_length=2, max_length=2)

    def __init__(self, **kwargs: object) -> None:
        super().__init__(
            **{"min_length": 3, "max_length": 3, "allow_null": True, "required": False, **kwargs}
        )


@extend_schema_field(
    {
        "type": "object",
        "maxProperties": MAX_VIEW_ENTRIES,
        "additionalProperties": {
            "nullable": True,
            "oneOf": [{"type": "number"}, {"type": "string"}, {"type": "boolean"}],
        },
    }
)
class DrawnViewField(serializers.Field):
    """How the author looked at the place: a few plain values by name."""

    default_error_messages = {
        "not_plain": _("must be an object of at most {limit} numbers, texts or true/false by name."),
    }

    def to_internal_value(self, data: object) -> dict[str, object]:
        if not isinstance(data, dict) or len(data) > MAX_VIEW_ENTRIES:
            self.fail("not_plain", limit=MAX_VIEW_ENTRIES)
        if not all(value is None or isinstance(value, bool | int | float | str) for value in data.values()):
            self.fail("not_plain", limit=MAX_VIEW_ENTRIES)
        return {clean_label(name, max_length=40): _plain(value) for name, value in data.items()}


def _plain(value: object) -> object:
    if isinstance(value, str):
        return clean_label(value)
    return value if value is None or isinstance(value, bool) else NumberField().to_internal_value(value)


class DrawSerializer(serializers.Serializer):
    """A new mark."""

    uid = serializers.UUIDField()
    lon = NumberField()
    lat = NumberField()
    diameter_m = NumberField()
    rim_points = RimPointsField(default=None)
    uncertain = serializers.BooleanField(default=False)
    basemap = serializers.UUIDField(default=None, allow_null=True)
    view = DrawnViewField(default=dict)


class ChangeSerializer(serializers.Serializer):
    """What of a mark changes; the version is the one the asker last saw."""

    version = serializers.IntegerField(min_value=1)
    lon = NumberField(required=False)
    lat = NumberField(required=False)
    diameter_m = NumberField(required=False)
    rim_points = RimPointsField()
    uncertain = serializers.BooleanField(required=False)


class VersionSerializer(serializers.Serializer):
    """Which state of a mark the asker last saw."""

    version = serializers.IntegerField(min_value=1)


class SubmitSerializer(serializers.Serializer):
    empty = serializers.BooleanField()


class ReturnSerializer(serializers.Serializer):
    reason = serializers.CharField(max_length=200, allow_blank=True, default="")


class ViewSerializer(serializers.Serializer):
    """A layer and its contrast."""

    layer = serializers.UUIDField()
    low_percent = serializers.FloatField(min_value=0, max_value=100)
    high_percent = serializers.FloatField(min_value=0, max_value=100)
    gamma = serializers.FloatField(min_value=0.1, max_value=10)
    invert = serializers.BooleanField()

    def validate_layer(self, value: object) -> str:
        return str(value)
