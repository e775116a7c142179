"""Stopping rules as a form, and pictures that shall come back."""

from django import forms
from django.utils.translation import gettext_lazy as _

from mlcore.consensus.answers.stopping import Outcome, StoppingRule
from mlcore.errors import InvalidInput
from review.services.foils.words import OUTCOMES, SETTINGS


class RuleForm(forms.Form):
    """The settings of mlcore's StoppingRule, each with its unit and what it does."""

    min_votes = forms.IntegerField(
        label=SETTINGS["min_votes"],
        help_text=_("Answers. No picture leaves the queue with fewer."),
    )
    max_votes = forms.IntegerField(
        label=SETTINGS["max_votes"],
        help_text=_("Answers. What is still undecided then goes to reviewers; nothing is dropped for it."),
    )
    accept = forms.FloatField(
        label=SETTINGS["accept"],
        help_text=_("Probability of a crater, below 1. From here on a picture is a candidate."),
    )
    reject = forms.FloatField(
        label=SETTINGS["reject"],
        help_text=_(
            "Probability of a crater, above 0, such as 1e-6: one in a million. The smaller, the more answers "
            "are needed and the fewer craters are lost."
        ),
    )
    practised_people = forms.IntegerField(
        label=SETTINGS["practised_people"],
        help_text=_("People. “Nothing there” needs answers of so many who have practice."),
    )
    practised_after = forms.IntegerField(
        label=SETTINGS["practised_after"],
        help_text=_("Known pictures. Who has answered so many has practice."),
    )
    bad_image_share = forms.FloatField(
        label=SETTINGS["bad_image_share"],
        help_text=_("Of “cannot tell” among the answers, from 0 to 1. From here on the image is bad."),
    )

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            if isinstance(field, forms.FloatField):
                field.widget.attrs["step"] = "any"

    def clean(self) -> dict[str, object]:
        cleaned = super().clean()
        if self.errors:
            return cleaned
        try:
            self.rule()
        except InvalidInput as error:
            self._say(error.message)
        return cleaned

    def rule(self) -> StoppingRule:
        """The rule, once the form is valid.

        Raises:
            InvalidInput: It is none; the sentence begins with the name of the setting.
        """
        return StoppingRule(**{name: self.cleaned_data[name] for name in SETTINGS})

    def _say(self, sentence: str) -> None:
        """Put mlcore's sentence beside its field, with the labels in place of the settings' names."""
        name = sentence.split(" ")[0]
        for setting, label in SETTINGS.items():
            sentence = sentence.replace(setting, f"“{label}”")
        self.add_error(name if name in self.fields else None, sentence)


class NewRuleForm(RuleForm):
    """A rule that shall stand from now on."""

    why = forms.CharField(
        label=_("Why"),
        max_length=300,
        help_text=_("One line, kept with the rule for those who come after you."),
    )
    opens_again = forms.BooleanField(
        label=_("Open again what the new rule would not have retired"),
        required=False,
        help_text=_("Otherwise what is retired stays so, by the rule that retired it."),
    )


class ReopenForm(forms.Form):
    """Retired pictures come back for further answers."""

    further = forms.IntegerField(
        label=_("Further answers"),
        initial=5,
        help_text=_("So many are asked for before a rule decides again."),
    )
    why = forms.CharField(label=_("Why"), max_length=300)


class RetiredFilter(forms.Form):
    """Which retired pictures are listed."""

    outcome = forms.ChoiceField(
        label=_("Outcome"),
        required=False,
        choices=[("", _("any")), *((outcome.value, OUTCOMES[outcome]) for outcome in Outcome)],
    )
    rule = forms.IntegerField(label=_("Rule"), required=False, min_value=1)
