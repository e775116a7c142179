"""What the API gives out, as its description says it; tests hold every real answer against these shapes."""

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from annotate.models import Basemap, Feature, Visit

# "waiting": others hold tiles that may come back; "finished": there is nothing left for this person.
REASONS = ["waiting", "finished"]


def lonlat() -> serializers.ListField:
    """[longitude, latitude] in degrees."""
    return serializers.ListField(child=serializers.FloatField(), min_length=2, max_length=2)


class MarkOut(serializers.Serializer):
    """A mark as its author gets it."""

    uid = serializers.UUIDField()
    version = serializers.IntegerField(min_value=1, help_text="Grows by one with each change.")
    lon = serializers.FloatField(help_text="Degrees, east-positive, −180 to 180.")
    lat = serializers.FloatField()
    diameter_m = serializers.FloatField()
    rim_points = serializers.ListField(
        child=lonlat(), allow_null=True, help_text="The three places clicked on the rim, if it was so drawn."
    )
    uncertain = serializers.BooleanField()
    deleted = serializers.BooleanField()
    updated_at = serializers.DateTimeField()


@extend_schema_field(
    {
        "type": "object",
        "required": ["type", "coordinates"],
        "properties": {
            "type": {"type": "string", "enum": ["Polygon", "MultiPolygon"]},
            "coordinates": {"type": "array", "items": {}},
        },
    }
)
class GeometryOut(serializers.JSONField):
    """A GeoJSON geometry in degrees on the body."""


class TileOut(serializers.Serializer):
    """The unit of map work; sizes and places in pixels of the campaign's grid."""

    uid = serializers.UUIDField()
    number = serializers.IntegerField(min_value=1)
    of = serializers.IntegerField(help_text="How many tiles the campaign has.")
    x_px = serializers.IntegerField()
    y_px = serializers.IntegerField()
    width_px = serializers.IntegerField()
    height_px = serializers.IntegerField()
    overlap_px = serializers.IntegerField(help_text="How far the tile shows into its neighbours.")
    bounds_lonlat = serializers.ListField(
        child=serializers.FloatField(),
        min_length=4,
        max_length=4,
        help_text="[west, south, east, north] of the tile with its overlap; west > east across ±180°.",
    )
    outline = GeometryOut()


class VisitOut(serializers.Serializer):
    """One person's work on one tile, as that person sees it."""

    uid = serializers.UUIDField()
    state = serializers.ChoiceField(Visit.State.choices)
    lease_expires_at = serializers.DateTimeField()
    submitted_at = serializers.DateTimeField(allow_null=True)
    tile = TileOut()
    marks = MarkOut(many=True)


class CampaignProgressOut(serializers.Serializer):
    """How far the campaign is, and what the asker did for it."""

    tiles_settled = serializers.IntegerField()
    tiles = serializers.IntegerField()
    my_visits = serializers.IntegerField()


class NextTileOut(serializers.Serializer):
    """A tile to work on, or why there is none."""

    visit = VisitOut(allow_null=True)
    reason = serializers.ChoiceField(REASONS, allow_null=True)
    progress = CampaignProgressOut()


class SubmittedOut(serializers.Serializer):
    """The submitted visit, and the next."""

    submitted = VisitOut()
    next = VisitOut(allow_null=True)
    reason = serializers.ChoiceField(REASONS, allow_null=True)
    progress = CampaignProgressOut()


class ViewOut(serializers.Serializer):
    """A layer and its contrast, as kept."""

    layer = serializers.UUIDField()
    low_percent = serializers.FloatField()
    high_percent = serializers.FloatField()
    gamma = serializers.FloatField()
    invert = serializers.BooleanField()


class PointOut(serializers.Serializer):
    type = serializers.ChoiceField(["Point"])
    coordinates = lonlat()


class FeaturePropertiesOut(serializers.Serializer):
    uid = serializers.UUIDField()
    lon = serializers.FloatField()
    lat = serializers.FloatField()
    diameter_m = serializers.FloatField()
    score = serializers.FloatField(allow_null=True, help_text="0 to 1; null for what people settled.")
    status = serializers.ChoiceField(Feature.Status.choices)
    name = serializers.CharField(allow_blank=True)


class FeatureOut(serializers.Serializer):
    """A feature as its centre; who shows it draws the rim from centre and diameter."""

    type = serializers.ChoiceField(["Feature"])
    id = serializers.UUIDField()
    geometry = PointOut()
    properties = FeaturePropertiesOut()


class FeaturesOut(serializers.Serializer):
    """GeoJSON, the largest first."""

    type = serializers.ChoiceField(["FeatureCollection"])
    truncated = serializers.BooleanField(help_text="Whether there are more than were asked for.")
    features = FeatureOut(many=True)


class BasemapOut(serializers.Serializer):
    """A basemap and how far its conversion is."""

    uid = serializers.UUIDField()
    name = serializers.CharField()
    state = serializers.ChoiceField(Basemap.State.choices)
    progress = serializers.FloatField(help_text="0 to 1.")
    error = serializers.CharField(allow_blank=True, help_text="Why the conversion failed.")


class ValueOut(serializers.Serializer):
    """What a basemap holds at a place."""

    value = serializers.FloatField(allow_null=True, help_text="Null outside, and where nothing is known.")
    unit = serializers.CharField(allow_null=True, help_text="m, ° or 1/m; null for mere brightness.")
