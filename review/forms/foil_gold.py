"""Known pictures to be made, and a lead's word on a picture, as forms."""

import re
from dataclasses import replace

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from review.services.foils.gold.gold import KINDS, Kind, Place
from review.services.foils.gold.gold_making import MOST_AT_ONCE, Order
from review.services.foils.settings import LONGEST_TEXT, MOST_PRACTICE

_NUMBER = r"[+-]?\d+(?:\.\d*)?|[+-]?\.\d+"
_PLACE = re.compile(rf"\s*({_NUMBER})[\s,;]+({_NUMBER})(?:[\s,;]+({_NUMBER}))?\s*")


class OrderForm(forms.Form):
    """How many known pictures of which kind."""

    craters = forms.IntegerField(
        label=gettext_lazy("With a crater"), min_value=0, max_value=MOST_AT_ONCE, initial=0
    )
    look_alikes = forms.IntegerField(
        label=gettext_lazy("With a look-alike"), min_value=0, max_value=MOST_AT_ONCE, initial=0
    )
    blanks = forms.IntegerField(
        label=gettext_lazy("With nothing"), min_value=0, max_value=MOST_AT_ONCE, initial=0
    )
    practice = forms.IntegerField(
        label=gettext_lazy("For the test"),
        min_value=0,
        max_value=200,
        initial=0,
        help_text=gettext_lazy("Half of them craters of at least 0.8 µm; shown before somebody judges."),
    )
    seed = forms.IntegerField(
        label=gettext_lazy("Seed"),
        min_value=0,
        max_value=2**31,
        initial=1,
        help_text=gettext_lazy(
            "The same over the same pictures makes the same ones; choose another each time."
        ),
    )
    with_feedback = forms.BooleanField(
        label=gettext_lazy("They may tell their answer"),
        required=False,
        initial=True,
        help_text=gettext_lazy("To a share of those who see them; the others never learn."),
    )

    def order(self, blanks_at_hand: int | None) -> Order:
        """What was filled in; the test does without blanks where there are not enough of them."""
        order = Order(**self.cleaned_data)
        for_test = sum(kind == Kind.BLANK and is_practice for kind, is_practice in order.items())
        if blanks_at_hand is not None and blanks_at_hand < order.blanks + for_test:
            return replace(order, practice_has_blanks=False)
        return order


class HandForm(forms.Form):
    """What a lead says of a picture."""

    kind = forms.ChoiceField(
        label=gettext_lazy("It shows"),
        choices=[
            (Kind.CRATER, gettext_lazy("an impact crater")),
            (Kind.LOOK_ALIKE, gettext_lazy("something that looks like one")),
            (Kind.BLANK, gettext_lazy("nothing")),
        ],
        widget=forms.RadioSelect,
    )
    places = forms.CharField(
        label=gettext_lazy("Where"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "class": "mono"}),
        help_text=gettext_lazy(
            "One place a line: x and y in pixels from the upper left corner and, where known, the diameter "
            "in µm. A click on the picture writes a line."
        ),
    )
    is_practice = forms.BooleanField(
        label=gettext_lazy("For the test before judging"),
        required=False,
        help_text=gettext_lazy("Then it is shown nowhere else."),
    )

    def clean_places(self) -> list[Place]:
        places: list[Place] = []
        for number, line in enumerate(self.cleaned_data["places"].splitlines(), start=1):
            if not line.strip():
                continue
            match = _PLACE.fullmatch(line)
            if match is None:
                raise ValidationError(
                    _("Line %(n)d is no place: give x, y and perhaps a diameter, such as 120, 84.5, 0.9.")
                    % {"n": number}
                )
            x_px, y_px, diameter_um = match.groups()
            places.append(
                {
                    "x_px": float(x_px),
                    "y_px": float(y_px),
                    "diameter_um": float(diameter_um) if diameter_um else None,
                }
            )
        return places


class TellingForm(forms.Form):
    """What those who judge are told: the text they agree to, the test, and some answers."""

    feedback_share = forms.FloatField(
        label=gettext_lazy("Share of answers told"),
        min_value=0.0,
        max_value=1.0,
        help_text=gettext_lazy("Of known images that may tell, from 0 to 1. What is told cannot be undone."),
        widget=forms.NumberInput(attrs={"step": "any"}),
    )
    practice_last = forms.IntegerField(
        label=gettext_lazy("The test looks at"),
        min_value=0,
        max_value=MOST_PRACTICE,
        help_text=gettext_lazy("Latest answers; 0: there is no test."),
    )
    practice_right = forms.IntegerField(
        label=gettext_lazy("And lets in with"),
        min_value=0,
        max_value=MOST_PRACTICE,
        help_text=gettext_lazy("Of these right."),
    )
    consent_text = forms.CharField(
        label=gettext_lazy("What people agree to"),
        required=False,
        max_length=LONGEST_TEXT,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=gettext_lazy(
            "Empty: Tektite’s own text. Whoever agreed to another is asked again before the next picture."
        ),
    )


class FilterForm(forms.Form):
    """Which known pictures are listed."""

    show = forms.ChoiceField(
        label=gettext_lazy("Show"),
        required=False,
        choices=[
            ("", gettext_lazy("all that are shown")),
            *((kind.value, label) for kind, label in KINDS.items()),
            ("practice", gettext_lazy("those of the test")),
            ("withdrawn", gettext_lazy("withdrawn ones")),
        ],
    )
