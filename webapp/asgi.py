"""The same application for ASGI servers. Tiles are faster under WSGI: see docs/operators.md."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
application = get_asgi_application()
