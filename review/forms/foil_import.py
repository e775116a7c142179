"""What leads fill in to bring in pictures of foils."""

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

from review.models import Picture, PictureImport


class FilesInput(forms.FileInput):
    """Any number of files."""

    allow_multiple_selected = True


class FilesField(forms.FileField):
    """The files that were chosen, as a list; empty ones are refused in the services' words."""

    widget = FilesInput

    def clean(self, data: object, initial: object = None) -> list[UploadedFile]:
        chosen = [one for one in (data if isinstance(data, list) else [data]) if one]
        if self.required and not chosen:
            raise forms.ValidationError(self.error_messages["required"], code="required")
        return chosen


class BatchForm(forms.Form):
    """How the names of a batch are understood."""

    pattern = forms.CharField(
        label=_("Pattern of the names"),
        required=False,
        max_length=300,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "class": "mono"}),
        help_text=_(
            "A file's name with fields in it: {foil}, {x_um}, {y_um}, {nm_per_px} and {focus}; a * stands "
            "for anything. For example {foil}_x{x_um}_y{y_um}_z{focus}.tif. Files that agree in all but "
            "{focus} are one picture."
        ),
    )
    nm_per_px = forms.FloatField(
        label=_("Size of a pixel, nm"),
        required=False,
        help_text=_("Of pictures of which neither table nor name says it."),
    )
    pages = forms.ChoiceField(
        label=_("The pages of a TIFF stack are"),
        choices=PictureImport.Pages.choices,
        initial=PictureImport.Pages.FOCUS,
        widget=forms.RadioSelect,
    )
    purpose = forms.ChoiceField(
        label=_("The pictures are for"),
        choices=Picture.Purpose.choices,
        initial=Picture.Purpose.SURVEY,
        widget=forms.RadioSelect,
        help_text=_("Reference and blank pictures teach the network: no volunteer ever sees them."),
    )
    table = forms.FileField(
        label=_("Table"),
        required=False,
        help_text=_(
            "CSV with a column “file” and any of “foil”, “x_um”, “y_um” and “nm_per_px”. What it says goes "
            "before what names say."
        ),
    )


class FilesForm(BatchForm):
    """Pictures to bring in."""

    files = FilesField(
        label=_("Images and archives"),
        help_text=_(
            "Grey images of 8 or 16 bits as TIFF, PNG, JPEG or BMP; TIFF stacks; .zip and .tar(.gz, .xz) of "
            "them."
        ),
        error_messages={"required": _("Choose at least one image or archive.")},
    )
    field_order = ["files", "purpose", "table", "pattern", "nm_per_px", "pages"]


class CorrectionForm(forms.Form):
    """A table for pictures that are there already."""

    correction = forms.FileField(
        label=_("Table"),
        help_text=_("The same kind of table. An empty cell leaves what is known as it is."),
        error_messages={"required": _("Choose the table.")},
    )
