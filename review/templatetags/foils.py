"""The head and tabs that all pages on a campaign's foils share, and words for outcomes."""

from dataclasses import dataclass

from django import forms, template
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from annotate.access import LEADS, roles_in
from annotate.models import Campaign
from annotate.templatetags.planet import whole
from mlcore.consensus.answers.stopping import Outcome
from review.access import MATRIX
from review.models import Picture
from review.services.foils.words import OUTCOMES, PURPOSES

register = template.Library()

_RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")

# Shown in this order, to whom the page's row in the matrix lets in; each with the pages below it.
TABS: tuple[tuple[str, Promise, frozenset[str]], ...] = (
    ("review:foils", _("Overview"), frozenset()),
    (
        "review:foil_images",
        _("Images"),
        frozenset({"review:foil_import", "review:foil_correction", "review:foil_batch"}),
    ),
    ("review:foil_cut_outs", _("Cut-outs"), frozenset({"review:foil_cut"})),
    ("review:foil_stream", _("Stream"), frozenset()),
    ("review:foil_gold", _("Gold"), frozenset({"review:foil_gold_add"})),
    ("review:foil_network", _("Network"), frozenset()),
    ("review:foil_rules", _("Rules"), frozenset({"review:foil_retired"})),
    ("review:foil_simulation", _("Simulator"), frozenset()),
    ("review:foil_people", _("People"), frozenset()),
    ("review:foil_results", _("Results"), frozenset({"review:foil_statistics"})),
)


@dataclass(frozen=True)
class Tab:
    """One tab of a campaign's foils; `current` is what aria-current says of it."""

    name: str
    label: Promise
    current: str


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
    match = context["request"].resolver_match
    here = match.view_name if match else ""
    open_to = [
        Tab(name, label, "page" if here == name else "true" if here in below else "")
        for name, label, below in TABS
        if roles & MATRIX[name]["GET"]
    ]
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


@register.filter
def purpose(value: str) -> str:
    """What a picture is for, in a word."""
    return str(PURPOSES[Picture.Purpose(value)])


@register.filter
def words_of(text: str) -> list[str]:
    """A text at its blanks."""
    return text.split()


@register.filter
def field_of(form: forms.Form, name: str) -> forms.BoundField:
    """A form's field by its name."""
    return form[name]


@register.filter
def setting(value: float) -> str:
    """A setting as short as it can be told: 0.95, 0.000001 as 1e-06."""
    return f"{value:g}"


@register.filter
def probability(value: float) -> str:
    """A probability in two significant digits, small ones as powers of ten: 0.95, 3.2·10⁻⁵."""
    if value >= 0.001 or value == 0:
        return f"{value:.2g}"
    digits, exponent = f"{value:.1e}".split("e")
    return f"{digits}·10{str(int(exponent)).translate(_RAISED)}"


@register.filter
def tenths(share: float) -> str:
    """A share in percent to a tenth, 100 only where it is all and 0 only where it is nothing: 99.8."""
    percent = 100.0 * share
    if 0.0 < share < 1.0:
        percent = min(99.9, max(0.1, percent))
    return f"{percent:.3g}" if share in (0.0, 1.0) else f"{percent:.1f}"


@register.filter
def signed(value: int) -> str:
    """A difference with its sign: +12, −3."""
    return ("+" if value > 0 else "") + whole(value)
