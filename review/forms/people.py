"""Whose answers weigh: a lead's decision, with its reason."""

from django import forms
from django.utils.translation import gettext_lazy as _


class DecisionForm(forms.Form):
    """Set somebody's answers aside, or let them weigh again."""

    judge = forms.UUIDField()
    act = forms.ChoiceField(choices=[("set_aside", _("Set aside")), ("count_again", _("Count again"))])
    why = forms.CharField(label=_("Why"), max_length=300)
