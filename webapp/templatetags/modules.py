"""The import map: `tektite/geo/sphere` in a module means static/js/geo/sphere.js under its hashed address."""

import json
from pathlib import Path

from django import template
from django.conf import settings
from django.templatetags.static import static
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

# Libraries that modules import by their own names, as node does.
LIBRARIES = {"idb": "vendor/idb/index.js"}
# What json.dumps leaves alone and an inline script must not contain.
ESCAPES = {ord("<"): "\\u003C", ord(">"): "\\u003E", ord("&"): "\\u0026"}


@register.simple_tag
def module_map() -> SafeString:
    """Every file under static/js by its bare name; a new file needs no entry anywhere."""
    root = Path(settings.BASE_DIR) / "static" / "js"
    names = sorted(path.relative_to(root).with_suffix("").as_posix() for path in root.rglob("*.js"))
    imports = {f"tektite/{name}": static(f"js/{name}.js") for name in names}
    imports |= {name: static(path) for name, path in LIBRARIES.items()}
    return mark_safe(json.dumps({"imports": imports}).translate(ESCAPES))
