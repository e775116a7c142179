"""What people fill in. Shapes and plain limits here; what a thing may be is decided by the services."""

from collections.abc import Callable

from django import forms
from django.contrib.gis.geos import MultiPolygon
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from annotate.models import Basemap, Campaign, Role
from annotate.services.names import clean_name, clean_text
from annotate.services.regions import region_of
from mlcore.bodies import BODIES
from mlcore.errors import InvalidInput

BODY_CHOICES = [(body.name, body.title) for body in BODIES.values()]
TILE_SIZES_PX = (256, 384, 512, 768, 1024)


def _or_sentence(clean: Callable[[str], str], value: str) -> str:
    try:
        return clean(value)
    except InvalidInput as error:
        raise ValidationError(error.message, code=error.code) from error


class NameField(forms.CharField):
    """A name in one line, refused in the services' own words."""

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**{"max_length": None, "label": _("Name"), **kwargs})
        self.validators = []

    def clean(self, value: object) -> str:
        text = super().clean(value)
        return _or_sentence(clean_name, text) if text or self.required else ""


class TextField(forms.CharField):
    """A text of several lines."""

    widget = forms.Textarea

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**{"required": False, **kwargs})
        self.validators = []

    def clean(self, value: object) -> str:
        return _or_sentence(clean_text, super().clean(value))


class BasemapChoice(forms.ModelChoiceField):
    """One basemap, told apart by body, size and resolution."""

    def __init__(self, **kwargs: object) -> None:
        super().__init__(
            Basemap.objects.none(), to_field_name="uid", widget=forms.RadioSelect, empty_label=None, **kwargs
        )

    def label_from_instance(self, basemap: Basemap) -> SafeString:
        return basemap_label(basemap)


class BasemapChoices(forms.ModelMultipleChoiceField):
    """Any number of basemaps."""

    def __init__(self, **kwargs: object) -> None:
        super().__init__(
            Basemap.objects.none(), to_field_name="uid", widget=forms.CheckboxSelectMultiple, **kwargs
        )

    def label_from_instance(self, basemap: Basemap) -> SafeString:
        return basemap_label(basemap)


def basemap_label(basemap: Basemap) -> SafeString:
    """Picture and name, and what tells two basemaps of the same name apart."""
    return render_to_string("annotate/partials/basemap_choice.html", {"basemap": basemap})


FOIL_VISIBILITY = [
    (Campaign.Visibility.PUBLIC, _("Public: anyone may judge pictures, also without an account")),
    (Campaign.Visibility.PRIVATE, Campaign.Visibility.PRIVATE.label),
]


class FoilSettingsForm(forms.Form):
    """What a lead may change of a campaign on pictures of foils."""

    name = NameField()
    instructions = TextField(
        label=_("Instructions"),
        help_text=_("Shown to everyone who judges: what counts as an impact crater on these foils."),
    )
    visibility = forms.ChoiceField(
        label=_("Who may see it"),
        choices=FOIL_VISIBILITY,
        widget=forms.RadioSelect,
        initial=Campaign.Visibility.PRIVATE,
    )


class FoilCampaignForm(FoilSettingsForm):
    """A new campaign on pictures of foils."""

    synthetic = forms.BooleanField(
        label=_("The pictures are synthetic: made by a program, not by a microscope"),
        required=False,
        help_text=_("Then every page says so. It cannot be changed later."),
    )


class CampaignSettingsForm(forms.Form):
    """What a lead may still change once tiles are laid."""

    name = NameField()
    instructions = TextField(
        label=_("Instructions"),
        help_text=_("Shown beside the map to everyone who draws: what counts, what does not, how small."),
    )
    visibility = forms.ChoiceField(
        label=_("Who may see it"),
        choices=Campaign.Visibility.choices,
        widget=forms.RadioSelect,
        initial=Campaign.Visibility.PRIVATE,
    )
    redundancy = forms.IntegerField(
        label=_("People per tile"),
        min_value=1,
        max_value=20,
        initial=3,
        help_text=_("How many search each tile independently before its craters are settled."),
    )
    min_diameter_m = forms.FloatField(
        label=_("Smallest crater, m"),
        min_value=0,
        initial=0,
        help_text=_("Diameter in metres below which nobody needs to draw; 0 for all that can be seen."),
    )
    lease_minutes = forms.IntegerField(
        label=_("Minutes per tile"),
        min_value=5,
        max_value=24 * 60,
        initial=60,
        help_text=_("A tile left untouched for this long is given to somebody else; no mark is lost."),
    )


class RegionForm(forms.Form):
    """A box in degrees, or nothing: all of the main basemap."""

    west = forms.FloatField(label=_("West, °"), required=False, min_value=-360, max_value=360)
    south = forms.FloatField(label=_("South, °"), required=False, min_value=-90, max_value=90)
    east = forms.FloatField(label=_("East, °"), required=False, min_value=-360, max_value=360)
    north = forms.FloatField(label=_("North, °"), required=False, min_value=-90, max_value=90)

    def clean(self) -> dict[str, object]:
        given = super().clean()
        sides = [given.get(name) for name in RegionForm.base_fields]
        missing = [
            name
            for name, side in zip(RegionForm.base_fields, sides, strict=True)
            if side is None and name not in self.errors
        ]
        if any(side is not None for side in sides):
            for name in missing:
                self.add_error(name, _("A region needs all four sides; or leave all four empty."))
        return given

    def region(self) -> MultiPolygon | None:
        """The region given; None for all of the basemap.

        Raises:
            InvalidInput: It is no box in degrees.
        """
        sides = [self.cleaned_data[name] for name in RegionForm.base_fields]
        return None if None in sides else region_of(*sides)


class TilesForm(RegionForm):
    """What decides how many tiles there are."""

    grid_basemap = BasemapChoice(
        label=_("Main basemap"),
        help_text=_("Gives the campaign its body, projection and pixel. It cannot be changed later."),
    )
    tile_size_px = forms.TypedChoiceField(
        label=_("Tile size"),
        coerce=int,
        choices=[(size, f"{size} × {size} px") for size in TILE_SIZES_PX],
        initial=512,
        help_text=_("One tile is one sitting: what a person searches before the next."),
    )
    redundancy = forms.IntegerField(required=False, min_value=1, max_value=20)

    def __init__(self, *args: object, basemaps: QuerySet[Basemap], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["grid_basemap"].queryset = basemaps


class CampaignForm(RegionForm, CampaignSettingsForm):
    """A new campaign on basemaps that are ready."""

    grid_basemap = TilesForm.base_fields["grid_basemap"]
    other_basemaps = BasemapChoices(
        label=_("Further layers"),
        required=False,
        help_text=_(
            "Other pictures of the same place, for a second look. Those on another grid are brought to that "
            "of the main basemap and marked “resampled”. Layers derived from an elevation model (hillshade, "
            "slope, curvature) come along by themselves."
        ),
    )
    tile_size_px = TilesForm.base_fields["tile_size_px"]
    tile_overlap_px = forms.IntegerField(
        label=_("Overlap, px"),
        min_value=0,
        max_value=512,
        initial=64,
        help_text=_(
            "How far each tile shows into its neighbours, so that craters on an edge are seen whole."
        ),
    )
    field_order = [
        "name",
        "grid_basemap",
        "other_basemaps",
        "tile_size_px",
        "tile_overlap_px",
        "redundancy",
        "min_diameter_m",
        "lease_minutes",
        "visibility",
        "instructions",
    ]

    def __init__(self, *args: object, basemaps: QuerySet[Basemap], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["grid_basemap"].queryset = basemaps
        self.fields["other_basemaps"].queryset = basemaps

    def basemaps(self) -> list[Basemap]:
        """The chosen basemaps, the one that gives the grid first."""
        first = self.cleaned_data["grid_basemap"]
        return [first, *(other for other in self.cleaned_data["other_basemaps"] if other != first)]


class MemberForm(forms.Form):
    """Somebody to be given a role."""

    who = forms.CharField(
        label=_("User name or e-mail address"),
        max_length=254,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none"}),
    )
    role = forms.ChoiceField(label=_("Role"), choices=Role.choices, initial=Role.ANNOTATOR)


class RemovalForm(forms.Form):
    """Somebody from whom a role is taken: the user's uid, and the role."""

    remove = forms.UUIDField()
    role = forms.CharField()


class ReleaseForm(forms.Form):
    """A visit whose tile a lead frees, and why."""

    visit = forms.UUIDField()
    reason = forms.CharField(required=False, max_length=150)


class BasemapForm(forms.Form):
    """A raster to upload."""

    file = forms.FileField(
        label=_("Raster file"),
        help_text=_(
            "GeoTIFF, PDS, ISIS or most others that GDAL reads, with its projection inside. What lies in "
            "several files (.lbl and .img, .tif and .tfw) comes as one .zip or .tar.gz."
        ),
        error_messages={"empty": _("The file is empty: it has no bytes. Choose the raster itself.")},
    )
    name = NameField(required=False, help_text=_("Left empty, the file's own name is taken."))
    body = forms.ChoiceField(label=_("Body"), choices=BODY_CHOICES, initial="moon")
    kind = forms.ChoiceField(
        label=_("Kind"),
        required=False,
        choices=[
            ("", _("Find out from the file")),
            (Basemap.Kind.IMAGE, Basemap.Kind.IMAGE.label),
            (Basemap.Kind.ELEVATION, Basemap.Kind.ELEVATION.label),
        ],
        help_text=_("An elevation model also gives hillshade, slope and profile curvature."),
    )
    sun_azimuth_deg = forms.FloatField(
        label=_("Sun azimuth, °"),
        required=False,
        min_value=0,
        max_value=360,
        help_text=_(
            "Where the light comes from, clockwise from north. The hillshade takes 315 unless you say."
        ),
    )
    sun_altitude_deg = forms.FloatField(
        label=_("Sun altitude, °"),
        required=False,
        min_value=0,
        max_value=90,
        help_text=_("Height of the sun above the horizon. The hillshade takes 45 unless you say."),
    )


LONGITUDE_CHOICES = [
    ("detect", _("Find out from the file")),
    ("east180", _("−180 to 180, positive east")),
    ("east360", _("0 to 360, positive east")),
    ("west180", _("−180 to 180, positive west")),
    ("west360", _("0 to 360, positive west")),
]


class ReadAgainForm(forms.Form):
    """Another way to read a list that waits."""

    longitude = forms.ChoiceField(label=_("Longitudes"), choices=LONGITUDE_CHOICES)
    body = forms.ChoiceField(label=_("Body"), choices=BODY_CHOICES)


class ConfirmImportForm(forms.Form):
    """What is to become of bad rows."""

    on_bad_rows = forms.ChoiceField(
        label=_("Bad rows"),
        choices=[
            ("skip", _("Leave them out and import the others")),
            ("stop", _("All rows or nothing: import only when every row is good")),
        ],
        widget=forms.RadioSelect,
    )


class CatalogueImportForm(forms.Form):
    """A list of craters to import."""

    file = forms.FileField(
        label=_("CSV file"),
        help_text=_(
            "Columns lon, lat, diam_km, and if you like name and source (one catalogue for each source)."
        ),
        error_messages={"empty": _("The file is empty: it has no bytes. Choose the crater list itself.")},
    )
    name = NameField(required=False, help_text=_("Left empty, the file's own name is taken."))
    body = forms.ChoiceField(label=_("Body"), choices=BODY_CHOICES, initial="moon")
    longitude = forms.ChoiceField(
        label=_("Longitudes"),
        choices=LONGITUDE_CHOICES,
        initial="detect",
        help_text=_("What is found out is shown with the reason before anything is imported."),
    )
    campaign = forms.ModelChoiceField(
        Campaign.objects.none(),
        label=_("Campaign"),
        required=False,
        to_field_name="uid",
        empty_label=_("None: everyone may see it"),
        help_text=_("A catalogue of a campaign is seen by those who see the campaign."),
    )

    def __init__(self, *args: object, campaigns: QuerySet[Campaign], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["campaign"].queryset = campaigns
