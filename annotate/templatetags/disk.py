"""Sizes of files and disks."""

from django import template

from annotate.services.disk import in_words

register = template.Library()


@register.filter
def size(n_bytes: float | None) -> str:
    """1.5 GB; 20 MB."""
    return "–" if n_bytes is None else in_words(int(n_bytes))
