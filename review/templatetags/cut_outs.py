"""Words for cut-outs."""

from django import template

from review.models import CutOut

register = template.Library()


@register.filter
def diameter_um(cut_out: CutOut) -> str:
    """In micrometres, in three digits; "" where the picture's scale is unknown."""
    nm_per_px = cut_out.picture.nm_per_px
    return f"{cut_out.diameter_px * nm_per_px / 1000.0:.3g} µm" if nm_per_px else ""
