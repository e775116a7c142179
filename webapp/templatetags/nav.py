"""Links of the bar and of the tabs that know whether they lead to where one is."""

from django import template
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag(takes_context=True)
def nav_link(context: template.Context, url_name: str, label: str, *args: object) -> SafeString:
    """An <a> that knows whether it leads here or above here; nothing where the URL has no page yet."""
    try:
        url = reverse(url_name, args=args)
    except NoReverseMatch:
        return SafeString("")
    request = context.get("request")
    path = request.path if request else ""
    if path == url:
        current = SafeString(' aria-current="page"')
    elif url.count("/") == 2 and path.startswith(url):
        current = SafeString(' aria-current="true"')
    else:
        current = SafeString("")
    return format_html('<a href="{}"{}>{}</a>', url, current, label)
