"""The head and tabs that all pages of a campaign share, review's too."""

from django import template

from annotate.access import DRAWERS, LEADS, MEMBERS, roles_in
from annotate.models import Campaign

register = template.Library()


@register.inclusion_tag("annotate/partials/campaign_head.html", takes_context=True)
def campaign_head(context: template.Context, campaign: Campaign) -> dict[str, object]:
    """Name, what is mapped, and tabs to what the reader may open."""
    roles = roles_in(context["request"].user, campaign)
    return {
        "request": context["request"],
        "campaign": campaign,
        "may_draw": bool(roles & DRAWERS),
        "is_member": bool(roles & MEMBERS),
        "may_lead": bool(roles & LEADS),
    }
