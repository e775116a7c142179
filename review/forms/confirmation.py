"""What an expert found, as a form: method, result, places with diameters, a note."""

from uuid import uuid4

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from review.models import Confirmation
from review.services.foils.results.confirmation import LONGEST_NOTE
from review.services.foils.spots import Spot

# A row of the form has these, each under its name as often as there are rows.
COLUMNS = ("x_px", "y_px", "diameter_um")


class ConfirmationForm(forms.Form):
    """The page makes the uid, so that a form sent twice is kept once."""

    uid = forms.UUIDField(widget=forms.HiddenInput)
    result = forms.ChoiceField(
        label=gettext_lazy("What was found"), choices=Confirmation.Result.choices, widget=forms.RadioSelect
    )
    method = forms.ChoiceField(
        label=gettext_lazy("By which method"), choices=Confirmation.Method.choices, widget=forms.RadioSelect
    )
    note = forms.CharField(
        label=gettext_lazy("Note"),
        required=False,
        max_length=LONGEST_NOTE,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("Where the section or the data lie, for instance."),
    )

    def __init__(self, data: QueryDict | None = None) -> None:
        super().__init__(data, initial={"uid": uuid4()})
        self.spots: list[Spot] = []

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The places as they were typed, and an empty row for who cannot click."""
        given = [self.data.getlist(name) for name in COLUMNS] if self.is_bound else []
        typed = [row for row in zip(*given, strict=False) if any(cell.strip() for cell in row)]
        return [*typed, ("", "", "")]

    def clean(self) -> dict[str, object]:
        if "uid" in self.errors:
            raise forms.ValidationError(_("This form was damaged on its way; load the page again."))
        self.spots = [self._spot(number, row) for number, row in enumerate(self.rows[:-1], 1)]
        return super().clean()

    def _spot(self, number: int, row: tuple[str, ...]) -> Spot:
        try:
            x_px, y_px, diameter_um = (
                float(cell.replace(",", ".")) if cell.strip() else None for cell in row
            )
        except ValueError:
            x_px = y_px = diameter_um = None
        if x_px is None or y_px is None:
            raise forms.ValidationError(
                _("Place %(number)d needs numbers for x and y in pixels; the diameter may be left out.")
                % {"number": number}
            )
        return Spot(x_px, y_px, diameter_um)
