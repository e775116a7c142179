"""The head and tabs that all pages on a campaign's foils share, and words for outcomes."""

from django import template
from django.utils.translation import gettext_lazy as _

from annotate.access import LEADS, roles_in
from annotate.models import Campaign
from mlcore.consensus.answers.stopping import Outcome
from review.access import MATRIX
from review.services.foils.words import OUTCOMES

register = template.Library()

# Shown in this order, to whom the page's row in the matrix lets in.
TABS = (
    ("review:foils", _("Overview")),
    ("review:foil_images", _("Images")),
    ("review:foil_stream", _("Stream")),
    ("review:foil_gold", _("Gold")),
    ("review:foil_rules", _("Rules")),
    ("review:foil_simulation", _("Simulator")),
    ("review:foil_people", _("People")),
    ("review:foil_results", _("Results")),
)


@register.inclusion_tag("review/foils/partials/head.html", takes_context=True)
def foil_head(context: template.Context, campaign: Campaign) -> dict[str, object]:
    """Name, what it is, and the tabs."""
    return {**_tabs(context, campaign), "campaign": campaign}


@register.inclusion_tag("review/foils/partials/tabs.html", takes_context=True)
def foil_tabs(context: template.Context, campaign: Campaign) -> dict[str, object]:
    """The tabs alone, for pages with a head of their own."""
    return _tabs(context, campaign)


def _tabs(context: template.Context, campaign: Campaign) -> dict[str, object]:
    roles = roles_in(context["request"].user, campaign)
    open_to = [(name, label) for name, label in TABS if roles & MATRIX.get(name, {}).get("GET", frozenset())]
    return {
        "request": context["request"],
        "campaign": campaign,
        "tabs": open_to,
        "may_lead": bool(roles & LEADS),
    }


@register.filter
def outcome(value: str) -> str:
    """An outcome's name; a dash for what is open."""
    return str(OUTCOMES[Outcome(value)]) if value else "–"
