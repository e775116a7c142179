"""Scores of pictures, and the threshold with its audit, as forms."""

from django import forms
from django.utils.translation import gettext_lazy as _

RAW, CALIBRATED = "raw", "calibrated"


class ScoresForm(forms.Form):
    """A file of scores."""

    file = forms.FileField(
        label=_("File"),
        help_text=_("CSV with a column “name” or “sha256” for the picture and one “score”, from 0 to 1."),
        error_messages={"required": _("Choose a file of scores.")},
    )
    kind = forms.ChoiceField(
        label=_("The scores are"),
        choices=(
            (RAW, _("what the network's last layer says: a ranking, until it is calibrated here")),
            (CALIBRATED, _("calibrated: probabilities of a crater")),
        ),
        initial=RAW,
        widget=forms.RadioSelect,
    )


class ThresholdForm(forms.Form):
    """What goes to people."""

    threshold = forms.FloatField(
        label=_("Threshold"),
        required=False,
        help_text=_("Of the score as the network said it, above 0 and below 1. Empty: people see all."),
        widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
    )
    audit_size = forms.IntegerField(
        label=_("Pictures in the audit"),
        min_value=0,
        help_text=_("Drawn of those held back, most of them close below the threshold."),
    )
    audit_share = forms.FloatField(
        label=_("Share of the audit"),
        min_value=0.0,
        max_value=1.0,
        help_text=_("Of what a person sees, from 0 to 1."),
        widget=forms.NumberInput(attrs={"step": "any"}),
    )
    audit_seed = forms.IntegerField(
        label=_("Seed of the draw"),
        min_value=0,
        max_value=2**31,
        help_text=_("The same seed draws the same pictures again."),
    )
    base_rate = forms.FloatField(
        label=_("Craters per picture"),
        help_text=_(
            "About how many pictures of a hundred show one, as a share: 0.01. Where no score says more."
        ),
        widget=forms.NumberInput(attrs={"step": "any"}),
    )
